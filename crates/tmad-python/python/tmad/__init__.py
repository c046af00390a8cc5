"""Fill holes in pictures.

>>> import numpy as np, tmad
>>> picture = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
>>> mask = np.zeros((48, 64), dtype=bool)
>>> mask[16:32, 24:40] = True
>>> filled = tmad.inpaint(picture, mask)
>>> filled.shape, filled.dtype
((48, 64), dtype('uint8'))
>>> bool((filled[~mask] == picture[~mask]).all())
True

A mask marks what is filled: true, white, 1. Everything else keeps its values to the last bit. The
weights are part of the package, and nothing is downloaded.

The functions here use an :class:`Inpainter` of their own, which is loaded at their first call.
"""

from . import compat, metrics
from ._explanation import Candidate, Explanation, Patch
from ._functions import explain, inpaint, inpaint_bytes, inpaint_file, refine
from ._inpainter import Inpainter
from ._native import __version__

__all__ = [
    "Candidate",
    "Explanation",
    "Inpainter",
    "Patch",
    "__version__",
    "compat",
    "explain",
    "inpaint",
    "inpaint_bytes",
    "inpaint_file",
    "metrics",
    "refine",
]
