"""Values from a closed formula, and the recording of one case into named tensors.

Values come from an integer hash, so that a test can repeat them bit for bit in any language and a file
need not store them. All reference arithmetic runs in float64 on float32 inputs; what is stored is
rounded once, so a test's error is its own.
"""

import math

import numpy as np
import torch

SAMPLES = 256


def fnv1a(name):
    h = 0x811C9DC5
    for byte in name.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def hash_bits(name, count):
    """24 uniform bits for each index: the finaliser of MurmurHash3 over fnv1a(name) + i * 0x9E3779B9."""
    mask = np.uint64(0xFFFFFFFF)
    x = (np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B9) + np.uint64(fnv1a(name))) & mask
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(0x85EBCA6B)) & mask
    x ^= x >> np.uint64(13)
    x = (x * np.uint64(0xC2B2AE35)) & mask
    x ^= x >> np.uint64(16)
    return x >> np.uint64(8)


def uniform(name, shape, bound=1.0):
    """float32 values in [-bound, bound): bound * (bits / 2^23 - 1), the product rounded to float32."""
    bits = hash_bits(name, math.prod(shape)).astype(np.float32)
    values = np.float32(bound) * (bits / np.float32(2**23) - np.float32(1))
    return torch.from_numpy(values.reshape(shape)).double()


def smooth_picture(name, height, width):
    """u8 (H, W, 3): hashed values on a grid of 8 pixels, bilinear in integers, plus hashed grain in 0..=15.

    pixel = (sum of the four corners, each 8 bit, times (8-fy or fy) * (8-fx or fx)) / 64 * 240 / 256 + grain,
    both divisions rounding down.
    """
    gh, gw = height // 8 + 2, width // 8 + 2
    grid = (hash_bits(name, gh * gw * 3) >> np.uint64(16)).astype(np.int64).reshape(gh, gw, 3)
    y, x = np.mgrid[0:height, 0:width]
    fy, fx = (y % 8)[..., None], (x % 8)[..., None]
    y, x = y // 8, x // 8
    total = (
        grid[y, x] * (8 - fy) * (8 - fx)
        + grid[y, x + 1] * (8 - fy) * fx
        + grid[y + 1, x] * fy * (8 - fx)
        + grid[y + 1, x + 1] * fy * fx
    )
    grain = (hash_bits(name + ".grain", height * width * 3) >> np.uint64(20)).astype(np.int64)
    return (total // 64 * 240 // 256 + grain.reshape(height, width, 3)).astype(np.uint8)


def fill(module, prefix=""):
    """Every parameter from the formula, by its state-dict name: biases in [-0.1, 0.1), weights with the
    variance 2 / (1.04 * fan_in) of He's initialisation, i.e. bound = sqrt(6 / (1.04 * fan_in))."""
    module.double()
    with torch.no_grad():
        for name, p in module.named_parameters():
            fan_in = math.prod(p.shape[1:])
            bound = 0.1 if name.endswith("bias") else math.sqrt(6 / (1.04 * fan_in))
            p.copy_(uniform(prefix + name, p.shape, bound))
    return module


class Case:
    """The tensors and the description of one file."""

    def __init__(self, name):
        self.name = name
        self.tensors = {}
        self.metadata = {}

    def put(self, name, value):
        assert name not in self.tensors, name
        if value.is_floating_point():
            value = value.float()
        self.tensors[name] = value.detach().clone().contiguous()

    def put_sampled(self, name, value):
        """Whole up to SAMPLES values; beyond, the L2 norm as NAME.norm and every k-th value of the
        flattened tensor as NAME.sample, k = ceil(len / SAMPLES)."""
        if value.numel() <= SAMPLES:
            return self.put(name, value)
        self.put(f"{name}.norm", value.norm().reshape(1))
        self.put(f"{name}.sample", value.flatten()[:: -(-value.numel() // SAMPLES)])

    def uniform(self, name, shape, bound=1.0):
        """A stored input: the formula's values under FILE/NAME."""
        value = uniform(f"{self.name}/{name}", shape, bound)
        self.put(name, value)
        return value.requires_grad_()

    def grads(self, prefix, output, wrt, stored=True, store_output=True):
        """Store OUTPUT and the gradients of sum(output * cotangent) with respect to `wrt` (a dict).

        With stored=False the cotangent is left to the formula (name FILE/PREFIXcotangent) and large
        gradients are sampled. A scalar output has the cotangent 1, which is not stored.
        """
        if store_output:
            self.put(f"{prefix}output", output if output.ndim else output.reshape(1))
        loss = output
        if output.ndim:
            cotangent = uniform(f"{self.name}/{prefix}cotangent", output.shape)
            if stored:
                self.put(f"{prefix}cotangent", cotangent)
            loss = (output * cotangent).sum()
        found = torch.autograd.grad(loss, list(wrt.values()), allow_unused=True, retain_graph=True)
        for name, g in zip(wrt, found):
            if g is None:
                g = torch.zeros_like(wrt[name])
            put = self.put if stored else self.put_sampled
            put(f"{prefix}grad.{name}", g)
