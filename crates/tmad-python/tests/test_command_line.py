"""The package and the command line of one build give the same results, byte for byte."""

from __future__ import annotations

import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tmad
from conftest import scene, square_hole
from PIL import Image

MASK = square_hole()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    Image.fromarray(scene()).save(tmp_path / "colour.png")
    Image.fromarray(scene(channels=4)).save(tmp_path / "alpha.png")
    Image.fromarray(scene(channels=1)[..., 0]).save(tmp_path / "grey.png")
    Image.fromarray(scene(channels=1)[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    exif[0x010E] = "a scene"
    turned = np.rot90(scene())
    Image.fromarray(turned).save(tmp_path / "turned.jpg", exif=exif, quality=87, dpi=(300, 300))
    Image.fromarray(MASK.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    return tmp_path


@pytest.mark.parametrize("method", ["tmad", "coarse", "patchmatch", "telea"])
def test_methods(files: Path, command_line: Callable[..., None], method: str) -> None:
    photo, mask, out = files / "colour.png", files / "mask.png", files / "out.png"
    command_line("inpaint", photo, "--mask", mask, "-o", out, "--method", method, "--seed", 3)
    filled = tmad.inpaint_bytes(
        photo.read_bytes(),
        mask.read_bytes(),
        method=method,
        seed=3,  # type: ignore[arg-type]
    )
    assert filled == out.read_bytes()
    array = tmad.inpaint(scene(), MASK, method=method, seed=3)  # type: ignore[arg-type]
    assert (array == np.asarray(Image.open(out))).all()


def test_precisions(files: Path, command_line: Callable[..., None]) -> None:
    photo, mask, out = files / "colour.png", files / "mask.png", files / "out.png"
    command_line("inpaint", photo, "--mask", mask, "-o", out, "--precision", "auto")
    exact = tmad.inpaint(scene(), MASK)
    fast = tmad.inpaint(scene(), MASK, precision="auto")
    # One after the other: threads of one precision are not the other's.
    assert (tmad.inpaint(scene(), MASK, precision="f32") == exact).all()
    assert tmad.inpaint_bytes(photo.read_bytes(), MASK, precision="auto") == out.read_bytes()
    inpainter = pickle.loads(pickle.dumps(tmad.Inpainter(precision="auto")))
    assert "precision='auto'" in repr(inpainter)
    for threads in (1, 2):
        assert (inpainter.inpaint(scene(), MASK, threads=threads) == fast).all()
    try:
        explained = tmad.Inpainter(precision="bf16").explain(scene(), MASK)
    except ValueError as error:
        assert "does not multiply bf16" in str(error)
        assert (fast == exact).all()
    else:
        assert (explained.completed == fast).all() and (fast != exact).any()
    with pytest.raises(ValueError, match="precision is 'f16'"):
        tmad.Inpainter(precision="f16")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["alpha.png", "grey.png", "deep.png", "turned.jpg"])
def test_kinds_of_files(files: Path, command_line: Callable[..., None], name: str) -> None:
    photo, mask = files / name, files / "mask.png"
    out, ours = files / f"out-{name}", files / f"ours-{name}"
    command_line("inpaint", photo, "--mask", mask, "-o", out)
    tmad.inpaint_file(photo, mask, ours)
    assert ours.read_bytes() == out.read_bytes()
    tmad.inpaint_file(str(photo), MASK, str(ours))
    assert ours.read_bytes() == out.read_bytes()
    if name.endswith(".png"):
        image = Image.open(photo)
        assert (np.asarray(tmad.inpaint(image, MASK)) == np.asarray(Image.open(out))).all()


def test_options(files: Path, command_line: Callable[..., None]) -> None:
    photo, mask, out = files / "alpha.png", files / "mask.png", files / "out.jpg"
    command_line(
        "inpaint", photo, "--mask", mask, "-o", out, "--invert-mask", "--grow", 1, "--feather", 2,
        "--jpeg-quality", 60, "--strip", "--method", "telea", "--mask-threshold", 77,
        "--background", "0a141e",
    )  # fmt: skip
    with pytest.warns(UserWarning, match="(?i)transparen|alpha"):
        ours = tmad.inpaint_bytes(
            photo.read_bytes(), mask.read_bytes(), method="telea", format="jpg",
            invert_mask=True, mask_threshold=77, grow=1, feather=2,
            jpeg_quality=60, strip=True, background=(10, 20, 30),
        )  # fmt: skip
    assert ours == out.read_bytes()


def test_the_transparent_area_is_a_mask(files: Path, command_line: Callable[..., None]) -> None:
    picture = scene(channels=4)
    picture[..., 3] = np.where(MASK, 0, 255)
    photo, out = files / "cut.png", files / "out.png"
    Image.fromarray(picture).save(photo)
    command_line("inpaint", photo, "--mask", "alpha", "-o", out)
    assert tmad.inpaint_bytes(photo.read_bytes(), "alpha") == out.read_bytes()
    with pytest.raises(ValueError, match="no transparency"):
        tmad.inpaint_bytes((files / "colour.png").read_bytes(), "alpha")


def test_refining_and_explaining(files: Path, command_line: Callable[..., None]) -> None:
    photo, mask, guess = files / "colour.png", files / "mask.png", files / "guess.png"
    out = files / "out.png"
    command_line("inpaint", photo, "--mask", mask, "-o", guess, "--method", "telea")
    command_line("refine", photo, "--mask", mask, "--coarse", guess, "-o", out)
    refined = tmad.refine(scene(), np.asarray(Image.open(guess)), MASK)
    assert (refined == np.asarray(Image.open(out))).all()
    command_line("explain", photo, "--mask", mask, "-o", out, "--patches", 3)
    figure = tmad.explain(scene(), MASK).figure(patches=3)
    assert (figure == np.asarray(Image.open(out))).all()


def test_an_empty_mask_changes_no_byte(files: Path) -> None:
    data = (files / "turned.jpg").read_bytes()
    nothing = np.zeros((120, 160), bool)
    assert tmad.inpaint_bytes(data, nothing) == data
    assert tmad.inpaint_bytes(data, nothing, format="png")[:4] == b"\x89PNG"


def test_files_that_do_not_fit_leave_the_output_alone(files: Path) -> None:
    out = files / "out.png"
    out.write_bytes(b"before")
    os.chmod(out, 0o640)
    with pytest.raises(ValueError, match=r"mask is 160×100, image is 160×120"):
        tmad.inpaint_file(files / "colour.png", MASK[:100], out)
    with pytest.raises(ValueError, match=r"format is '\.xyz'"):
        tmad.inpaint_file(files / "colour.png", MASK, files / "out.xyz")
    with pytest.raises(FileNotFoundError, match="missing"):
        tmad.inpaint_file(files / "colour.png", MASK, files / "missing" / "out.png")
    with pytest.raises(ValueError, match="truncated"):
        tmad.inpaint_bytes((files / "turned.jpg").read_bytes()[:-99], MASK)
    with pytest.raises(TypeError, match="jpegquality"):
        tmad.inpaint_file(files / "colour.png", MASK, out, jpegquality=9)  # type: ignore[call-arg]
    assert out.read_bytes() == b"before"
    tmad.inpaint_file(files / "colour.png", MASK, out, method="telea")
    with Image.open(out) as result:
        assert result.size == (160, 120)
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert not list(files.glob(".tmad-*"))


def test_what_a_format_cannot_hold_is_warned_about(files: Path) -> None:
    picture = scene(channels=4)
    picture[..., 3] = 77
    Image.fromarray(picture).save(files / "alpha.png")
    with pytest.warns(UserWarning, match="(?i)transparen|alpha"):
        tmad.inpaint_bytes((files / "alpha.png").read_bytes(), MASK, format="jpg", method="telea")
