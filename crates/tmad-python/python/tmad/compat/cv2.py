"""As OpenCV's ``inpaint``.

>>> from tmad.compat import cv2
>>> cv2.INPAINT_TELEA
1
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._inpainter import Inpainter, Method

__all__ = [
    "INPAINT_COARSE",
    "INPAINT_NS",
    "INPAINT_PATCHMATCH",
    "INPAINT_TELEA",
    "INPAINT_TMAD",
    "inpaint",
]

#: OpenCV's Navier-Stokes method: Telea's stands in for it.
INPAINT_NS = 0
#: Telea's method.
INPAINT_TELEA = 1
#: T-MAD.
INPAINT_TMAD = 100
#: T-MAD's coarse network.
INPAINT_COARSE = 101
#: Patches copied from the picture.
INPAINT_PATCHMATCH = 102

_METHODS: dict[int, Method] = {
    INPAINT_NS: "telea",
    INPAINT_TELEA: "telea",
    INPAINT_TMAD: "tmad",
    INPAINT_COARSE: "coarse",
    INPAINT_PATCHMATCH: "patchmatch",
}


@functools.cache
def _loaded(method: Method, radius_px: int) -> Inpainter:
    return Inpainter(method=method, radius_px=radius_px)


def inpaint(
    src: NDArray[Any],
    inpaintMask: NDArray[Any],
    inpaintRadius: float,
    flags: int,
    dst: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Stands in for ``cv2.inpaint``.

    Args:
        src: H×W×3 (BGR) or H×W, uint8 or uint16.
        inpaintMask: H×W, uint8 or bool; whatever is not 0 is filled.
        inpaintRadius: For Telea's method: pixels up to this far away make a new one. Rounded and
            held to 1 to 100.
        flags: `INPAINT_TELEA`, `INPAINT_TMAD`, `INPAINT_PATCHMATCH`, `INPAINT_COARSE`, or
            `INPAINT_NS`, for which Telea's method stands in.
        dst: Where the result goes, too; of the shape and type of `src`.

    Returns:
        A picture of the shape and type of `src`; `dst` itself if given.

    Raises:
        TypeError, ValueError: as :func:`tmad.inpaint`, and for unknown flags.

    >>> import numpy as np
    >>> from tmad.compat import cv2
    >>> picture = np.full((40, 40, 3), 99, np.uint8)
    >>> cv2.inpaint(picture, np.eye(40, dtype=np.uint8), 3, cv2.INPAINT_TELEA).shape
    (40, 40, 3)
    """
    method = _METHODS.get(flags)
    if method is None:
        raise ValueError(f"flags is {flags}; it must be one of {sorted(_METHODS)}")
    radius_px = min(max(round(inpaintRadius), 1), 100) if method == "telea" else 5
    is_colour = src.ndim == 3 and src.shape[2] == 3
    # A view: the channels are turned round while the picture is read.
    picture = src[..., ::-1] if is_colour else src
    filled = _loaded(method, radius_px).inpaint(picture, np.asarray(inpaintMask) != 0)
    if is_colour:
        filled = np.ascontiguousarray(filled[..., ::-1])
    if dst is None:
        return filled
    dst[...] = filled
    return dst
