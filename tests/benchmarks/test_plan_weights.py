"""What a plan says of weights and places before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from benchmarks.plan import Request, plan, run_key
from benchmarks.records import Configuration
from pipelines import registry
from pipelines.base import Pipeline
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prompt, Weights

WEIGHTS = {
    "barred": Weights("hub", "big/barred", "CC-BY-NC-4.0", ("model.safetensors",), commercial=False),
    "unclear": Weights("hub", "odd/unclear", "custom", ("model.safetensors",), commercial=None),
    "free": Weights("hub", "small/free", "MIT", ("model.safetensors",), commercial=True, note="read the card"),
}


class ChoosyParams(Params):
    checkpoint: Literal["auto", "barred", "unclear", "free"] = knob("auto", help="Which.", reads="load")


def weights_for(params: ChoosyParams) -> tuple[Weights, ...]:
    return (WEIGHTS["barred" if params.checkpoint == "auto" else params.checkpoint],)


def substitute(params: ChoosyParams) -> ChoosyParams | None:
    return ChoosyParams(checkpoint="free") if params.checkpoint == "auto" else None


class Choosy(Pipeline):
    info = PipelineInfo(name="choosy", title="Choosy", weights_for=weights_for, substitute=substitute)
    Params = ChoosyParams

    def _load(self) -> None:
        raise AssertionError("a plan loads nothing")

    def _infer(self, images: list[Image], prompts: list[Prompt], params: ChoosyParams) -> list[Evidence]:
        raise AssertionError("a plan loads nothing")


class Clicked(Choosy):
    info = PipelineInfo(name="clicked", title="Clicked", prompts=frozenset({"point"}))


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PIPELINES, "choosy", f"{__name__}:Choosy")
    monkeypatch.setitem(registry.PIPELINES, "clicked", f"{__name__}:Clicked")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def planned(pipelines: str, **said: object) -> tuple[Configuration, ...]:
    return plan(Request(pipelines=pipelines, limit=2, **said))[0].configurations  # type: ignore[arg-type]


def folder_with(tmp_path: Path, *names: str) -> str:
    for name in names:
        path = tmp_path / WEIGHTS[name].repository
        path.mkdir(parents=True)
        (path / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    return str(tmp_path)


def test_weights_that_are_not_there_make_a_row_unavailable_before_anything_runs() -> None:
    (one,) = planned("choosy:checkpoint=free")
    assert one.unavailable is not None and "small/free" in one.unavailable


def test_random_weights_are_always_there() -> None:
    (one,) = planned("choosy", weights="random")
    assert one.unavailable is None and one.weights[0].repo == "big/barred"


@pytest.mark.parametrize(("repository", "files"), [
    ("briaai/RMBG-2.0", ("config.json", "model.safetensors")), ("briaai/RMBG-2.0", ("onnx/model.onnx",)),
    ("onnx-community/BiRefNet-ONNX", ("onnx/model.onnx",)),
])  # fmt: skip
def test_one_form_of_the_weights_is_enough(tmp_path: Path, repository: str, files: tuple[str, ...]) -> None:
    for name in files:
        path = tmp_path / repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    (one,) = planned("rmbg", weights=str(tmp_path))
    assert one.unavailable is None
    assert one.substitute_for == (None if repository.startswith("briaai") else "briaai/RMBG-2.0")


def test_the_substitute_takes_the_place_of_what_is_not_there(tmp_path: Path) -> None:
    (one,) = planned("choosy", weights=folder_with(tmp_path, "free"))
    assert (one.weights[0].repo, one.substitute_for, one.unavailable) == ("small/free", "big/barred", None)
    assert one.params["checkpoint"] == "free" and one.weights[0].note == "read the card"


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    (one,) = planned("choosy", weights=folder_with(tmp_path, "barred", "free"))
    assert (one.weights[0].repo, one.substitute_for) == ("big/barred", None)


def test_where_the_substitute_is_missing_too_the_first_is_named(tmp_path: Path) -> None:
    (one,) = planned("choosy", weights=str(tmp_path))
    assert one.unavailable is not None and "big/barred" in one.unavailable and one.substitute_for is None


def test_commercial_takes_the_substitute_and_leaves_out_what_has_none() -> None:
    rows = planned(
        "choosy,choosy:checkpoint=barred,choosy:checkpoint=unclear,classical", weights="random", commercial=True
    )
    assert (rows[0].weights[0].repo, rows[0].substitute_for, rows[0].unavailable) == ("small/free", "big/barred", None)
    assert "CC-BY-NC-4.0 of big/barred forbids" in str(rows[1].unavailable)
    assert "custom of odd/unclear does not clearly allow" in str(rows[2].unavailable)
    assert rows[3].unavailable is None


def test_points_of_the_masks_are_an_oracle_and_say_so() -> None:
    (embedded,), (texts,) = planned("clicked"), planned("clicked", prompt_from="text")
    assert embedded.oracle and embedded.unavailable is None
    assert "needs a point prompt" in str(texts.unavailable) and not texts.oracle


def test_where_prompts_come_from_is_part_of_the_run() -> None:
    keys = {
        run_key(plan(Request(pipelines="clicked", limit=2, prompt_from=source))[0])
        for source in (None, "points", "boxes")
    }
    assert len(keys) == 3
