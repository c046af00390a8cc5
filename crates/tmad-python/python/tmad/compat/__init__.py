"""Stand-ins for other packages: only the import changes."""

from . import cv2
from ._simple_lama import SimpleLama

__all__ = ["SimpleLama", "cv2"]
