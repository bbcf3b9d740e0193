"""The search: every study asks for proposals, the crew judges them, and what comes of it is kept with the trial."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.tune import storage
from benchmarks.tune.candidates import RESULT, Candidate, read
from benchmarks.tune.crew import Crew
from benchmarks.tune.task import Task
from benchmarks.tune.trial import Trying

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

MOVES_ALL = 4
"""Every so manieth trial moves the fields that need a new pass over the images; the others keep the best so far."""

MOVED = 6
"""Fields that a trial moves at most, drawn anew each time; of dozens moved at once hardly one trial is any good."""

POLL_S = 0.1

Report = Callable[[str], None]


@dataclass
class Search:
    """Goes through the studies of a task, one after the other.

    Attributes:
        task: what is searched.
        crew: judges.
        kept: where the studies are.
        deadline: monotonic seconds at which no new trial begins.
        report: told in one line what each trial came to.
        seen: candidates that were read before, by study and number.
    """

    task: Task
    crew: Crew
    kept: BaseStorage
    deadline: float
    report: Report
    seen: dict[tuple[str, int], Candidate] = field(default_factory=dict, repr=False)

    def run(self) -> None:
        """Do what no process has done."""
        studies = list(self.task.studies())
        for index, (variant, fold) in enumerate(studies):
            share = (self.deadline - monotonic()) / (len(studies) - index)
            self._study(variant, fold, monotonic() + share)

    def study(self, variant: int, fold: int) -> Study:
        """The study that does not see a fold."""
        import optuna

        quality: Literal["maximize", "minimize"] = "maximize" if self.task.sign > 0 else "minimize"
        return optuna.create_study(storage=self.kept, study_name=f"{self.task.key()}-{variant}-{fold}",
                                   directions=[quality, "minimize"] if self.task.timed else [quality],
                                   load_if_exists=True)  # fmt: skip

    def candidates(self) -> tuple[Candidate, ...]:
        """Of all studies."""
        return tuple(one for variant, fold in self.task.studies()
                     for one in read(self.study(variant, fold).get_trials(deepcopy=False), variant, fold))  # fmt: skip

    def _study(self, variant: int, fold: int, until: float) -> None:
        study, quota = self.study(variant, fold), self.task.quota(variant, fold)
        trying = Trying(self.task, self.crew, self.task.variants[variant], fold)
        while monotonic() < until:
            trials = study.get_trials(deepcopy=False)
            begun = _counted(trials)
            if any(map(storage.is_unsigned, trials)) or (len(begun) >= quota and any(map(storage.is_here, begun))):
                sleep(POLL_S)  # who works on it is about to tell what it came to, or will be seen to have ended
            elif len(begun) >= quota:
                break
            else:
                self._trial(study, trying, quota)
        _bury(study)

    def _trial(self, study: Study, trying: Trying, quota: int) -> None:
        """Make one trial, unless others have begun the last that were wanted."""
        from optuna.trial import TrialState

        trial = study.ask()
        with storage.told(study, trial.number):
            trial.set_user_attr("runner", storage.runner())
            before = [one for one in _counted(study.get_trials(deepcopy=False)) if one.number < trial.number]
            if len(before) >= quota:
                study.tell(trial.number, state=TrialState.FAIL)
                return
            known = self._known(study.study_name, before)
            best = max(known, key=lambda one: self.task.sign * float(one.train or 0.0), default=None)
            exact = trying.optimum() if len(before) == 1 else {}
            study.sampler = self._sampler(len(before), trying.fold, best, exact)
            found = trying.judged(trial, best, known, exact=bool(exact))
            if found is None or found.train is None:
                study.tell(trial.number, state=TrialState.PRUNED)
                return
            trial.set_user_attr(RESULT, found.to_json())
            study.tell(trial.number, [found.train, *([found.latency_ms] if found.latency_ms is not None else [])])
        self.report(f"{study.study_name} trial {trial.number}: {self.task.objective} {found.train:.4f}")

    def _known(self, study: str, trials: Sequence[FrozenTrial]) -> list[Candidate]:
        """The candidates among some trials of a study, the first ones first, each read once."""
        keys = [(study, one.number) for one in trials]
        new = [one for one, key in zip(trials, keys, strict=True) if key not in self.seen]
        self.seen |= {(study, one.number): one for one in read(new, 0, 0)}
        return [self.seen[key] for key in keys if key in self.seen]

    def _sampler(self, number: int, fold: int, best: Candidate | None, exact: Mapping[str, float]) -> BaseSampler:
        """Proposes as it would in a run that was never interrupted: what it draws depends on what is finished alone."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import PartialFixedSampler, TPESampler

        seed = zlib.crc32(f"{self.task.seed} {fold} {number}".encode())
        drawn = TPESampler(seed=seed)
        moved = set(self._moved(number, seed)) if best else set()
        held = best.params_train if best else {} if number else self.task.space.start()
        fixed: dict[str, Any] = {name: held[name] for name in self.task.space.names if held and name not in moved}
        fixed |= exact
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of its name alone; it is years old
            return PartialFixedSampler(fixed, drawn) if fixed else drawn

    def _moved(self, number: int, seed: int) -> Sequence[str]:
        """Fields that a trial moves; the others stay as they are in the best so far."""
        space, cheap = self.task.space, self.task.space.of("decide")
        names = (space if number % MOVES_ALL == 1 or not cheap else cheap).names
        if len(names) <= MOVED:
            return names
        chosen: list[str] = np.random.default_rng(seed).choice(names, MOVED, replace=False).tolist()
        return chosen


def _counted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those that are finished or being worked on."""
    from optuna.trial import TrialState

    told, running = (TrialState.COMPLETE, TrialState.PRUNED), TrialState.RUNNING
    return [one for one in trials if one.state in told or (one.state == running and not storage.is_dead(one))]


def _bury(study: Study) -> None:
    """Trials of processes that ended are no longer waited for."""
    from optuna.trial import TrialState

    for one in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if storage.is_dead(one):
            study.tell(one.number, state=TrialState.FAIL)
