"""The key of evidence changes with everything that decides it, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.evidence import Origin, evidence_key, key
from pipelines import create
from pipelines.base import Pipeline
from pipelines.classical import Classical
from pipelines.errors import ContractError
from pipelines.grounded_sam import GroundedSamParams
from pipelines.types import Prompt

IMAGE, PROMPT = "a" * 64, Prompt(("coin",))


@pytest.fixture(scope="module")
def clipseg(tiny_weights: Path) -> Pipeline:
    pipeline = create("clipseg", weights=tiny_weights)
    pipeline.load()
    return pipeline


def of(pipeline: Pipeline, image: str = IMAGE, prompt: Prompt = PROMPT, **fields: Any) -> str:
    params = pipeline.params.model_copy(update=fields)
    return evidence_key(Origin.of(pipeline), params, image, prompt)


def test_the_same_gives_the_same_key(clipseg: Pipeline, tiny_weights: Path) -> None:
    other = create("clipseg", weights=tiny_weights)
    other.load()
    assert of(clipseg) == of(other)
    assert len(of(clipseg)) == 64 and int(of(clipseg), 16) >= 0


def test_fields_that_decide_leave_the_key_and_others_change_it(clipseg: Pipeline) -> None:
    for name, value in (("threshold", 0.7), ("max_hole", 0.1), ("min_area", 0.2)):
        assert of(clipseg, **{name: value}) == of(clipseg), name
    for name, value in (("tile_size", 64), ("overlap", 0.5), ("dtype", "bfloat16"), ("checkpoint", "rd16")):
        assert of(clipseg, **{name: value}) != of(clipseg), name


def test_every_pipeline_says_of_each_field_whether_it_counts() -> None:
    origin = Origin("", frozenset())
    changed = {"box_threshold": 0.9, "text_threshold": 0.9, "nms_iou": 0.1, "max_boxes": 1, "mask_threshold": 2.0,
               "min_area": 0.5}  # fmt: skip
    plain = evidence_key(origin, GroundedSamParams(), IMAGE, PROMPT)
    assert evidence_key(origin, GroundedSamParams(**changed), IMAGE, PROMPT) == plain
    assert evidence_key(origin, GroundedSamParams(candidate_floor=0.1), IMAGE, PROMPT) != plain
    assert evidence_key(origin, GroundedSamParams(max_candidates=9), IMAGE, PROMPT) != plain


def test_picture_and_prompt_count(clipseg: Pipeline) -> None:
    keys = [of(clipseg), of(clipseg, image="b" * 64), of(clipseg, prompt=Prompt(("a coin",))),
            of(clipseg, prompt=Prompt(("coin", "coin")))]  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_a_prompt_that_the_pipeline_cannot_use_does_not_count(clipseg: Pipeline) -> None:
    classical = Classical()
    classical.load()
    assert of(classical, prompt=Prompt(("coin",))) == of(classical, prompt=Prompt())
    with_box = Prompt(("coin",), boxes=((0, 0, 5, 5),), points=((1, 2, 1),))
    assert of(clipseg, prompt=with_box) == of(clipseg)
    box, point = (Origin("", frozenset({kind})) for kind in ("box", "point"))
    for origin in (box, point):
        plain, shown = (evidence_key(origin, classical.params, IMAGE, p) for p in (PROMPT, with_box))
        assert plain != shown


def test_pipelines_differ(clipseg: Pipeline) -> None:
    classical = Classical()
    classical.load()
    assert Origin.of(classical).digest != Origin.of(clipseg).digest


@pytest.mark.parametrize("field", ["device", "dtype"])
def test_device_and_arithmetic_count(clipseg: Pipeline, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    before = of(clipseg)
    monkeypatch.setattr(clipseg, field, "other")
    assert of(clipseg) != before


@pytest.mark.parametrize("name", ["source_hashes", "versions"])
def test_sources_and_versions_count(clipseg: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = of(clipseg)
    monkeypatch.setattr(key, name, lambda _: {"torch": "0"})
    assert of(clipseg) != before


def test_weights_count_by_their_content_wherever_they_lie(
    clipseg: Pipeline, tiny_weights: Path, tmp_path: Path
) -> None:
    repository = clipseg.loaded[0].weights.repository
    shutil.copytree(tiny_weights / repository, tmp_path / repository)

    def key_there() -> str:
        with create("clipseg", weights=tmp_path) as pipeline:
            pipeline.load()
            return of(pipeline)

    assert key_there() == of(clipseg), "a copy of the same files"
    config = tmp_path / repository / "preprocessor_config.json"
    before = config.read_bytes()
    config.write_bytes(before + b"\n")
    assert key_there() != of(clipseg), "a configuration has no hash among those of the weights"
    config.write_bytes(before)
    weights = tmp_path / repository / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert key_there() != of(clipseg)


def test_weights_that_a_pipeline_does_not_report_count_by_their_place(tiny_weights: Path) -> None:
    class Listed(Classical):
        """Has weights that it does not report."""

    keys = []
    for where in (None, "random", tiny_weights):
        pipeline = Listed(weights=where)
        pipeline.load()
        keys.append(of(pipeline))
    assert len(set(keys)) == 3


def test_a_pipeline_that_is_not_loaded_has_no_key() -> None:
    with pytest.raises(ContractError, match="not loaded"):
        Origin.of(Classical())
