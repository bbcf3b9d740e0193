"""A pipeline or the one that takes its place, and what it really ran with."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from benchmarks import loading
from benchmarks.records import Configuration, Loaded, RunManifest, WeightsRecord
from pipelines import registry
from pipelines.base import Pipeline
from pipelines.checkpoints.rmbg import CHECKPOINTS
from pipelines.errors import ContractError, UnavailableError
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prompt, Weights
from pipelines.weights import Located, stamp
from tests.benchmarks.pieces import manifest

GATED = Weights("hub", "big/gated", "custom", gated=True, commercial=False)
FREE = Weights("hub", "small/free", "MIT", commercial=True)


class PickyParams(Params):
    checkpoint: Literal["auto", "gated", "free"] = knob("auto", help="Which.", reads="load")


def weights_for(params: PickyParams) -> tuple[Weights, ...]:
    return (FREE,) if params.checkpoint == "free" else (GATED,)


def substitute(params: PickyParams) -> PickyParams | None:
    return PickyParams(checkpoint="free") if params.checkpoint == "auto" else None


class Picky(Pipeline):
    """Loads from a folder what is there."""

    info = PipelineInfo(name="picky", title="Picky", weights_for=weights_for, substitute=substitute)
    Params = PickyParams

    def _load(self) -> None:
        (wanted,) = weights_for(self.params)
        folder = Path(str(self.weights)) / wanted.repository
        if not folder.is_dir():
            raise UnavailableError(f"{wanted.repository} is not there.", f"Accept its licence at {wanted.page}.")
        self.loaded, self.dtype = (Located(wanted, folder),), "float32"

    def _infer(self, images: list[Image], prompts: list[Prompt], params: PickyParams) -> list[Evidence]:
        raise AssertionError("is not asked to")


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PIPELINES, "picky", f"{__name__}:Picky")


def configuration(folder: Path, checkpoint: str = "auto") -> Configuration:
    return Configuration(id="0", label="picky", pipeline="picky", preset="default", params={"checkpoint": checkpoint},
                         device="cpu", weights_from=str(folder))  # fmt: skip


def put(folder: Path, weights: Weights) -> None:
    (folder / weights.repository).mkdir(parents=True)


def test_what_can_be_had_is_loaded_and_nothing_stands_in(tmp_path: Path) -> None:
    put(tmp_path, GATED)
    put(tmp_path, FREE)
    _, ran = loading.load(configuration(tmp_path))
    assert [w.repo for w in ran.weights] == ["big/gated"]
    assert ran.substitute_for is None and ran.dtype == "float32"


def test_the_substitute_takes_its_place_and_that_is_said(tmp_path: Path) -> None:
    put(tmp_path, FREE)
    pipeline, ran = loading.load(configuration(tmp_path))
    assert [w.repo for w in ran.weights] == ["small/free"]
    assert ran.substitute_for == "big/gated"
    assert pipeline.params.checkpoint == "free"


def test_what_was_asked_for_by_name_is_never_replaced(tmp_path: Path) -> None:
    put(tmp_path, FREE)
    with pytest.raises(UnavailableError, match="big/gated is not there"):
        loading.load(configuration(tmp_path, "gated"))


def test_without_either_both_are_named_and_the_cure_is_of_the_first(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="big/gated is not there.*small/free is not there.*Accept its licence"):
        loading.load(configuration(tmp_path))


def ran_with(revision: str | None) -> Loaded:
    return Loaded(weights=(WeightsRecord(repo="a/b", revision=revision, licence="MIT", commercial=True),))


def test_a_run_goes_on_with_the_weights_it_began_with(tmp_path: Path) -> None:
    loading.settle(tmp_path, ran_with("a" * 40), begun=False)
    before = (tmp_path / loading.FILE).read_bytes()
    loading.settle(tmp_path, ran_with("a" * 40), begun=True)
    assert (tmp_path / loading.FILE).read_bytes() == before


@pytest.mark.parametrize("now", ["b" * 40, None])
def test_a_run_does_not_go_on_with_other_weights(tmp_path: Path, now: str | None) -> None:
    loading.settle(tmp_path, ran_with("a" * 40), begun=False)
    with pytest.raises(ContractError, match=r"weights changed since the run began with a/b a{40}.*--fresh"):
        loading.settle(tmp_path, ran_with(now), begun=True)


def test_a_run_that_did_not_note_its_weights_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / loading.FILE).write_text("{ torn")
    with pytest.raises(ContractError, match="something else"):
        loading.settle(tmp_path, ran_with(None), begun=True)


def run_of(one: Configuration) -> RunManifest:
    return manifest(one)


def write(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(content)


def test_stored_rows_are_of_the_weights_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: replace(one, files=("model.safetensors",)) for name, one in (("GATED", GATED), ("FREE", FREE))}
    for name, one in kept.items():
        monkeypatch.setitem(globals(), name, one)
    one, runs = configuration(tmp_path / "w"), tmp_path / "runs"
    write(tmp_path / "w" / FREE.repository, b"1")
    _, ran = loading.load(one)
    loading.settle(runs / one.id, ran, begun=False)
    assert ran.substitute_for and loading.outdated(runs, run_of(one)) == []
    path = tmp_path / "w" / FREE.repository / "model.safetensors"
    before = path.stat()
    path.write_bytes(b"2")  # one byte, of the same size, and the time set back
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert loading.outdated(runs, run_of(one)) == ["picky"]
    (tmp_path / "w" / FREE.repository / "model.safetensors").unlink()
    assert loading.outdated(runs, run_of(one)) == []  # gone: what is stored stays true
    write(tmp_path / "w" / GATED.repository, b"1")
    assert loading.outdated(runs, run_of(one)) == ["picky"]  # what stood in is no longer needed
    assert loading.outdated(tmp_path / "none", run_of(one)) == []


def test_another_form_of_the_same_weights_is_no_change(tmp_path: Path) -> None:
    """On CUDA the safetensors are loaded where a plan for a CPU prefers the ONNX file beside them."""
    torch_form = CHECKPOINTS["rmbg-2.0"].settings["forms"]["torch"]
    write(tmp_path / "w" / torch_form.repository, b"1")
    (tmp_path / "w" / torch_form.repository / "config.json").write_text("{}")
    write(tmp_path / "w" / torch_form.repository / "onnx", b"1")
    (tmp_path / "w" / torch_form.repository / "onnx" / "model.onnx").write_bytes(b"2")
    one = configuration(tmp_path / "w").model_copy(
        update={"pipeline": "rmbg", "params": {"engine": "auto", "checkpoint": "auto"}}
    )
    now = stamp(torch_form, str(tmp_path / "w"))
    assert now is not None
    ran = ran_with(None).model_copy(update={"stamps": {torch_form.repository: now}})
    runs = tmp_path / "runs"
    (runs / one.id).mkdir(parents=True)
    loading.settle(runs / one.id, ran, begun=False)
    assert loading.outdated(runs, run_of(one)) == []
    write(tmp_path / "w" / torch_form.repository, b"22")
    assert loading.outdated(runs, run_of(one)) == [one.label]
