"""The search: every study asks for proposals, the crew judges them, and what comes of it is kept with the trial."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchmarks.tune.candidates import RESULT, Aim, Candidate, read
from benchmarks.tune.crew import Crew
from benchmarks.tune.runners import RUNNER, Watch, give_up, is_unsigned, working
from benchmarks.tune.task import Task
from benchmarks.tune.trial import Trying

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

MOVES_ALL = 4
"""Every so manieth trial moves the fields that need a new pass over the images; the others keep the best so far."""

MOVED = 6
"""Fields that a trial moves at most, drawn anew each time; of dozens moved at once hardly one trial is any good."""

POLL_S = 0.1
SAY_S = 5.0
"""Waiting that takes no longer is not worth a word."""

AIM = "aim"
"""Attribute of a trial: what it is for."""

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
        watch: tells which trials are still being worked on.
        waited: since when another's trial is waited for; 0 once that was said.
    """

    task: Task
    crew: Crew
    kept: BaseStorage
    deadline: float
    report: Report
    seen: dict[tuple[str, int], Candidate] = field(default_factory=dict, repr=False)
    watch: Watch = field(default_factory=Watch, repr=False)
    waited: dict[tuple[str, int], float] = field(default_factory=dict, repr=False)

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
                     for one in read(self.study(variant, fold).get_trials(deepcopy=False), variant, fold,
                                     self.task))  # fmt: skip

    def given_up(self) -> tuple[int, ...]:
        """Trials of each fold that were not judged on all images."""
        from optuna.trial import TrialState

        counts = [0] * self.task.folds
        for variant, fold in self.task.studies():
            counts[fold] += len(self.study(variant, fold).get_trials(deepcopy=False, states=(TrialState.PRUNED,)))
        return tuple(counts)

    def _study(self, variant: int, fold: int, until: float) -> None:
        """Make trials until there are enough; those of others are waited for, since they count in the answer."""
        study, quota = self.study(variant, fold), self.task.quota(variant, fold)
        trying = Trying(self.task, self.crew, self.task.variants[variant], fold)
        while monotonic() < until:
            known = self.watch.at_work(study)
            if len(known) < quota and not any(map(is_unsigned, known)):
                self._trial(study, trying, quota, until)
            elif all(one.state.is_finished() for one in known):
                break
            else:
                self._wait(study, known)

    def _wait(self, study: Study, known: Sequence[FrozenTrial]) -> None:
        """For others, saying once of each trial who works on it."""
        for one in known:
            since = self.waited.setdefault((study.study_name, one.number), monotonic())
            if not one.state.is_finished() and 0 < since < monotonic() - SAY_S:
                self.waited[study.study_name, one.number] = 0.0
                who = one.user_attrs.get(RUNNER, "another process")
                self.report(f"{study.study_name} trial {one.number}: waiting for {who}")
        sleep(POLL_S)

    def _trial(self, study: Study, trying: Trying, quota: int, until: float) -> None:
        """Make one trial, unless others have begun the last that were wanted."""
        from optuna.trial import TrialState

        trial = study.ask()
        with working(study, trial) as mine:
            before = self._before(study, trial.number, until) if mine else None
            if before is None or len(before) >= quota:
                give_up(study, trial.number)
                return
            found = self._found(study, trying, trial, before)
            if found is None or found.train is None:
                study.tell(trial.number, state=TrialState.PRUNED, skip_if_finished=True)
                return
            trial.set_user_attr(RESULT, found.to_json())
            values = [found.train, *([found.latency_ms] if found.latency_ms is not None else [])]
            study.tell(trial.number, values, skip_if_finished=True)
            self.report(f"{study.study_name} trial {trial.number}: {self.task.objective} {found.train:.4f}")

    def _before(self, study: Study, number: int, until: float) -> list[FrozenTrial] | None:
        """Trials that count and were begun before one, once each has said what it is for; None where time is up."""
        while monotonic() < until:
            before = [one for one in self.watch.at_work(study) if one.number < number]
            if all(AIM in one.user_attrs for one in before):
                return before
            self._wait(study, before)
        return None

    def _found(self, study: Study, trying: Trying, trial: Trial, before: Sequence[FrozenTrial]) -> Candidate | None:
        aims = {one.user_attrs[AIM] for one in before}
        exact = trying.optimum() if "start" in aims and "exact" not in aims else {}
        aim: Aim = "start" if "start" not in aims else "exact" if exact else "drawn"
        trial.set_user_attr(AIM, aim)
        known = self._known(study.study_name, trying, before)
        best = max(known, key=lambda one: self.task.sign * float(one.train or 0.0), default=None)
        fixed = self.task.space.start() if aim == "start" else exact or self._held(len(before), trying.fold, best)
        study.sampler = self._sampler(len(before), trying.fold, fixed)
        return trying.judged(trial, best, known, aim)

    def _known(self, study: str, trying: Trying, trials: Sequence[FrozenTrial]) -> list[Candidate]:
        """The candidates among some trials of a study, the first ones first, each read once."""
        keys = [(study, one.number) for one in trials]
        new = [one for one, key in zip(trials, keys, strict=True) if key not in self.seen]
        variant = self.task.variants.index(trying.variant)
        self.seen |= {(study, one.number): one for one in read(new, variant, trying.fold, self.task)}
        return [self.seen[key] for key in keys if key in self.seen]

    def _seed(self, number: int, fold: int) -> int:
        return zlib.crc32(f"{self.task.seed} {fold} {number}".encode())

    def _sampler(self, number: int, fold: int, fixed: Mapping[str, Any]) -> BaseSampler:
        """Proposes as it would in a run that was never interrupted: what it draws depends on what is finished alone."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import PartialFixedSampler, TPESampler

        drawn = TPESampler(seed=self._seed(number, fold))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of its name alone; it is years old
            return PartialFixedSampler(dict(fixed), drawn) if fixed else drawn

    def _held(self, number: int, fold: int, best: Candidate | None) -> dict[str, Any]:
        """What a trial leaves as it is in the best so far."""
        if best is None:
            return {}
        moved = set(self._moved(number, self._seed(number, fold)))
        return {name: best.params_train[name] for name in self.task.space.names if name not in moved}

    def _moved(self, number: int, seed: int) -> Sequence[str]:
        """Fields that a trial moves; the others stay as they are in the best so far."""
        space, cheap = self.task.space, self.task.space.of("decide")
        names = (space if number % MOVES_ALL == 1 or not cheap else cheap).names
        if len(names) <= MOVED:
            return names
        chosen: list[str] = np.random.default_rng(seed).choice(names, MOVED, replace=False).tolist()
        return chosen
