"""Small networks of the families that tmad-onnx recognises, with random weights, and what ONNX
Runtime makes of them. Run by hand (README.md).

Every case feeds the network as its own project does, written here independently of the Rust code:
so the test compares recognition, preparation and the runtime at once.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn

SIDE = 32
# Channels are so many times those of the tests' files, and blocks are repeated so often.
FACTOR = 1
BLOCKS = 1
# The same of the real networks, about: their widths, and as much work in the middle part.
REAL = {
    "lama": (16, 9), "lama-generator": (16, 9), "lama-dft": (16, 9), "aotgan": (8, 8), "migan": (8, 16),
    "migan-pipeline": (8, 16), "deepfill": (6, 8), "hifill": (8, 1),
}  # fmt: skip
# Attention sees no more cells a side than this, as that of the real networks.
CELLS = 32


class FourierUnit(nn.Module):
    """LaMa's global branch; the transforms are products with fixed matrices, as in exports for one
    size, or ONNX's own."""

    def __init__(self, channels, side, has_matrices):
        super().__init__()
        self.has_matrices = has_matrices
        self.mix = nn.Sequential(
            nn.Conv2d(2 * channels, 2 * channels, 1, bias=False),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
        )
        angles = 2 * np.pi / side * np.outer(np.arange(side), np.arange(side))
        self.register_buffer("cos", torch.tensor(np.cos(angles) / side**0.5).float())
        self.register_buffer("sin", torch.tensor(np.sin(angles) / side**0.5).float())

    def forward(self, x):
        if not self.has_matrices:
            spectrum = torch.fft.rfft2(x, norm="ortho")
            real, imag = self.mix(torch.cat([spectrum.real, spectrum.imag], 1)).chunk(2, 1)
            return torch.fft.irfft2(torch.complex(real, imag), s=x.shape[2:], norm="ortho")
        real, imag = x @ self.cos, -(x @ self.sin)
        real, imag = self.cos @ real + self.sin @ imag, self.cos @ imag - self.sin @ real
        real, imag = self.mix(torch.cat([real, imag], 1)).chunk(2, 1)
        real, imag = self.cos @ real - self.sin @ imag, self.cos @ imag + self.sin @ real
        return real @ self.cos - imag @ self.sin


class Lama(nn.Module):
    """LaMa: local and global branches at a quarter of the size, the sum through a sigmoid."""

    def __init__(self, whole=True, has_matrices=True):
        super().__init__()
        width = 4 * FACTOR
        self.whole = whole
        self.down = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(4, width, 7), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, 2, 1), nn.ReLU(),
        )  # fmt: skip
        self.local = nn.ModuleList(
            nn.Conv2d(2 * width, 2 * width, 3, 1, 1, padding_mode="reflect") for _ in range(BLOCKS)
        )
        self.spectral = nn.ModuleList(
            FourierUnit(2 * width, SIDE // 4, has_matrices) for _ in range(BLOCKS)
        )
        self.up = nn.Sequential(
            nn.ConvTranspose2d(2 * width, 2 * width, 3, 2, 1, output_padding=1), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1), nn.ReLU(),
            nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7),
        )  # fmt: skip

    def generator(self, x):
        x = self.down(x)
        for local, spectral in zip(self.local, self.spectral):
            x = x + local(x) + spectral(x)
        return torch.sigmoid(self.up(x))

    def forward(self, image, mask=None):
        if not self.whole:
            return self.generator(image)
        made = self.generator(torch.cat([image * (1 - mask), mask], 1))
        return torch.clamp((made * mask + image * (1 - mask)) * 255, 0, 255)


class AotBlock(nn.Module):
    """Dilated branches, gated by a normalised map."""

    def __init__(self, width):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.ReflectionPad2d(r), nn.Conv2d(width, width // 4, 3, dilation=r), nn.ReLU())
            for r in [1, 2, 4, 8]
        )
        self.fuse = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3))
        self.gate = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3))

    def forward(self, x):
        gate = self.gate(x)
        mean = gate.mean((2, 3), keepdim=True)
        spread = gate.std((2, 3), keepdim=True) + 1e-9
        gate = torch.sigmoid(5 * (2 * (gate - mean) / spread - 1))
        return x * (1 - gate) + self.fuse(torch.cat([b(x) for b in self.branches], 1)) * gate


class AotGan(nn.Module):
    """AOT-GAN: a stack of its blocks at half the size."""

    def __init__(self):
        super().__init__()
        width = 8 * FACTOR
        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(4, width, 7), nn.ReLU(),
            nn.Conv2d(width, width, 4, 2, 1), nn.ReLU(),
        )  # fmt: skip
        self.middle = nn.Sequential(*(AotBlock(width) for _ in range(BLOCKS)))
        self.decoder = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, image, mask):
        x = self.middle(self.encoder(torch.cat([image, mask], 1)))
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return torch.tanh(self.decoder(x))


class MiGan(nn.Module):
    """MI-GAN's generator: separable convolutions, fixed filters for changes of size, noise."""

    def __init__(self):
        super().__init__()
        width = 8 * FACTOR
        kernel = torch.tensor([1.0, 3, 3, 1])
        kernel = torch.outer(kernel, kernel) / 64
        self.register_buffer("kernel", kernel.repeat(width, 1, 1, 1))
        self.register_buffer("grid", torch.tensor([[1.0, 0], [0, 0]]).repeat(SIDE // 2, SIDE // 2))
        self.register_buffer("noise", 0.1 * torch.randn(SIDE, SIDE))
        self.first = nn.Conv2d(4, width, 1)
        self.deep = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.point = nn.ModuleList(nn.Conv2d(width, width, 1, bias=False) for _ in range(BLOCKS))
        self.to_rgb = nn.Conv2d(width, 3, 1)
        self.width = width

    def act(self, x):
        return (F.leaky_relu(x, 0.2) * 2**0.5).clamp(-256, 256)

    def forward(self, x):
        skip = self.act(self.first(x))
        small = F.conv2d(self.act(self.deep(skip)), self.kernel, stride=2, padding=1, groups=self.width)
        for point in self.point:
            small = self.act(point(small))
        large = F.interpolate(small, scale_factor=2, mode="nearest") * self.grid
        large = F.conv2d(F.pad(large, (2, 1, 2, 1)), 4 * self.kernel, groups=self.width)
        large = self.act(large + self.noise) + skip
        return self.to_rgb(large) + 0.1 * self.to_rgb(skip)


class DeepFill(nn.Module):
    """DeepFillv2: gated convolutions, and attention by convolution with the picture's patches."""

    def __init__(self):
        super().__init__()
        width = 8 * FACTOR
        self.coarse = nn.Conv2d(5, 2 * width, 5, 2, 2)
        self.coarse_out = nn.Conv2d(width, 3, 3, 1, 1)
        self.fine = nn.Conv2d(3, 2 * width, 5, 2, 2)
        self.middle = nn.ModuleList(nn.Conv2d(width, 2 * width, 3, 1, 2, 2) for _ in range(BLOCKS - 1))
        self.fine_out = nn.Conv2d(2 * width, 3, 3, 1, 1)

    def gated(self, x):
        x, gate = x.chunk(2, 1)
        return F.elu(x) * torch.sigmoid(gate)

    def up(self, x):
        return F.interpolate(x, scale_factor=2, mode="nearest")

    def attend(self, x, mask):
        step = max(1, SIDE // 2 // CELLS)
        if step > 1:
            coarse = self.attend_cells(F.avg_pool2d(x, step), F.max_pool2d(mask, step))
            return F.interpolate(coarse, scale_factor=step, mode="nearest")
        return self.attend_cells(x, mask)

    def attend_cells(self, x, mask):
        small = F.interpolate(mask, scale_factor=0.5, mode="nearest")
        _, channels, height, width = x.shape
        patches = F.unfold(x, 3, padding=1)[0].T
        norm = patches.pow(2).sum(1, keepdim=True).sqrt().clamp_min(1e-4)
        scores = F.conv2d(x, (patches / norm).view(-1, channels, 3, 3), padding=1)
        known = (F.unfold(small, 3, padding=1)[0].T.mean(1) == 0).float().view(1, -1, 1, 1)
        weights = F.softmax(scores * known * 10, 1) * known
        return F.conv_transpose2d(weights, patches.view(-1, channels, 3, 3), padding=1) / 9

    def forward(self, x, mask):
        coarse = torch.tanh(self.coarse_out(self.up(self.gated(self.coarse(x)))))
        shown = coarse * mask + x[:, :3] * (1 - mask)
        x = self.gated(self.fine(shown))
        for block in self.middle:
            x = self.gated(block(x))
        x = torch.cat([x, self.attend(x, mask)], 1)
        return coarse, torch.tanh(self.fine_out(self.up(x)))


class HiFill(nn.Module):
    """HiFill (CRA) as converted from TensorFlow: channels last, 0 to 255, attention beside it."""

    def __init__(self):
        super().__init__()
        width = 8 * FACTOR
        self.encode = nn.Conv2d(4, 2 * width, 5, 2, 2)
        self.decode = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, img, mask):
        real = img.permute(0, 3, 1, 2) / 127.5 - 1
        hole = mask.permute(0, 3, 1, 2)
        x, gate = self.encode(torch.cat([real * (1 - hole), hole], 1)).chunk(2, 1)
        x = F.elu(x) * torch.sigmoid(gate)
        flat = F.avg_pool2d(x, max(2, SIDE // 2 // CELLS)).flatten(2)
        attention = F.softmax(flat.transpose(1, 2) @ flat, -1)
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        made = (self.decode(x).clamp(-1, 1) + 1) * 127.5
        return made.permute(0, 2, 3, 1), attention, mask * 1


def cases(image, mask):
    """Name, how the network is made, inputs as the project makes them, names of the outputs, the picture's one."""
    rgb = (image.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    hole = mask[None, None].astype(np.float32)
    signed = rgb * 2 - 1
    ones = np.ones_like(hole)
    wide = (image[None, :, :, ::-1]).astype(np.float32)
    masked = np.concatenate([signed * (1 - hole), ones, ones * hole], 1)
    yield "lama", Lama, {"image": rgb, "mask": hole}, ["output"], 0
    yield "lama-generator", lambda: Lama(whole=False), {"input": np.concatenate([rgb * (1 - hole), hole], 1)}, ["output"], 0
    yield "lama-dft", lambda: Lama(has_matrices=False), {"image": rgb, "mask": hole}, ["output"], 0
    yield "aotgan", AotGan, {"image": signed * (1 - hole) + hole, "mask": hole}, ["painted"], 0
    yield "migan", MiGan, {"input": np.concatenate([0.5 - hole, signed * (1 - hole)], 1)}, ["output"], 0
    bytes = {"image": image.transpose(2, 0, 1)[None], "mask": 255 * (1 - mask)[None, None]}
    yield "migan-pipeline", MiGanPipeline, bytes, ["result"], 0
    yield "deepfill", DeepFill, {"x": masked, "mask": hole}, ["stage1", "stage2"], 1
    yield "hifill", HiFill, {"img": wide, "mask": hole.transpose(0, 2, 3, 1)}, ["inpainted", "attention", "mask_processed"], 0


class MiGanPipeline(nn.Module):
    """MI-GAN as its project ships it for phones: 8-bit pictures of any size, which are scaled to
    the generator's and put back."""

    def __init__(self):
        super().__init__()
        self.generator = MiGan()

    def forward(self, image, mask):
        hole = 1 - mask.float() / 255
        real = image.float() / 127.5 - 1
        size = [SIDE, SIDE]
        small = F.interpolate(real, size=size, mode="bilinear", align_corners=False)
        small_hole = (F.interpolate(hole, size=size, mode="nearest") > 0.5).float()
        made = self.generator(torch.cat([0.5 - small_hole, small * (1 - small_hole)], 1))
        made = F.interpolate(made, size=image.shape[2:], mode="bilinear", align_corners=False)
        made = made * hole + real * (1 - hole)
        return ((made + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def store(network, path, name, inputs, outputs):
    """Exports a network."""
    tensors = tuple(torch.from_numpy(np.ascontiguousarray(value)) for value in inputs.values())
    free = {2: "height", 3: "width"}
    axes = {key: free for key in [*inputs, *outputs]} if name == "migan-pipeline" else None
    # The older exporter knows no Fourier transforms.
    how = {"dynamo": True, "external_data": False} if name == "lama-dft" else {"dynamo": False, "dynamic_axes": axes}
    torch.onnx.export(
        network, tensors, path, input_names=list(inputs), output_names=outputs,
        opset_version=18 if name == "lama-dft" else 17, **how,
    )  # fmt: skip
    model = onnx.load(path)
    for node in model.graph.node:
        # Where in the source it comes from, which is longer than the node.
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        value.ClearField("metadata_props")
    model.ClearField("metadata_props")
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=SIDE, help="multiple of 8; the tests' files have 32")
    parser.add_argument("--factor", type=int, default=FACTOR, help="times the channels of the tests' files")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="of every network's middle part")
    parser.add_argument("--real", action="store_true", help="instead: about the sizes of the real networks")
    parser.add_argument("--time", action="store_true", help="only time what is there already")
    parser.add_argument("--only", nargs="+", help="some of the networks, by name")
    parser.add_argument("--threads", type=int, default=1, help="of ONNX Runtime")
    args = parser.parse_args()
    globals().update(SIDE=args.side, FACTOR=args.factor, BLOCKS=args.blocks)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (args.side, args.side, 3), dtype=np.uint8)
    mask = np.zeros((args.side, args.side), np.uint8)
    q = args.side // 4
    mask[q : 2 * q + 1, q - 1 : 3 * q] = 1
    image.tofile(args.out / "image.bin")
    mask.tofile(args.out / "mask.bin")
    for name, network, inputs, outputs, picture in cases(image, mask):
        if args.only and name not in args.only:
            continue
        if args.real:
            globals().update(zip(["FACTOR", "BLOCKS"], REAL[name]))
        path = args.out / f"{name}.onnx"
        if not args.time:
            store(network().eval(), path, name, inputs, outputs)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feed = {k: np.ascontiguousarray(v) for k, v in inputs.items()}
        times = []
        for _ in range(5):
            start = time.perf_counter()
            result = session.run(outputs, feed)[picture]
            times.append(1000 * (time.perf_counter() - start))
        if result.shape[-1] == 3:
            result = result.transpose(0, 3, 1, 2)
        np.ascontiguousarray(result, np.float32).tofile(args.out / f"{name}.bin")
        print(name, path.stat().st_size, "bytes", result.shape, float(result.min()), float(result.max()), f"{statistics.median(times):.1f} ms")


if __name__ == "__main__":
    main()
