"""T-MAD in plain PyTorch: the networks, the texture memory and the tiling.

The paper (Xu et al., IEEE TIP 2021, arXiv 2009.13240) came without code. This file is written for
reading and for producing test vectors; nothing in it is optimised. Losses and discriminators are in
`losses.py`. Run it to check every parameter count: `python tools/golden/reference.py`.

Conventions: NCHW, pixels in [-1, 1], mask 1 = hole, patches 32 x 32.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

PATCH = 32
CONTEXT = 3 * PATCH
LEAKY_SLOPE = 0.2


def leaky(x):
    return F.leaky_relu(x, LEAKY_SLOPE)


def conv3(a, b, stride=1, dilation=1):
    return nn.Conv2d(a, b, 3, stride=stride, padding=dilation, dilation=dilation)


def conv1(a, b):
    return nn.Conv2d(a, b, 1)


# --- Blocks -------------------------------------------------------------------------------------


class Down(nn.Module):
    """Two convs, then half the size; leaky ReLU after both convs."""

    def __init__(self, a, b, mode="nearest"):
        super().__init__()
        self.mode = mode
        self.conv1 = conv3(a, a)
        self.conv2 = conv3(a, b)

    def forward(self, x):
        x = leaky(self.conv2(leaky(self.conv1(x))))
        # Left as conv + [::2, ::2], so that a stride-2 implementation is tested against the definition.
        return F.avg_pool2d(x, 2) if self.mode == "avgpool" else x[..., ::2, ::2]


class Res(nn.Module):
    """Only the first conv is dilated and activated; the sum stays linear (EdgeConnect)."""

    def __init__(self, a, dilation=1):
        super().__init__()
        self.conv1 = conv3(a, a, dilation=dilation)
        self.conv2 = conv3(a, a)

    def forward(self, x):
        return x + self.conv2(leaky(self.conv1(x)))


def carafe_reassemble(x, weights):
    """x: (B, C, H, W); weights: (B, 25, 2H, 2W), normalised. Out-of-range taps count as zero."""
    b, c, h, w = x.shape
    taps = F.unfold(x, 5, padding=2).view(b, c * 25, h, w)
    taps = F.interpolate(taps, scale_factor=2, mode="nearest").view(b, c, 25, 2 * h, 2 * w)
    return (taps * weights[:, None]).sum(2)


class Carafe(nn.Module):
    """CARAFE x2 with 5 x 5 taps; no activation between compressor and encoder (mmcv)."""

    def __init__(self, channels, compressed=64):
        super().__init__()
        self.compressor = conv1(channels, compressed)
        self.encoder = conv3(compressed, 100)

    def forward(self, x):
        weights = F.pixel_shuffle(self.encoder(self.compressor(x)), 2).softmax(1)
        return carafe_reassemble(x, weights)


class Up(nn.Module):
    """CARAFE (absent at scale 1), skip concatenated behind it, two convs with leaky ReLU."""

    def __init__(self, a, b, scale=2, skip=0, compressed=64):
        super().__init__()
        if scale == 2:
            self.carafe = Carafe(a, compressed)
        self.scale = scale
        self.conv1 = conv3(a + skip, b)
        self.conv2 = conv3(b, b)

    def forward(self, x, skip=None):
        if self.scale == 2:
            x = self.carafe(x)
        if skip is not None:
            x = torch.cat([x, skip], 1)
        return leaky(self.conv2(leaky(self.conv1(x))))


# --- Coarse network -----------------------------------------------------------------------------


class Coarse(nn.Module):
    """No skip connections: only without them does the paper's size come out (2,839,967)."""

    def __init__(self, widths=(16, 32, 64, 128), num_res=8, compressed=64, down="nearest"):
        super().__init__()
        self.input = conv1(4, widths[0])
        self.down = nn.ModuleList(Down(a, b, down) for a, b in zip(widths, widths[1:]))
        self.res = nn.ModuleList(Res(widths[-1], 2) for _ in range(num_res))
        back = widths[::-1]
        self.up = nn.ModuleList(Up(a, b, compressed=compressed) for a, b in zip(back, back[1:]))
        self.output = conv1(widths[0], 3)

    def forward(self, masked_image, mask):
        h, w = masked_image.shape[-2:]
        step = 2 ** len(self.down)
        x = torch.cat([masked_image, mask], 1)
        x = F.pad(x, (0, -w % step, 0, -h % step), mode="replicate")
        x = leaky(self.input(x))
        for block in [*self.down, *self.res, *self.up]:
            x = block(x)
        return self.output(x)[..., :h, :w]


# --- Patch synthesis network --------------------------------------------------------------------


@dataclass(frozen=True)
class PsnetConfig:
    """`widths` are the encoder's, full resolution first, n_down + 1 of them. `decoder_widths` belong to
    maps of nominal size 32 (and above), 16 and 8: a block's width follows the size of its output, the
    rule under which all readings of Table I have the totals that the self-check asserts."""

    widths: tuple = (32, 64, 64)
    decoder_widths: tuple = (32, 64, 64)
    feature_widths: tuple = (32, 64, 64)
    n_down: int = 2
    up_scales: tuple = (1, 2, 2)
    crop_margin: int = 0
    num_res: int = 5
    num_feature_res: int = 2
    num_candidates: int = 4
    compressed: int = 64
    down: str = "nearest"


READINGS = {
    "r1": dict(),
    "r1b": dict(up_scales=(2, 2, 1)),
    "r2": dict(n_down=3, widths=(32, 64, 64, 64), up_scales=(2, 2, 2)),
    "r3": dict(up_scales=(2, 2)),
    "r5": dict(up_scales=(2, 2, 2)),
}


class FeatureEncoder(nn.Module):
    """Candidates (B, 3 * N_c, 32, 32), in rank order, to F1 (16 x 16) and F2 (8 x 8)."""

    def __init__(self, c: PsnetConfig):
        super().__init__()
        w = c.feature_widths
        self.input = conv1(3 * c.num_candidates, w[0])
        self.down = nn.ModuleList(Down(a, b, c.down) for a, b in zip(w, w[1:]))
        self.res = nn.ModuleList(Res(w[-1]) for _ in range(c.num_feature_res))

    def forward(self, candidates):
        f1 = self.down[0](leaky(self.input(candidates)))
        f2 = self.down[1](f1)
        for block in self.res:
            f2 = block(f2)
        return f1, f2


def centre(x, size):
    top = (x.shape[-1] - size) // 2
    return x[..., top : top + size, top : top + size]


class Backbone(nn.Module):
    """Context windows (B, 3, 96, 96) and the candidates' features to patches (B, 3, 32, 32).

    F2 enters the first time the decoder holds an 8 x 8 map, F1 the first time it holds a 16 x 16 map.
    A map is held as soon as it exists: behind the crop (so that a first block with CARAFE upsamples the
    features too) or behind a CARAFE, always ahead of the block's convs.
    """

    def __init__(self, c: PsnetConfig):
        super().__init__()
        assert len(c.widths) == c.n_down + 1
        self.config = c
        self.input = conv1(3, c.widths[0])
        self.down = nn.ModuleList(Down(a, b, c.down) for a, b in zip(c.widths, c.widths[1:]))
        self.res = nn.ModuleList(Res(c.widths[-1]) for _ in range(c.num_res))
        skips = {16: c.feature_widths[1], 8: c.feature_widths[2]}
        size = PATCH >> c.n_down
        width = c.widths[-1] + skips.pop(size, 0)
        self.up = nn.ModuleList()
        for scale in c.up_scales:
            size *= scale
            level = {32: 0, 16: 1, 8: 2}.get(min(size, 32), 2)
            out = c.decoder_widths[level]
            self.up.append(Up(width, out, scale, skips.pop(size, 0), c.compressed))
            width = out
        self.output = conv1(width, 3)
        self.out_size = size

    def forward(self, window, f1, f2):
        c = self.config
        x = leaky(self.input(window))
        for block in [*self.down, *self.res]:
            x = block(x)
        size = PATCH >> c.n_down
        x = centre(x, size + 2 * c.crop_margin)
        skips = {16: f1, 8: f2}

        def take(nominal, actual):
            features = skips.pop(nominal, None)
            return None if features is None else F.pad(features, [(actual - nominal) // 2] * 4)

        held = take(size, x.shape[-1])
        if held is not None:
            x = torch.cat([x, held], 1)
        for block in self.up:
            size *= block.scale
            x = block(x, take(size, x.shape[-1] * block.scale))
        x = self.output(x)
        # The literal reading ends at 64 x 64.
        x = F.avg_pool2d(x, size // PATCH)
        return centre(x, PATCH)


# --- Texture memory -----------------------------------------------------------------------------


class Embedding(nn.Module):
    """A patch (B, 3, 32, 32) to a vector; the second conv is linear. `pooled` averages to 8 x 8 first."""

    def __init__(self, hidden=32, channels=16, pooled=None):
        super().__init__()
        self.pooled = pooled
        self.conv1 = conv3(3, hidden)
        self.conv2 = conv1(hidden, channels)

    def forward(self, patch):
        x = self.conv2(leaky(self.conv1(patch)))
        if self.pooled:
            x = F.adaptive_avg_pool2d(x, self.pooled)
        return x.flatten(1)


def scores(theta, phi, tau=1 / 32):
    """Eq. (2): (n, D) and (N, D) to c (n, N); only phi is normalised."""
    phi = phi / phi.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return tau * theta @ phi.T


def retrieve(c, memory, num_candidates=4, mode="hard"):
    """Eqs. (3)-(5). c: (n, N); memory: (N, 3, k, k) to (n, R, 3, k, k), R = 1 for "soft".

    Also returns S and the ranking. Hard retrieval is written literally, with a straight-through weight
    for each rank; its value is exactly memory[ranking].
    """
    s = c.softmax(1)
    num = c.shape[1]
    ranking = c.argsort(dim=1, descending=True, stable=True)
    ranking = ranking[:, torch.arange(num_candidates) % num]
    flat = memory.detach().flatten(1)
    if mode == "soft":
        out = (s @ flat)[:, None]
    else:
        one_hot = F.one_hot(ranking, num).to(s)
        weights = (one_hot - s[:, None]).detach() + s[:, None]
        out = weights @ flat
    return out.view(*out.shape[:2], *memory.shape[1:]), s, ranking


def window_positions(length, stride):
    """Starts of the windows along one axis: every `stride`, and one flush with the border."""
    last = length - PATCH
    starts = list(range(0, last + 1, stride))
    return starts if starts[-1] == last else [*starts, last]


def memory_positions(mask, stride=16, num_candidates=4, num_pool=100):
    """Top-left corners (y, x) of the memory's windows for one mask (H, W), H and W at least 32.

    All windows without a hole pixel, in raster order. With fewer than `num_candidates` of them: the
    `num_pool` windows with the fewest hole pixels, ties in raster order, of those at most half masked
    as long as enough of these exist.
    """
    h, w = mask.shape
    corners = [(y, x) for y in window_positions(h, stride) for x in window_positions(w, stride)]
    count = {p: int(mask[p[0] : p[0] + PATCH, p[1] : p[1] + PATCH].sum()) for p in corners}
    valid = [p for p in corners if count[p] == 0]
    if len(valid) >= num_candidates:
        return valid
    ordered = sorted(corners, key=count.get)
    half = [p for p in ordered if 2 * count[p] <= PATCH * PATCH]
    return (half if len(half) >= num_candidates else ordered)[:num_pool]


# --- Hole grid ----------------------------------------------------------------------------------


def hole_cells(mask):
    """Anchor (oy, ox) and the corners of the 32 x 32 cells that touch the hole, in raster order.

    The anchor in [0, 32)^2 has the fewest cells; ties go to fewer cell pixels outside the image, then
    to the smallest (oy, ox). Corners may be negative.
    """
    h, w = mask.shape
    ys, xs = torch.nonzero(mask, as_tuple=True)
    best = None
    for oy in range(PATCH):
        for ox in range(PATCH):
            iy = torch.div(ys - oy, PATCH, rounding_mode="floor")
            ix = torch.div(xs - ox, PATCH, rounding_mode="floor")
            # Cell indices start at -1; one number for each cell.
            ids = torch.unique((iy + 1) * w + ix + 1)
            cells = [(oy + PATCH * (int(i) // w - 1), ox + PATCH * (int(i) % w - 1)) for i in ids]
            inside = sum(
                (min(y + PATCH, h) - max(y, 0)) * (min(x + PATCH, w) - max(x, 0)) for y, x in cells
            )
            key = (len(cells), len(cells) * PATCH * PATCH - inside, oy, ox)
            if best is None or key < best[0]:
                best = (key, (oy, ox), sorted(cells))
    return best[1], best[2]


def clamped_windows(image, corners, size):
    """Windows of one image (C, H, W); coordinates beyond the border are clamped to it."""
    h, w = image.shape[-2:]
    span = torch.arange(size)
    rows = [(y + span).clamp(0, h - 1) for y, _ in corners]
    cols = [(x + span).clamp(0, w - 1) for _, x in corners]
    return torch.stack([image[:, r][:, :, c] for r, c in zip(rows, cols)])


def paste(patches, corners, image):
    """Image (C, H, W) with the patches written at the corners; what falls outside is dropped."""
    _, h, w = image.shape
    full = F.pad(image, [PATCH] * 4)
    for patch, (y, x) in zip(patches, corners):
        rows = slice(y + PATCH, y + 2 * PATCH)
        full = torch.cat(
            [
                full[:, : rows.start],
                torch.cat(
                    [full[:, rows, : x + PATCH], patch, full[:, rows, x + 2 * PATCH :]], 2
                ),
                full[:, rows.stop :],
            ],
            1,
        )
    return full[:, PATCH : PATCH + h, PATCH : PATCH + w]


# --- The whole model ----------------------------------------------------------------------------


def composite(mask, completed, image):
    """Completed pixels in the hole, the image's own elsewhere (a selection, not a blend)."""
    return torch.where(mask > 0.5, completed, image)


@dataclass(frozen=True)
class ModelConfig:
    coarse_widths: tuple = (16, 32, 64, 128)
    num_coarse_res: int = 8
    compressed: int = 64
    psnet: PsnetConfig = field(default_factory=PsnetConfig)
    embedding_hidden: int = 32
    embedding_channels: int = 16
    pooled: int | None = None
    tau: float = 1 / 32
    retrieval: str = "hard"
    memory_stride: int = 16


class Tmad(nn.Module):
    def __init__(self, config=ModelConfig()):
        super().__init__()
        self.config = config
        self.coarse = Coarse(config.coarse_widths, config.num_coarse_res, config.compressed)
        args = config.embedding_hidden, config.embedding_channels, config.pooled
        self.theta = Embedding(*args)
        self.phi = Embedding(*args)
        self.feature_encoder = FeatureEncoder(config.psnet)
        self.backbone = Backbone(config.psnet)

    def forward(self, image, mask):
        """One image (1, 3, H, W), mask (1, 1, H, W). Returns every stage by name."""
        coarse = self.coarse(image * (1 - mask), mask)
        coarse_composited = composite(mask, coarse, image)
        _, cells = hole_cells(mask[0, 0])
        canvas = coarse_composited[0]
        patches = clamped_windows(canvas, cells, PATCH)
        context = clamped_windows(canvas, [(y - PATCH, x - PATCH) for y, x in cells], CONTEXT)
        # Valid windows hold the image's own pixels; where a window is partly masked, the coarse result
        # stands in, without a gradient. Small images are extended to one window.
        h, w = image.shape[-2:]
        extend = (0, max(0, PATCH - w), 0, max(0, PATCH - h))
        source = F.pad(coarse_composited.detach(), extend, mode="replicate")[0]
        extended_mask = F.pad(mask, extend, mode="replicate")[0, 0]
        cfg = self.config
        positions = memory_positions(
            extended_mask, cfg.memory_stride, cfg.psnet.num_candidates
        )
        memory = clamped_windows(source, positions, PATCH)
        c = scores(self.theta(patches), self.phi(memory), cfg.tau)
        candidates, s, ranking = retrieve(c, memory, cfg.psnet.num_candidates, cfg.retrieval)
        if cfg.retrieval == "soft":
            # One blended patch; it takes every candidate's place, so that FeatEnc keeps its shape.
            candidates = candidates.expand(-1, cfg.psnet.num_candidates, -1, -1, -1)
        completed = self.backbone(context, *self.feature_encoder(candidates.flatten(1, 2)))
        composited = composite(mask[0], paste(completed, cells, canvas), image[0])[None]
        return dict(
            coarse=coarse,
            cells=cells,
            positions=positions,
            scores=c,
            ranking=ranking,
            completed=completed,
            composited=composited,
        )


# --- Self-check ---------------------------------------------------------------------------------


def num_params(module):
    return sum(p.numel() for p in module.parameters())


def self_check():
    from losses import GlobalDiscriminator, PatchDiscriminator

    model = Tmad()
    expected = dict(coarse=2_839_967, backbone=843_979, feature_encoder=249_728)
    for name, count in expected.items():
        assert num_params(getattr(model, name)) == count, name
    assert num_params(model.theta) + num_params(model.phi) == 2_848
    totals = dict(r1=3_936_522, r1b=3_885_258, r2=4_072_238, r3=3_866_762, r5=3_945_070)
    for reading, total in totals.items():
        for margin in (0, 2):
            psnet = PsnetConfig(**READINGS[reading], crop_margin=margin)
            reading_model = Tmad(ModelConfig(psnet=psnet))
            assert num_params(reading_model) == total, (reading, num_params(reading_model))
            f1, f2 = reading_model.feature_encoder(torch.zeros(1, 12, PATCH, PATCH))
            assert f1.shape[-1] == 16 and f2.shape[-1] == 8
            out = reading_model.backbone(torch.zeros(1, 3, CONTEXT, CONTEXT), f1, f2)
            assert out.shape == (1, 3, PATCH, PATCH)
    lite = ModelConfig(psnet=PsnetConfig(widths=(16, 32, 64)))
    assert num_params(Tmad(lite)) == 3_869_562
    assert num_params(Tmad(ModelConfig(compressed=16, psnet=PsnetConfig(compressed=16)))) == 3_703_386
    assert num_params(PatchDiscriminator()) == 583_457
    assert num_params(GlobalDiscriminator()) == 2_764_737
    assert GlobalDiscriminator()(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 30, 30)

    mask = torch.zeros(256, 256)
    mask[50:178, 70:198] = 1
    anchor, cells = hole_cells(mask)
    assert anchor == (50 % 32, 70 % 32) and len(cells) == 16
    for stride, positions, valid in ((16, 225, 144), (8, 841, 480)):
        aligned = torch.zeros(256, 256)
        aligned[64:192, 64:192] = 1
        assert len(window_positions(256, stride)) ** 2 == positions
        assert len(memory_positions(aligned, stride)) == valid
    print("parameter table, readings, grid and memory: as specified")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        self_check()
