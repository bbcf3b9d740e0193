"""SAM 3: a picture is seen once, then each text is looked for in it.

Source: Carion et al., SAM 3: Segment Anything with Concepts, 2025; the network is that of transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Sam3Model
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.sam3.modeling_sam3 import Sam3VisionEncoderOutput

from pipelines.checkpoints import Checkpoint
from pipelines.finite import check_finite
from pipelines.networks.clip_text import tokenizer
from pipelines.networks.pixels import to_batch
from pipelines.networks.pretrained import load_network
from pipelines.networks.segmenters import own
from pipelines.networks.segmenters_framing import stretching
from pipelines.types import Image
from pipelines.weights import Located

TOKENS = 32
"""Of every text: shorter ones are padded."""


@dataclass(frozen=True)
class Seen:
    """What the network saw in one image.

    Attributes:
        features: ``(1, C, h, w)`` each, from fine to coarse.
        positions: their position encodings.
    """

    features: tuple[torch.Tensor, ...]
    positions: tuple[torch.Tensor, ...]

    @property
    def nbytes(self) -> int:
        """Memory of both; positions that a batch shares count for each image."""
        return sum(level.nbytes for level in (*self.features, *self.positions))


@dataclass(frozen=True)
class Concept:
    """One text as the network takes it.

    Attributes:
        features: ``(1, 32, C)``.
        attention: ``(1, 32)``, 0 where it is padded.
    """

    features: torch.Tensor
    attention: torch.Tensor


@dataclass(frozen=True)
class Found:
    """What was found of one text in one image, everything in float32 on the device.

    Attributes:
        logits: mask logits ``(K, h, w)``; the picture was stretched, so the map covers it as a whole.
        boxes: ``(K, 4)`` xyxy, 0 to 1.
        scores: ``(K,)`` probability that the candidate is of the text, if the text is in the picture.
        presence: ``()`` probability that the text is in the picture.
    """

    logits: torch.Tensor
    boxes: torch.Tensor
    scores: torch.Tensor
    presence: torch.Tensor


class Sam3Network:
    """SAM 3 for texts; its semantic map is not used, since it knows no instances.

    Args:
        located: its files, or random.
        checkpoint: of `pipelines.checkpoints.sam3`.
        device: "cpu" or "cuda".
        dtype: of its weights; the frequencies of its position encoding stay in float32.

    Raises:
        UnavailableError: the files are damaged, or do not hold exactly the weights of this network.
    """

    def __init__(self, located: Located, checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> None:
        self.wanted = stretching(located, checkpoint.settings["pixels"])
        self.tokenize = tokenizer(located, TOKENS, whole=True)
        self.network: Any = load_network(
            Sam3Model, located, checkpoint.settings["config"], device=device, dtype=torch.float32
        )
        for parameter in self.network.parameters():
            parameter.data = parameter.data.to(dtype)
        self.device, self.dtype = device, dtype

    def preprocess(self, images: Sequence[Image]) -> torch.Tensor:
        """Pictures of any sizes as one batch ``(N, 3, h, w)``."""
        return to_batch(images, self.wanted, self.device, self.dtype)

    @torch.inference_mode()
    def see(self, pixels: torch.Tensor) -> list[Seen]:
        """One pass of the vision encoder over the batch."""
        told = self.network.get_vision_features(pixels)
        levels, positions = told.fpn_hidden_states, told.fpn_position_encoding
        return [
            Seen(tuple(own(level, i) for level in levels), tuple(own(position, i) for position in positions))
            for i in range(len(pixels))
        ]

    @torch.inference_mode()
    def read(self, texts: tuple[str, ...]) -> tuple[list[Concept], bool]:
        """One pass of the text encoder over the texts, and whether a text was cut."""
        tokens = self.tokenize(texts)
        ids, attention = tokens.ids.to(self.device), tokens.attention.to(self.device)
        features = self.network.get_text_features(input_ids=ids, attention_mask=attention).pooler_output
        return [Concept(features[i : i + 1], attention[i : i + 1]) for i in range(len(texts))], tokens.truncated

    @torch.inference_mode()
    def find(self, seen: Seen, concepts: Sequence[Concept], floor: float) -> list[Found]:
        """Look for texts in an image, all in one pass.

        Args:
            seen: of the image.
            concepts: L texts.
            floor: candidates of which score x presence is not above it are dropped.

        Returns:
            L findings.
        """
        n = len(concepts)
        told = self.network(
            vision_embeds=Sam3VisionEncoderOutput(
                fpn_hidden_states=tuple(level.expand(n, -1, -1, -1) for level in seen.features),
                fpn_position_encoding=tuple(position.expand(n, -1, -1, -1) for position in seen.positions),
            ),
            text_embeds=BaseModelOutputWithPooling(pooler_output=torch.cat([c.features for c in concepts])),
            attention_mask=torch.cat([c.attention for c in concepts]),
        )
        return [_above(told, i, floor) for i in range(n)]


def _above(told: Any, i: int, floor: float) -> Found:
    scores, presence = told.pred_logits[i].float().sigmoid(), told.presence_logits[i, 0].float().sigmoid()
    check_finite(scores, presence)  # one that is no number would be below every floor
    keep = scores * presence > floor
    return Found(told.pred_masks[i][keep].float(), told.pred_boxes[i][keep].float(), scores[keep], presence)
