"""Cases of single layers and blocks. Inputs, parameters and cotangents are all stored."""

import torch
import torch.nn.functional as F

from record import Case, uniform
from reference import Carafe, Down, Res, Up, carafe_reassemble, leaky


# name: (batch, in, out, kernel, stride, padding, dilation, height, width)
CONVS = {
    "k3s1": (2, 3, 4, 3, 1, 1, 1, 5, 7),
    "k3s2": (1, 3, 4, 3, 2, 1, 1, 6, 8),
    "k3s2_odd": (1, 3, 4, 3, 2, 1, 1, 5, 7),
    "k3d2": (1, 3, 4, 3, 1, 2, 2, 6, 7),
    "k1": (2, 3, 4, 1, 1, 0, 1, 5, 7),
    "k4s2": (1, 3, 4, 4, 2, 1, 1, 6, 8),
    "k4s1": (1, 3, 4, 4, 1, 1, 1, 6, 8),
    # Past the sizes at which a blocked kernel changes its inner loop, and odd everywhere.
    "wide": (1, 5, 13, 3, 1, 1, 1, 3, 37),
}


def conv():
    case = Case("conv")
    for name, (n, a, b, k, stride, padding, dilation, h, w) in CONVS.items():
        p = f"{name}."
        x = case.uniform(f"{p}input", (n, a, h, w))
        weight = case.uniform(f"{p}weight", (b, a, k, k))
        bias = case.uniform(f"{p}bias", (b,))
        wrt = dict(input=x, weight=weight, bias=bias)
        y = F.conv2d(x, weight, bias, stride, padding, dilation)
        case.grads(f"{p}linear.", y, wrt)
        case.grads(f"{p}leaky.", leaky(y), wrt)
        case.metadata[name] = f"kernel {k}, stride {stride}, padding {padding}, dilation {dilation}"
    return case


def pixel_shuffle():
    case = Case("pixel_shuffle")
    x = case.uniform("input", (2, 12, 3, 5))
    case.grads("", F.pixel_shuffle(x, 2), dict(input=x))
    return case


def block(case, module, x, extra=None, prefix=""):
    """Record a block with stored parameters of full random strength."""
    module.double()
    with torch.no_grad():
        for name, p in module.named_parameters():
            bound = 0.5 if p.ndim == 1 else (3 / p[0].numel()) ** 0.5
            p.copy_(uniform(f"{case.name}/{prefix}{name}", p.shape, bound))
            case.put(f"{prefix}{name}", p)
    inputs = {"input": x} | ({"skip": extra} if extra is not None else {})
    case.grads(prefix, module(*inputs.values()), inputs | dict(module.named_parameters()))


def carafe():
    case = Case("carafe")
    x = case.uniform("reassemble.input", (2, 3, 4, 5))
    # Not normalised: the reassembly itself must not renormalise.
    weights = case.uniform("reassemble.weights", (2, 25, 8, 10))
    case.grads("reassemble.", carafe_reassemble(x, weights), dict(input=x, weights=weights))
    x = case.uniform("input", (1, 6, 5, 7))
    block(case, Carafe(6, 4), x)
    return case


def down():
    case = Case("down")
    for mode in ("nearest", "avgpool"):
        x = case.uniform(f"{mode}.input", (2, 4, 8, 10))
        block(case, Down(4, 6, mode), x, prefix=f"{mode}.")
    return case


def up():
    case = Case("up")
    x = case.uniform("skip.input", (1, 6, 4, 5))
    block(case, Up(6, 4, 2, 3, 3), x, case.uniform("skip.skip", (1, 3, 8, 10)), "skip.")
    x = case.uniform("plain.input", (1, 6, 4, 5))
    block(case, Up(6, 4, 2, 0, 3), x, prefix="plain.")
    x = case.uniform("scale1.input", (1, 6, 4, 5))
    block(case, Up(6, 4, 1, 3), x, case.uniform("scale1.skip", (1, 3, 4, 5)), "scale1.")
    return case


def res():
    case = Case("res")
    for dilation in (1, 2):
        x = case.uniform(f"d{dilation}.input", (2, 4, 7, 9))
        block(case, Res(4, dilation), x, prefix=f"d{dilation}.")
    return case


CASES = (conv, pixel_shuffle, carafe, down, up, res)
