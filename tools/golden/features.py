"""The networks of LPIPS (AlexNet, VGG-16) and of FID (Inception-v3 as pytorch-fid has it), and what is
computed with their features. Weights come from a function of name and shape.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import linalg

ALEX = [(0, 64, 11, 4, 2, 1), "pool3", (3, 192, 5, 1, 2, 1), "pool3", (6, 384, 3, 1, 1, 1), (8, 256, 3, 1, 1, 1), (10, 256, 3, 1, 1, 1)]
VGG = []
for block in (((0, 64), (2, 64)), ((5, 128), (7, 128)), ((10, 256), (12, 256), (14, 256)), ((17, 512), (19, 512), (21, 512)), ((24, 512), (26, 512), (28, 512))):
    VGG += (["pool2"] if VGG else []) + [(i, c, 3, 1, 1, int(i == block[-1][0])) for i, c in block]


def plain_taps(x, layers, values):
    """Feature maps behind their ReLU. A layer is (index, channels, kernel, stride, padding, is a tap)."""
    taps = []
    for layer in layers:
        if isinstance(layer, str):
            x = F.max_pool2d(x, int(layer[-1]), stride=2)
            continue
        index, channels, kernel, stride, padding, is_tap = layer
        weight = values(f"features.{index}.weight", (channels, x.shape[1], kernel, kernel))
        bias = values(f"features.{index}.bias", (channels,))
        x = F.relu(F.conv2d(x, weight, bias, stride=stride, padding=padding))
        if is_tap:
            taps.append(x)
    return taps


def lpips_plain(a, b, layers, values):
    """The parts of the taps for a, b (1, 3, H, W) in [-1, 1]."""
    shift = torch.tensor([-0.030, -0.088, -0.188]).to(a).view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).to(a).view(3, 1, 1)
    parts = []
    for i, (x, y) in enumerate(zip(*(plain_taps((p - shift) / scale, layers, values) for p in (a, b)))):
        x = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
        y = y / (y.square().sum(1, keepdim=True).sqrt() + 1e-10)
        weight = values(f"lin{i}.weight", (1, x.shape[1], 1, 1))
        parts.append(F.conv2d((x - y).square(), weight).mean())
    return torch.stack(parts)


def inception_features(x, values):
    """x (1, 3, 299, 299) as the network sees it to (2048,): pytorch-fid's InceptionV3, blocks 0 to 3."""

    def conv(x, name, channels, kernel=1, stride=1, padding=0):
        kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        weight = values(f"{name}.conv.weight", (channels, x.shape[1], *kernel))
        norm = [values(f"{name}.bn.{part}", (channels,)) for part in ("running_mean", "running_var", "weight", "bias")]
        return F.relu(F.batch_norm(F.conv2d(x, weight, stride=stride, padding=padding), *norm, eps=1e-3))

    def row(x, name, channels, taps):
        return conv(x, name, channels, (1, taps), padding=(0, taps // 2))

    def column(x, name, channels, taps):
        return conv(x, name, channels, (taps, 1), padding=(taps // 2, 0))

    def average(x):
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)

    def a(x, name, pool):
        b5 = conv(conv(x, f"{name}.branch5x5_1", 48), f"{name}.branch5x5_2", 64, 5, padding=2)
        b3 = conv(conv(x, f"{name}.branch3x3dbl_1", 64), f"{name}.branch3x3dbl_2", 96, 3, padding=1)
        b3 = conv(b3, f"{name}.branch3x3dbl_3", 96, 3, padding=1)
        return torch.cat([conv(x, f"{name}.branch1x1", 64), b5, b3, conv(average(x), f"{name}.branch_pool", pool)], 1)

    def c(x, name, inner):
        b7 = row(conv(x, f"{name}.branch7x7_1", inner), f"{name}.branch7x7_2", inner, 7)
        b7 = column(b7, f"{name}.branch7x7_3", 192, 7)
        d = column(conv(x, f"{name}.branch7x7dbl_1", inner), f"{name}.branch7x7dbl_2", inner, 7)
        d = column(row(d, f"{name}.branch7x7dbl_3", inner, 7), f"{name}.branch7x7dbl_4", inner, 7)
        d = row(d, f"{name}.branch7x7dbl_5", 192, 7)
        return torch.cat([conv(x, f"{name}.branch1x1", 192), b7, d, conv(average(x), f"{name}.branch_pool", 192)], 1)

    def e(x, name, pooled):
        wide = conv(x, f"{name}.branch3x3_1", 384)
        deep = conv(conv(x, f"{name}.branch3x3dbl_1", 448), f"{name}.branch3x3dbl_2", 384, 3, padding=1)
        return torch.cat(
            [
                conv(x, f"{name}.branch1x1", 320),
                row(wide, f"{name}.branch3x3_2a", 384, 3),
                column(wide, f"{name}.branch3x3_2b", 384, 3),
                row(deep, f"{name}.branch3x3dbl_3a", 384, 3),
                column(deep, f"{name}.branch3x3dbl_3b", 384, 3),
                conv(pooled, f"{name}.branch_pool", 192),
            ],
            1,
        )

    x = conv(x, "Conv2d_1a_3x3", 32, 3, 2)
    x = conv(x, "Conv2d_2a_3x3", 32, 3)
    x = F.max_pool2d(conv(x, "Conv2d_2b_3x3", 64, 3, padding=1), 3, 2)
    x = conv(x, "Conv2d_3b_1x1", 80)
    x = F.max_pool2d(conv(x, "Conv2d_4a_3x3", 192, 3), 3, 2)
    x = a(a(a(x, "Mixed_5b", 32), "Mixed_5c", 64), "Mixed_5d", 64)
    d = conv(conv(x, "Mixed_6a.branch3x3dbl_1", 64), "Mixed_6a.branch3x3dbl_2", 96, 3, padding=1)
    d = conv(d, "Mixed_6a.branch3x3dbl_3", 96, 3, 2)
    x = torch.cat([conv(x, "Mixed_6a.branch3x3", 384, 3, 2), d, F.max_pool2d(x, 3, 2)], 1)
    for name, inner in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        x = c(x, f"Mixed_{name}", inner)
    b3 = conv(conv(x, "Mixed_7a.branch3x3_1", 192), "Mixed_7a.branch3x3_2", 320, 3, 2)
    b7 = row(conv(x, "Mixed_7a.branch7x7x3_1", 192), "Mixed_7a.branch7x7x3_2", 192, 7)
    b7 = conv(column(b7, "Mixed_7a.branch7x7x3_3", 192, 7), "Mixed_7a.branch7x7x3_4", 192, 3, 2)
    x = torch.cat([b3, b7, F.max_pool2d(x, 3, 2)], 1)
    x = e(x, "Mixed_7b", average(x))
    x = e(x, "Mixed_7c", F.max_pool2d(x, 3, stride=1, padding=1))
    return x.mean((2, 3))[0]


def pytorch_fid_input(picture):
    """u8 (H, W, 3) to (1, 3, 299, 299): bilinear without antialiasing, then 2x - 1."""
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].double() / 255
    return 2 * F.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False) - 1


def clean_fid_input(picture):
    """u8 (H, W, 3) to (1, 3, 299, 299): Pillow's bicubic filter on float channels, then (x - 128) / 128."""
    channels = [Image.fromarray(picture[:, :, c].astype(np.float32), mode="F") for c in range(3)]
    channels = [np.asarray(c.resize((299, 299), resample=Image.BICUBIC)).clip(0, 255) for c in channels]
    return (torch.from_numpy(np.stack(channels))[None].double() - 128) / 128


def frechet(a, b):
    """pytorch-fid's distance of two sets of features (N, D)."""
    sigma_a, sigma_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(sigma_a @ sigma_b).real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sigma_a) + np.trace(sigma_b) - 2 * np.trace(root))


def kernel(a, b):
    """clean-fid's kernel distance with one subset, which is the whole of both sets (of one size)."""
    n, m = a.shape[1], len(a)
    within = (a @ a.T / n + 1) ** 3 + (b @ b.T / n + 1) ** 3
    between = (a @ b.T / n + 1) ** 3
    return float(((within.sum() - np.diag(within).sum()) / (m - 1) - between.sum() * 2 / m) / m)


def discriminative(real, made):
    """P-IDS and U-IDS as co-mod-gan's metrics/ids.py computes them; the machine is solved tighter than
    scikit-learn does by default, so that its minimum is what is compared."""
    from sklearn.svm import LinearSVC

    machine = LinearSVC(dual=False, tol=1e-10, max_iter=100000)
    inputs = np.concatenate([real, made])
    targets = np.array([1] * len(real) + [0] * len(made))
    machine.fit(inputs, targets)
    decisions = machine.decision_function(inputs)
    paired = float(np.mean(machine.decision_function(made) > machine.decision_function(real)))
    return paired, float(1 - machine.score(inputs, targets)), decisions
