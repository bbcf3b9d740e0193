"""GroundedSAM: a detector finds boxes by text, a segmenter makes a mask of each; the two are chosen apart.

Two engines: "transformers" looks once for all labels; "autodistill" runs the networks of the seed's library as it does.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from pydantic import model_validator

from pipelines.base import Pipeline
from pipelines.boxes import Floats, Indices, suppressed
from pipelines.candidates import prediction_of
from pipelines.checkpoints import autodistill
from pipelines.checkpoints.detectors import CHECKPOINTS as DETECTORS
from pipelines.checkpoints.segmenters import CHECKPOINTS as SEGMENTERS
from pipelines.layers import Layers, of_candidates
from pipelines.params import Params, knob
from pipelines.stages import StageClock
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt, Weights
from pipelines.weights import Located, locate


class GroundedSamParams(Params):
    """Parameters of `GroundedSam`. The thresholds are those of GroundingDINO's own demonstration."""

    floor = ("candidate_floor", "box_threshold")

    engine: Literal["transformers", "autodistill"] = knob("transformers", reads="load", group="network",
        help="What runs the networks; autodistill has its own two and reads neither of the next three "
             "fields.")  # fmt: skip
    detector: str = knob("grounding-dino-tiny", choices=DETECTORS, reads="load", group="network",
        help="Published weights that find boxes; OWLv2 wants the thresholds of the preset owlv2.")  # fmt: skip
    segmenter: str = knob("sam2.1-hiera-tiny", choices=SEGMENTERS, reads="load", group="network",
        help="Published weights that make masks of boxes.")  # fmt: skip
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob("auto", reads="load", group="network",
        help="Arithmetic; auto = bfloat16 on CUDA and float32 on a CPU.")  # fmt: skip

    candidate_floor: float = knob(0.35, reads="infer", ge=0, le=1, step=0.01, search=False, group="boxes",
        help="Score above which a box is turned into a mask at all; thresholds can be moved above it at no "
             "inference.")  # fmt: skip
    max_candidates: int = knob(300, reads="infer", ge=1, le=900, search=False, group="boxes",
        help="Not more than this many boxes are turned into masks, the strongest first.")  # fmt: skip

    box_threshold: float = knob(0.35, reads="decide", ge=0, le=1, step=0.01, group="boxes",
        help="Score above which a box is kept.")  # fmt: skip
    text_threshold: float = knob(0.25, reads="decide", ge=0, le=1, step=0.01, group="boxes",
        help="Score above which its best label must lie.")  # fmt: skip
    nms_iou: float = knob(0.8, reads="decide", ge=0, le=1, step=0.01, group="boxes",
        help="Of two boxes of one label that overlap more, the weaker goes; 1 keeps all.")  # fmt: skip
    max_boxes: int = knob(300, reads="decide", ge=1, le=900, search=False, group="boxes",
        help="Not more than this many boxes are kept, the strongest first.")  # fmt: skip
    mask_threshold: float = knob(0.0, reads="decide", ge=-10, le=10, step=0.1, group="mask",
        help="Logit above which a pixel is of the object; 0 = a probability of 0.5.")  # fmt: skip
    min_area: float = knob(0.0, reads="decide", ge=0, le=1, search=False, group="mask",
        help="Masks below this share of the picture are dropped; 0 = only empty ones.")  # fmt: skip

    @model_validator(mode="after")
    def _floor_lies_below(self) -> GroundedSamParams:
        if self.box_threshold < self.candidate_floor:
            raise ValueError(
                f"box_threshold {self.box_threshold:g} lies below candidate_floor {self.candidate_floor:g}, and no box "
                "is decoded below that"
            )
        return self


class Engine(Protocol):
    """What runs the networks."""

    loaded: tuple[Located, ...]
    dtype: str

    def evidence(self, images: list[Image], prompts: list[Prompt], params: Any, clock: StageClock,
                 flags: set[str]) -> list[Evidence]:  # fmt: skip
        """Candidates of each image above the floor, with their mask maps."""


def weights_for(params: GroundedSamParams) -> tuple[Weights, ...]:
    """What the parameters load."""
    if params.engine == "autodistill":
        return autodistill.weights()
    return DETECTORS[params.detector].weights, SEGMENTERS[params.segmenter].weights


class GroundedSam(Pipeline):
    """Segmentation of what texts name.

    The evidence holds every candidate above the floor with a mask map of logits, so that all thresholds, the
    suppression of overlapping boxes and the number of boxes are decisions. Masks are united, never averaged.
    """

    info = PipelineInfo(
        name="grounded_sam",
        title="GroundedSAM (text to boxes to masks)",
        prompts=frozenset({"text"}),
        devices=("cpu", "cuda"),
        reference="Ren et al., Grounded SAM, 2024, arXiv 2401.14159; https://github.com/IDEA-Research/Grounded-SAM-2",
        weights_for=weights_for,
    )
    Params = GroundedSamParams
    _engine: Engine | None = None

    def _load(self) -> None:
        self._engine = self._autodistill() if self.params.engine == "autodistill" else self._transformers()
        self.loaded, self.dtype = self._engine.loaded, self._engine.dtype
        if self.loaded[0].random:
            self.flags.add("random_boxes")

    def _transformers(self) -> Engine:
        boxes, masks = (locate(weights, self.weights) for weights in weights_for(self.params))
        from pipelines.networks.grounded import TransformersEngine

        return TransformersEngine.load((boxes, masks), device=self.device, params=self.params, cache=self.cache)

    def _autodistill(self) -> Engine:
        from pipelines.networks.autodistill import AutodistillEngine

        return AutodistillEngine.load(where=self.weights, device=self.device, params=self.params)

    def _infer(self, images: list[Image], prompts: list[Prompt], params: GroundedSamParams) -> list[Evidence]:
        assert self._engine is not None, "infer loads first"
        return self._engine.evidence(images, prompts, params, self.clock, self.flags)

    def _decide(self, evidence: Evidence, params: GroundedSamParams) -> Prediction:
        keep, scores = _kept(evidence, params, params.box_threshold)
        min_area = int(np.ceil(params.min_area * evidence.size[0] * evidence.size[1]))
        return prediction_of(evidence, keep, scores, np.asarray(evidence.prompt_index)[keep],
                             threshold=params.mask_threshold, min_area=min_area)  # fmt: skip

    def _layers(self, evidence: Evidence, params: GroundedSamParams) -> Layers | None:
        """What a box threshold keeps is the head of what none keeps: a box is only suppressed by stronger ones."""
        if params.min_area:
            return None
        keep, scores = _kept(evidence, params, -np.inf)
        return of_candidates(evidence, keep, scores, rank="box_threshold")

    def _close(self) -> None:
        self._engine = None


def _kept(evidence: Evidence, params: GroundedSamParams, box_threshold: float) -> tuple[Indices, Floats]:
    """Candidates that a box threshold and the other fields leave, the strongest first, and their scores."""
    boxes, scores = np.asarray(evidence.boxes), np.asarray(evidence.scores)
    labels, of_label = np.asarray(evidence.prompt_index), scores.max(axis=1, initial=0)
    of_box = of_label if evidence.box_scores is None else np.asarray(evidence.box_scores)
    able = np.flatnonzero((of_box > box_threshold) & (of_label > params.text_threshold))
    keep = able[suppressed(boxes[able], of_box[able], labels[able], params.nms_iou)][: params.max_boxes]
    return keep, of_box[keep]
