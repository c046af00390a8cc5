"""As simple-lama-inpainting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._images import Mask, is_pil
from .._inpainter import Inpainter

if TYPE_CHECKING:
    from PIL import Image


class SimpleLama:
    """Stands in for ``simple_lama_inpainting.SimpleLama``; needs Pillow.

    Args:
        device: Ignored: the CPU does the work.

    >>> import numpy as np
    >>> from tmad.compat import SimpleLama
    >>> simple_lama = SimpleLama()
    >>> result = simple_lama(np.full((40, 50, 3), 99, np.uint8), np.eye(40, 50, dtype=np.uint8))
    >>> result.size, result.mode
    ((50, 40), 'RGB')
    """

    def __init__(self, device: object = None) -> None:
        self._inpainter = Inpainter()

    def __call__(self, image: Image.Image | NDArray[Any], mask: Mask) -> Image.Image:
        """Fills the hole.

        Args:
            image: A PIL image, or H×W×3 (RGB), uint8.
            mask: A PIL image or an array, H×W. Whatever is not 0 is filled.

        Returns:
            RGB, of the size of `image`. (simple-lama pads it to multiples of 8.)

        Raises:
            TypeError, ValueError: as :func:`tmad.inpaint`.
        """
        from PIL import Image

        picture = image if is_pil(image) else Image.fromarray(np.asarray(image))
        hole = np.asarray(mask.convert("L") if is_pil(mask) else mask) > 0  # type: ignore[union-attr]
        return self._inpainter.inpaint(picture.convert("RGB"), hole)  # type: ignore[union-attr]
