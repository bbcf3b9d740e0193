"""Pipelines that fail while they are tuned: failed images count as wrong, a worker that ends is told of at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.tune.crew import Crew
from benchmarks.tune.outcome import search
from pipelines.errors import ContractError, ResourceError, WorkbenchError
from tests.benchmarks import tuning


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tuning.discs(tmp_path / "d")


@pytest.mark.parametrize("jobs", [1, 2])
def test_images_that_fail_count_as_wrong(tmp_path: Path, data: Path, jobs: int) -> None:
    outcome = tuning.tuned(tmp_path / "out", data, "smooth:fault=odd", jobs=jobs, trials=6, folds=2, objective="dice")
    whole = tuning.tuned(tmp_path / "whole", data, "smooth", trials=6, folds=2, objective="dice")
    assert {one.errors for one in outcome.candidates} == {3}
    assert outcome.judged.start is not None and whole.judged.start is not None
    assert 0 < outcome.judged.start < whole.judged.start
    assert outcome.judged.value is not None and outcome.judged.value <= 0.5


def test_a_pipeline_that_fails_on_all_images_is_not_tuned(tmp_path: Path, data: Path) -> None:
    with pytest.raises(
        ContractError, match="fails on every image of d, on the first with RuntimeError: the bulb is broken"
    ):
        tuning.tuned(tmp_path / "out", data, "smooth:fault=all", trials=4, folds=2)


def test_a_pipeline_that_fails_on_the_first_image_is_swept_all_the_same(tmp_path: Path, data: Path) -> None:
    for part in ("images", "masks"):
        (data / part / "d00.png").rename(data / part / "z.png")
    outcome = tuning.tuned(tmp_path / "out", data, "smooth:fault=odd", trials=6, folds=2)
    assert outcome.task.swept == ("threshold",)
    assert {one.errors for one in outcome.candidates} == {3}
    assert len(outcome.curves) == 1


def test_a_pipeline_that_fails_while_deciding_fails_on_that_image(tmp_path: Path, data: Path) -> None:
    outcome = tuning.tuned(tmp_path / "out", data, "smooth:refuse=true", trials=4, folds=2)
    assert outcome.judged.chosen is None
    assert outcome.judged.value == 0.0
    assert {one.errors for one in outcome.candidates} == {6}


def test_evidence_that_is_no_number_is_no_foreground(tmp_path: Path, data: Path) -> None:
    outcome = tuning.tuned(tmp_path / "out", data, "smooth:fault=nan", trials=4, folds=2)
    assert outcome.judged.value == 0.0


@pytest.mark.parametrize(("fault", "error", "words"), [
    ("killed", ResourceError, "was killed"), ("exit", ContractError, "ended with 7"), ("memory", ResourceError, "Memory"),
])  # fmt: skip
def test_a_worker_that_dies_is_told_of_and_what_is_finished_stays(
    tmp_path: Path, data: Path, fault: str, error: type[WorkbenchError], words: str
) -> None:
    """The first picture is fine, so that the planning, which looks at that one alone, finds nothing."""
    task = tuning.task_of(data, f"smooth:fault={fault}", trials=4, folds=2)
    with pytest.raises(error, match=words), Crew(task, 2) as crew:
        search(tuning.finder(task, crew, tmp_path / "out"))


def test_memory_that_ends_in_this_process_is_told_of(tmp_path: Path, data: Path) -> None:
    with pytest.raises((MemoryError, ResourceError)):
        tuning.tuned(tmp_path / "out", data, "smooth:fault=memory", trials=4, folds=2)


def test_a_worker_that_dies_in_a_trial_loses_that_trial_alone(tmp_path: Path, data: Path) -> None:
    task = tuning.task_of(data, "smooth", trials=12, folds=2)
    with Crew(task, 2) as crew:
        finder, said = tuning.finder(task, crew, tmp_path / "out"), list[str]()
        finder.report = lambda line: (said.append(line), len(said) == 4 and crew.members[1].process.kill())  # type: ignore[assignment, return-value, union-attr]
        with pytest.raises(ResourceError):
            search(finder)
    outcome = tuning.tuned(tmp_path / "out", data, "smooth", trials=12, folds=2)
    assert len(said) == 4
    assert len(outcome.candidates) == 12
    whole = tuning.tuned(tmp_path / "whole", data, "smooth", trials=12, folds=2)
    assert [one.params_whole for one in outcome.candidates] == [one.params_whole for one in whole.candidates]
