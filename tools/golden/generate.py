"""Writes every golden vector: `python tools/golden/generate.py [CASE ...] [--lpips-weights FOLDER]`.

With --check nothing is written; the stored files are compared with freshly computed ones.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import cases_evaluation
import cases_layers
import cases_networks
import cases_training

VECTORS = Path(__file__).parent / "vectors"
LARGEST = 100_000


def compare(case, path):
    stored = load_file(path)
    assert stored.keys() == case.tensors.keys(), f"{path.name}: other tensors"
    for name, value in case.tensors.items():
        # float64 arithmetic, rounded once: another machine may differ in the last place.
        torch.testing.assert_close(stored[name], value, rtol=2e-6, atol=1e-7, msg=lambda m: f"{path.name} {name}: {m}")


def main():
    cases = {f.__name__: f for m in (cases_layers, cases_networks, cases_training, cases_evaluation) for f in m.CASES}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(cases)}; all by default")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--lpips-weights", type=Path, help="folder with the two weight files; writes lpips.json")
    args = parser.parse_args()
    if unknown := set(args.cases) - cases.keys():
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}")

    torch.set_num_threads(1)
    VECTORS.mkdir(exist_ok=True)
    for name in args.cases or cases:
        case = cases[name]()
        assert case.name == name
        for tensor, value in case.tensors.items():
            assert value.dtype != torch.float32 or value.isfinite().all(), (name, tensor)
        path = VECTORS / f"{name}.safetensors"
        if args.check:
            compare(case, path)
            print(f"{path.name}: as stored")
            continue
        # One key only: safetensors writes several in a random order, and files should not differ by that.
        save_file(case.tensors, path, {"case": json.dumps(case.metadata, sort_keys=True)})
        size = path.stat().st_size
        print(f"{path.name}: {len(case.tensors)} tensors, {size} bytes")
        if size > LARGEST:
            sys.exit(f"{path.name} is larger than {LARGEST} bytes")
    if args.lpips_weights and not args.check:
        (VECTORS / "lpips.json").write_text(cases_training.lpips_record(args.lpips_weights))


if __name__ == "__main__":
    main()
