"""Pictures and masks of every kind as arrays."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

#: A picture: an array or a PIL image.
Picture = TypeVar("Picture", NDArray[Any], "Image.Image")
#: A mask: an array, a PIL image, or nested lists.
Mask: TypeAlias = "NDArray[Any] | Image.Image | list[Any]"

#: Modes of PIL whose arrays are pictures as they are.
_PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "I;16N")


def is_pil(value: object) -> bool:
    """Whether `value` is a PIL image. PIL need not be there, and is not imported."""
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def to_array(picture: Any, name: str = "image") -> NDArray[Any]:
    """A picture as H×W or H×W×C array of uint8 or uint16; arrays are not copied.

    Raises:
        TypeError: for anything but arrays of these types and PIL images.
        ValueError: for arrays of another shape.
    """
    if is_pil(picture):
        if picture.mode in ("F", "I"):
            raise TypeError(
                f"{name} is a PIL image of mode {picture.mode}; convert it to 'L', 'RGB' or 'I;16'"
            )
        if picture.mode not in _PLAIN_MODES:
            picture = picture.convert(_plain_mode(picture))
        array: NDArray[Any] = np.asarray(picture)
    elif isinstance(picture, np.ndarray):
        array = picture
    else:
        raise TypeError(f"{name} is {_type_name(picture)}; it must be a NumPy array or a PIL image")
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise TypeError(f"{name} has dtype {array.dtype}; it must be uint8 or uint16")
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise ValueError(
            f"{name} has shape {array.shape}; it must be H×W, or H×W×C with 1 to 4 channels"
        )
    # Of the other byte order: PIL's "I;16B".
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _plain_mode(image: Image.Image) -> str:
    if image.mode == "1":
        return "L"
    has_alpha = image.mode in ("PA", "La", "RGBa") or "transparency" in image.info
    return "RGBA" if has_alpha else "RGB"


def like(picture: Picture, array: NDArray[Any]) -> Picture:
    """`array` as what `picture` is: a PIL image, with the same `info`, or the array itself."""
    source: Any = picture
    result: Any = array
    if is_pil(picture):
        from PIL import Image

        result = Image.fromarray(array)
        result.info = {key: value for key, value in source.info.items() if key != "transparency"}
    return cast("Picture", result)


def to_mask(mask: Any, shape: tuple[int, int], name: str = "mask") -> NDArray[np.bool_]:
    """A mask as bool array of `shape` (height, width); true is hole.

    Raises:
        TypeError: for masks of other types than bool and uint8.
        ValueError: for shapes that do not broadcast to `shape`.
    """
    rows = to_rows(mask)
    try:
        return np.broadcast_to(rows, shape)
    except ValueError:
        raise ValueError(
            f"{name} has shape {rows.shape}, the image is {shape[0]} high and {shape[1]} wide; "
            f"the {name} must have that shape or broadcast to it"
        ) from None


def to_rows(mask: Any, threshold: int = 128) -> NDArray[np.bool_]:
    """A mask as bool array of the shape that it has.

    In uint8, values from `threshold` on are hole, as in files; but a mask of zeros and ones means
    its ones. Transparent parts of a PIL image are no hole.

    Raises:
        TypeError: for masks of other types than bool and uint8.
    """
    array: NDArray[Any] = _brightness(mask) if is_pil(mask) else np.asarray(mask)
    if array.dtype not in (np.bool_, np.uint8):
        raise TypeError(
            f"mask has dtype {array.dtype}; it must be bool or uint8 (`mask > 0` makes a bool mask)"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == np.bool_:
        return array
    is_binary = array.size > 0 and array.max() == 1
    return array >= (1 if is_binary else threshold)


def _brightness(mask: Image.Image) -> NDArray[Any]:
    if mask.mode in ("1", "L", "F", "I") or mask.mode.startswith("I;"):
        return np.asarray(mask)
    grey, alpha = np.moveaxis(np.asarray(mask.convert("RGBA").convert("LA"), np.uint16), 2, 0)
    brightness: NDArray[np.uint8] = ((grey * alpha + 127) // 255).astype(np.uint8)
    return brightness


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
