"""LPIPS-squeeze v0.1 as the lpips 0.1.4 package computes it, on torchvision's SqueezeNet 1.1 names.

Weights are given as dictionaries, so that nothing is downloaded here.
"""

import torch
import torch.nn.functional as F

FIRES = (3, 4, 6, 7, 9, 10, 11, 12)
POOLS = (2, 5, 8)
TAPS = (1, 4, 7, 9, 10, 11, 12)


def squeeze_taps(x, weights):
    """Seven feature maps, each behind its ReLU."""

    def conv(x, name, **kwargs):
        return F.relu(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **kwargs))

    taps = []
    for layer in range(TAPS[-1] + 1):
        name = f"features.{layer}"
        if layer == 0:
            x = conv(x, name, stride=2)
        elif layer in POOLS:
            x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)
        elif layer in FIRES:
            x = conv(x, f"{name}.squeeze")
            x = torch.cat([conv(x, f"{name}.expand1x1"), conv(x, f"{name}.expand3x3", padding=1)], 1)
        if layer in TAPS:
            taps.append(x)
    return taps


def lpips_squeeze(a, b, backbone, linear):
    """a, b: (B, 3, H, W) in [-1, 1]. Returns the distance (B,) and the seven layers' parts (B, 7)."""
    shift = torch.tensor([-0.030, -0.088, -0.188]).to(a).view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).to(a).view(3, 1, 1)
    parts = []
    for i, (x, y) in enumerate(
        zip(squeeze_taps((a - shift) / scale, backbone), squeeze_taps((b - shift) / scale, backbone))
    ):
        # The epsilon stands outside the root, unlike F.normalize's.
        x = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
        y = y / (y.square().sum(1, keepdim=True).sqrt() + 1e-10)
        parts.append(F.conv2d((x - y).square(), linear[f"lin{i}.weight"]).mean((1, 2, 3)))
    parts = torch.stack(parts, 1)
    return parts.sum(1), parts
