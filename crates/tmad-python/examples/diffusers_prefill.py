"""Fills the hole before a diffusion pipeline works on it.

With `strength` below 1 a pipeline starts from what it finds in the hole; a hole that is filled with
the picture's own structure and texture keeps it from drawing new objects there.

    from diffusers import AutoPipelineForInpainting
    from diffusers_prefill import prefill

    pipeline = AutoPipelineForInpainting.from_pretrained(...)
    image = prefill(photo, mask)
    result = pipeline(prompt, image=image, mask_image=mask, strength=0.6).images[0]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tmad


def prefill(image: Any, mask: Any, **options: Any) -> Any:
    """The picture with its hole filled, in the form that it has.

    Args:
        image: What pipelines take: a PIL image, an array H×W×3 on [0, 1], or a tensor [batch, 3,
            height, width] on [-1, 1].
        mask: A PIL image or H×W, 1 is filled; for a tensor [batch, 1, height, width].
        options: Of `tmad.inpaint`.
    """
    if isinstance(image, np.ndarray):
        picture = to_bytes(image, 0, 255)
        filled = tmad.inpaint(picture, np.asarray(mask) >= 0.5, **options)
        return np.where(filled != picture, filled / image.dtype.type(255), image)
    if not hasattr(image, "detach"):
        return tmad.inpaint(image, mask, **options)
    import torch

    pictures = to_bytes(image.detach().cpu().float().numpy(), 1, 127.5).transpose(0, 2, 3, 1)
    holes = mask.detach().cpu().float().numpy()[:, 0] >= 0.5
    holes = np.broadcast_to(holes, pictures.shape[:3])
    filled = np.stack(
        [tmad.inpaint(*pair, **options) for pair in zip(pictures, holes, strict=True)]
    )
    new = torch.from_numpy((filled / 127.5 - 1).transpose(0, 3, 1, 2)).to(image)
    changed = torch.from_numpy((filled != pictures).transpose(0, 3, 1, 2)).to(image.device)
    return torch.where(changed, new, image)


def to_bytes(values: np.ndarray, offset: float, factor: float) -> np.ndarray:
    """Floating point values as uint8."""
    return ((values + offset) * factor).round().clip(0, 255).astype(np.uint8)
