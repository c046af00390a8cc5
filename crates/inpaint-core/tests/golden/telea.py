"""OpenCV's `INPAINT_TELEA` on the pictures of `tests/inpainters.rs`. Writes
`telea.txt` beside this file: a line for each picture, the values of the hole's
pixels row by row.

Needs numpy and opencv-python-headless (made with 2.5 and 5.0).
"""

from pathlib import Path

import cv2
import numpy as np

y, x = np.mgrid[0:36, 0:48]
pictures = [
    40 + 2 * x + y,
    (x - 20) ** 2 // 8 + (y - 15) ** 2 // 6 + 20,
    np.where((x + 2 * y) % 24 < 12, 90, 140) + (x * y) % 7,
]
hole = (abs(x - y - 6) <= 2) & (x > 9)
lines = []
for picture in pictures:
    grey = picture.astype(np.uint8)
    filled = cv2.inpaint(grey, hole.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    lines.append(" ".join(map(str, filled[hole])))
Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
