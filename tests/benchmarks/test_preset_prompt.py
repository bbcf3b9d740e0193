"""A preset that names texts: they are asked for, unless the user asks for others, and every output says so."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plan
from benchmarks.command import run_command
from benchmarks.run import app
from benchmarks.selection import classes_of, prompt_of
from pipelines.presets import Provenance, preset_prompt, save_preset
from tests.benchmarks import tuning
from tests.conftest import ROOT

REASON = Provenance(source="a test")


@pytest.fixture(autouse=True)
def _presets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    save_preset(tuning.Wordy, "mine", {"threshold": 0.4}, REASON, prompt=["blue"])
    save_preset(tuning.Smooth, "mine", {"threshold": 0.4}, REASON, prompt=["blue"])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tuning.discs(tmp_path / "d", 4)


def planned(data: Path, pipelines: str, **request: Any) -> Any:
    return plan.plan(plan.Request(str(data), pipelines, device="cpu", **request))


def test_it_is_kept_with_the_preset() -> None:
    assert preset_prompt(tuning.Wordy, "mine") == ("blue",)
    assert preset_prompt(tuning.Wordy, "default") == ()


@pytest.mark.parametrize(("asked", "texts"), [((), ("blue",)), (("green",), ("green",))])
def test_it_is_asked_for_unless_the_user_asks_for_another(
    data: Path, asked: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    manifest, dataset = planned(data, "wordy@mine", prompts=asked)
    only = manifest.configurations[0]
    assert only.unavailable is None
    assert only.prompt == (() if asked else ("blue",))
    ask = prompt_of(manifest.dataset, dataset, frozenset(("text",)), only.prompt)
    assert {ask(sample).texts for sample in dataset} == {texts}


def test_a_pipeline_that_reads_no_text_is_not_asked(data: Path) -> None:
    manifest, _ = planned(data, "smooth@mine")
    assert manifest.configurations[0].prompt == ()


def test_it_stands_for_the_only_class(data: Path) -> None:
    manifest, _ = planned(data, "wordy@mine")
    about = manifest.dataset.model_copy(update={"class_names": ("coin",)})
    assert classes_of(about, ("blue",))(("blue",)) == ("coin",)
    assert classes_of(about)(("blue",)) is None


def test_runs_without_one_keep_their_key(data: Path) -> None:
    with_it, without = (planned(data, entry, prompts=("red",))[0] for entry in ("wordy@mine", "wordy:threshold=0.4"))
    assert with_it.configurations[0].prompt == without.configurations[0].prompt == ()
    asked, other = (planned(data, "wordy@mine", prompts=prompts)[0].run_id for prompts in ((), ("red",)))
    assert asked != other


def test_a_run_asks_for_it_and_marks_the_row(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), str(ROOT)]))
    options = ["--dataset", str(data), "--pipelines", "wordy@mine", "--budget-s", "1", "--device", "cpu", "--json"]
    monkeypatch.setattr(sys, "argv", ["run", *options])
    assert run_command(app) == 0
    (row,) = json.loads(capfd.readouterr().out)["rows"]
    assert "preset_prompt:blue" in row["flags"]
    looks = [line for line in Path("notes").read_text().splitlines() if line.startswith("look")]
    assert looks and all(line.endswith(" blue") for line in looks)
