"""Files in and out, and the options of whatever is encoded."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from ._images import to_rows

if TYPE_CHECKING:
    from ._native import _Call, _Encode, _Hole

#: Called with the finished fraction, 0 to 1, and the name of the stage.
Progress: TypeAlias = Callable[[float, str], object]


class FileOptions(TypedDict, total=False):
    """The options of :func:`tmad.inpaint_bytes` and :func:`tmad.inpaint_file`."""

    format: str | None
    jpeg_quality: int | None
    background: tuple[int, int, int]
    strip: bool
    invert_mask: bool
    mask_threshold: int
    fit_mask: bool
    grow: int
    feather: int
    max_megapixels: int
    seed: int
    threads: int | None
    progress: Progress | None


def file_args(
    *,
    format: str | None = None,
    jpeg_quality: int | None = None,
    background: tuple[int, int, int] = (255, 255, 255),
    strip: bool = False,
    invert_mask: bool = False,
    mask_threshold: int = 128,
    fit_mask: bool = False,
    grow: int = 0,
    feather: int = 0,
    max_megapixels: int = 200,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> tuple[_Hole, _Encode, _Call]:
    """`FileOptions` with their defaults, as the engine takes them."""
    for name, value, least, most in (
        ("jpeg_quality", jpeg_quality, 1, 100),
        ("mask_threshold", mask_threshold, 0, 255),
        ("grow", grow, 0, 2**32 - 1),
        ("feather", feather, 0, 2**32 - 1),
        ("max_megapixels", max_megapixels, 0, 2**32 - 1),
        ("seed", seed, 0, 2**64 - 1),
        ("threads", threads, 1, 2**16 - 1),
    ):
        if value is not None and not least <= value <= most:
            raise ValueError(f"{name} is {value}; it must be {least} to {most}")
    if len(background) != 3 or not all(0 <= value <= 255 for value in background):
        raise ValueError(f"background is {background}; it must be three values of 0 to 255")
    hole: _Hole = {
        "invert": invert_mask,
        "threshold": mask_threshold,
        "grow": grow,
        "feather": feather,
        "fit": fit_mask,
    }
    encode: _Encode = {
        "format": format,
        "jpeg_quality": jpeg_quality,
        "background": background,
        "strip": strip,
        "max_megapixels": max_megapixels,
    }
    return hole, encode, {"seed": seed, "threads": threads, "progress": progress}


def mask_source(mask: Any, options: _Hole) -> Any:
    """A mask for an encoded picture: the bytes of a file, rows of bool, or None for alpha."""
    if isinstance(mask, str):
        if mask != "alpha":
            raise ValueError(f"mask is {mask!r}; the only word is 'alpha'")
        return None
    if isinstance(mask, (bytes, bytearray, memoryview)):
        return bytes(mask)
    rows = to_rows(mask, options["threshold"])
    if rows.ndim != 2:
        raise ValueError(f"mask has shape {rows.shape}; for an encoded picture it must be H×W")
    return ~rows if options["invert"] else rows


def read(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a temporary file beside `path` and renames it: `path` is always whole."""
    # Through a link to the file that it names, rather than replacing the link.
    path = os.path.realpath(path)
    temporary = os.path.join(os.path.dirname(path), f".tmad-{secrets.token_hex(8)}.tmp")
    file = open(temporary, "xb")
    try:
        with file:
            # Before there is anything to read in it.
            with contextlib.suppress(FileNotFoundError):
                os.chmod(temporary, os.stat(path).st_mode & 0o7777)
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def check_output(path: str | os.PathLike[str]) -> str:
    """The format by the name of an output file, whose folder must be there."""
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"the folder {folder} does not exist; create it first")
    return os.path.splitext(os.fspath(path))[1]
