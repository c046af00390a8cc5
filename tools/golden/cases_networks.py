"""Cases of networks. Parameters and large inputs come from the formula and are not stored."""

import torch

from losses import GlobalDiscriminator, PatchDiscriminator, VGG_CONVS, perceptual, vgg_taps
from record import Case, fill, uniform
from reference import (
    CONTEXT,
    PATCH,
    READINGS,
    Backbone,
    Coarse,
    Embedding,
    FeatureEncoder,
    ModelConfig,
    PsnetConfig,
    Tmad,
    clamped_windows,
    hole_cells,
    memory_positions,
    retrieve,
    scores,
)


def formula_input(case, name, shape):
    return uniform(f"{case.name}/{name}", shape).requires_grad_()


def named(module, prefix=""):
    return {prefix + n: p for n, p in module.named_parameters()}


def box_mask(h, w, top, left, height, width):
    mask = torch.zeros(1, 1, h, w).double()
    mask[..., top : top + height, left : left + width] = 1
    return mask


def coarse():
    case = Case("coarse")
    net = fill(Coarse((4, 8, 8, 8), num_res=2, compressed=8), "coarse.")
    image = formula_input(case, "image", (1, 3, 16, 24))
    mask = box_mask(16, 24, 4, 6, 7, 9)
    masked = (image * (1 - mask)).detach().requires_grad_()
    case.grads("", net(masked, mask), dict(masked_image=masked) | named(net, "coarse."), stored=False)
    # Sides that are no multiple of 8: replicated at the bottom and the right, cropped behind.
    image = formula_input(case, "ragged.image", (1, 3, 13, 18))
    mask = box_mask(13, 18, 4, 6, 5, 12)
    case.put("ragged.output", net(image * (1 - mask), mask))
    case.metadata["config"] = "widths (4, 8, 8, 8), 2 residual blocks, CARAFE compressed to 8"
    case.metadata["mask"] = "ones in rows 4..11, columns 6..15; ragged: rows 4..9, columns 6..18"
    return case


def psnet_config(reading, **changes):
    small = dict(
        widths=(4, 8, 8), decoder_widths=(4, 8, 8), feature_widths=(4, 8, 8), num_res=2, num_feature_res=1, compressed=4
    )
    values = small | READINGS[reading]
    if values.get("n_down") == 3:
        values["widths"] = (4, 8, 8, 8)
    return PsnetConfig(**values | changes)


def psnet():
    case = Case("psnet")
    c = psnet_config("r1")
    features = fill(FeatureEncoder(c), "feature_encoder.")
    backbone = fill(Backbone(c), "backbone.")
    window = formula_input(case, "window", (2, 3, CONTEXT, CONTEXT))
    candidates = formula_input(case, "candidates", (2, 12, PATCH, PATCH))
    f1, f2 = features(candidates)
    case.put_sampled("f1", f1)
    case.put_sampled("f2", f2)
    wrt = dict(window=window, candidates=candidates)
    wrt |= named(features, "feature_encoder.") | named(backbone, "backbone.")
    case.grads("", backbone(window, f1, f2), wrt, stored=False)
    case.metadata["config"] = (
        "widths, decoder_widths, feature_widths (4, 8, 8); 2 and 1 residual blocks; CARAFE compressed to 4; "
        "R1, crop_margin 0"
    )
    return case


def psnet_readings():
    case = Case("psnet_readings")
    variants = {r: psnet_config(r) for r in READINGS}
    variants |= {f"{r}_margin2": psnet_config(r, crop_margin=2) for r in ("r1", "r1b")}
    variants |= {"r2_margin1": psnet_config("r2", crop_margin=1), "r5_margin1": psnet_config("r5", crop_margin=1)}
    window = formula_input(case, "window", (1, 3, CONTEXT, CONTEXT))
    candidates = formula_input(case, "candidates", (1, 12, PATCH, PATCH))
    for name, c in variants.items():
        features = fill(FeatureEncoder(c), "feature_encoder.")
        backbone = fill(Backbone(c), "backbone.")
        output = backbone(window, *features(candidates))
        # Odd rows and columns: the last ones, where padding shows, are among them.
        case.put(f"{name}.output", output[..., 1::2, 1::2])
        case.put(f"{name}.output.norm", output.norm().reshape(1))
        case.metadata[name] = (
            f"n_down {c.n_down}, up_scales {c.up_scales}, crop_margin {c.crop_margin}, encoder widths {c.widths}"
        )
    return case


def embedding():
    case = Case("embedding")
    for prefix, pooled in (("flat.", None), ("pooled.", 8)):
        net = fill(Embedding(4, 2, pooled), "theta.")
        patch = formula_input(case, f"{prefix}patch", (2, 3, PATCH, PATCH))
        case.grads(prefix, net(patch), dict(patch=patch) | named(net, "theta."), stored=False)
    case.metadata["config"] = "conv1 3 to 4, conv2 4 to 2 channels"
    return case


def retrieval():
    case = Case("retrieval")
    num, count, dim, k = 3, 7, 20, 4
    for prefix, size, mode in (("hard.", count, "hard"), ("soft.", count, "soft"), ("short.", 3, "hard")):
        theta = case.uniform(f"{prefix}theta", (num, dim), 6.0)
        phi = case.uniform(f"{prefix}phi", (size, dim), 6.0)
        memory = case.uniform(f"{prefix}memory", (size, 3, k, k))
        c = scores(theta, phi)
        candidates, s, ranking = retrieve(c, memory, 4, mode)
        if mode == "hard":
            assert torch.equal(candidates, memory[ranking]), "the straight-through value is a gather"
        case.put(f"{prefix}c", c)
        case.put(f"{prefix}s", s)
        case.put(f"{prefix}ranking", ranking)
        case.grads(prefix, candidates, dict(theta=theta, phi=phi))
    # Equal scores rank by index.
    c = torch.tensor([[0.5, 1.0, 0.5, 1.0, -2.0]]).double()
    case.put("ties.c", c)
    case.put("ties.ranking", retrieve(c, torch.zeros(5, 1).double())[2])
    return case


def windows():
    case = Case("windows")
    image = formula_input(case, "image", (3, 40, 56))
    mask = box_mask(40, 56, 3, 5, 37, 40)[0, 0]
    anchor, cells = hole_cells(mask)
    case.put("anchor", torch.tensor(anchor))
    case.put("cells", torch.tensor(cells))
    for prefix, size, offset in (("patch.", PATCH, 0), ("context.", CONTEXT, PATCH)):
        out = clamped_windows(image, [(y - offset, x - offset) for y, x in cells], size)
        case.put_sampled(f"{prefix}output", out)
        case.grads(prefix, out, dict(image=image), stored=False, store_output=False)
    case.metadata["mask"] = "40 x 56, ones in rows 3..40, columns 5..45"
    return case


# name: (height, width, boxes of (top, left, height, width))
GRID_MASKS = {
    "aligned": (256, 256, [(64, 64, 128, 128)]),
    "shifted": (256, 256, [(50, 70, 128, 128)]),
    "corner": (100, 90, [(0, 0, 20, 33), (70, 60, 30, 30)]),
    "two": (96, 128, [(5, 3, 33, 10), (40, 60, 17, 66)]),
    "full": (31, 47, [(0, 0, 31, 47)]),
    "pixel": (64, 64, [(63, 0, 1, 1)]),
}


def hole_grid():
    case = Case("hole_grid")
    for name, (h, w, boxes) in GRID_MASKS.items():
        mask = torch.zeros(h, w)
        for top, left, height, width in boxes:
            mask[top : top + height, left : left + width] = 1
        anchor, cells = hole_cells(mask)
        case.put(f"{name}.size", torch.tensor((h, w)))
        case.put(f"{name}.boxes", torch.tensor(boxes))
        case.put(f"{name}.anchor", torch.tensor(anchor))
        case.put(f"{name}.cells", torch.tensor(cells))
    return case


# name: (height, width, stride, boxes of (top, left, height, width))
MEMORY_MASKS = {
    "valid": (100, 90, 16, [(30, 30, 20, 25)]),
    "stride8": (70, 90, 8, [(0, 40, 70, 10)]),
    # Two valid windows are fewer than the four candidates: the least masked ones follow, half masked included.
    "scarce": (64, 64, 16, [(32, 0, 32, 64), (0, 0, 20, 4)]),
    "mostly_hole": (64, 64, 16, [(0, 0, 64, 60)]),
    "all_hole": (48, 48, 16, [(0, 0, 48, 48)]),
}


def memory():
    case = Case("memory")
    for name, (h, w, stride, boxes) in MEMORY_MASKS.items():
        mask = torch.zeros(h, w)
        for top, left, height, width in boxes:
            mask[top : top + height, left : left + width] = 1
        case.put(f"{name}.size", torch.tensor((h, w)))
        case.put(f"{name}.stride", torch.tensor([stride]))
        case.put(f"{name}.boxes", torch.tensor(boxes))
        case.put(f"{name}.positions", torch.tensor(memory_positions(mask, stride)))
    return case


def model():
    case = Case("model")
    config = ModelConfig(
        coarse_widths=(4, 8, 8, 8),
        num_coarse_res=2,
        compressed=4,
        psnet=psnet_config("r1"),
        embedding_hidden=4,
        embedding_channels=2,
    )
    net = fill(Tmad(config))
    image = formula_input(case, "image", (1, 3, 72, 80))
    mask = box_mask(72, 80, 36, 40, 36, 30)
    out = net(image, mask)
    for name in ("cells", "positions"):
        case.put(name, torch.tensor(out[name]))
    case.put("scores", out["scores"])
    case.put("ranking", out["ranking"])
    case.put_sampled("coarse", out["coarse"])
    case.put_sampled("completed", out["completed"])
    # Known pixels are the image's own, so only the hole is stored.
    hole = out["composited"][..., 36:72, 40:70]
    assert torch.equal(out["composited"] * (1 - mask), image * (1 - mask))
    case.put("hole", hole)
    gap = out["scores"].sort(1, descending=True)[0].diff(dim=1)[:, :4].abs().min()
    assert gap > 1e-4, f"ranks are too close to survive float32: {gap}"
    case.grads("", out["composited"], named(net), stored=False, store_output=False)
    case.metadata["config"] = (
        "coarse widths (4, 8, 8, 8), 2 residual blocks; PSNet as in psnet.safetensors; every CARAFE compressed to 4; "
        "embedding 4 hidden, 2 channels, not pooled; tau 1/32; hard; all valid windows at stride 16"
    )
    case.metadata["mask"] = "72 x 80, ones in rows 36..72, columns 40..70"
    return case


def discriminators():
    case = Case("discriminators")
    net = fill(PatchDiscriminator((4, 6, 8, 8)), "patch.")
    image = formula_input(case, "patch.image", (3, 3, PATCH, PATCH))
    case.grads("patch.", net(image), dict(image=image) | named(net), stored=False)
    net = fill(GlobalDiscriminator((4, 6, 8, 8)), "global.")
    image = formula_input(case, "global.image", (1, 3, 64, 48))
    case.grads("global.", net(image), dict(image=image) | named(net), stored=False)
    case.metadata["config"] = "patch: widths (4, 6, 8, 8); global: widths (4, 6, 8, 8)"
    return case


def vgg():
    case = Case("vgg")
    widths = (4, 4, 4, 4, 6, 6, 6, 6, 8, 8, 8, 8, 8, 8, 8)
    weights = {}
    for layer, a, b in zip(VGG_CONVS, (3, *widths), widths):
        name = f"features.{layer}"
        weights[f"{name}.weight"] = uniform(f"{name}.weight", (b, a, 3, 3), (6 / (9 * a)) ** 0.5)
        weights[f"{name}.bias"] = uniform(f"{name}.bias", (b,), 0.1)
    for name, value in weights.items():
        case.put(name, value)
    completed = formula_input(case, "completed", (2, 3, PATCH, PATCH))
    truth = formula_input(case, "truth", (2, 3, PATCH, PATCH))
    for i, tap in enumerate(vgg_taps(completed, weights)):
        case.put(f"tap{i}", tap)
    case.grads("loss.", perceptual(completed, truth, weights), dict(completed=completed), stored=False)
    case.metadata["config"] = f"VGG-19 layer numbers, widths {widths}, taps at 10, 19 and 32 ahead of the ReLU"
    return case


CASES = (
    coarse,
    psnet,
    psnet_readings,
    embedding,
    retrieval,
    windows,
    hole_grid,
    memory,
    model,
    discriminators,
    vgg,
)
