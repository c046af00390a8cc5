"""`tmad bench` against PyTorch and ONNX Runtime, on the same weights and pictures, in one run.

    python benches/peers/compare.py target/release/tmad --markdown tables.md

Checks first that all of them compute the same. Every figure is a median of medians over rounds in which
the contestants take turns, so that the machine's moods hit all of them. Peers run in the memory layout
and with the formulation of CARAFE that suits each best.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
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
PARTS = ["forward", "training", "layers", "inpaint", "avx2"]
# The formulation that ONNX Runtime computes faster, by a factor of 1.5 to 2.
ONNX_CARAFE = "shifts"


def median_ms(run, seconds, least=2):
    """Median of warm runs; of a single one where one takes longer than all should."""
    start = time.perf_counter()
    run()
    if time.perf_counter() - start > seconds:
        least = 1
    times = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


class Report:
    """Prints Markdown and keeps it, and the ratios by which the aims are judged."""

    def __init__(self):
        self.lines = []
        self.ratios = {}

    def say(self, text=""):
        print(text, flush=True)
        self.lines.append(text)

    def note(self, threads, name, ratio):
        self.ratios[f"{threads} {name}"] = ratio

    def least(self, names):
        """The smallest of several ratios, with its name."""
        name = min(names, key=self.ratios.get)
        return f"{self.ratios[name]:.2f}× ({name.split(' ', 1)[1]})"


class Binary:
    def __init__(self, path, weights):
        self.path = path
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


def processor():
    """The processor's name, and where virtual machines hide it, what else there is."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    name = facts.get("model name", "unknown processor")
    numbers = f"family {facts.get('cpu family', '?')}, model {facts.get('model', '?')}"
    return f"{os.cpu_count()} cores of {name} ({numbers})"


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


def row(report, threads, name, ours, peers):
    best = min(peers, key=peers.get)
    each = ", ".join(f"{peer} {ms:.0f}" for peer, ms in peers.items())
    report.say(f"| {name} | {ours:.0f} | {each} | {peers[best] / ours:.2f}× ({best}) |")
    report.note(threads, name, peers[best] / ours)
    for peer, ms in peers.items():
        report.note(threads, f"{name} against {peer}", ms / ours)


def heading(report, threads, what, columns):
    plural = "thread" if threads == 1 else "threads"
    report.say(f"\n{threads} {plural}, {what}:\n")
    report.say(columns)


def compare_forward(report, binary, cases, threads, rounds):
    columns = "| case | tmad | peers | against the fastest |\n|---|---:|---|---:|"
    heading(report, threads, "whole forward, ms", columns)
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
        row(report, threads, case.title, statistics.median(ours), best)


def compare_training(report, binary, case, threads, rounds):
    columns = "| network | tmad | peers | against the fastest |\n|---|---:|---|---:|"
    heading(report, threads, "forward and backward, ms", columns)
    torch.set_num_threads(threads)
    ours, times = {}, {}
    keys = [(name, layout, carafe) for name in ["coarse", "synthesis"] for layout in LAYOUTS for carafe in network.CARAFE]
    for _ in range(rounds):
        measured = binary.bench(case.size, case.hole, threads, "--train")["training"]
        for name, layout, carafe in keys:
            network.use_carafe(carafe)
            run = training(case, LAYOUTS[layout])[name]
            times.setdefault((name, layout, carafe), []).append(median_ms(run, 1.0))
        for name, result in measured.items():
            ours.setdefault(name, []).append(result["ms"])
        # As in the forward pass, the faster formulation of the first round remains.
        first = lambda key: times[key][0]
        keys = {min((k for k in keys if k[:2] == key[:2]), key=first) for key in keys}
        keys = sorted(keys)
    for name, values in ours.items():
        best = {f"PyTorch {k[1]}": statistics.median(times[k]) for k in keys if k[0] == name}
        row(report, threads, name, statistics.median(values), best)


def compare_layers(report, binary, case, threads, rounds):
    columns = "| count | shape | tmad | PyTorch channels-last | ratio |\n|---:|---|---:|---:|---:|"
    heading(report, threads, "convolutions, GFLOP/s of the plain algorithm", columns)
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
        ratio = other / mine
        report.say(f"| {layer['count']} | {key} | {gflop / mine:.0f} | {gflop / other:.0f} | {ratio:.2f}× |")
        report.note(threads, f"convolution {key}", ratio)


def write_png(path, pixels):
    """`pixels` (height, width, 3), bytes."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


# In a process of its own: Linux counts what a small program's large parent held among its peak memory.
ONE_RUN = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measure_inpaint(report, binary, cases, threads, runs=7):
    """The program from start to result, with the weights inside it: seconds and peak memory."""
    columns = "| case | from start to result | peak memory |\n|---|---:|---:|"
    heading(report, threads, "`tmad inpaint` with its own weights", columns)
    for case in cases:
        photo, mask, result = (Path(case.folder) / name for name in ["photo.png", "mask.png", "result.png"])
        image, hole = case.tensors["image"][0], case.tensors["mask"][0].expand(3, -1, -1)
        for path, values in [(photo, (image + 1) * 127.5), (mask, hole * 255.0)]:
            write_png(path, values.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy())
        command = [binary.path, "-q", "inpaint", photo, "--mask", mask, "-o", result]
        command = list(map(str, [*command, "--threads", threads]))
        measured = [sys.executable, "-S", "-c", ONE_RUN, *command]
        measured = [subprocess.run(measured, check=True, capture_output=True, text=True).stdout for _ in range(runs)]
        seconds, peaks = zip(*[map(float, output.split()) for output in measured])
        peaks = [peak * 1024e-6 for peak in peaks]
        report.note(threads, f"{case.title} seconds", statistics.median(seconds))
        report.note(threads, f"{case.title} megabytes", max(peaks))
        report.say(f"| {case.title} | {statistics.median(seconds):.2f} s | {max(peaks):.0f} MB |")


def compare_avx2(report, args, threads):
    """Runs this program again for the first case, everyone limited to AVX2."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "ratios.json"
        command = [sys.executable, *sys.argv, "--avx2", f"{folder}/library", "--ratios", found]
        command += ["--only", "forward", "--cases", 0, "--threads", threads, "--rounds", min(args.rounds, 2)]
        command += ["--markdown", f"{folder}/table.md"]
        # Without --folder, whose exported network would do too, but whose weights might not.
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        lines = Path(folder, "table.md").read_text().splitlines()
        start = next(i for i, line in enumerate(lines) if "whole forward" in line)
        report.say(f"\nEveryone limited to AVX2, {lines[start]}")
        for line in lines[start + 1 :]:
            report.say(line)
        for name, ratio in json.loads(found.read_text()).items():
            report.ratios[f"{name} with AVX2"] = ratio


def is_wide(name):
    """Whether a convolution is 3×3 with 64 channels or more on both sides."""
    channels = name.split("× ")[1].split(" ")[0].split("→")
    return " k3 " in name and min(map(int, channels)) >= 64


def judge(report, threads):
    """What was aimed at, and what was reached in this run."""
    ratios = report.ratios
    prefix = f"{threads} "
    convolutions = [name for name in ratios if name.startswith(f"{prefix}convolution")]
    wide = [name for name in convolutions if is_wide(name)]
    titles = [CASES[0][0], CASES[2][0]]
    aims = [
        *[(f"whole forward, {t}, against the fastest", "1.5×", [prefix + t], None) for t in titles],
        ("every convolution against PyTorch channels-last", "1.0×", convolutions, None),
        ("3×3 with 64 channels and more, stride 1", "1.5×", [n for n in wide if " s1 " in n], None),
        ("3×3 with 64 channels and more, stride 2", "1.5×", [n for n in wide if " s2 " in n], None),
        ("forward and backward, coarse network", "1.0×", [f"{prefix}coarse"], None),
        ("forward and backward, patch synthesis", "1.0×", [f"{prefix}synthesis"], None),
        ("AVX2 against ONNX Runtime", "1.0×", [f"{prefix}{titles[0]} against ONNX Runtime with AVX2"], None),
        (f"peak memory, {titles[0]}", "under 150 MB", [f"{prefix}{titles[0]} megabytes"], "{:.0f} MB"),
        (f"peak memory, {titles[1]}", "under 400 MB", [f"{prefix}{titles[1]} megabytes"], "{:.0f} MB"),
        (f"from start to result, {titles[0]}", "under 0.25 s", [f"{prefix}{titles[0]} seconds"], "{:.2f} s"),
    ]
    report.say(f"\n| aim, {threads} threads | at least | reached |\n|---|---:|---:|")
    for what, least, names, form in aims:
        if not names or any(name not in ratios for name in names):
            reached = "not measured"
        elif form:
            reached = form.format(ratios[names[0]])
        elif len(names) > 1:
            reached = report.least(names)
        else:
            reached = f"{ratios[names[0]]:.2f}×"
        report.say(f"| {what} | {least} | {reached} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="tmad, built with --release")
    parser.add_argument("--weights", help="a weights file instead of the paper's sizes with random weights")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="0 checks and exports only")
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)))
    parser.add_argument("--folder", help="keep dumps and exported networks here; only for one binary")
    parser.add_argument("--avx2", metavar="DIR", help="limit everyone to AVX2; needs an empty folder")
    parser.add_argument("--only", choices=PARTS, nargs="+", help="these parts instead of all")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables there too")
    parser.add_argument("--ratios", metavar="FILE", help="write every ratio there, as JSON")
    args = parser.parse_args()
    weights = ["--weights", args.weights] if args.weights else ["--paper"]
    parts = args.only or PARTS
    report = Report()
    binary = Binary(str(Path(args.binary).resolve()), weights)
    capability = torch.backends.cpu.get_cpu_capability()
    start = time.perf_counter()
    versions = f"PyTorch {torch.__version__} ({capability}), ONNX Runtime {onnxruntime.__version__}"
    report.say(f"{processor()}; {versions}")
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
                compare_forward(report, binary, cases, threads, args.rounds)
            if "training" in parts:
                compare_training(report, binary, cases[0], threads, args.rounds)
            if "layers" in parts:
                compare_layers(report, binary, cases[0], threads, args.rounds)
        last = args.threads[-1]
        if "inpaint" in parts and args.rounds > 0:
            measure_inpaint(report, binary, cases, last)
    if "avx2" in parts and args.rounds > 0 and not args.avx2:
        compare_avx2(report, args, last)
    if args.rounds > 0 and not args.avx2:
        judge(report, last)
    if args.markdown:
        Path(args.markdown).write_text("\n".join(report.lines) + "\n")
    if args.ratios:
        Path(args.ratios).write_text(json.dumps(report.ratios, indent=1))
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
