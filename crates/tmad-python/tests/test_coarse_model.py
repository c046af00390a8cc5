"""Other projects' networks in the coarse network's place."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tmad
from conftest import scene, square_hole
from PIL import Image

NETWORKS = Path(__file__).parents[2] / "tmad-onnx" / "tests" / "data"
IMAGE, MASK = scene(72, 88), square_hole(72, 88, 20)


@pytest.mark.parametrize("method", ["tmad", "coarse"])
def test_it_is_the_command_lines_result(
    method: tmad._inpainter.Method, tmp_path: Path, command_line: Callable[..., None]
) -> None:
    network = NETWORKS / "lama.onnx"
    photo, mask, out = (tmp_path / name for name in ("photo.png", "mask.png", "out.png"))
    Image.fromarray(IMAGE).save(photo)
    Image.fromarray(MASK).convert("L").save(mask)
    options = ["--mask", mask, "--method", method, "--coarse-model", network]
    command_line("inpaint", photo, *options, "-o", out)
    expected = np.asarray(Image.open(out))
    inpainter = tmad.Inpainter(method=method, coarse_model=network)
    assert inpainter.inpaint_bytes(photo.read_bytes(), mask.read_bytes()) == out.read_bytes()
    filled = inpainter.inpaint(IMAGE, MASK)
    assert (filled == expected).all()
    assert (filled[MASK] != tmad.inpaint(IMAGE, MASK, method=method)[MASK]).any()
    assert "lama.onnx" in repr(inpainter)
    copy = pickle.loads(pickle.dumps(inpainter))
    assert (copy.inpaint(IMAGE, MASK) == expected).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_both_sides_of_a_fork_have_it() -> None:
    inpainter = tmad.Inpainter(method="coarse", coarse_model=str(NETWORKS / "migan.onnx"))
    expected = inpainter.inpaint(IMAGE, MASK)

    def fill() -> None:
        assert (inpainter.inpaint(IMAGE, MASK) == expected).all()

    child = multiprocessing.get_context("fork").Process(target=fill)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert (inpainter.inpaint(IMAGE, MASK) == expected).all()


def test_a_descriptor_beside_the_file_is_heard(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    shutil.copy(NETWORKS / "lama.onnx", file)
    before = tmad.Inpainter(method="coarse", coarse_model=file).inpaint(IMAGE, MASK)
    file.with_suffix(".json").write_text('{"output": {"range": [0, 1000]}}')
    after = tmad.Inpainter(method="coarse", coarse_model=file).inpaint(IMAGE, MASK)
    assert after[MASK].mean() < before[MASK].mean()
    file.with_suffix(".json").write_text('{"side": 0}')
    with pytest.raises(ValueError, match=r"net\.onnx.*descriptor"):
        tmad.Inpainter(coarse_model=file)


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tmad.Inpainter(coarse_model=tmp_path / "gone.onnx")
    whole = (NETWORKS / "lama.onnx").read_bytes()
    half = tmp_path / "half.onnx"
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"half\.onnx"):
        tmad.Inpainter(coarse_model=half)
    network = NETWORKS / "lama.onnx"
    with pytest.raises(ValueError, match="telea has no coarse network"):
        tmad.Inpainter(method="telea", coarse_model=network)
    with pytest.raises(ValueError, match="own network"):
        tmad.Inpainter(coarse_model=network).explain(IMAGE, MASK)
