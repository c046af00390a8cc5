"""Limits the peers to AVX2, for the comparison on older processors.

PyTorch's oneDNN has an environment variable for that. ONNX Runtime's kernels (MLAS) have none: they ask the
processor. So a copy of its library is changed in the one place where MLAS reads which registers the
operating system saves (`xgetbv`): bits 5 to 7, which stand for AVX-512, are cleared there.
"""

import os
import shutil
import sys
from pathlib import Path

ENVIRONMENT = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "TMAD_SIMD": "avx2"}

# xgetbv; mov eax, eax; shl rdx, 32; or rdx, rax; not rax; mov r8, rdx; test al, 6
QUESTION = bytes.fromhex("0f01d0 89c0 48c1e220 4809c2 48f7d0 4989d0 a806")
# xgetbv; and eax, 0x1f; xor edx, edx; nop; the rest as before
ANSWER = bytes.fromhex("0f01d0 83e01f 31d2 90 4809c2 48f7d0 4989d0 a806")


def changed_copy(folder):
    """A copy of the installed onnxruntime package in `folder` that finds no AVX-512."""
    source = next(Path(p) / "onnxruntime" for p in sys.path if (Path(p) / "onnxruntime").is_dir())
    copy = Path(folder) / "onnxruntime"
    shutil.copytree(source, copy)
    count = 0
    for library in copy.glob("capi/onnxruntime_pybind11_state*.so"):
        code = library.read_bytes()
        count += code.count(QUESTION)
        library.write_bytes(code.replace(QUESTION, ANSWER))
    if count != 1:
        sys.exit(f"this build of ONNX Runtime asks for AVX-512 in {count} places, not in the one known")
    return copy.parent


def restart(folder):
    """Runs the program again under these limits; returns in the second run only."""
    if "PEERS_AVX2" not in os.environ:
        path = os.pathsep.join(filter(None, [str(changed_copy(folder)), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": path, "PEERS_AVX2": "1"}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
