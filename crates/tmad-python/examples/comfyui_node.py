"""A ComfyUI node that fills the masked part of pictures with T-MAD.

Copy this file into ComfyUI's folder custom_nodes and `pip install tmad` into its environment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tmad
import torch


class TMadInpaint:
    """IMAGE is [batch, height, width, 3] on [0, 1]; MASK is [batch, height, width] or [height,
    width], 1 is filled."""

    CATEGORY = "inpaint"
    FUNCTION = "inpaint"
    RETURN_TYPES = ("IMAGE",)

    _inpainter: tmad.Inpainter | None = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        seed = ("INT", {"default": 0, "min": 0, "max": 2**64 - 1})
        grow = ("INT", {"default": 0, "min": 0, "max": 256})
        required = {"image": ("IMAGE",), "mask": ("MASK",), "seed": seed, "grow": grow}
        return {"required": required}

    def inpaint(
        self, image: torch.Tensor, mask: torch.Tensor, seed: int = 0, grow: int = 0
    ) -> tuple[torch.Tensor]:
        if TMadInpaint._inpainter is None:
            TMadInpaint._inpainter = tmad.Inpainter()
        pictures = (image.detach().cpu().numpy() * 255).round().clip(0, 255).astype(np.uint8)
        # One mask may serve a batch.
        masks = mask.detach().cpu().numpy().reshape(-1, *mask.shape[-2:]) >= 0.5
        masks = np.broadcast_to(masks, pictures.shape[:3])
        results = []
        for original, picture, hole in zip(image, pictures, masks, strict=True):
            filled = self._inpainter.inpaint(picture, hole, seed=seed, grow=grow)
            new = torch.from_numpy(filled).to(original) / 255
            # What is not filled keeps its floating point values.
            changed = torch.from_numpy((filled != picture).any(axis=2)).to(original.device)
            results.append(torch.where(changed[..., None], new, original))
        return (torch.stack(results),)


NODE_CLASS_MAPPINGS = {"TMadInpaint": TMadInpaint}
NODE_DISPLAY_NAME_MAPPINGS = {"TMadInpaint": "Inpaint (T-MAD)"}
