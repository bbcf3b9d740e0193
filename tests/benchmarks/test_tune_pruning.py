"""Trials that are given up early: they were worse indeed, they are counted, and what is kept is the same without it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from benchmarks.command import run_command
from benchmarks.tune import document
from benchmarks.tune.__main__ import app
from benchmarks.tune.candidates import Candidate, packed
from benchmarks.tune.crew import Crew
from benchmarks.tune.outcome import Outcome, search
from benchmarks.tune.planning import EARLY_SHARE, FEWEST_EARLY
from benchmarks.tune.surface import Place, Surface
from benchmarks.tune.task import Setting, Task
from benchmarks.tune.trial import Trying
from tests.benchmarks import tuning, tuning_more
from tests.benchmarks.tuned import made_task

GROUPS = EARLY_SHARE * FEWEST_EARLY
IMAGES = GROUPS + 2
"""Two of them are so alike that they are one group."""

ASKED: dict[str, Any] = {"trials": 24, "folds": 2, "fields": ("lens", "murk"), "span": 1.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuning.discs(tmp_path_factory.mktemp("d") / "d", IMAGES)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning_more.installed(monkeypatch, tmp_path)


def told(outcome: Outcome) -> dict[str, Any]:
    return tuning.told(json.dumps(document.document(outcome, None, Path())))


def searched(folder: Path, task: Task) -> tuple[Outcome, list[list[Any]]]:
    """The outcome, and the trials of each fold's study."""
    with Crew(task, 1) as crew:
        finder = tuning.finder(task, crew, folder)
        return search(finder), [finder.study(0, fold).trials for fold in range(task.folds)]


def test_what_is_given_up_is_worse_and_counted(tmp_path: Path, data: Path) -> None:
    task = tuning.task_of(data, "murky", **ASKED)
    outcome, studies = searched(tmp_path / "out", task)
    states = [[one.state for one in trials] for trials in studies]
    pruned = [one.count(TrialState.PRUNED) for one in states]
    assert sum(pruned) >= 6
    assert [len(one) for one in states] == [12, 12], "what is given up counts as a trial"
    assert len(outcome.candidates) == 24 - sum(pruned)
    said = told(outcome)
    assert (said["trials"], said["given_up"]) == (24, sum(pruned))
    assert [fold["tried"] for fold in said["best"]["folds"]] == [12, 12], "a choice is among these too"
    with Crew(task, 1) as crew:
        for fold, trials in enumerate(studies):
            whole = [one for one in outcome.candidates if one.fold == fold]
            for one in trials:
                if one.state == TrialState.PRUNED:
                    best = max(float(other.train or 0) for other in whole if other.number < one.number)
                    surface = crew.judge(task.setting(task.variants[0], one.params), swept=False)
                    assert float(surface.values(task.metric, (fold,))[0, 0]) < best


def test_what_is_given_up_costs_a_third_of_a_pass(tmp_path: Path, data: Path) -> None:
    task = tuning.task_of(data, "murky", **{**ASKED, "folds": 0})
    outcome, ((*trials,),) = searched(tmp_path / "out", task)
    assert len({task.group[name] for name in task.early}) == len(set(task.group.values())) // EARLY_SHARE
    looked = (tmp_path / "notes").read_text().splitlines()
    whole = {(one.params_whole["lens"], f"{one.params_whole['murk']:.6g}") for one in outcome.candidates}
    partly = {(one.params["lens"], f"{one.params['murk']:.6g}") for one in trials if one.state == TrialState.PRUNED}
    assert partly and not whole & partly
    for keys, images in ((whole, IMAGES), (partly, len(task.early))):
        for lens, murk in keys:
            first = 1 if (lens, murk) == ("fog", "0.5") else 0  # the planning's look
            assert looked.count(f"look {lens} {murk}") == images + first


def test_what_is_kept_is_the_same_without_giving_up(tmp_path: Path, data: Path) -> None:
    task = tuning.task_of(data, "murky", **{**ASKED, "fields": ("lens",)})
    kept, studies = searched(tmp_path / "with", task)
    assert any(one.state == TrialState.PRUNED for trials in studies for one in trials)
    plain, studies = searched(tmp_path / "without", replace(task, early=frozenset()))
    assert all(one.state == TrialState.COMPLETE for trials in studies for one in trials)
    assert kept.params == plain.params and kept.params["lens"] == "clear"
    assert kept.judged.value == plain.judged.value
    assert kept.judged.cv_value == plain.judged.cv_value
    assert [one.value for one in kept.judged.folds] == [one.value for one in plain.judged.folds]


def test_with_giving_up_more_trials_go_on_from_those_that_are_there(tmp_path: Path, data: Path) -> None:
    task = tuning.task_of(data, "murky", **ASKED)
    whole, studies = searched(tmp_path / "whole", task)
    searched(tmp_path / "parts", replace(task, trials=9))
    resumed, again = searched(tmp_path / "parts", task)
    assert told(resumed) == told(whole)
    assert [[(one.params, one.state, one.values) for one in trials] for trials in again] == [
        [(one.params, one.state, one.values) for one in trials] for trials in studies
    ]


def test_one_seed_saves_one_preset_with_trials_given_up(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    saved = []
    for out in ("one", "two"):
        monkeypatch.setattr(sys, "argv", ["tune", "murky", "--dataset", str(data), "--trials", "24", "--folds", "2", "--fields",
                                          "lens,murk", "--span", "1", "--jobs", "1", "--save", "mine", "--replace", "--out", out, "--json"])  # fmt: skip
        assert run_command(app) == 0
        said = json.loads(capfd.readouterr().out)
        assert said["trials"] == 24 and said["given_up"] > 0 and said["best"]["params"]["lens"] == "clear"
        files = [path for path in (tmp_path / "presets").iterdir() if path.suffix in (".yaml", ".csv")]
        saved.append({path.name: path.read_bytes() for path in files})
    assert saved[0] == saved[1] and len(saved[0]) == 2


def test_too_few_groups_or_times_give_nothing_up(tmp_path: Path, data: Path) -> None:
    few = tuning.task_of(tuning.discs(tmp_path / "few", GROUPS - 1), "murky", trials=4, folds=0)
    assert not few.early
    with Crew(few, 1) as crew:
        setting = few.setting(few.variants[0], {"lens": "mud"})
        assert not Trying(few, crew, few.variants[0], 0)._is_new(setting, [])
    timed = tuning.task_of(data, "murky", trials=4, folds=0, objective="miou,latency_ms")
    with Crew(timed, 1) as crew:
        assert not Trying(timed, crew, timed.variants[0], 0)._is_new(setting, [])


class Told:
    """A crew that was told the terms of each image.

    Args:
        task: whose images.
        terms: of all of them, ``(images, 2)``.
    """

    def __init__(self, task: Task, terms: np.ndarray) -> None:
        self.ids = sorted(task.fold)
        seen = np.array([name in task.early for name in self.ids])
        self.terms = np.where(seen[:, None], terms, 0.0)
        sums = np.zeros((task.folds, 2, 1, 1))
        for name, pair in zip(self.ids, self.terms, strict=True):
            sums[task.fold[name], :, 0, 0] += pair
        self.surface = Surface(sums, False, 0, 0, 0.0, 0.0)

    def judge(self, setting: Setting, *, swept: bool, early: bool) -> Surface:
        assert early and not swept
        return self.surface

    def at(self, places: Sequence[Place]) -> np.ndarray:
        return np.stack([self.terms for _ in places])


Hopeless = Callable[[np.ndarray, np.ndarray], bool]


def hopeless(objective: str, folds: int = 1, fold: int = 0) -> Hopeless:
    """Whether a trial of some terms is given up where the best so far has others; every third image is early."""
    task = made_task("classical", fields=("closing",), folds=folds, objective=objective)
    task = replace(task, early=frozenset(sorted(task.fold)[::3]))

    def ask(terms: np.ndarray, of_best: np.ndarray) -> bool:
        best = Candidate((), {}, {}, None, None, packed(np.stack([of_best, of_best])), 0, 0.0, 0.0)
        trying = Trying(task, Told(task, terms), task.variants[0], fold)  # type: ignore[arg-type]
        return trying._is_hopeless(task.setting(task.variants[0], {}), best, swept=False, sampled=True)

    return ask


def shares(values: np.ndarray) -> np.ndarray:
    return np.stack([np.broadcast_to(values, 30), np.ones(30)], axis=1)


def test_only_a_sure_lead_on_early_images_ends_a_trial() -> None:
    ask, chance = hopeless("miou"), np.random.default_rng(0)
    wavering = 0.5 + chance.normal(0, 0.1, 30)
    assert ask(shares(wavering - 0.3), shares(np.full(30, 0.5)))
    assert not ask(shares(wavering + 0.3), shares(np.full(30, 0.5)))
    assert not ask(shares(np.full(30, 0.5)), shares(np.full(30, 0.5))), "the same is not worse"
    ahead = wavering - wavering[::3].mean() + 0.5 + 1.5 * wavering[::3].std() / np.sqrt(9)
    assert not ask(shares(np.full(30, 0.5)), shares(ahead)), "1.5 standard errors are not enough"
    late = np.where(np.arange(30) % 3 == 0, 0.5, 0.0)
    assert not ask(shares(late), shares(np.full(30, 0.5))), "what was not looked at has no say"


def test_less_is_better_where_the_metric_says_so() -> None:
    ask = hopeless("miss_rate")
    worse, better = shares(np.where(np.arange(30) % 4 < 3, 1.0, 0.0)), shares(np.zeros(30))
    assert ask(worse, better) and not ask(better, worse)


def test_the_fold_that_a_study_does_not_see_has_no_say() -> None:
    """With three folds the early images are those of fold 0 alone: its own study sees none of them."""
    bad, good = shares(np.full(30, 0.1)), shares(np.full(30, 0.9))
    assert hopeless("miou", folds=3, fold=1)(bad, good)
    assert not hopeless("miou", folds=3, fold=0)(bad, good)


def test_an_early_image_on_which_a_trial_is_rightly_silent_counts_for_it() -> None:
    """Half of the pictures are empty: the best so far paints on them, the trial does not, and is far better for it."""
    empty = np.arange(30) % 2 == 0
    best = np.where(empty[:, None], [0.0, 100.0], [60.0, 100.0])
    trial = np.where(empty[:, None], [0.0, 0.0], [55.0, 100.0])
    assert trial.sum(axis=0)[0] / trial.sum(axis=0)[1] > best.sum(axis=0)[0] / best.sum(axis=0)[1]
    assert not hopeless("iou_pooled")(trial, best)
    assert hopeless("iou_pooled")(best, trial)
