"""The functions that load their method at the first call."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from ._explanation import Explanation
from ._files import FileOptions, Progress
from ._images import Mask, Picture
from ._inpainter import Inpainter, Method, Precision

if TYPE_CHECKING:
    from typing_extensions import Unpack


@functools.cache
def _loaded(method: Method, precision: Precision = "f32") -> Inpainter:
    return Inpainter(method=method, precision=precision)


def inpaint(
    image: Picture,
    mask: Mask,
    *,
    method: Method = "tmad",
    precision: Precision = "f32",
    grow: int = 0,
    feather: int = 0,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Picture:
    """Fills the hole of a picture.

    The result depends on picture, mask, method, precision and seed only, never on the number of
    threads. The GIL is released meanwhile, and Ctrl-C works.

    Args:
        image: H×W×3 (RGB), H×W×4 (RGB, alpha), H×W (grey) or H×W×2 (grey, alpha), uint8 or uint16;
            any strides. Or a PIL image, of any mode but `F` and `I`; modes that are neither grey
            nor RGB are converted.
        mask: Where to fill: true in a bool array; from 128 on in uint8, or 1 in a mask of zeros and
            ones; white in a PIL image. Of shape H×W, or of any that broadcasts to it.
        method: `"tmad"`, `"coarse"`, `"patchmatch"` or `"telea"`; see :class:`Inpainter`.
        precision: `"f32"`, `"bf16"` or `"auto"`; see :class:`Inpainter`.
        grow: Enlarges the hole by every pixel within so many pixels.
        feather: Enlarges the hole by so many pixels, over which the filling is blended with the
            picture.
        seed: Chooses among equally good results, 0 to 2⁶⁴−1.
        threads: CPU threads, 1 or more. By default all cores, shared with the calls that run
            already.
        progress: Called with the finished fraction, 0 to 1, and the name of the stage, on the
            calling thread. What it raises ends the work.

    Returns:
        A new picture of the same kind, shape and type. Every sample outside the hole is as it was,
        and alpha everywhere. Colours under alpha 0 are no source.

    Raises:
        TypeError: for an image or a mask of another type.
        ValueError: for shapes that do not fit, a mask that covers everything, options out of range.

    >>> import numpy as np, tmad
    >>> picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    >>> mask = np.zeros((48, 64), np.uint8)
    >>> mask[16:24, 20:32] = 255
    >>> stages = []
    >>> filled = tmad.inpaint(picture, mask, progress=lambda done, stage: stages.append(done))
    >>> bool((filled[mask == 0] == picture[mask == 0]).all()), stages[-1]
    (True, 1.0)
    >>> tmad.inpaint(picture, mask[:40])
    Traceback (most recent call last):
    ...
    ValueError: mask has shape (40, 64), the image is 48 high and 64 wide; the mask must have that \
shape or broadcast to it
    """
    return _loaded(method, precision).inpaint(
        image, mask, grow=grow, feather=feather, seed=seed, threads=threads, progress=progress
    )


def refine(
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
    """Takes another program's result as the guess of the structure and adds texture to it.

    Args:
        image: The picture, as for :func:`inpaint`.
        guess: The picture with its hole filled, of the same height and width. Outside the hole it
            is not looked at.
        mask: The hole, as for :func:`inpaint`, where the other options are explained, too.

    Returns:
        A new picture like `image`.

    Raises:
        TypeError, ValueError: as :func:`inpaint`.

    >>> import numpy as np, tmad
    >>> picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    >>> mask = np.zeros((48, 64), bool)
    >>> mask[16:24, 20:32] = True
    >>> guess = tmad.inpaint(picture, mask, method="telea")
    >>> tmad.refine(picture, guess, mask).shape
    (48, 64, 3)
    """
    return _loaded("tmad").refine(
        image,
        guess,
        mask,
        grow=grow,
        feather=feather,
        seed=seed,
        threads=threads,
        progress=progress,
    )


def explain(
    image: Picture,
    mask: Mask,
    *,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Explanation[Picture]:
    """Fills the hole and says where the texture comes from.

    Args:
        image: The picture, as for :func:`inpaint`.
        mask: The hole, as for :func:`inpaint`, where the other options are explained, too.

    Returns:
        The guess, the result, and for every patch of the hole the windows retrieved for it.

    Raises:
        TypeError, ValueError: as :func:`inpaint`; also for a mask that marks nothing.

    >>> import numpy as np, tmad
    >>> picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    >>> mask = np.zeros((96, 96), bool)
    >>> mask[40:60, 40:60] = True
    >>> explanation = tmad.explain(picture, mask)
    >>> explanation.completed.shape
    (96, 96, 3)
    >>> best = explanation.patches[0].candidates[0]
    >>> best.side == explanation.patches[0].side
    True
    """
    return _loaded("tmad").explain(image, mask, seed=seed, threads=threads, progress=progress)


def inpaint_bytes(
    data: bytes,
    mask: bytes | str | Mask,
    *,
    method: Method = "tmad",
    precision: Precision = "f32",
    **options: Unpack[FileOptions],
) -> bytes:
    """Fills the hole of an encoded picture and changes nothing else of it.

    Metadata stays (EXIF, XMP, colour profile, density), so do bit depth and alpha; in a JPEG file
    the blocks that the hole does not touch keep their coefficients to the bit. The result equals
    that of ``tmad inpaint``, byte for byte.

    Args:
        data: JPEG, PNG, WebP, TIFF or BMP.
        mask: An encoded picture in which white is filled; `"alpha"` for the picture's own
            transparent area, which becomes opaque; or a mask as for :func:`inpaint`, H×W. Of the
            size of the picture as it is shown, with an EXIF rotation applied.
        method, precision: As for :func:`inpaint`.
        format: `"jpg"`, `"png"`, `"webp"`, `"tif"` or `"bmp"`; by default the picture's own.
        jpeg_quality: 1 to 100, of JPEG output, all of which is encoded anew then. By default that
            of a JPEG picture itself, 95 otherwise.
        background: Red, green and blue under transparent parts where the format holds no
            transparency; white.
        strip: Leaves all metadata out.
        invert_mask: Black is filled, white is kept.
        mask_threshold: The brightness, 0 to 255, from which on a mask counts as white; 128.
        fit_mask: Stretches an encoded mask of another size, which is refused otherwise.
        max_megapixels: Larger pictures are refused before they are decoded; 200.
        grow, feather, seed, threads, progress: As for :func:`inpaint`.

    Returns:
        The encoded picture; `data` itself if the mask marks nothing and nothing else is asked for.

    Raises:
        ValueError: for pictures and masks that cannot be read or do not fit, for masks that cover
            everything, and for options out of range.

    Warns:
        UserWarning: for whatever the output format cannot hold.

    >>> import struct, zlib, numpy as np, tmad
    >>> def png(grey):
    ...     def chunk(name, data):
    ...         crc = struct.pack(">I", zlib.crc32(name + data))
    ...         return struct.pack(">I", len(data)) + name + data + crc
    ...     header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    ...     rows = zlib.compress(b"".join(b"\\0" + row.tobytes() for row in grey))
    ...     end = chunk(b"IEND", b"")
    ...     return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + end
    >>> picture = png(np.full((40, 40), 99, np.uint8))
    >>> mask = png(np.eye(40, dtype=np.uint8) * 255)
    >>> tmad.inpaint_bytes(picture, mask, method="telea")[:4]
    b'\\x89PNG'
    """
    return _loaded(method, precision).inpaint_bytes(data, mask, **options)


def inpaint_file(
    photo: str | os.PathLike[str],
    mask: str | os.PathLike[str] | bytes | Mask,
    output: str | os.PathLike[str],
    *,
    method: Method = "tmad",
    precision: Precision = "f32",
    **options: Unpack[FileOptions],
) -> None:
    """Fills the hole of a picture file, as :func:`inpaint_bytes`, whose options it has.

    Args:
        photo: The picture's path.
        mask: The mask's path, or a mask as for :func:`inpaint_bytes`.
        output: Where the result goes; its extension is the format. May be the photo itself. The
            file is always whole, the old one or the new one.
        method, precision: As for :func:`inpaint`.

    Raises:
        OSError: for files that cannot be read or written.
        ValueError: as :func:`inpaint_bytes`; nothing is written then.

    >>> import tmad
    >>> tmad.inpaint_file("missing.jpg", "mask.png", "out.jpg", method="telea")
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] No such file or directory: 'missing.jpg'
    """
    _loaded(method, precision).inpaint_file(photo, mask, output, **options)
