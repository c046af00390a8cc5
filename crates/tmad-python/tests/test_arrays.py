"""Arrays and PIL images in, the same kind out; nothing outside the hole changes."""

from __future__ import annotations

import numpy as np
import pytest
import tmad
from conftest import scene, square_hole
from PIL import Image

MASK = square_hole()


def kinds() -> list[np.ndarray]:
    pictures = [scene(channels=channels) for channels in (1, 2, 3, 4)] + [scene(channels=1)[..., 0]]
    return pictures + [picture.astype(np.uint16) * 251 for picture in pictures]


@pytest.mark.parametrize("picture", kinds(), ids=lambda p: f"{p.shape[2:]}-{p.dtype}")
def test_every_kind_keeps_shape_type_and_everything_outside(picture: np.ndarray) -> None:
    before = picture.copy()
    filled = tmad.inpaint(picture, MASK)
    assert (filled.shape, filled.dtype) == (picture.shape, picture.dtype)
    assert (filled[~MASK] == picture[~MASK]).all()
    assert (picture == before).all()
    if picture.ndim == 3 and picture.shape[2] in (2, 4):
        assert (filled[..., -1] == picture[..., -1]).all()
        assert (filled[MASK][..., 0] != picture[MASK][..., 0]).any()
    else:
        assert (filled[MASK] != picture[MASK]).any()
    filled[:] = 0


def test_any_strides_and_byte_orders_are_read() -> None:
    picture = scene()
    expected = tmad.inpaint(picture, MASK)
    turned = np.ascontiguousarray(picture[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
    assert not turned.flags.c_contiguous
    assert (tmad.inpaint(turned, MASK) == expected).all()
    assert (tmad.inpaint(np.asfortranarray(picture), np.asfortranarray(MASK)) == expected).all()
    frozen = picture.copy()
    frozen.flags.writeable = False
    assert (tmad.inpaint(frozen, MASK) == expected).all()
    deep = picture.astype(np.uint16) * 257
    swapped = deep.astype(deep.dtype.newbyteorder())
    assert (tmad.inpaint(swapped, MASK) == tmad.inpaint(deep, MASK)).all()


def test_masks_say_the_same_in_every_form() -> None:
    picture = scene()
    expected = tmad.inpaint(picture, MASK)
    white = MASK.astype(np.uint8) * 255
    transparent = np.full((120, 160, 4), 255, np.uint8)
    transparent[..., 3] = white
    for mask in (
        white,
        MASK.astype(np.uint8),
        MASK[:, :, None],
        MASK.tolist(),
        np.where(MASK, np.uint8(128), np.uint8(127)),
        Image.fromarray(white),
        Image.fromarray(MASK),
        Image.fromarray(np.repeat(white[..., None], 3, axis=2)),
        Image.fromarray(transparent),
    ):
        assert (tmad.inpaint(picture, mask) == expected).all()


def test_masks_broadcast() -> None:
    picture = scene()
    column = np.zeros(160, bool)
    column[50:60] = True
    whole = np.broadcast_to(column, (120, 160))
    assert (tmad.inpaint(picture, column) == tmad.inpaint(picture, whole.copy())).all()
    row = np.zeros((120, 1), bool)
    row[50:60] = True
    filled = tmad.inpaint(picture, row)
    assert (filled[:50] == picture[:50]).all() and (filled[50:60] != picture[50:60]).any()


def test_an_empty_mask_gives_a_copy() -> None:
    picture = scene()
    copy = tmad.inpaint(picture, np.zeros((120, 160), bool))
    assert (copy == picture).all() and not np.shares_memory(copy, picture)
    assert tmad.inpaint(np.zeros((0, 7, 3), np.uint8), True).shape == (0, 7, 3)


def test_growing_and_feathering_enlarge_the_hole() -> None:
    picture = scene()
    grown = tmad.inpaint(picture, MASK, grow=3, method="telea")
    changed = (grown != picture).any(axis=2)
    assert changed[~MASK].any()
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 46 - 3 and columns.min() >= 80 - 3
    feathered = tmad.inpaint(picture, MASK, feather=3, method="telea")
    assert (feathered != picture).any(axis=2)[~MASK].any() and (feathered != grown).any()


@pytest.mark.parametrize(
    ("image", "mask", "error", "message"),
    [
        (scene(), MASK[:100], ValueError, r"\(100, 160\).*120 high and 160 wide"),
        (scene(), np.zeros((120, 160, 3), bool), ValueError, r"\(120, 160, 3\)"),
        (scene(), np.ones((120, 160), bool), ValueError, "covers all of the 160×120 image"),
        (scene(), MASK.astype(float), TypeError, "mask has dtype float64"),
        (scene().astype(np.float32), MASK, TypeError, "image has dtype float32"),
        (scene().astype(np.int16), MASK, TypeError, "image has dtype int16"),
        (scene()[None], MASK, ValueError, r"image has shape \(1, 120, 160, 3\)"),
        (np.zeros((120, 160, 5), np.uint8), MASK, ValueError, r"\(120, 160, 5\)"),
        (np.zeros((120, 160, 0), np.uint8), MASK, ValueError, r"\(120, 160, 0\)"),
        ([[1, 2]], MASK, TypeError, "image is list"),
        (Image.new("F", (160, 120)), MASK, TypeError, "mode F"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_sizes(
    image: object, mask: np.ndarray, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tmad.inpaint(image, mask)  # type: ignore[type-var]


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="method is 'lama'"):
        tmad.inpaint(scene(), MASK, method="lama")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="radius_px is 0"):
        tmad.Inpainter(method="telea", radius_px=0).inpaint(scene(), MASK)
    for options in (
        {"threads": 0},
        {"seed": -1},
        {"seed": 2**64},
        {"grow": -1},
        {"feather": 2**32},
    ):
        ((name, value),) = options.items()
        with pytest.raises(ValueError, match=f"{name} is {value}; it must be"):
            tmad.inpaint(scene(), MASK, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a safetensors file"):
        tmad.Inpainter(b"nonsense")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_pil_images_come_back_as_pil_images(mode: str) -> None:
    picture = Image.fromarray(scene(channels=4))
    if mode == "I;16":
        image = Image.fromarray(scene(channels=1)[..., 0].astype(np.uint16) * 257)
    else:
        image = picture.convert("RGB" if mode == "CMYK" else "RGBA").convert(mode)
    assert image.mode == mode
    image.info["dpi"] = (300, 300)
    filled = tmad.inpaint(image, MASK)
    kept = {"1": "L", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}.get(mode, mode)
    assert (filled.mode, filled.size, filled.info["dpi"]) == (kept, image.size, (300, 300))
    before, after = np.asarray(image.convert(kept)), np.asarray(filled)
    assert (after[~MASK] == before[~MASK]).all() and (after[MASK] != before[MASK]).any()


def test_a_seed_changes_the_result_and_threads_do_not() -> None:
    picture = scene()
    first = tmad.inpaint(picture, MASK, threads=1)
    assert (tmad.inpaint(picture, MASK, threads=3) == first).all()
    others = [tmad.inpaint(picture, MASK, seed=seed, method="patchmatch") for seed in (1, 2)]
    assert (others[0] != others[1]).any()


def test_refining_and_explaining() -> None:
    picture = scene()
    guess = tmad.inpaint(picture, MASK, method="telea")
    refined = tmad.refine(picture, guess, MASK)
    assert (refined[~MASK] == picture[~MASK]).all() and (refined != guess).any()
    with pytest.raises(ValueError, match=r"160×100.*160×120"):
        tmad.refine(picture, guess[:100], MASK)
    explanation = tmad.explain(picture, MASK)
    assert (explanation.completed == tmad.inpaint(picture, MASK)).all()
    assert (explanation.coarse[~MASK] == picture[~MASK]).all()
    assert explanation.patches
    for patch in explanation.patches:
        scores = [candidate.score for candidate in patch.candidates]
        assert scores == sorted(scores, reverse=True)
        assert {candidate.side for candidate in patch.candidates} == {patch.side}
    figure = explanation.figure(patches=2)
    assert (figure.shape[1:], figure.dtype) == ((1320, 3), np.uint8)
    with pytest.raises(ValueError, match="marks nothing"):
        tmad.explain(picture, np.zeros((120, 160), bool))
