"""Layers: what thresholds decide, held to the decision itself; none where a decision does more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import create
from pipelines._template import Brightness
from pipelines.base import Pipeline
from pipelines.errors import ParameterError
from pipelines.grounded_sam import GroundedSam, GroundedSamParams
from pipelines.layers import Layers
from pipelines.types import Evidence, Prediction, Prompt
from tests.pipelines.layered import CASES, KINDS, of_kind, seen

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, (60, 80, 3), np.uint8)
RANKS = (0.0, 0.125, 0.25, 0.3, 0.31640625, 0.5, 0.55, 0.75, 0.875, 1.0)
CUTS = {
    "threshold": (0.0, 1 / 256, 0.1, 0.25, 0.3, 0.4921875, 0.5, 0.50001, 0.75, 1.0),
    "mask_threshold": (-10.0, -3.3, -0.0625, 0.0, 0.0625, 0.7, 3.0, 10.0),
}
FIELDS = {
    "clipseg": ("threshold", True, None, False),
    "rmbg": ("threshold", True, None, False),
    "sam": ("mask_threshold", False, "min_score", True),
    "sam3": ("mask_threshold", False, "score_threshold", False),
    "grounded_sam": ("mask_threshold", False, "box_threshold", False),
}


@pytest.fixture(scope="module", params=list(CASES))
def one(request: pytest.FixtureRequest, tiny_weights: Path) -> Iterator[tuple[Pipeline, Evidence]]:
    with seen(request.param, tiny_weights) as found:
        yield found


def same(pipeline: Pipeline, evidence: Evidence, params: Any = None) -> int:
    """How many pairs of thresholds were compared, all of them equal."""
    params = pipeline.params if params is None else params
    layers = pipeline.layers(evidence, params)
    assert layers is not None
    pairs = [(cut, rank) for cut in CUTS[layers.cut] for rank in (RANKS if layers.rank else (None,))]
    for cut, rank in pairs:
        chosen = {layers.cut: cut} | ({layers.rank: rank} if layers.rank else {})
        decided = pipeline.decide(evidence, params.model_copy(update=chosen)).foreground()
        assert np.array_equal(layers.foreground(cut, rank), decided), chosen
    return len(pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_what_is_decided(one: tuple[Pipeline, Evidence], kind: str) -> None:
    pipeline, evidence = one
    assert same(pipeline, of_kind(evidence, kind)) >= 10


def test_layers_name_their_fields_and_fall_in_strength(one: tuple[Pipeline, Evidence]) -> None:
    pipeline, evidence = one
    layers = pipeline.layers(of_kind(evidence, "spread"))
    assert layers is not None and layers.size == evidence.size
    assert (layers.cut, layers.cut_inclusive, layers.rank, layers.rank_inclusive) == FIELDS[pipeline.info.name]
    assert (np.diff(layers.scores) <= 0).all()
    first, again = list(layers.maps()), list(layers.maps())
    assert len(first) == (len(layers.scores) if layers.rank else 1)
    assert all(a.dtype == np.float32 and np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_what_cleans_the_mask_leaves_no_layers(one: tuple[Pipeline, Evidence]) -> None:
    pipeline, evidence = one
    for name in {"max_hole", "min_area"} & set(pipeline.Params.model_fields):
        assert pipeline.layers(evidence, pipeline.params.model_copy(update={name: 0.01})) is None


def test_parameters_are_checked_as_for_a_decision(one: tuple[Pipeline, Evidence]) -> None:
    pipeline, evidence = one
    with pytest.raises(ParameterError, match="BrightnessParams"):
        pipeline.layers(evidence, Brightness().params)


def test_other_fields_of_the_decision_are_read(tiny_weights: Path) -> None:
    with seen("sam3", tiny_weights) as (pipeline, evidence):
        spread = of_kind(evidence, "planted")
        params = pipeline.params.model_copy(update={"presence_threshold": 0.4})
        assert same(pipeline, spread, params)
        assert 0 < len(pipeline.layers(spread, params).scores) < len(pipeline.layers(spread).scores)  # type: ignore[union-attr]


CLEAN = {"max_hole": 0.0, "opening": 0.0, "min_area": 0.0}


@pytest.mark.parametrize("instances", ["one", "components", "distance", "watershed"])
@pytest.mark.parametrize("method", ["border", "canny"])
def test_classical_has_layers_where_nothing_cleans(instances: str, method: str) -> None:
    image = np.full((90, 120, 3), 230, np.uint8)
    image[20:70, 30:60] = image[40:80, 55:100] = (120, 60, 20)
    image = (image - RANDOM.integers(0, 30, image.shape)).astype(np.uint8)
    with create("classical", params={**CLEAN, "instances": instances, "method": method}) as pipeline:
        assert same(pipeline, pipeline.infer([image], [Prompt()])[0])


@pytest.mark.parametrize("change", [{}, *({**CLEAN, **one} for one in (
    {"max_hole": 0.1}, {"opening": 0.1}, {"min_area": 0.1}, {"closing": 0.1}, {"largest": 1}, {"mask_kernel": 3},
    {"refill": True}))])  # fmt: skip
def test_classical_has_none_where_something_cleans(change: dict[str, Any]) -> None:
    with create("classical", params=change) as pipeline:
        assert pipeline.layers(pipeline.infer([IMAGE], [Prompt()])[0]) is None


def test_who_keeps_the_default_decision_has_layers_and_who_writes_one_has_none() -> None:
    class Own(Brightness):
        def _decide(self, evidence: Evidence, params: Any) -> Prediction:
            return Prediction.empty(*evidence.size)

    evidence = Brightness().infer([IMAGE], [Prompt()])[0]
    assert same(Brightness(), evidence)
    three = Evidence((45, 70), "logit", soft=RANDOM.normal(0, 2, (3, 12, 20)).astype(np.float32))
    assert same(Brightness(), three)
    three.soft[0, 3:5] = three.soft[2, 4:9] = np.nan
    assert same(Brightness(), three)
    assert Own().layers(evidence) is None


def test_scores_are_compared_in_their_own_precision() -> None:
    """0.3 is below its float32, and a decision compares in float32."""
    layers = Layers((1, 1), "cut", False, lambda: iter(()), "rank", False, np.array([0.3], np.float32))
    assert layers.passing(np.array([0.3])).tolist() == [0]
    assert (np.array([0.3], np.float32) > 0.3).tolist() == [False]


def boxes(rng: np.random.Generator, number: int) -> Evidence:
    """Crowded boxes with few different scores, so that many are alike, of three labels."""
    corner, extent = rng.integers(0, 12, (number, 2)), rng.integers(1, 14, (number, 2))
    scores = rng.integers(1, 8, (number, 3)).astype(np.float32) / 8
    own = scores.max(axis=1) if rng.random() < 0.5 else rng.integers(1, 8, number).astype(np.float32) / 8
    return Evidence((30, 30), "logit", boxes=np.hstack([corner, corner + extent]).astype(np.float32), scores=scores,
                    box_scores=own, prompt_index=scores.argmax(axis=1),
                    mask_maps=rng.normal(0, 2, (number, 8, 8)).astype(np.float32))  # fmt: skip


def test_what_a_box_threshold_keeps_is_the_head_of_what_none_keeps() -> None:
    rng, shortened = np.random.default_rng(4), 0
    for _ in range(300):
        evidence = boxes(rng, int(rng.integers(0, 25)))
        params = GroundedSamParams(candidate_floor=0, box_threshold=0, text_threshold=float(rng.choice([0, 0.3, 0.6])),
                                   nms_iou=float(rng.choice([0.0, 0.1, 0.3, 0.6, 1.0])),
                                   max_boxes=int(rng.choice([1, 3, 300])))  # fmt: skip
        layers = GroundedSam().layers(evidence, params)
        assert layers is not None
        shortened += 0 < len(layers.scores) < len(evidence.scores)
        for rank in (0, 0.125, 0.3, 0.5, 0.625, 0.9):
            decided = GroundedSam().decide(evidence, params.model_copy(update={"box_threshold": rank}))
            assert np.array_equal(layers.foreground(0, rank), decided.foreground())
    assert shortened > 100


def test_weak_layers_are_not_made_where_none_of_them_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, made = boxes(np.random.default_rng(5), 20), []
    layers = GroundedSam().layers(evidence, GroundedSamParams(nms_iou=1))
    assert layers is not None
    from pipelines import candidates

    whole = candidates.full_size_map
    monkeypatch.setattr(candidates, "full_size_map", lambda *given: made.append(1) or whole(*given))
    layers.foreground(0, 0.8)
    assert len(made) == int((layers.scores > 0.8).sum()) < len(layers.scores)
