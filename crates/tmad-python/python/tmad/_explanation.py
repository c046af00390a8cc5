"""Where the texture of a result comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

import numpy as np
from numpy.typing import NDArray

from ._images import Picture

if TYPE_CHECKING:
    from ._native import Explained


@dataclass(frozen=True, slots=True)
class Candidate:
    """A square window of the picture that serves as texture.

    Args:
        x: First column in pixels; below 0 where the window reaches beyond the picture.
        y: First row.
        side: Width and height.
        score: Similarity to the patch, comparable within one patch only.

    >>> import tmad
    >>> tmad.Candidate(x=16, y=0, side=32, score=0.5).side
    32
    """

    x: int
    y: int
    side: int
    score: float


@dataclass(frozen=True, slots=True)
class Patch:
    """A square patch of the hole with the windows retrieved for it, best first.

    Args:
        x: First column in pixels; below 0 where the patch reaches beyond the picture.
        y: First row.
        side: Width and height.
        candidates: Never empty.

    >>> import tmad
    >>> tmad.Patch(x=0, y=0, side=32, candidates=()).candidates
    ()
    """

    x: int
    y: int
    side: int
    candidates: tuple[Candidate, ...]


class Explanation(Generic[Picture]):
    """What :func:`tmad.explain` tells about a result.

    Args:
        coarse: The guess of the structure in the hole, the input elsewhere.
        completed: The result, equal to that of :func:`tmad.inpaint`.
        patches: The patches that the hole was cut into, row by row.
    """

    __slots__ = ("_explained", "coarse", "completed", "patches")

    coarse: Picture
    completed: Picture
    patches: tuple[Patch, ...]

    def __init__(self, coarse: Picture, completed: Picture, explained: Explained) -> None:
        self.coarse = coarse
        self.completed = completed
        self.patches = tuple(
            Patch(*place, tuple(Candidate(*source, score) for source, score in candidates))
            for place, candidates in explained.patches
        )
        self._explained = explained

    def __repr__(self) -> str:
        return f"<tmad.Explanation of {len(self.patches)} patches>"

    def figure(self, patches: int = 8) -> NDArray[np.uint8]:
        """The figure of ``tmad explain``: the stages side by side, and for some of the patches the
        windows retrieved with rank, score and place.

        Args:
            patches: Patches in the figure at most, 1 to 64.

        Returns:
            H×W×3 uint8, 1320 pixels wide.

        Raises:
            ValueError: for another number of patches.

        >>> import numpy as np, tmad
        >>> picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
        >>> mask = np.zeros((96, 96), bool)
        >>> mask[40:60, 40:60] = True
        >>> tmad.explain(picture, mask).figure().shape[1:]
        (1320, 3)
        """
        if not 1 <= patches <= 64:
            raise ValueError(f"patches is {patches}; it must be 1 to 64")
        figure: NDArray[Any] = self._explained.figure(patches)
        return figure
