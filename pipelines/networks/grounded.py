"""Text to boxes to masks, with networks of transformers: the default engine of GroundedSAM.

Source: Ren et al., Grounded SAM, 2024, arXiv 2401.14159.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.checkpoints.detectors import CHECKPOINTS as DETECTORS
from pipelines.checkpoints.segmenters import CHECKPOINTS as SEGMENTERS
from pipelines.networks.detectors import Detector, Found
from pipelines.networks.detectors_dino import GroundingDino
from pipelines.networks.detectors_owl import Owl
from pipelines.networks.pretrained import precision
from pipelines.networks.segmenters import Embedding, Segmenter
from pipelines.networks.segmenters_cache import embedded
from pipelines.stages import StageCache, StageClock
from pipelines.types import Evidence, Image, Prompt
from pipelines.weights import Located

if TYPE_CHECKING:
    from pipelines.grounded_sam import GroundedSamParams

KINDS: dict[str, type[GroundingDino | Owl]] = {
    "grounding_dino": GroundingDino,
    "mm_grounding_dino": GroundingDino,
    "owlv2": Owl,
}


@dataclass
class TransformersEngine:
    """One pass of the detector for all labels, one embedding an image, one call of the decoder for all its boxes.

    Attributes:
        loaded: the weights of both networks.
        dtype: of the arithmetic.
        detector: finds boxes.
        segmenter: makes masks of them.
        cache: of the pipeline; a sweep over a floor then asks no detector again.
    """

    loaded: tuple[Located, ...]
    dtype: str
    detector: Detector
    segmenter: Segmenter
    cache: StageCache

    @classmethod
    def load(cls, located: tuple[Located, Located], *, device: str, params: GroundedSamParams, cache: StageCache
             ) -> TransformersEngine:  # fmt: skip
        """Build both networks and fill them.

        Args:
            located: files of the detector and of the segmenter.
            device: "cpu" or "cuda".
            params: name both and the dtype.
            cache: of the pipeline.

        Raises:
            UnavailableError: files are damaged, or do not hold exactly the weights of their network.
        """
        dtype = precision(params.dtype, device)
        of_boxes, of_masks = DETECTORS[params.detector], SEGMENTERS[params.segmenter]
        detector = KINDS[of_boxes.settings["kind"]].load(of_boxes, located[0], device=device, dtype=dtype)
        segmenter = Segmenter.load(of_masks, located[1], device=device, dtype=dtype)
        return cls(located, str(dtype).removeprefix("torch."), detector, segmenter, cache)

    def evidence(self, images: Sequence[Image], prompts: Sequence[Prompt], params: GroundedSamParams,
                 clock: StageClock, flags: set[str]) -> list[Evidence]:  # fmt: skip
        """Look at a batch of images; one in which nothing is found is not embedded.

        Args:
            images: ``uint8 (H, W, 3)`` RGB each.
            prompts: one for each image, with texts.
            params: `candidate_floor` and `max_candidates`.
            clock: times the stages "detect", "preprocess", "embed" and "decode".
            flags: what a reader of the figures has to know is added.
        """
        with clock.stage("detect"):
            found = [strongest(one, params) for one in self._detected(images, [p.texts for p in prompts], flags)]
        some = [index for index, (boxes, _, _) in enumerate(found) if len(boxes)]

        def embed(of: Sequence[Image]) -> list[Embedding]:
            with clock.stage("preprocess"):
                inputs = self.segmenter.preprocess(of)
            with clock.stage("embed"):
                return self.segmenter.encode(inputs)

        made = embedded(embed, [images[index] for index in some], self.cache, flags)
        self.segmenter.flags = flags
        with clock.stage("decode"):
            done = {index: self._decoded(found[index], its) for index, its in zip(some, made, strict=True)}
        asked = zip(images, prompts, strict=True)
        return [done.get(index) or _nothing(image, prompt) for index, (image, prompt) in enumerate(asked)]

    def _detected(self, images: Sequence[Image], texts: Sequence[tuple[str, ...]], flags: set[str]) -> list[Found]:
        """Images that are asked for the same labels go together."""
        keys = [(id(image), "detect", asked) for image, asked in zip(images, texts, strict=True)]
        found = {index: value for index, key in enumerate(keys) if (value := self.cache.get(key)[1]) is not None}
        for asked in dict.fromkeys(texts[index] for index in range(len(images)) if index not in found):
            group = [index for index in range(len(images)) if index not in found and texts[index] == asked]
            answers = self.detector.detect([images[index] for index in group], asked, flags)
            for index, answer in zip(group, answers, strict=True):
                found[index] = answer
                self.cache.put(keys[index], images[index], answer)
        return [found[index] for index in range(len(images))]

    def _decoded(self, found: Found, embedding: Embedding) -> Evidence:
        boxes, box_scores, scores = found
        logits, _ = self.segmenter.decode_boxes(embedding, boxes)
        maps: Any = logits if logits.is_cuda else logits.numpy()
        return Evidence(embedding.size, "logit", boxes=boxes, scores=scores, box_scores=box_scores,
                        prompt_index=scores.argmax(axis=1), mask_maps=maps, canvas=embedding.canvas,
                        window=embedding.window)  # fmt: skip


def strongest(found: Found, params: GroundedSamParams) -> Found:
    """What is above the floor, the strongest first, and not more than is decoded."""
    boxes, box_scores, scores = found
    order = np.argsort(-box_scores, kind="stable")
    kept = order[box_scores[order] > params.candidate_floor][: params.max_candidates]
    return boxes[kept], box_scores[kept], scores[kept]


def _nothing(image: Image, prompt: Prompt) -> Evidence:
    """Evidence of an image in which the detector found nothing."""
    none = np.zeros(0, np.float32)
    return Evidence((image.shape[0], image.shape[1]), "logit", boxes=none.reshape(0, 4), box_scores=none,
                    scores=none.reshape(0, len(prompt.texts)), prompt_index=np.zeros(0, np.intp),
                    mask_maps=none.reshape(0, 1, 1))  # fmt: skip
