"""OWLv2: every patch of the picture, padded to a square, is a candidate, and is compared with every text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import Owlv2ForObjectDetection, Owlv2ImageProcessor

from pipelines.checkpoints import Checkpoint
from pipelines.networks.clip_text import Tokenize, tokenizer
from pipelines.networks.detectors import Batch, Detector, Found, corners
from pipelines.networks.pretrained import load_network, load_processor
from pipelines.types import Image
from pipelines.weights import Located

TOKENS = 16
"""Of every text: shorter ones are padded, longer ones cut."""


class Owl(Detector):
    """A detector whose text side and picture side meet in one product."""

    tokenize: Tokenize

    @classmethod
    def load(cls, checkpoint: Checkpoint, located: Located, *, device: str, dtype: torch.dtype) -> Owl:
        """From files, or with random weights.

        Raises:
            UnavailableError: the files are damaged, or do not hold exactly the weights of this network.
        """
        settings = checkpoint.settings
        network = load_network(Owlv2ForObjectDetection, located, settings["config"], device=device, dtype=torch.float32)
        size = {"height": settings["side"], "width": settings["side"]}
        made = cls(network, load_processor(Owlv2ImageProcessor, located, size=size), dtype)
        made.tokenize = tokenizer(located, TOKENS, whole=True, filler=0)
        return made

    def pixels(self, image: Image) -> torch.Tensor:
        """``(3, h, w)`` on the device: what the checkpoint's processor makes.

        Its own blur, in both directions at once, takes minutes where a picture is much larger than the input.
        """
        side, size = max(image.shape[:2]), (self.processor.size["height"], self.processor.size["width"])
        square = np.zeros((side, side, 3), np.float32)
        np.multiply(image, self.processor.rescale_factor, out=square[: image.shape[0], : image.shape[1]],
                    dtype=np.float32)  # fmt: skip
        sigmas = [(side / wanted - 1) / 2 for wanted in size]
        if min(sigmas) > 0:
            kernel_y, kernel_x = (2 * math.ceil(3 * sigma) + 1 for sigma in sigmas)
            square = cv2.GaussianBlur(square, (kernel_x, kernel_y), sigmaX=sigmas[1], sigmaY=sigmas[0],
                                      borderType=cv2.BORDER_REFLECT_101)  # fmt: skip
        values = torch.from_numpy(square).permute(2, 0, 1)[None]
        made = interpolate(values, size, mode="bilinear", align_corners=False)[0]
        mean, std = (torch.tensor(of)[:, None, None] for of in (self.processor.image_mean, self.processor.image_std))
        return ((made - mean) / std).to(self.device)

    def answers(self, batch: Batch, texts: Sequence[str], flags: set[str]) -> list[Found]:
        """One pass for all texts; a box is as sure as its best text."""
        tokens = self.tokenize(texts)
        if tokens.truncated:
            flags.add("text_truncated")
        n = len(batch.sizes)
        seen: Any = self.network(pixel_values=batch.pixels, input_ids=tokens.ids.repeat(n, 1).to(self.device),
                                 attention_mask=tokens.attention.repeat(n, 1).to(self.device))  # fmt: skip
        scores = seen.logits.float().sigmoid()
        return [
            (corners(boxes, max(size), max(size)), of_image.amax(dim=1).cpu().numpy(), of_image.cpu().numpy())
            for boxes, of_image, size in zip(seen.pred_boxes, scores, batch.sizes, strict=True)
        ]
