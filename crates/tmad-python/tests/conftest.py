"""What the tests share: pictures that they draw, and the command line to compare with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def scene(height: int = 120, width: int = 160, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A picture with a gradient, stripes and noise, uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(float)
    planes = [
        100 + 60 * np.sin((x + (2 + c) * y) / (5 + c)) + 0.3 * y + random.normal(0, 12, y.shape)
        for c in range(channels)
    ]
    return np.stack(planes, axis=2).clip(0, 255).astype(np.uint8)


def square_hole(height: int = 120, width: int = 160, side: int = 28) -> np.ndarray:
    """A mask with a square hole right of the middle."""
    mask = np.zeros((height, width), bool)
    top, left = height // 2 - side // 2, width // 2
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.fixture(scope="session")
def command_line() -> Callable[..., None]:
    """Runs the binary `tmad`, named by the variable TMAD, which is of the same build."""
    binary = os.environ.get("TMAD")
    if binary is None or not Path(binary).is_file():
        pytest.fail("these tests compare with the command line: set TMAD to the binary `tmad`")

    def run(*args: object) -> None:
        subprocess.run([binary, *map(str, args)], check=True, capture_output=True)

    return run
