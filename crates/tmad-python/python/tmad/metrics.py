"""The metrics of ``tmad eval``, computed the same way, one by one.

Pictures are H×W or H×W×C arrays of uint8, or PIL images, of one size; grey counts as three equal
channels, alpha is ignored, uint16 is reduced to 8 bits. With a mask, what is true in it is
measured; without, everything.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._files import file_args
from ._images import Mask, to_array, to_mask

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "fid",
    "inception_features",
    "kid",
    "l1",
    "lpips",
    "p_ids",
    "psnr",
    "ssim",
    "swd",
    "tv",
    "tv_picnet",
    "u_ids",
]

#: A picture of any kind.
AnyPicture: TypeAlias = "NDArray[Any] | Image.Image"


def _compare(metric: str, a: AnyPicture, b: AnyPicture, mask: Mask | None) -> float:
    first, second = to_array(a, "a"), to_array(b, "b")
    hole = None if mask is None else to_mask(mask, first.shape[:2])
    return _native.compare(metric, first, second, hole, file_args()[2])


def l1(a: AnyPicture, b: AnyPicture, mask: Mask | None = None) -> float:
    """100 × the mean absolute difference of values on [0, 1]: 0 for equal pictures, 100 for black
    against white.

    Raises:
        ValueError: if the sizes differ, or the mask marks nothing.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> metrics.l1(np.zeros((4, 4), np.uint8), np.full((4, 4), 51, np.uint8))
    20.0
    """
    return _compare("l1", a, b, mask)


def psnr(a: AnyPicture, b: AnyPicture, mask: Mask | None = None) -> float:
    """The peak signal-to-noise ratio in dB; infinite for equal pictures.

    Raises:
        ValueError: if the sizes differ, or the mask marks nothing.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> black, grey = np.zeros((4, 4), np.uint8), np.full((4, 4), 51, np.uint8)
    >>> round(metrics.psnr(black, grey), 2), metrics.psnr(black, black)
    (13.98, inf)
    """
    return _compare("psnr", a, b, mask)


def ssim(a: AnyPicture, b: AnyPicture, mask: Mask | None = None) -> float:
    """The structural similarity (Wang et al. 2004): 11×11 Gaussian windows, σ 1.5; with a mask, the
    mean over windows with their centre in the hole. 1 for equal pictures.

    Raises:
        ValueError: if the sizes differ, a side is below 11 pixels, or no pixel of the hole lies 5
            pixels or more inside the picture.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    >>> metrics.ssim(picture, picture)
    1.0
    """
    return _compare("ssim", a, b, mask)


def tv(picture: AnyPicture, mask: Mask | None = None) -> float:
    """100 × (mean \\|Δx\\| + mean \\|Δy\\|) on [0, 1], over pairs of pixels that touch the hole.

    Raises:
        ValueError: if the mask does not fit or marks nothing.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> metrics.tv(np.full((4, 4), 51, np.uint8))
    0.0
    """
    return _compare("tv", picture, picture, mask)


def tv_picnet(picture: AnyPicture, mask: Mask | None = None) -> float:
    """PICNet's total variation, the mean of √(gx² + gy²) on [0, 255].

    Raises:
        ValueError: if the mask does not fit or marks nothing.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> metrics.tv_picnet(np.full((4, 4), 51, np.uint8))
    0.0
    """
    return _compare("tv_picnet", picture, picture, mask)


def swd(
    a: AnyPicture | Sequence[AnyPicture],
    b: AnyPicture | Sequence[AnyPicture],
    mask: Mask | Sequence[Mask] | None = None,
    *,
    descriptors: int = 1024,
    seed: int = 0,
) -> float:
    """The sliced Wasserstein distance × 1000 (PGGAN): how far the texture of two pictures, or of
    two sets of pictures, lies apart. 0 for equal ones.

    Args:
        a: A picture, or a list or tuple of them.
        b: As many pictures, each of the size of its partner.
        mask: None, or a mask, or a list or tuple with one for each pair. Only descriptors that
            touch the hole count then.
        descriptors: 7×7 patches per picture and pyramid level. The distance falls with their
            number in all, so compare equal numbers; ``tmad eval`` takes 128 for up to 128 pictures.
        seed: Of the positions and directions.

    Raises:
        ValueError: if sizes or numbers differ, a side is below 16 pixels, or a mask marks nothing.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> random = np.random.default_rng(0)
    >>> a, b = random.integers(0, 256, (2, 32, 32, 3), np.uint8)
    >>> metrics.swd(a, a), metrics.swd(a, b) > 10, metrics.swd([a, b], [a, b])
    (0.0, True, 0.0)
    """
    firsts = list(a) if isinstance(a, (list, tuple)) else [a]
    seconds = list(b) if isinstance(b, (list, tuple)) else [b]
    masks = list(mask) if isinstance(mask, (list, tuple)) else [mask] * len(firsts)
    if not len(firsts) == len(seconds) == len(masks):
        raise ValueError(
            f"there are {len(firsts)} pictures, {len(seconds)} to compare with them, "
            f"and {len(masks)} masks"
        )
    pairs = []
    for first, second, hole in zip(firsts, seconds, masks, strict=True):
        first, second = to_array(first, "a"), to_array(second, "b")
        rows = None if hole is None else to_mask(hole, first.shape[:2])
        pairs.append((first, second, rows))
    levels = _native.sliced_wasserstein(pairs, descriptors, seed, file_args()[2])
    return sum(levels) / len(levels)


@functools.cache
def _lpips(network: str, weights: str) -> _native.Lpips:
    return _native.Lpips(network, weights, file_args()[2])


def lpips(
    a: AnyPicture,
    b: AnyPicture,
    *,
    weights: str | os.PathLike[str],
    network: Literal["squeeze", "alex", "vgg"] = "squeeze",
) -> float:
    """LPIPS 0.1 over the whole picture: 0 for equal pictures, usually below 1.

    Args:
        a: A picture.
        b: Another of the same size.
        weights: A folder with the weights of the network and its linear layers, which are not part
            of the package, as for ``tmad eval --metric-weights``.
        network: Whose features are compared.

    Raises:
        OSError: if the files are not there.
        ValueError: if they hold other weights, the sizes differ, or a side is too short.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> picture = np.zeros((64, 64, 3), np.uint8)
    >>> metrics.lpips(picture, picture, weights="missing")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    FileNotFoundError: cannot read missing/squeezenet1_1.safetensors: ...
    """
    meter = _lpips(network, os.fspath(weights))
    return meter.distance(to_array(a, "a"), to_array(b, "b"), file_args()[2])


@functools.cache
def _inception(weights: str) -> _native.Inception:
    return _native.Inception(weights, file_args()[2])


def inception_features(
    pictures: Iterable[AnyPicture],
    *,
    weights: str | os.PathLike[str],
    resize: Literal["pytorch-fid", "clean-fid"] = "pytorch-fid",
) -> NDArray[np.float64]:
    """The Inception features that :func:`fid` and its relatives compare.

    Args:
        pictures: Pictures of any sizes.
        weights: A folder with pytorch-fid's weights as safetensors.
        resize: How pictures are brought to 299×299; it changes the FID by several percent.

    Returns:
        N×2048, a row per picture.

    Raises:
        OSError: if the file is not there.
        ValueError: if it holds other weights.

    >>> from tmad import metrics
    >>> metrics.inception_features([], weights="missing")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    FileNotFoundError: cannot read missing/...
    """
    network = _inception(os.fspath(weights))
    rows = [network.features(to_array(p, "picture"), resize, file_args()[2]) for p in pictures]
    return np.array(rows, np.float64).reshape(len(rows), -1)


def _distance(
    distance: str, truths: NDArray[np.floating[Any]], results: NDArray[np.floating[Any]]
) -> tuple[float, float]:
    first, second = np.asarray(truths, np.float64), np.asarray(results, np.float64)
    return _native.set_distance(distance, first, second, file_args()[2])


def fid(truths: NDArray[np.floating[Any]], results: NDArray[np.floating[Any]]) -> float:
    """The Fréchet distance of two sets of features, a row each, two rows or more.

    Raises:
        ValueError: if the shapes do not fit.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> features = np.random.default_rng(0).normal(size=(9, 4))
    >>> round(metrics.fid(features, features + 2), 6)
    16.0
    """
    return _distance("fid", truths, results)[0]


def kid(truths: NDArray[np.floating[Any]], results: NDArray[np.floating[Any]]) -> float:
    """1000 × the kernel distance of two sets of features, a row each; around 0 for sets of one
    kind, and below for equal ones, since it is unbiased.

    Raises:
        ValueError: if the shapes do not fit.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> features = np.random.default_rng(0).normal(size=(9, 4))
    >>> metrics.kid(features, features + 2) > 1000
    True
    """
    return 1000 * _distance("kid", truths, results)[0]


def p_ids(truths: NDArray[np.floating[Any]], results: NDArray[np.floating[Any]]) -> float:
    """The paired inception discriminative score in percent: how many results look more real than
    their own truth, a row of features each.

    Raises:
        ValueError: if the shapes do not fit.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> features = np.random.default_rng(0).normal(size=(9, 4))
    >>> metrics.p_ids(features, features + 9)
    0.0
    """
    return 100 * _distance("ids", truths, results)[0]


def u_ids(truths: NDArray[np.floating[Any]], results: NDArray[np.floating[Any]]) -> float:
    """The unpaired inception discriminative score in percent: how many pictures a linear classifier
    takes for the wrong kind.

    Raises:
        ValueError: if the shapes do not fit.

    >>> import numpy as np
    >>> from tmad import metrics
    >>> features = np.random.default_rng(0).normal(size=(9, 4))
    >>> metrics.u_ids(features, features + 9)
    0.0
    """
    return 100 * _distance("ids", truths, results)[1]
