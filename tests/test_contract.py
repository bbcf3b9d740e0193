"""What every registered pipeline must hold to, ours, the template and the plugin alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import create, names
from pipelines._template import Brightness
from pipelines.base import Pipeline
from pipelines.errors import ContractError, ParameterError, PromptError
from pipelines.params import Params, knobs
from pipelines.presets import preset, preset_names
from pipelines.registry import pipeline_class
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt

TEXT = Prompt(texts=("coin",), boxes=((0, 0, 1, 1),), points=((0, 0, 1),))
RANDOM = np.random.default_rng(0)
IMAGES = {
    "ordinary": RANDOM.integers(0, 256, (48, 64, 3), np.uint8),
    "1x1": np.full((1, 1, 3), 90, np.uint8),
    "odd": RANDOM.integers(0, 256, (313, 471, 3), np.uint8),
    "flat": RANDOM.integers(0, 256, (20, 3000, 3), np.uint8),
    "tall": RANDOM.integers(0, 256, (300, 1, 3), np.uint8),
    "black": np.zeros((40, 50, 3), np.uint8),
    "white": np.full((40, 50, 3), 255, np.uint8),
    "grey": np.repeat(RANDOM.integers(0, 256, (40, 50, 1), np.uint8), 3, axis=2),
}


ALL_BOXES = {"candidate_floor": 0.0, "box_threshold": 0.0, "text_threshold": 0.0, "max_candidates": 20}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "grounded_sam, owlv2 and sam": ("grounded_sam", {"detector": "owlv2-base", "segmenter": "sam-vit-base"}),
    "grounded_sam, mm-grounding-dino": ("grounded_sam", {"detector": "mm-grounding-dino-tiny", **ALL_BOXES}),
    "rmbg, birefnet": ("rmbg", {"checkpoint": "birefnet", "engine": "torch", "size": 64}),
    "rmbg, isnet": ("rmbg", {"checkpoint": "rmbg-1.4", "engine": "torch"}),
    "rmbg, u2net": ("rmbg", {"checkpoint": "u2net", "engine": "torch"}),
    "sam, vit": ("sam", {"checkpoint": "sam-vit-base"}),
    "clipseg, tiles": ("clipseg", {"tile_size": 64}),
}
"""Other networks of the same pipelines."""

OPEN = {"sam3": {"candidate_floor": 0.0, "score_threshold": 0.0}}
"""Where tiny random networks find next to nothing otherwise."""


@pytest.fixture(scope="module", params=[*names(), "template", *OTHERS])
def pipeline(request: pytest.FixtureRequest, tiny_weights: Path) -> Iterator[Pipeline]:
    """Loaded through the code that loads real weights, from tiny random ones."""
    name, params = OTHERS.get(request.param, (request.param, OPEN.get(request.param, {})))
    with Brightness() if name == "template" else create(name, weights=tiny_weights, params=params) as made:
        yield made


def test_something_is_found_at_all(pipeline: Pipeline) -> None:
    """Else the tests below would compare nothing with nothing."""
    for kind in ("ordinary", "odd", "grey") if pipeline.loaded else ():
        assert pipeline.predict([IMAGES[kind]], [TEXT])[0].foreground().any(), kind


def same_evidence(one: Evidence, other: Evidence) -> bool:
    """Whether two pieces of evidence agree within the rounding of a network that sees another batch."""
    one, other = one.to_host(), other.to_host()
    assert (one.size, one.kind, one.canvas, one.window) == (other.size, other.kind, other.canvas, other.window)
    pairs = [
        (getattr(one, name), getattr(other, name))
        for name in ("soft", "boxes", "scores", "box_scores", "prompt_index", "mask_maps", "presence")
    ]
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in pairs if a is not None or b is not None)


@pytest.mark.parametrize("kind", IMAGES)
def test_any_picture_gives_a_prediction_of_its_size(pipeline: Pipeline, kind: str) -> None:
    image = IMAGES[kind]
    prediction = pipeline.predict([image], [TEXT])[0]
    assert prediction.size == image.shape[:2]
    assert prediction.foreground().shape == image.shape[:2]
    assert prediction.masks.any(axis=(1, 2)).all()  # an empty mask is no instance


def test_batch_equals_single_calls_and_repeats_itself(pipeline: Pipeline) -> None:
    images = [IMAGES["ordinary"], IMAGES["odd"], IMAGES["grey"]]
    together = pipeline.infer(images, [TEXT] * 3)
    for image, evidence in zip(images, together, strict=True):
        alone = pipeline.infer([image], [TEXT])[0]
        assert same_evidence(alone, evidence)
        if not pipeline.loaded:  # with no network nothing may differ at all
            assert np.array_equal(pipeline.decide(alone).masks, pipeline.decide(evidence).masks)
        again = pipeline.decide(pipeline.infer([image], [TEXT])[0])
        assert np.array_equal(pipeline.decide(alone).masks, again.masks)


def test_what_is_loaded_is_what_was_declared(pipeline: Pipeline) -> None:
    declared = pipeline.info.weights_for(pipeline.params)
    assert tuple(located.weights for located in pipeline.loaded) == declared
    assert (pipeline.dtype is None) == (not declared)


def test_several_texts_are_told_apart_by_their_place(pipeline: Pipeline) -> None:
    texts = ("coin", "a very long text " * 50, "Münze, монета, 硬币", *(f"thing {i}" for i in range(37)))
    if "text" in pipeline.info.prompts:
        prediction = pipeline.predict([IMAGES["ordinary"]], [Prompt(texts)])[0]
        assert all(0 <= label < len(texts) for label in prediction.labels)


def test_decide_sees_no_pixels_and_can_be_repeated(pipeline: Pipeline) -> None:
    image = IMAGES["ordinary"].copy()
    evidence = pipeline.infer([image], [TEXT])[0].to_host()
    before = pipeline.decide(evidence)
    image[:] = 0
    assert np.array_equal(pipeline.decide(evidence).masks, before.masks)


def test_pictures_are_not_written_to(pipeline: Pipeline) -> None:
    image = IMAGES["odd"].copy()
    pipeline.predict([image], [TEXT])
    assert np.array_equal(image, IMAGES["odd"])


def test_cache_changes_no_mask(pipeline: Pipeline) -> None:
    image = IMAGES["odd"]
    plain = pipeline.predict([image], [TEXT])[0]
    pipeline.cache.max_bytes = 10**8
    try:
        for _ in range(2):
            assert np.array_equal(pipeline.predict([image], [TEXT])[0].masks, plain.masks)
    finally:
        pipeline.cache.max_bytes = 0
        pipeline.cache.clear()


def test_stages_are_timed_and_sum_to_less_than_the_wall(pipeline: Pipeline) -> None:
    pipeline.predict([IMAGES["odd"]], [TEXT])
    assert "decide" in pipeline.clock.seconds
    assert len(pipeline.clock.seconds) >= 2
    assert all(seconds >= 0 for seconds in pipeline.clock.seconds.values())


def test_dense_map_is_a_probability(pipeline: Pipeline) -> None:
    evidence = pipeline.infer([IMAGES["ordinary"]], [TEXT])[0].to_host()
    if evidence.soft is not None and evidence.kind == "probability":
        assert evidence.soft.ndim == 3
        assert 0 <= evidence.soft.min() <= evidence.soft.max() <= 1


def test_wrong_input_is_refused(pipeline: Pipeline) -> None:
    for image in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ContractError, match="uint8"):
            pipeline.predict([image], [TEXT])
    with pytest.raises(ContractError, match="1 images came with 0 prompts"):
        pipeline.predict([IMAGES["1x1"]], [])


def test_a_prompt_that_is_needed_and_missing_is_refused(pipeline: Pipeline) -> None:
    if pipeline.info.prompts:
        with pytest.raises(PromptError, match="--prompt"):
            pipeline.predict([IMAGES["1x1"]], [Prompt()])
    else:
        assert pipeline.predict([IMAGES["1x1"]], [Prompt()])[0].size == (1, 1)


def test_close_can_be_followed_by_another_call(pipeline: Pipeline) -> None:
    before = pipeline.predict([IMAGES["ordinary"]], [TEXT])[0]
    pipeline.close()
    assert np.array_equal(pipeline.predict([IMAGES["ordinary"]], [TEXT])[0].masks, before.masks)


@pytest.mark.parametrize("name", names())
def test_declaration_is_complete(name: str) -> None:
    found = pipeline_class(name)
    assert found.info.name == name
    assert found.info.title
    assert found.info.reference
    assert json.dumps(dict(found.info.to_json()))
    for knob in knobs(found.Params):
        assert knob.help.endswith("."), knob.name
        assert knob.kind in ("bool", "choice", "text") or knob.low is not None, f"{knob.name} has no lower bound"
    assert isinstance(found.info.weights_for(found.Params()), tuple)


@pytest.mark.parametrize(("name", "chosen"), [(n, p) for n in names() for p in preset_names(pipeline_class(n))])
def test_presets_are_valid_and_say_where_they_come_from(name: str, chosen: str) -> None:
    params, provenance = preset(pipeline_class(name), chosen)
    assert isinstance(params, Params)
    assert provenance.source


class _Wrong(Pipeline):
    info = PipelineInfo(name="wrong", title="Wrong")
    Params = Params
    evidence: list[Evidence] = []
    prediction = Prediction.empty(4, 4)

    def _load(self) -> None:
        """Nothing to load."""

    def _infer(self, images: list[Image], prompts: list[Prompt], params: Params) -> list[Evidence]:
        return self.evidence

    def _decide(self, evidence: Evidence, params: Params) -> Prediction:
        return self.prediction


@pytest.mark.parametrize("evidence", [[], [Evidence((9, 9))], [Evidence((4, 4))] * 2])
def test_a_subclass_that_returns_the_wrong_evidence_is_told(evidence: list[Evidence]) -> None:
    wrong = _Wrong()
    wrong.evidence = evidence
    with pytest.raises(ContractError, match="wrong must return"):
        wrong.infer([np.zeros((4, 4, 3), np.uint8)], [Prompt()])


def test_a_subclass_that_returns_masks_of_another_size_is_told() -> None:
    with pytest.raises(ContractError, match=r"masks of size \(5, 5\)"):
        _Wrong().decide(Evidence((5, 5)))


def test_parameters_of_another_pipeline_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"Give pipelines\._template\.BrightnessParams"):
        Brightness(_Wrong.Params())
