"""Networks of metrics with weights from the formula, and distances between sets of features."""

import math

import torch

from features import ALEX, VGG, clean_fid_input, discriminative, frechet, inception_features, kernel, lpips_plain, pytorch_fid_input
from record import Case, smooth_picture, uniform


def formula(prefix):
    """Weights as `fill` gives them, batch normalisation's near 1 and its statistics near (0, 1)."""

    def values(name, shape):
        if name.endswith(("running_var", "bn.weight")):
            return 1 + uniform(f"{prefix}/{name}", shape, 0.25)
        if name.endswith(("bias", "running_mean")):
            return uniform(f"{prefix}/{name}", shape, 0.1)
        if name.startswith("lin"):
            return uniform(f"{prefix}/{name}", shape).abs()
        return uniform(f"{prefix}/{name}", shape, math.sqrt(6 / (1.04 * math.prod(shape[1:]))))

    return values


def lpips_networks():
    """Parts of the taps for a = smooth_picture('lpips/a', 64, 64) and b likewise."""
    case = Case("lpips_networks")
    a, b = (torch.from_numpy(smooth_picture(f"lpips/{n}", 64, 64)).permute(2, 0, 1)[None].double() / 127.5 - 1 for n in "ab")
    for name, layers in (("alex", ALEX), ("vgg", VGG)):
        case.put(f"{name}.parts", lpips_plain(a, b, layers, formula(f"lpips_{name}")))
    return case


def inception():
    """Features of smooth_picture('inception/a', 80, 56) with either preprocessing, and the inputs, sampled."""
    case = Case("inception")
    picture = smooth_picture("inception/a", 80, 56)
    large = smooth_picture("inception/large", 328, 360)
    for name, prepare in (("pytorch_fid", pytorch_fid_input), ("clean_fid", clean_fid_input)):
        x = prepare(picture)
        case.put_sampled(f"{name}.input", x)
        case.put_sampled(f"{name}.large_input", prepare(large))
        with torch.no_grad():
            case.put(f"{name}.features", inception_features(x, formula("inception")))
    return case


def set_distances():
    """Sets of 60 vectors of 12 and of 80 numbers: the second's covariances have no full rank. `b` is `a`
    mixed with noise, so that pairs are alike."""
    case = Case("set_distances")
    for name, length in (("few", 12), ("many", 80)):
        a = uniform(f"set_distances/{name}.a", (60, length))
        b = 0.75 * a + 0.5 * uniform(f"set_distances/{name}.b", (60, length)) + 0.1
        a, b = a.float().double(), b.float().double()
        case.put(f"{name}.a", a)
        case.put(f"{name}.b", b)
        a, b = a.numpy(), b.numpy()
        paired, unpaired, decisions = discriminative(a, b)
        case.put(f"{name}.fid", torch.tensor([frechet(a, b)]))
        case.put(f"{name}.kid", torch.tensor([kernel(a, b)]))
        case.put(f"{name}.ids", torch.tensor([paired, unpaired]))
        case.put(f"{name}.decisions", torch.from_numpy(decisions))
    return case


CASES = (lpips_networks, inception, set_distances)
