"""Whether ONNX Runtime makes of the exported networks what the project makes of them, and how long
it takes. Run by hand (README.md) on the folder that the example `onnx_vectors` writes."""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    worst = 0.0
    print("| network | error, relative to the range | other choices | tmad, ms | ONNX Runtime, ms |")
    print("|---|---:|---:|---:|---:|")
    for path in sorted(args.folder.glob("*.onnx")):
        onnx.checker.check_model(onnx.load(path), full_check=True)
        case = json.loads(path.with_suffix(".json").read_text())
        read = lambda part: np.fromfile(args.folder / f"{path.stem}.{part}", np.float32)
        feed = {name: read(f"{name}.in").reshape(shape) for name, shape in case["inputs"].items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        times = []
        for _ in range(5):
            start = time.perf_counter()
            results = dict(zip(names, session.run(names, feed)))
            times.append(1000 * (time.perf_counter() - start))
        expected = {name: read(f"{name}.out").reshape(results[name].shape) for name in names}
        same, other = True, "–"
        if "source" in names:
            # Two sources that are as good as equally good may change places.
            same = expected["source"] == results["source"]
            other = f"{(~same).mean():.1e}"
        name = names[0]
        error = np.abs(results[name] - expected[name]) * same
        error = float(error.max() / np.ptp(expected[name]))
        worst = max(worst, error)
        print(f"| {path.stem} | {error:.1e} | {other} | {case['ms']} | {statistics.median(times):.1f} |")
    if worst > 1e-4:
        raise SystemExit(f"{worst} is more than 1e-4")


if __name__ == "__main__":
    main()
