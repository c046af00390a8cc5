"""A method, loaded once."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from . import _files
from ._explanation import Explanation
from ._files import FileOptions, Progress
from ._images import Mask, Picture, like, to_array, to_mask
from ._native import Engine

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: What fills holes.
Method: TypeAlias = Literal["tmad", "coarse", "patchmatch", "telea"]


class Inpainter:
    """A method that is loaded once and used as often as you like, by as many threads as you like.

    It can be pickled and sent to other processes and machines; weights from a file travel with it.

    Args:
        weights: A safetensors file from ``tmad train`` or ``tmad export``, as a path or as bytes,
            in place of the built-in weights. For the methods `"tmad"` and `"coarse"`.
        method: `"tmad"`: structure from a network, texture from the picture itself. `"coarse"`:
            its first network alone. `"patchmatch"`: patches copied from the picture, no network.
            `"telea"`: colours carried inwards (fast marching), for scratches.
        radius_px: Pixels up to this far away make a new one, 1 to 100. For `"telea"`.

    Raises:
        ValueError: for an unknown method, and for files that hold no weights of T-MAD.
        OSError: for files that cannot be read.

    >>> import numpy as np, tmad
    >>> inpainter = tmad.Inpainter(method="telea")
    >>> inpainter
    tmad.Inpainter(method='telea')
    >>> int(inpainter.inpaint(np.full((9, 9), 7, np.uint8), np.eye(9, dtype=bool)).max())
    7
    """

    __slots__ = ("_engine", "_method", "_radius_px", "_weights")

    def __init__(
        self,
        weights: str | os.PathLike[str] | bytes | None = None,
        *,
        method: Method = "tmad",
        radius_px: int = 5,
    ) -> None:
        if isinstance(weights, (str, os.PathLike)):
            weights = _files.read(weights)
        self._weights = weights
        self._method: Method = method
        self._radius_px = radius_px
        call = _files.file_args()[2]
        self._engine = Engine(method, weights, radius_px, call)

    def __reduce__(self) -> tuple[Any, ...]:
        return _loaded, (self._weights, self._method, self._radius_px)

    def __repr__(self) -> str:
        weights = "" if self._weights is None else f"<{len(self._weights)} bytes>, "
        return f"tmad.Inpainter({weights}method={self._method!r})"

    @property
    def method(self) -> Method:
        """The method's name.

        >>> import tmad
        >>> tmad.Inpainter(method="patchmatch").method
        'patchmatch'
        """
        return self._method

    def inpaint(
        self,
        image: Picture,
        mask: Mask,
        *,
        grow: int = 0,
        feather: int = 0,
        seed: int = 0,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Picture:
        """Fills the hole of a picture, as :func:`tmad.inpaint`.

        >>> import numpy as np, tmad
        >>> grey = np.full((40, 40, 3), 128, np.uint8)
        >>> tmad.Inpainter(method="patchmatch").inpaint(grey, np.eye(40, dtype=bool)).shape
        (40, 40, 3)
        """
        array = to_array(image)
        hole = to_mask(mask, array.shape[:2])
        args, _, call = _files.file_args(
            grow=grow, feather=feather, seed=seed, threads=threads, progress=progress
        )
        return like(image, self._engine.inpaint(array, hole, args, call))

    def refine(
        self,
        image: Picture,
        guess: Picture,
        mask: Mask,
        *,
        grow: int = 0,
        feather: int = 0,
        seed: int = 0,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Picture:
        """Adds texture to another program's result, as :func:`tmad.refine`.

        >>> import numpy as np, tmad
        >>> grey = np.full((40, 40, 3), 128, np.uint8)
        >>> tmad.Inpainter(method="telea").refine(grey, grey, np.eye(40, dtype=bool))
        Traceback (most recent call last):
        ...
        ValueError: telea copies no texture; only the methods tmad and coarse can do this
        """
        array, guessed = to_array(image), to_array(guess, "guess")
        hole = to_mask(mask, array.shape[:2])
        args, _, call = _files.file_args(
            grow=grow, feather=feather, seed=seed, threads=threads, progress=progress
        )
        return like(image, self._engine.refine(array, guessed, hole, args, call))

    def explain(
        self,
        image: Picture,
        mask: Mask,
        *,
        seed: int = 0,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Explanation[Picture]:
        """Fills the hole and says where the texture comes from, as :func:`tmad.explain`.

        >>> import numpy as np, tmad
        >>> grey = np.full((40, 40, 3), 128, np.uint8)
        >>> tmad.Inpainter(method="telea").explain(grey, np.eye(40, dtype=bool))
        Traceback (most recent call last):
        ...
        ValueError: telea copies no texture; only the methods tmad and coarse can do this
        """
        array = to_array(image)
        hole = to_mask(mask, array.shape[:2])
        _, _, call = _files.file_args(seed=seed, threads=threads, progress=progress)
        coarse, completed, explained = self._engine.explain(array, hole, call)
        return Explanation(like(image, coarse), like(image, completed), explained)

    def inpaint_bytes(
        self, data: bytes, mask: bytes | str | Mask, **options: Unpack[FileOptions]
    ) -> bytes:
        """Fills the hole of an encoded picture, as :func:`tmad.inpaint_bytes`.

        >>> import tmad
        >>> tmad.Inpainter(method="telea").inpaint_bytes(b"GIF89a", b"")
        Traceback (most recent call last):
        ...
        ValueError: the picture is GIF, which cannot be read; convert it to PNG first
        """
        hole, encode, call = _files.file_args(**options)
        source = _files.mask_source(mask, hole)
        filled, lost = self._engine.inpaint_bytes(bytes(data), source, hole, encode, call)
        for warning in lost:
            warnings.warn(warning, stacklevel=2)
        return filled

    def inpaint_file(
        self,
        photo: str | os.PathLike[str],
        mask: str | os.PathLike[str] | bytes | Mask,
        output: str | os.PathLike[str],
        **options: Unpack[FileOptions],
    ) -> None:
        """Fills the hole of a picture file, as :func:`tmad.inpaint_file`.

        >>> import tmad
        >>> tmad.Inpainter(method="telea").inpaint_file("missing.jpg", "mask.png", "out.jpg")
        Traceback (most recent call last):
        ...
        FileNotFoundError: [Errno 2] No such file or directory: 'missing.jpg'
        """
        options.setdefault("format", _files.check_output(output))
        data = _files.read(photo)
        if isinstance(mask, os.PathLike) or (isinstance(mask, str) and mask != "alpha"):
            mask = _files.read(mask)
        _files.write(output, self.inpaint_bytes(data, mask, **options))


def _loaded(weights: bytes | None, method: Method, radius_px: int) -> Inpainter:
    return Inpainter(weights, method=method, radius_px=radius_px)
