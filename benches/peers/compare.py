"""`tmad bench` against PyTorch and ONNX Runtime, on the same weights and pictures, in one run.

    python benches/peers/compare.py target/release/tmad

Checks first that all of them compute the same. Every figure is a median of medians over rounds in which
the contestants take turns, so that the machine's moods hit all of them. Peers run in the memory layout
and with the formulation of CARAFE that suits each best.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import avx2

# Before anything is imported that asks the processor.
if "--avx2" in sys.argv:
    avx2.restart(sys.argv[sys.argv.index("--avx2") + 1])

import onnxruntime  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

import network  # noqa: E402

CASES = [
    ("256 x 256, 16 patches", "256x256", "128x128"),
    ("768 x 512, 16 patches", "768x512", "128x128"),
    ("768 x 512, 96 patches", "768x512", "384x256"),
]
TOLERANCE = 1e-3
# The formulation that ONNX Runtime computes faster, by a factor of 1.5 to 2.
ONNX_CARAFE = "shifts"


def median_ms(run, seconds, least=2):
    """Median of warm runs."""
    run()
    times = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


class Binary:
    def __init__(self, path, weights):
        self.command = [path, "bench", "--json", *weights]

    def bench(self, size, hole, threads, *options):
        command = [*self.command, "--runs", "7", "--size", size, "--hole", hole, "--threads", str(threads), *options]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


class Case:
    """One picture: the same inputs for everyone."""

    def __init__(self, binary, title, size, hole, folder):
        self.title, self.size, self.hole, self.folder = title, size, hole, folder
        binary.bench(size, hole, 2, "--dump", folder)
        self.tensors = load_file(Path(folder) / "bench.safetensors")
        model, config = network.load(Path(folder) / "weights.safetensors")
        t = self.tensors
        self.forward = network.Forward(model, config, t["cells"], t["windows"], t["mask"])
        self.inputs = t["image"], t["mask"], t["prior"]
        self.exported = Path(folder) / "forward.onnx"

    def check(self, name, completed):
        error = (torch.as_tensor(completed) - self.tensors["completed"]).abs().max().item()
        if not error < TOLERANCE:
            sys.exit(f"{self.title}: {name} differs from the binary by {error:.2e}")
        print(f"  {name}: largest difference to the binary {error:.1e}")

    def eager(self, layout):
        forward = self.forward.to(memory_format=layout)
        inputs = [x.contiguous(memory_format=layout) for x in self.inputs]

        def run():
            with torch.inference_mode():
                return forward(*inputs)

        return run

    def session(self, threads):
        if not self.exported.exists():
            network.use_carafe(ONNX_CARAFE)
            forward = self.forward.to(memory_format=torch.contiguous_format)
            with torch.no_grad():
                torch.onnx.export(
                    forward,
                    self.inputs,
                    self.exported,
                    input_names=["image", "mask", "prior"],
                    output_names=["completed", "patches", "ranking"],
                    opset_version=18,
                    dynamo=False,
                )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            self.exported, options, providers=["CPUExecutionProvider"]
        )
        names = [i.name for i in session.get_inputs()]
        feed = {n: x.numpy() for n, x in zip(["image", "mask", "prior"], self.inputs) if n in names}
        return lambda: session.run(["completed"], feed)


LAYOUTS = {"NCHW": torch.contiguous_format, "channels-last": torch.channels_last}


def training(case, layout):
    """Forward and backward of the coarse network and of the patch networks, as the binary does it."""
    forward = case.forward.to(memory_format=layout)
    _, mask, prior = (x.contiguous(memory_format=layout) for x in case.inputs)
    tensors = case.tensors
    flat = tensors["guess"].flatten(2)[0]
    context = forward.cut(flat, forward.contexts[:16], 3 * network.SIDE)
    if forward.has_mask_plane:
        plane = forward.cut(tensors["mask"].flatten(2)[0], forward.contexts[:16], 3 * network.SIDE)
        context = torch.cat([context, plane], 1)
    memory = forward.cut(flat, forward.windows, network.SIDE)
    candidates = memory[tensors["ranking"][:16]].flatten(1, 2)
    context, candidates = (x.contiguous(memory_format=layout) for x in (context, candidates))

    def step(run):
        def backward():
            forward.zero_grad(set_to_none=True)
            run().mean().backward()

        return backward

    return {
        "coarse": step(lambda: forward.model.coarse(prior, mask)),
        "synthesis": step(lambda: forward.synthesise(context, candidates)),
    }


def conv(layer):
    """A convolution with leaky ReLU, channels-last, as a network runs it."""
    s = layer
    shape = s["batch"], s["in_channels"], s["height"], s["width"]
    x = torch.rand(shape).sub_(0.5).contiguous(memory_format=torch.channels_last)
    module = torch.nn.Conv2d(
        s["in_channels"],
        s["out_channels"],
        s["kernel"],
        s["stride"],
        s["dilation"] * (s["kernel"] - 1) // 2,
        s["dilation"],
    ).to(memory_format=torch.channels_last)

    def run():
        with torch.inference_mode():
            return network.leaky(module(x))

    return run


def row(name, ours, peers):
    best = min(peers, key=peers.get)
    each = ", ".join(f"{peer} {ms:.1f}" for peer, ms in peers.items())
    print(f"| {name} | {ours:.1f} | {each} | {peers[best] / ours:.2f}× ({best}) |", flush=True)
    return peers[best] / ours


def compare_forward(binary, cases, threads, rounds):
    print(f"\n{threads} threads, whole forward, ms:\n\n| case | tmad | peers | against the fastest |")
    print("|---|---:|---|---:|")
    torch.set_num_threads(threads)
    for case in cases:
        runs = {("ONNX Runtime", ONNX_CARAFE): (None, case.session(threads))}
        for carafe in network.CARAFE:
            for name, layout in LAYOUTS.items():
                runs[f"PyTorch {name}", carafe] = carafe, layout
        ours, times = [], {}
        for _ in range(rounds):
            ours.append(binary.bench(case.size, case.hole, threads)["forward_ms"])
            for key, (carafe, run) in runs.items():
                if carafe:
                    network.use_carafe(carafe)
                    run = case.eager(run)
                times.setdefault(key, []).append(median_ms(run, 1.0))
            # Every peer keeps the formulation that was faster in the first round.
            fastest = {}
            for key in runs:
                if key[0] not in fastest or times[key][0] < times[fastest[key[0]]][0]:
                    fastest[key[0]] = key
            runs = {key: runs[key] for key in fastest.values()}
        best = {peer: statistics.median(times[peer, carafe]) for peer, carafe in runs}
        row(case.title, statistics.median(ours), best)


def compare_training(binary, case, threads, rounds):
    print(f"\n{threads} threads, forward and backward, ms:\n\n| network | tmad | peers | against the fastest |")
    print("|---|---:|---|---:|")
    torch.set_num_threads(threads)
    ours, times = {}, {}
    for _ in range(rounds):
        report = binary.bench(case.size, case.hole, threads, "--train")
        for name, measured in report["training"].items():
            ours.setdefault(name, []).append(measured["ms"])
        for carafe in network.CARAFE:
            network.use_carafe(carafe)
            for layout_name, layout in LAYOUTS.items():
                for name, run in training(case, layout).items():
                    key = name, layout_name, carafe
                    times.setdefault(key, []).append(median_ms(run, 1.0))
    for name, values in ours.items():
        best = {}
        for (network_name, layout, _), ms in times.items():
            if network_name == name:
                peer = f"PyTorch {layout}"
                best[peer] = min(best.get(peer, float("inf")), statistics.median(ms))
        row(name, statistics.median(values), best)


def compare_layers(binary, case, threads, rounds):
    print(f"\n{threads} threads, convolutions, GFLOP/s:\n")
    print("| count | shape | tmad | PyTorch channels-last | ratio |\n|---:|---|---:|---:|---:|")
    torch.set_num_threads(threads)
    ours, theirs, layers = {}, {}, {}
    for _ in range(rounds):
        for layer in binary.bench(case.size, case.hole, threads, "--layers")["layers"]:
            key = "{batch}× {in_channels}→{out_channels} {height}×{width} k{kernel} s{stride} d{dilation}"
            key = key.format(**layer)
            layers[key] = layer
            ours.setdefault(key, []).append(layer["ms"])
            theirs.setdefault(key, []).append(median_ms(conv(layer), 0.15, 5))
    for key, layer in layers.items():
        mine, other = statistics.median(ours[key]), statistics.median(theirs[key])
        gflop = 1e-6 * network.num_flops(layer)
        print(
            f"| {layer['count']} | {key} | {gflop / mine:.0f} | {gflop / other:.0f} | {other / mine:.2f}× |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="tmad, built with --release")
    parser.add_argument("--weights", help="a weights file instead of the paper's sizes with random weights")
    parser.add_argument("--shipped", action="store_true", help="the weights inside the binary")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="0 checks and exports only")
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)))
    parser.add_argument("--folder", help="keep dumps and exported networks here; only for one binary")
    parser.add_argument("--avx2", metavar="DIR", help="limit everyone to AVX2; needs an empty folder")
    parser.add_argument("--only", choices=["forward", "training", "layers"], nargs="+")
    args = parser.parse_args()
    weights = ["--weights", args.weights] if args.weights else [] if args.shipped else ["--paper"]
    parts = args.only or ["forward", "training", "layers"]
    binary = Binary(str(Path(args.binary).resolve()), weights)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"PyTorch {torch.__version__} ({capability}), ONNX Runtime {onnxruntime.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        folder = args.folder or folder
        cases = []
        for number in args.cases:
            title, size, hole = CASES[number]
            cases.append(Case(binary, title, size, hole, f"{folder}/{number}"))
            print(title)
            for name, layout in LAYOUTS.items():
                cases[-1].check(f"PyTorch {name}", cases[-1].eager(layout)()[0])
            if "forward" in parts:
                cases[-1].check("ONNX Runtime", cases[-1].session(2)()[0])
        for threads in args.threads:
            if args.rounds == 0:
                break
            if "forward" in parts:
                compare_forward(binary, cases, threads, args.rounds)
            if "training" in parts:
                compare_training(binary, cases[0], threads, args.rounds)
            if "layers" in parts:
                compare_layers(binary, cases[0], threads, args.rounds)


if __name__ == "__main__":
    main()
