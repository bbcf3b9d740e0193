"""GroundingDINO, MM-GroundingDINO and LLMDet: one caption for all labels, one pass for one caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessor, MMGroundingDinoForObjectDetection
from transformers.image_transforms import get_size_with_aspect_ratio

from pipelines.checkpoints import Checkpoint
from pipelines.networks.captions import Caption, Spell, captions, speller
from pipelines.networks.detectors import Batch, Detector, Found, corners
from pipelines.networks.pretrained import load_network, load_processor
from pipelines.weights import Located

KINDS = {"grounding_dino": GroundingDinoForObjectDetection, "mm_grounding_dino": MMGroundingDinoForObjectDetection}


class GroundingDino(Detector):
    """A detector whose queries compare themselves with the tokens of a caption."""

    spell: Spell

    @classmethod
    def load(cls, checkpoint: Checkpoint, located: Located, *, device: str, dtype: torch.dtype) -> GroundingDino:
        """From files, or with random weights.

        Raises:
            UnavailableError: the files are damaged, or do not hold exactly the weights of this network.
        """
        kind, config = KINDS[checkpoint.settings["kind"]], checkpoint.settings.get("config")
        network = load_network(kind, located, config, device=device, dtype=torch.float32)
        made = cls(network, load_processor(GroundingDinoImageProcessor, located), dtype)
        made.spell = speller(located)
        return made

    def resizing(self, size: tuple[int, int]) -> dict[str, Any]:
        """By the processor's rule the short side of a line of pixels comes to nothing; then it is one pixel."""
        rule = self.processor.size
        height, width = get_size_with_aspect_ratio(size, rule["shortest_edge"], rule["longest_edge"])
        return {} if height and width else {"size": {"height": max(1, height), "width": max(1, width)}}

    def answers(self, batch: Batch, texts: Sequence[str], flags: set[str]) -> list[Found]:
        """One pass of the network for each caption, which is one for some tens of labels."""
        parts = [self._pass(batch, caption, len(texts)) for caption in captions(texts, self.spell, flags)]
        return [_joined(of_image) for of_image in zip(*parts, strict=True)]

    def _pass(self, batch: Batch, caption: Caption, n_labels: int) -> list[Found]:
        ids = torch.tensor([caption.ids] * len(batch.sizes), device=self.device)
        seen: Any = self.network(pixel_values=batch.pixels, input_ids=ids, attention_mask=torch.ones_like(ids),
                                 token_type_ids=torch.zeros_like(ids),
                                 pixel_mask=torch.ones_like(batch.pixels[:, 0], dtype=torch.long))  # fmt: skip
        tokens = seen.logits.float().sigmoid()
        return [
            (corners(boxes, width, height), scores.amax(dim=1).cpu().numpy(), _by_label(scores, caption, n_labels))
            for boxes, scores, (height, width) in zip(seen.pred_boxes, tokens, batch.sizes, strict=True)
        ]


def _joined(parts: Sequence[Found]) -> Found:
    """Candidates of all captions of an image."""
    boxes, box_scores, scores = (np.concatenate(values) for values in zip(*parts, strict=True))
    return boxes, box_scores, scores


def _by_label(tokens: torch.Tensor, caption: Caption, n_labels: int) -> Any:
    """``(K, L)``: of each label the score of its best token, 0 where it is not in the caption or has no token."""
    found = torch.zeros((len(tokens), n_labels), device=tokens.device)
    for label, (start, end) in zip(caption.labels, caption.spans, strict=True):
        if end > start:
            found[:, label] = tokens[:, start:end].amax(dim=1)
    return found.cpu().numpy()
