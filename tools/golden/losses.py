"""Losses, discriminators, spectral normalisation and the learning-rate schedule of T-MAD.

Equation numbers are the paper's. Every function returns a scalar tensor unless it says otherwise.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from reference import PATCH, Down, conv1, conv3, leaky

EPS = 1e-12


def recon(coarse, image, mask, lambda_hole, lambda_valid):
    """Eq. (1): l1 over the hole and over the rest, each divided by its own number of values.

    The sums run over the batch. mask: (B, 1, H, W).
    """
    error = (coarse - image).abs()
    hole = (mask * error).sum() / (3 * mask.sum() + EPS)
    valid = ((1 - mask) * error).sum() / (3 * (1 - mask).sum() + EPS)
    return lambda_hole * hole + lambda_valid * valid


def l1(completed, truth):
    """Mean over whole patches."""
    return (completed - truth).abs().mean()


def tv(image, mask):
    """Mean |dx| + mean |dy| over the channel-pixel pairs of which at least one pixel lies in the hole."""

    def mean(difference, touches):
        touches = touches.expand_as(difference)
        return (touches * difference.abs()).sum() / (touches.sum() + EPS)

    dx = image[..., :, 1:] - image[..., :, :-1]
    dy = image[..., 1:, :] - image[..., :-1, :]
    touch_x = torch.maximum(mask[..., :, 1:], mask[..., :, :-1])
    touch_y = torch.maximum(mask[..., 1:, :], mask[..., :-1, :])
    return mean(dx, touch_x) + mean(dy, touch_y)


def patch_discriminator_loss(real, fake):
    """Eq. (6), L_D. Lists with one score vector for each image: means are an image's own."""
    losses = [
        F.softplus(-(r - f.mean())).mean() + F.softplus(f - r.mean()).mean()
        for r, f in zip(real, fake)
    ]
    return torch.stack(losses).mean()


def patch_generator_loss(memory, real, fake):
    """Eq. (7), L_G: against the whole texture memory and against the real patches."""
    losses = [
        F.softplus(a - f.mean()).mean() + F.softplus(-(f - r.mean())).mean()
        for a, r, f in zip(memory, real, fake)
    ]
    return torch.stack(losses).mean()


def global_discriminator_loss(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def global_generator_loss(fake):
    return F.softplus(-fake).mean()


# VGG-19 up to conv5_3 by torchvision's layer numbers; every conv but the last is followed by a ReLU.
VGG_CONVS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32)
VGG_POOLS = (4, 9, 18, 27)
VGG_TAPS = (10, 19, 32)


def vgg_taps(image, weights):
    """Conv outputs at VGG_TAPS, ahead of their ReLU. Image in [-1, 1]; weights by torchvision's names."""
    mean = torch.tensor([0.485, 0.456, 0.406]).to(image).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).to(image).view(3, 1, 1)
    x = ((image + 1) / 2 - mean) / std
    taps = []
    for layer in range(VGG_TAPS[-1] + 1):
        if layer in VGG_CONVS:
            x = F.conv2d(x, weights[f"features.{layer}.weight"], weights[f"features.{layer}.bias"], padding=1)
            if layer in VGG_TAPS:
                taps.append(x)
        elif layer in VGG_POOLS:
            x = F.max_pool2d(x, 2)
        else:
            x = F.relu(x)
    return taps


def perceptual(completed, truth, weights):
    pairs = zip(vgg_taps(completed, weights), vgg_taps(truth, weights))
    return sum((a - b).abs().mean() for a, b in pairs)


class PatchDiscriminator(nn.Module):
    """(B, 3, 32, 32) to one score for each patch (B,)."""

    def __init__(self, widths=(32, 64, 128, 128)):
        super().__init__()
        self.input = conv1(3, widths[0])
        self.down = nn.ModuleList(Down(a, b) for a, b in zip(widths, widths[1:]))
        self.conv = conv3(widths[-1], widths[-1])
        self.linear = nn.Linear(widths[-1] * (PATCH >> (len(widths) - 1)) ** 2, 1)

    def forward(self, patch):
        x = leaky(self.input(patch))
        for block in self.down:
            x = block(x)
        return self.linear(leaky(self.conv(x)).flatten(1))[:, 0]


class GlobalDiscriminator(nn.Module):
    """CycleGAN's 70 x 70 patch discriminator without normalisation: (B, 3, H, W) to a map of logits."""

    def __init__(self, widths=(64, 128, 256, 512)):
        super().__init__()
        channels = (3, *widths, 1)
        strides = (2, 2, 2, 1, 1)
        self.conv = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=s, padding=1) for a, b, s in zip(channels, channels[1:], strides)
        )

    def forward(self, x):
        for conv in self.conv[:-1]:
            x = leaky(conv(x))
        return self.conv[-1](x)


def spectral_norm_step(weight, u):
    """One power iteration: the normalised weight, the new u, v and sigma.

    The weight is viewed as (out, rest); u and v carry no gradient, sigma = u^T W v does.
    """
    matrix = weight.flatten(1)
    with torch.no_grad():
        v = F.normalize(matrix.T @ u, dim=0, eps=EPS)
        u = F.normalize(matrix @ v, dim=0, eps=EPS)
    sigma = u @ matrix @ v
    return weight / sigma, u, v, sigma


def cosine_restart(step, base, periods=(100_000,) * 4, weights=(1.0, 0.5, 0.5, 0.5), floor=1e-7):
    """mmediting's schedule; a period's last step is followed by the next one's full rate."""
    start = 0
    for period, weight in zip(periods, weights):
        if step < start + period:
            phase = (step - start) / period
            return floor + 0.5 * weight * (base - floor) * (1 + math.cos(math.pi * phase))
        start += period
    raise ValueError(f"step {step} lies behind the last period, which ends at {start}")
