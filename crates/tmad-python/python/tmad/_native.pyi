# The compiled half of the package. `Engine` takes arrays and bytes, and every choice explicitly.

from collections.abc import Callable
from typing import Any, TypeAlias, TypedDict, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Engine",
    "Explained",
    "Inception",
    "Lpips",
    "__version__",
    "compare",
    "run_network",
    "set_distance",
    "sliced_wasserstein",
]

__version__: str

class _Call(TypedDict):
    seed: int
    threads: int | None
    progress: Callable[[float, str], object] | None

class _Hole(TypedDict):
    invert: bool
    threshold: int
    grow: int
    feather: int
    fit: bool

class _Encode(TypedDict):
    format: str | None
    jpeg_quality: int | None
    background: tuple[int, int, int]
    strip: bool
    max_megapixels: int

class _Network(TypedDict):
    file: str
    descriptor: str | None
    worker: list[str]

_Place: TypeAlias = tuple[int, int, int]

@final
class Explained:
    @property
    def patches(self) -> list[tuple[_Place, list[tuple[_Place, float]]]]: ...
    def figure(self, patches: int) -> NDArray[np.uint8]: ...

@final
class Engine:
    def __new__(
        cls,
        method: str,
        weights: bytes | None,
        radius_px: int,
        network: _Network | None,
        precision: str,
        call: _Call,
    ) -> Engine: ...
    def inpaint(
        self, image: NDArray[Any], mask: NDArray[np.bool_], hole: _Hole, call: _Call
    ) -> NDArray[Any]: ...
    def refine(
        self,
        image: NDArray[Any],
        guess: NDArray[Any],
        mask: NDArray[np.bool_],
        hole: _Hole,
        call: _Call,
    ) -> NDArray[Any]: ...
    def explain(
        self, image: NDArray[Any], mask: NDArray[np.bool_], call: _Call
    ) -> tuple[NDArray[Any], NDArray[Any], Explained]: ...
    def inpaint_bytes(
        self,
        data: bytes,
        mask: bytes | NDArray[np.bool_] | None,
        hole: _Hole,
        encode: _Encode,
        call: _Call,
    ) -> tuple[bytes, list[str]]: ...

@final
class Lpips:
    def __new__(cls, network: str, folder: str, call: _Call) -> Lpips: ...
    def distance(self, a: NDArray[Any], b: NDArray[Any], call: _Call) -> float: ...

@final
class Inception:
    def __new__(cls, folder: str, call: _Call) -> Inception: ...
    def features(self, image: NDArray[Any], resize: str, call: _Call) -> NDArray[np.float32]: ...

def run_network() -> None: ...
def compare(
    metric: str,
    reference: NDArray[Any],
    completed: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    call: _Call,
) -> float: ...
def sliced_wasserstein(
    pairs: list[tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_] | None]],
    descriptors_per_image: int,
    seed: int,
    call: _Call,
) -> list[float]: ...
def set_distance(
    distance: str, truths: NDArray[np.float64], results: NDArray[np.float64], call: _Call
) -> tuple[float, float]: ...
