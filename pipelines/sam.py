"""SAM and SAM 2.1: boxes and clicks to masks; the picture is embedded once, and its objects are decoded together.

What a prompt means: each box is one object. A positive point (label 1) inside a box refines the smallest box that holds
it. Other positive points are an object each, or all together one object, as the field `points` says. Negative points
(label 0) go to every object. Objects of as many points are decoded in one call, which is one call for most prompts.

The evidence holds a mask map of logits and a predicted IoU for each object: those of the boxes in their order, then
those of the points. It holds no boxes: those of the prediction are drawn around its masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from pipelines.base import Pipeline
from pipelines.candidates import prediction_of
from pipelines.checkpoints.segmenters import CHECKPOINTS
from pipelines.errors import PromptError
from pipelines.layers import Layers, of_candidates
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt
from pipelines.weights import locate

if TYPE_CHECKING:
    from pipelines.networks.segmenters import Decoded, Embedding, Segmenter

Point = tuple[float, float, int]
Box = tuple[float, float, float, float]
Rule = Literal["each_object", "one_object"]


class SamParams(Params):
    """Parameters of `Sam`."""

    checkpoint: str = knob("sam2.1-hiera-tiny", choices=CHECKPOINTS, reads="load", group="network",
        help="Published weights.")  # fmt: skip
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob("auto", reads="load", group="network",
        help="Arithmetic; auto = bfloat16 on CUDA and float32 on a CPU.")  # fmt: skip

    points: Rule = knob("each_object", reads="infer", search=False, group="prompt",
        help="Whether each positive point outside the boxes is an object, or all of them together are "
             "one.")  # fmt: skip

    min_score: float = knob(0.0, reads="decide", ge=0, le=1, step=0.01, group="mask",
        help="Objects of which the network predicts a smaller IoU than this are dropped.")  # fmt: skip
    mask_threshold: float = knob(0.0, reads="decide", ge=-10, le=10, step=0.1, group="mask",
        help="Logit above which a pixel is of the object; 0 = a probability of 0.5.")  # fmt: skip
    min_area: float = knob(0.0, reads="decide", ge=0, le=1, search=False, group="mask",
        help="Masks below this share of the picture are dropped; 0 = only empty ones.")  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One object that is asked for: a box, points, or both."""

    points: tuple[Point, ...]
    box: Box | None

    @property
    def form(self) -> tuple[bool, int]:
        """What it has to share with others to be decoded in one call with them."""
        return self.box is None, len(self.points)


class Sam(Pipeline):
    """Segmentation of what boxes and points show, by SAM or SAM 2.1."""

    info = PipelineInfo(
        name="sam",
        title="SAM 2.1 (boxes, clicks)",
        prompts=frozenset({"box", "point"}),
        devices=("cpu", "cuda"),
        reference="Kirillov et al., Segment Anything, ICCV 2023; Ravi et al., SAM 2, 2024; "
        "https://github.com/facebookresearch/sam2",
        weights_for=lambda params: (CHECKPOINTS[params.checkpoint].weights,),
    )
    Params = SamParams
    _segmenter: Segmenter | None = None

    def _load(self) -> None:
        checkpoint = CHECKPOINTS[self.params.checkpoint]
        located = locate(checkpoint.weights, self.weights)
        from pipelines.networks.pretrained import precision
        from pipelines.networks.segmenters import Segmenter

        dtype = precision(self.params.dtype, self.device)
        self._segmenter = Segmenter.load(checkpoint, located, device=self.device, dtype=dtype)
        self._segmenter.flags = self.flags
        self.loaded, self.dtype = (located,), str(dtype).removeprefix("torch.")

    def _infer(self, images: list[Image], prompts: list[Prompt], params: SamParams) -> list[Evidence]:
        from pipelines.networks.segmenters_cache import embedded

        asked = [
            targets(prompt, (image.shape[0], image.shape[1]), params.points)
            for image, prompt in zip(images, prompts, strict=True)
        ]
        embeddings = embedded(self._embedded, images, self.cache, self.flags)
        with self.clock.stage("decode"):
            return [self._decoded(*pair) for pair in zip(embeddings, asked, strict=True)]

    def _embedded(self, images: Sequence[Image]) -> list[Embedding]:
        assert self._segmenter is not None, "infer loads first"
        with self.clock.stage("preprocess"):
            inputs = self._segmenter.preprocess(images)
        with self.clock.stage("embed"):
            return self._segmenter.encode(inputs)

    def _decoded(self, embedding: Embedding, asked: list[Target]) -> Evidence:
        import torch

        order = sorted(range(len(asked)), key=lambda i: asked[i].form)
        alike = [list(group) for _, group in groupby(order, key=lambda i: asked[i].form)]
        parts = [self._decode(embedding, [asked[i] for i in group]) for group in alike]
        back = torch.tensor(order, device=parts[0][0].device).argsort()
        logits, ious = torch.cat([part[0] for part in parts])[back], torch.cat([part[1] for part in parts])[back]
        scores: Any = ious[:, None].clamp(0, 1)
        maps: Any = logits
        if self.device == "cpu":
            scores, maps = scores.numpy(), maps.numpy()
        return Evidence(embedding.size, kind="logit", scores=scores, mask_maps=maps, canvas=embedding.canvas,
                        window=embedding.window, prompt_index=np.zeros(len(asked), np.int64))  # fmt: skip

    def _decode(self, embedding: Embedding, alike: list[Target]) -> Decoded:
        assert self._segmenter is not None, "infer loads first"
        points = [target.points for target in alike] if alike[0].points else None
        boxes = None if alike[0].box is None else [target.box for target in alike]
        alone = boxes is None and points is not None and all(len(of) == 1 for of in points)
        return self._segmenter.decode(embedding, points=points, boxes=boxes, ambiguous=alone)

    def _decide(self, evidence: Evidence, params: SamParams) -> Prediction:
        scores = _scores(evidence)
        keep = np.flatnonzero(scores >= params.min_score)
        min_area = int(np.ceil(params.min_area * evidence.size[0] * evidence.size[1]))
        return prediction_of(evidence, keep, scores[keep], np.zeros(len(keep), np.int64),
                             threshold=params.mask_threshold, min_area=min_area)  # fmt: skip

    def _layers(self, evidence: Evidence, params: SamParams) -> Layers | None:
        if params.min_area:
            return None
        scores = _scores(evidence)
        order = np.argsort(-scores, kind="stable")
        return of_candidates(evidence, order, scores[order], rank="min_score", rank_inclusive=True)

    def _close(self) -> None:
        self._segmenter = None


def _scores(evidence: Evidence) -> npt.NDArray[np.float32]:
    """Predicted IoU ``(K,)`` of each object; the maps stay where they are."""
    scores = evidence.scores[:, 0]
    return np.asarray(scores if isinstance(scores, np.ndarray) else scores.float().cpu().numpy())


def targets(prompt: Prompt, size: tuple[int, int], rule: Rule) -> list[Target]:
    """The objects that a prompt asks for: its boxes in their order, then what its points add.

    Args:
        prompt: its boxes and points; its texts are not read.
        size: ``(H, W)`` of the image.
        rule: what positive points outside of the boxes are.

    Raises:
        PromptError: a point or a box outside of the image, or negative points alone.
    """
    _check(prompt, size)
    inside = [point for point in prompt.points if point[2] == 1]
    outside = tuple(point for point in prompt.points if point[2] != 1)
    home = {point: _smallest_box_around(point, prompt.boxes) for point in inside}
    boxed = [Target((*(p for p in inside if home[p] == box), *outside), box) for box in prompt.boxes]
    free = tuple(point for point in inside if home[point] is None)
    groups = [free] if rule == "one_object" and free else [(point,) for point in free]
    found = [*boxed, *(Target((*group, *outside), None) for group in groups)]
    if not found:
        raise PromptError("There are only negative points.", "Give a positive point (label 1) or a box too.")
    return found


def _smallest_box_around(point: Point, boxes: Sequence[Box]) -> Box | None:
    x, y, _ = point
    around = [box for box in boxes if box[0] <= x <= box[2] and box[1] <= y <= box[3]]
    return min(around, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), default=None)


def _check(prompt: Prompt, size: tuple[int, int]) -> None:
    height, width = size
    lost: Iterator[Point | Box] = (p for p in prompt.points if not (0 <= p[0] <= width and 0 <= p[1] <= height))
    missed: Iterator[Point | Box] = (
        b for b in prompt.boxes if b[0] >= width or b[1] >= height or b[2] <= 0 or b[3] <= 0
    )
    for what, wrong in (("point", next(lost, None)), ("box", next(missed, None))):
        if wrong is not None:
            raise PromptError(
                f"The {what} {wrong} lies outside of the image of {width} x {height} pixels.",
                "Give pixels of the upright image, x first.",
            )
    for point in prompt.points:
        if point[2] not in (0, 1):
            raise PromptError(f"The point {point} has the label {point[2]}.", "Give 1 (inside) or 0 (outside).")
