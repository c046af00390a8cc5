"""A method, loaded once."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from . import _files, _native
from ._explanation import Explanation
from ._files import FileOptions, Progress
from ._images import Mask, Picture, like, to_array, to_mask
from ._native import Engine

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._native import _Network

#: What fills holes.
Method: TypeAlias = Literal["tmad", "coarse", "patchmatch", "telea"]
#: How exactly networks multiply.
Precision: TypeAlias = Literal["f32", "bf16", "auto"]


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
        coarse_model: An ONNX file with another project's network, such as LaMa or MI-GAN, which
            guesses the structure in the coarse network's place; a JSON file of the same name beside
            it may describe it (docs/onnx.md). It runs in a process of its own, with bounded time
            and memory. With `"coarse"`: that network alone. The path travels, not the file.
        precision: How exactly T-MAD's networks multiply. `"f32"`: the same results on every
            machine. `"bf16"`: 8 bits a factor, where the processor multiplies bf16: faster.
            `"auto"`: the fastest that the processor has.

    Raises:
        ValueError: for an unknown method, for files that hold no weights of T-MAD, for ONNX files
            that hold no network for inpainting, and for `"bf16"` where the processor has none.
        OSError: for files that cannot be read.

    >>> import numpy as np, tmad
    >>> inpainter = tmad.Inpainter(method="telea")
    >>> inpainter
    tmad.Inpainter(method='telea')
    >>> int(inpainter.inpaint(np.full((9, 9), 7, np.uint8), np.eye(9, dtype=bool)).max())
    7
    """

    __slots__ = ("_coarse_model", "_engine", "_method", "_precision", "_radius_px", "_weights")

    def __init__(
        self,
        weights: str | os.PathLike[str] | bytes | None = None,
        *,
        method: Method = "tmad",
        radius_px: int = 5,
        coarse_model: str | os.PathLike[str] | None = None,
        precision: Precision = "f32",
    ) -> None:
        if isinstance(weights, (str, os.PathLike)):
            weights = _files.read(weights)
        self._weights = weights
        self._method: Method = method
        self._radius_px = radius_px
        self._coarse_model = None if coarse_model is None else os.path.abspath(coarse_model)
        self._precision: Precision = precision
        network = None if self._coarse_model is None else _network(self._coarse_model)
        call = _files.file_args()[2]
        self._engine = Engine(method, weights, radius_px, network, precision, call)

    def __reduce__(self) -> tuple[Any, ...]:
        options = self._method, self._radius_px, self._coarse_model, self._precision
        return _loaded, (self._weights, *options)

    def __repr__(self) -> str:
        weights = "" if self._weights is None else f"<{len(self._weights)} bytes>, "
        network = "" if self._coarse_model is None else f", coarse_model={self._coarse_model!r}"
        precision = "" if self._precision == "f32" else f", precision={self._precision!r}"
        return f"tmad.Inpainter({weights}method={self._method!r}{network}{precision})"

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
        ValueError: telea cannot do this; only tmad and coarse with their own networks can
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
        ValueError: telea cannot do this; only tmad and coarse with their own networks can
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


def _loaded(
    weights: bytes | None,
    method: Method,
    radius_px: int,
    coarse_model: str | None,
    precision: Precision,
) -> Inpainter:
    return Inpainter(
        weights,
        method=method,
        radius_px=radius_px,
        coarse_model=coarse_model,
        precision=precision,
    )


#: Runs a network, without importing anything but the compiled module.
_WORKER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("tmad._native", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.run_network()
"""


def _network(file: str) -> _Network:
    """What the engine is told about an ONNX file."""
    # What cannot be opened is an OSError, as with weights.
    open(file, "rb").close()
    beside = os.path.splitext(file)[0] + ".json"
    descriptor = _files.read(beside).decode() if os.path.isfile(beside) else None
    native = _native.__file__
    if not sys.executable or native is None:
        raise ValueError("this Python does not know its own program, which a coarse_model needs")
    worker = [sys.executable, "-I", "-S", "-c", _WORKER, native]
    return {"file": file, "descriptor": descriptor, "worker": worker}
