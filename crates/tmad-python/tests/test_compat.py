"""The stand-ins take and give what the originals do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tmad
from conftest import scene, square_hole
from PIL import Image
from tmad.compat import SimpleLama, cv2

MASK = square_hole()


def test_the_example_of_simple_lama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scene()).save("image.png")
    Image.fromarray(MASK).convert("L").save("mask.png")
    # Its README's example, but for the import.
    simple_lama = SimpleLama()

    img_path = "image.png"
    mask_path = "mask.png"

    image = Image.open(img_path)
    mask = Image.open(mask_path)

    result = simple_lama(image, mask)
    result.save("inpainted.png")
    assert (np.asarray(Image.open("inpainted.png")) == tmad.inpaint(scene(), MASK)).all()
    # Arrays, faint masks and pictures with alpha.
    assert simple_lama(scene(), MASK.astype(np.uint8)) == result
    assert (
        simple_lama(Image.fromarray(scene(channels=4)), mask.point(lambda v: v // 255)).mode
        == "RGB"
    )


@pytest.mark.parametrize("flags", [cv2.INPAINT_TELEA, cv2.INPAINT_TMAD, cv2.INPAINT_PATCHMATCH])
def test_opencv_has_blue_first(flags: int) -> None:
    picture = scene()
    method = {cv2.INPAINT_TELEA: "telea", cv2.INPAINT_TMAD: "tmad"}.get(flags, "patchmatch")
    inpainter = tmad.Inpainter(method=method, radius_px=3)  # type: ignore[arg-type]
    expected = inpainter.inpaint(picture, MASK)
    blue_first = np.ascontiguousarray(picture[..., ::-1])
    filled = cv2.inpaint(blue_first, MASK.astype(np.uint8) * 255, 3, flags)
    assert (filled[..., ::-1] == expected).all()
    assert filled.flags.c_contiguous
    target = np.zeros_like(picture)
    assert cv2.inpaint(blue_first, MASK, 3.2, flags=flags, dst=target) is target
    assert (target == filled).all()


def test_opencv_takes_grey_pictures_and_refuses_unknown_flags() -> None:
    grey = scene(channels=1)[..., 0]
    filled = cv2.inpaint(grey, MASK.astype(np.uint8), 500, cv2.INPAINT_NS)
    assert filled.shape == grey.shape and (filled[~MASK] == grey[~MASK]).all()
    with pytest.raises(ValueError, match="flags is 7"):
        cv2.inpaint(grey, MASK, 3, 7)
