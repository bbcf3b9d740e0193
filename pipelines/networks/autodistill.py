"""The engine `autodistill`: the networks of the seed's library, run as it runs them, without its two mistakes.

Like the library (github.com/autodistill/autodistill-grounded-sam, 0.1.2) it asks the detector once for each label and
decodes one box after the other. Unlike it, SAM sees RGB, where the library hands BGR to a predictor that takes it for
RGB; and masks are united, where the coin project that used the library averaged them and kept only what all agreed on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as PillowImage
from torchvision.transforms.functional import normalize, resize, to_tensor

from pipelines import weights
from pipelines.checkpoints.autodistill import DETECTOR, SEGMENTER, TEXT
from pipelines.finite import check_finite
from pipelines.networks.autodistill_files import find
from pipelines.networks.autodistill_library import module, quiet
from pipelines.networks.autodistill_networks import detector, predictor
from pipelines.stages import StageClock
from pipelines.types import Evidence, Image, Prompt
from pipelines.weights import Located

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SHORT_SIDE, LONG_SIDE = 800, 1333
"""Pixels of the detector's input, as the library asks for them."""

Array = npt.NDArray[np.float32]


@dataclass
class AutodistillEngine:
    """Boxes of GroundingDINO turned into masks by SAM.

    Attributes:
        loaded: the checkpoints, with the sha256 of each that is a pickle.
        dtype: of the arithmetic; the library knows no other.
        detector: GroundingDINO.
        predictor: `SamPredictor` of segment-anything.
        device: "cpu" or "cuda".
    """

    loaded: tuple[Located, ...]
    detector: Any
    predictor: Any
    device: str
    dtype: str = "float32"

    @classmethod
    def load(cls, *, where: Path | str | None, device: str, params: Any, settings: Mapping[str, Any] | None = None,
             sam: str = "vit_h") -> Self:  # fmt: skip
        """Build both networks and fill them.

        Args:
            where: folder that holds ``owner/name/``, "random", or None for the library's own cache.
            device: "cpu" or "cuda".
            params: of the pipeline; nothing of them is read here.
            settings: what differs from the library's own configuration of GroundingDINO.
            sam: key of segment-anything's registry of networks.

        Raises:
            UnavailableError: the extra or a file is missing, or a file is damaged.
        """
        boxes, masks = find(DETECTOR, where), find(SEGMENTER, where)
        text = weights.locate(TEXT.weights, where)
        found = detector(boxes, text, device=device, settings=settings)
        return cls((boxes, masks, text), found, predictor(masks, device=device, size=sam), device)

    def evidence(self, images: Sequence[Image], prompts: Sequence[Prompt], params: Any, clock: StageClock,
                 flags: set[str]) -> list[Evidence]:  # fmt: skip
        """Look at each image alone, as the library does.

        Args:
            images: ``uint8 (H, W, 3)`` RGB each.
            prompts: one for each image, with texts.
            params: `candidate_floor`, the score that a box must exceed, and `max_candidates`, which the library, that
                decodes all, does not have.
            clock: times the stages "detect", "embed" and "decode".
            flags: "text_truncated" is added where a text was cut at 256 tokens.

        Returns:
            Boxes in pixels, scores in the column of their label, and logits of masks ``(K, 256, 256)``.
        """
        return [
            self._look(image, prompt.texts, params, clock, flags) for image, prompt in zip(images, prompts, strict=True)
        ]

    def _look(self, image: Image, texts: tuple[str, ...], params: Any, clock: StageClock, flags: set[str]) -> Evidence:
        with clock.stage("detect"):
            found = self._detect(image, texts, params.candidate_floor, flags)
        strength = np.concatenate([scores for _, scores in found])
        kept = np.sort(np.argsort(-strength, kind="stable")[: params.max_candidates])
        boxes = np.concatenate([boxes for boxes, _ in found])[kept]
        index = np.repeat(np.arange(len(texts)), [len(boxes) for boxes, _ in found])[kept]
        scores = np.zeros((len(boxes), len(texts)), np.float32)
        scores[np.arange(len(boxes)), index] = strength[kept]
        side = self.predictor.model.image_encoder.img_size
        height, width = _fitted(image, side)
        if len(boxes):  # else nobody asks for the embedding, which is most of the time
            with clock.stage("embed"):
                self._embed(image, (height, width))
        with clock.stage("decode"):
            maps = [self._decode(box) for box in boxes]
        return Evidence(image.shape[:2], "logit", boxes=boxes, scores=scores, box_scores=strength[kept],
                        prompt_index=index,
                        mask_maps=np.stack(maps) if maps else np.zeros((0, side // 4, side // 4), np.float32),
                        canvas=(side, side), window=(0, 0, width, height))  # fmt: skip

    @torch.inference_mode()
    def _detect(self, image: Image, texts: tuple[str, ...], floor: float, flags: set[str]) -> list[tuple[Array, Array]]:
        """Boxes ``(K, 4)`` xyxy in pixels and scores ``(K,)`` of each text, in the network's order."""
        pixels = _detector_input(image).to(self.device)[None]
        return [self._detect_one(pixels, text, image.shape[:2], floor, flags) for text in texts]

    def _detect_one(
        self, pixels: torch.Tensor, text: str, size: tuple[int, int], floor: float, flags: set[str]
    ) -> tuple[Array, Array]:
        caption = module("groundingdino.util.inference").preprocess_caption(text)
        if len(self.detector.tokenizer(caption, verbose=False)["input_ids"]) > self.detector.max_text_len:
            flags.add("text_truncated")
        with quiet():
            seen = self.detector(pixels, captions=[caption])
        scores = seen["pred_logits"][0].sigmoid().amax(dim=1).cpu()
        check_finite(scores, seen["pred_boxes"])
        kept = scores > floor
        height, width = size
        centre, extent = (seen["pred_boxes"][0].cpu()[kept] * torch.tensor([width, height] * 2)).split(2, dim=1)
        return torch.cat([centre - 0.5 * extent, centre + 0.5 * extent], dim=1).numpy(), scores[kept].numpy()

    @torch.inference_mode()
    def _embed(self, image: Image, size: tuple[int, int]) -> None:
        """The picture's embedding, kept by the predictor; its own `set_image` fails where a side comes to nothing."""
        resized = np.array(resize(PillowImage.fromarray(image), list(size)))
        pixels = torch.as_tensor(resized, device=self.device).permute(2, 0, 1).contiguous()[None]
        self.predictor.set_torch_image(pixels, image.shape[:2])

    @torch.inference_mode()
    def _decode(self, box: Array) -> Array:
        """Logits ``(256, 256)`` for one box; the predictor's own `predict` would also bring them up to full size."""
        network = self.predictor.model
        scaled = self.predictor.transform.apply_boxes(box, self.predictor.original_size)
        asked = torch.as_tensor(scaled, dtype=torch.float32, device=self.device)
        sparse, dense = network.prompt_encoder(points=None, boxes=asked, masks=None)
        logits, _ = network.mask_decoder(
            image_embeddings=self.predictor.features,
            image_pe=network.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        return np.asarray(logits[0, 0].cpu().numpy())


def _detector_input(image: Image) -> torch.Tensor:
    """``float32 (3, h, w)`` as the library makes it."""
    resized = resize(PillowImage.fromarray(image), list(detector_size(*image.shape[:2])))
    return normalize(to_tensor(resized), MEAN, STD)  # type: ignore[no-any-return]


def detector_size(height: int, width: int) -> tuple[int, int]:
    """``(h, w)`` of the detector's input: the short side 800 pixels, the long one 1333 at most, as the library rounds.

    Where the short side would come to nothing, and the library fail, it is 1 pixel.
    """
    low, high = sorted((height, width))
    short = SHORT_SIDE if high / low * SHORT_SIDE <= LONG_SIDE else round(LONG_SIDE * low / high)
    long = int(short * high / low) if short else LONG_SIDE
    short = max(1, short)
    return (short, long) if height <= width else (long, short)


def _fitted(image: Image, side: int) -> tuple[int, int]:
    """``(h, w)`` with the long side as given, rounded as segment-anything does, and no side less than 1."""
    scale = side / max(image.shape[:2])
    height, width = (max(1, int(length * scale + 0.5)) for length in image.shape[:2])
    return height, width
