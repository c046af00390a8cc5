"""The networks of a weights file of `tmad` in PyTorch, in the form that PyTorch computes fastest.

The layers are those of tools/golden/reference.py, which is written for reading; here strides, in-place
activations and faster formulations of CARAFE take the place of the definitions.
"""

import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "golden"))
import reference  # noqa: E402

SIDE = reference.PATCH


def leaky(x):
    inplace = not (torch.is_grad_enabled() or torch.onnx.is_in_onnx_export())
    return F.leaky_relu(x, reference.LEAKY_SLOPE, inplace)


def down(self, x):
    x = leaky(self.conv1(x))
    return leaky(F.conv2d(x, self.conv2.weight, self.conv2.bias, stride=2, padding=1))


def carafe_matmul(x, logits):
    """A product [c, 25] x [25, 4] for every pixel of the input."""
    b, c, h, w = x.shape
    windows = F.unfold(x, 5, padding=2).view(b, c, 25, h * w).permute(0, 3, 1, 2)
    kernels = logits.reshape(b, 25, 4, h * w).softmax(1).permute(0, 3, 1, 2)
    out = (windows @ kernels).view(b, h, w, c, 2, 2)
    return out.permute(0, 3, 1, 4, 2, 5).reshape(b, c, 2 * h, 2 * w)


def carafe_shifts(x, logits):
    """A sum of 25 shifted maps."""
    b, c, h, w = x.shape
    kernels = logits.reshape(b, 25, 1, 4, h, w).softmax(1)
    padded = F.pad(x, (2, 2, 2, 2))
    total = None
    for tap in range(25):
        y, x0 = divmod(tap, 5)
        part = padded[:, :, None, y : y + h, x0 : x0 + w] * kernels[:, tap]
        total = part if total is None else total + part
    return F.pixel_shuffle(total.reshape(b, 4 * c, h, w), 2)


CARAFE = {"matmul": carafe_matmul, "shifts": carafe_shifts}


def use_carafe(name):
    """Chooses the formulation for everything that runs or is exported from now on."""
    reassemble = CARAFE[name]
    reference.Carafe.forward = lambda self, x: reassemble(x, self.encoder(self.compressor(x)))


reference.leaky = leaky
reference.Down.forward = down
use_carafe("matmul")


def decoder_widths(synthesis, side):
    """By nominal size (32 and above, 16, 8), as the reference counts."""
    widths = [1, 1, 1]
    size = side >> (len(synthesis["encoder_widths"]) - 1)
    for width, scale in zip(synthesis["decoder_widths"], synthesis["up_scales"]):
        size *= scale
        widths[{32: 0, 16: 1, 8: 2}.get(min(size, 32), 2)] = width
    return tuple(widths)


def load(path):
    """Model and configuration of a safetensors file that `tmad` wrote."""
    with safe_open(path, "pt") as file:
        config = json.loads(json.loads(file.metadata()["tmad"])["config"])
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}
    coarse, memory, synthesis = config["coarse"], config["memory"], config["synthesis"]
    assert config["patch_px"] == SIDE and coarse["dilation"] == 2, "sizes that the reference fixes"
    for part, switch, plain in [
        (coarse, "num_halvings", 0),
        (synthesis, "tile_cells", 1),
        (synthesis, "candidate_detail", False),
        (synthesis, "fine_residual", False),
    ]:
        assert part.get(switch, plain) == plain, f"{switch} is not rebuilt here; compare with --paper"
    assert memory["retrieval"] == "hard", "benchmarks retrieve windows, not means"
    psnet = reference.PsnetConfig(
        widths=tuple(synthesis["encoder_widths"]),
        decoder_widths=decoder_widths(synthesis, SIDE),
        feature_widths=tuple(synthesis["feature_widths"]),
        n_down=len(synthesis["encoder_widths"]) - 1,
        up_scales=tuple(synthesis["up_scales"]),
        crop_margin=synthesis["crop_margin"],
        num_res=synthesis["num_residual"],
        num_feature_res=synthesis["num_feature_residual"],
        num_candidates=memory["num_candidates"],
        compressed=synthesis["carafe_channels"],
    )
    hidden, channels = memory["embedding_widths"]
    model = reference.Tmad(
        reference.ModelConfig(
            coarse_widths=tuple(coarse["widths"]),
            num_coarse_res=coarse["num_residual"],
            compressed=coarse["carafe_channels"],
            psnet=psnet,
            embedding_hidden=hidden,
            embedding_channels=channels,
            pooled=memory["embedding_pool"],
            tau=memory["temperature"],
        )
    )
    if synthesis["mask_plane"]:
        model.backbone.input = reference.conv1(4, synthesis["encoder_widths"][0])
    model.load_state_dict(tensors)
    return model.eval(), config


def window_index(corners, side, height, width):
    """Flat pixel numbers of windows, clamped to the picture: (n, side * side)."""
    span = torch.arange(side)
    rows = (corners[:, 0, None] + span).clamp(0, height - 1)
    columns = (corners[:, 1, None] + span).clamp(0, width - 1)
    return (rows[:, :, None] * width + columns[:, None, :]).flatten(1)


class Forward(nn.Module):
    """A whole pass: coarse network, embeddings, retrieval, patch synthesis, composition.

    Where windows and cells lie belongs to the input, as in the binary's benchmark.
    """

    def __init__(self, model, config, cells, windows, mask):
        super().__init__()
        self.model = model
        self.has_prior = config["coarse"]["prior"] != "none"
        self.has_mask_plane = config["synthesis"]["mask_plane"]
        self.is_residual = config["synthesis"]["residual_output"]
        self.num_candidates = config["memory"]["num_candidates"]
        self.tau = config["memory"]["temperature"]
        height, width = mask.shape[-2:]
        index = lambda corners, side: window_index(corners, side, height, width)
        self.register_buffer("cells", index(cells, SIDE))
        self.register_buffer("contexts", index(cells - SIDE, 3 * SIDE))
        self.register_buffer("windows", index(windows, SIDE))
        # For every pixel, where it lies among the patches.
        source = torch.zeros(height, width, dtype=torch.int64)
        for number, (top, left) in enumerate(cells.tolist()):
            for y in range(max(top, 0), min(top + SIDE, height)):
                start = max(left, 0)
                end = min(left + SIDE, width)
                first = (number * SIDE + y - top) * SIDE + start - left
                source[y, start:end] = torch.arange(first, first + end - start)
        self.register_buffer("source", source.flatten())

    def cut(self, flat, index, side):
        """Windows (n, channels, side, side) of a picture (channels, pixels)."""
        return flat[:, index].permute(1, 0, 2).reshape(index.shape[0], flat.shape[0], side, side)

    def coarse(self, prior, mask):
        coarse = self.model.coarse(prior, mask)
        return coarse + prior if self.has_prior else coarse

    def synthesise(self, context, candidates):
        return self.model.backbone(context, *self.model.feature_encoder(candidates))

    def forward(self, image, mask, prior):
        is_hole = mask > 0.5
        guess = torch.where(is_hole, self.coarse(prior, mask), image)
        flat = guess.flatten(2)[0]
        memory = self.cut(flat, self.windows, SIDE)
        patches = self.cut(flat, self.cells, SIDE)
        keys = self.model.phi(memory)
        scores = self.model.theta(patches) @ keys.T
        scores = scores * (self.tau / keys.norm(dim=1).clamp_min(1e-6))
        ranking = scores.topk(self.num_candidates, dim=1).indices
        candidates = memory[ranking].flatten(1, 2)
        context = self.cut(flat, self.contexts, 3 * SIDE)
        if self.has_mask_plane:
            context = torch.cat([context, self.cut(mask.flatten(2)[0], self.contexts, 3 * SIDE)], 1)
        completed = self.synthesise(context, candidates)
        if self.is_residual:
            completed = completed + patches
        filled = completed.permute(1, 0, 2, 3).flatten(1)[:, self.source].view(image.shape)
        return torch.where(is_hole, filled, image), completed, ranking


def num_flops(layer):
    """Of the plain algorithm, two per multiply-add; `layer` as `tmad bench --layers` reports it."""
    out = math.ceil(layer["height"] / layer["stride"]) * math.ceil(layer["width"] / layer["stride"])
    channels = layer["in_channels"] * layer["out_channels"]
    return 2 * layer["batch"] * out * channels * layer["kernel"] ** 2
