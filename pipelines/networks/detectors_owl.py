"""OWLv2: every patch of the picture, padded to a square, is a candidate, and is compared with every text."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import CLIPTokenizer, Owlv2ForObjectDetection, Owlv2ImageProcessor

from pipelines.checkpoints import Checkpoint
from pipelines.networks.detectors import Batch, Detector, Found, corners
from pipelines.networks.pretrained import load_network, load_processor, load_tokenizer
from pipelines.types import Image
from pipelines.weights import Located

TOKENS = 16
START, END = 49406, 49407
"""Of CLIP's own vocabulary, in which everything else is below."""

Tokenize = Callable[[Sequence[str]], tuple[torch.Tensor, torch.Tensor, bool]]
"""Texts → ids and attention ``int64 (L, 16)``, and whether a text was cut."""


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
        made.tokenize = _stand_in if located.random else _from_files(located)
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
        ids, attention, truncated = self.tokenize(texts)
        if truncated:
            flags.add("text_truncated")
        n = len(batch.sizes)
        seen: Any = self.network(pixel_values=batch.pixels, input_ids=ids.repeat(n, 1).to(self.device),
                                 attention_mask=attention.repeat(n, 1).to(self.device))  # fmt: skip
        scores = seen.logits.float().sigmoid()
        return [
            (corners(boxes, max(size), max(size)), of_image.amax(dim=1).cpu().numpy(), of_image.cpu().numpy())
            for boxes, of_image, size in zip(seen.pred_boxes, scores, batch.sizes, strict=True)
        ]


def _from_files(located: Located) -> Tokenize:
    made = load_tokenizer(CLIPTokenizer, located)

    def tokenize(texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, bool]:
        whole = made(list(texts), verbose=False)["input_ids"]
        cut = made(list(texts), padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        return cut["input_ids"], cut["attention_mask"], max(map(len, whole)) > TOKENS

    return tokenize


def _stand_in(texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """One id a word: random weights come without a vocabulary, and know no words anyway."""
    words = [[zlib.crc32(word.encode()) % START for word in text.split()] for text in texts]
    rows = [[START, *row[: TOKENS - 2], END] for row in words]
    ids = torch.tensor([row + [0] * (TOKENS - len(row)) for row in rows])
    attention = torch.tensor([[1] * len(row) + [0] * (TOKENS - len(row)) for row in rows])
    return ids, attention, max(map(len, words)) > TOKENS - 2
