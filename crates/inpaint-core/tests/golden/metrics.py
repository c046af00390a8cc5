"""Reference values of the metrics, from scikit-image and from NumPy ports of
the published definitions. Prints the constants of `tests/metrics_golden.rs`.

Needs numpy, scipy and scikit-image (made with 2.4.6, 1.18 and 0.26.0).
"""

import math

import numpy as np
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

M64 = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def mix(v):
    v = ((v ^ (v >> 30)) * 0xBF58476D1CE4E5B9) & M64
    v = ((v ^ (v >> 27)) * 0x94D049BB133111EB) & M64
    return v ^ (v >> 31)


def stream(seed, index):
    return mix(mix((seed + GAMMA) & M64) ^ ((index * GAMMA) & M64))


class Random:
    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state + GAMMA) & M64
        return mix(self.state)

    def below(self, n):
        return (self.bits() * n) >> 64

    def unit(self):
        return (self.bits() >> 11) / (1 << 53)

    def normal(self):
        r = math.sqrt(-2.0 * math.log(1.0 - self.unit()))
        return r * math.cos(2.0 * math.pi * self.unit())


def picture(width, height, kind):
    """Waves, an edge and noise; kind 1 is a disturbed kind 0."""
    out = np.zeros((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            for c in range(3):
                v = (x * 5 + y * (3 + c)) % 128 + (60 if x * 2 > y + 20 else 0)
                v += mix(x + 1000 * y + 1000000 * c) % 24
                if kind == 1:
                    v += (x * y) % 19 - 9 + (15 if (x // 8 + y // 8) % 2 else 0)
                out[y, x, c] = min(max(v, 0), 255)
    return out


def hole(width, height):
    y, x = np.mgrid[:height, :width]
    return (x - width // 2) ** 2 + (y - height // 2) ** 2 < (height // 4) ** 2


def pyramid(image, levels):
    f = np.float32([1, 4, 6, 4, 1])
    f = np.outer(f, f) / 256
    conv = lambda a, k: np.stack(
        [ndimage.convolve(a[..., c], k, mode="mirror") for c in range(3)], -1
    )
    out = [image.astype(np.float32)]
    for _ in range(1, levels):
        down = conv(out[-1], f)[::2, ::2]
        up = np.zeros_like(out[-1])
        up[::2, ::2] = down
        out[-1] = out[-1] - conv(up, f * 4)
        out.append(down)
    return out


def swd(pairs, levels, per_image, projections, seed, mask=None):
    scores = []
    pyramids = [(pyramid(a, levels), pyramid(b, levels)) for a, b in pairs]
    for level in range(levels):
        sets = ([], [])
        for index, pair in enumerate(pyramids):
            rng = Random(stream(stream(seed, index), level))
            h, w = pair[0][level].shape[:2]
            if mask is not None:
                small = np.zeros((h, w), bool)
                ys, xs = np.nonzero(mask)
                small[np.minimum(ys >> level, h - 1), np.minimum(xs >> level, w - 1)] = 1
                near = ndimage.maximum_filter(small, 7)
                near[:3] = near[-3:] = False
                near[:, :3] = near[:, -3:] = False
                centres = np.flatnonzero(near)
            for _ in range(per_image):
                if mask is None:
                    x, y = 3 + rng.below(w - 6), 3 + rng.below(h - 6)
                else:
                    i = int(centres[rng.below(len(centres))])
                    x, y = i % w, i // w
                for side in (0, 1):
                    cut = pair[side][level][y - 3 : y + 4, x - 3 : x + 4]
                    sets[side].append(cut.transpose(2, 0, 1))
        flat = []
        for s in sets:
            d = np.stack(s).astype(np.float64)
            d -= d.mean(axis=(0, 2, 3), keepdims=True)
            d /= d.std(axis=(0, 2, 3), keepdims=True)
            flat.append(d.reshape(len(d), -1))
        dist = []
        level_seed = stream(seed ^ M64, level)
        for p in range(projections):
            rng = Random(stream(level_seed, p))
            d = np.array([rng.normal() for _ in range(147)])
            d /= np.sqrt((d * d).sum())
            a, b = np.sort(flat[0] @ d), np.sort(flat[1] @ d)
            dist.append(np.abs(a - b).mean())
        scores.append(1e3 * np.mean(dist))
    return scores


def main():
    for w, h in [(40, 33), (64, 64)]:
        a, b = picture(w, h, 0), picture(w, h, 1)
        m = hole(w, h)
        value, smap = structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
            data_range=255, channel_axis=2, full=True,
        )
        inner = np.zeros_like(m)
        inner[5:-5, 5:-5] = m[5:-5, 5:-5]
        d = np.abs(a.astype(float) - b) / 255
        bf = b.astype(float)
        gx = bf - np.roll(bf, -1, axis=1)
        gy = bf - np.roll(bf, -1, axis=0)
        norm = np.sqrt(gx**2 + gy**2)
        print(f"{w}x{h} hole pixels {m.sum()}")
        print("  ssim", value, "hole", smap[inner].mean())
        print("  psnr", peak_signal_noise_ratio(a, b, data_range=255),
              "hole", 10 * np.log10(1 / (d[m] ** 2).mean()))
        print("  l1", 100 * d.mean(), "hole", 100 * d[m].mean())
        tv = np.abs(np.diff(bf, axis=1)).mean() + np.abs(np.diff(bf, axis=0)).mean()
        px, py = m[:, 1:] | m[:, :-1], m[1:] | m[:-1]
        tvh = np.abs(np.diff(bf, axis=1))[px].mean() + np.abs(np.diff(bf, axis=0))[py].mean()
        print("  tv", 100 * tv / 255, "hole", 100 * tvh / 255)
        print("  picnet", norm.mean(), "hole", norm[m].mean())
    pairs = [(picture(64, 64, 0), picture(64, 64, 1)), (picture(67, 64, 1), picture(67, 64, 0)[:, ::-1])]
    print("swd", swd(pairs, 3, 40, 16, 9))
    print("swd hole", swd(pairs[:1], 3, 40, 16, 9, hole(64, 64)))


main()
