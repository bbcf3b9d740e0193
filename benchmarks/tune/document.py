"""What a search found, as the document of ``--json`` and as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.tune.choice import FoldResult
from benchmarks.tune.learning import enough
from benchmarks.tune.outcome import Outcome
from benchmarks.tune.task import Task

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA_VERSION = 1
MOST_COLUMNS, MOST_ROWS = 6, 12


@dataclass(frozen=True)
class Saved:
    """Where a search was saved.

    Attributes:
        name: of the preset.
        path: of the file of presets that it is in.
    """

    name: str
    path: Path


def document(outcome: Outcome, preset: Saved | None, folder: Path) -> dict[str, Any]:
    """One JSON document; what is not defined is None.

    Args:
        outcome: of the search.
        preset: that it was saved as, or None.
        folder: of the study.
    """
    task, judged = outcome.task, outcome.judged
    about, cv = task.manifest.dataset, judged.cv
    return {
        "schema_version": SCHEMA_VERSION,
        "pipeline": task.configuration.pipeline,
        "began_with": task.configuration.label,
        "began_with_tuned_on": task.configuration.tuned_here,
        "objective": task.objective,
        "direction": task.metric.direction,
        "dataset": {"name": about.name, "split": about.split, "n": len(task.fold), "hash": about.hash,
                    "n_groups": len(set(task.group.values()))},
        "best": {
            "params": dict(outcome.params),
            "words": list(outcome.words),
            "errors": outcome.errors,
            "value": judged.value,
            "cv_value": judged.cv_value,
            "cv_ci": list(cv.ends) if cv and cv.ends else None,
            "few_groups": cv.few_groups if cv else None,
            "gain": judged.gain.value if judged.gain else None,
            "gain_ci": list(judged.gain.ci) if judged.gain and judged.gain.ci else None,
            "folds": [_fold(one, task.space.names) for one in judged.folds],
        },
        "start": {"value": judged.start, "kept": judged.chosen is None, "too_slow": judged.too_slow},
        "trials": len(outcome.candidates) + outcome.given_up,
        "given_up": outcome.given_up,
        "searched": list(searched(task)),
        "swept": list(task.swept),
        "curves": [vars(curve) for curve in outcome.curves],
        "learning_curve": [vars(point) for point in outcome.learning],
        "enough_groups": enough(outcome.learning, task.sign),
        "variants": [{**vars(one), "params": {name: one.params.get(name) for name in task.space.names}}
                     for one in outcome.variants],
        "pareto": [{"params": {name: one.params_whole[name] for name in task.space.names}, task.objective: one.whole,
                    "latency_ms": one.latency_ms} for one in outcome.pareto],
        "importance": dict(outcome.importance),
        "pass_s": None if outcome.pass_s is None else round(outcome.pass_s, 4),
        "decision_s": outcome.decision_s,
        "seed": task.seed,
        "random_weights": outcome.random,
        "copies": "near" if task.near else "exact",
        "preset": str(preset.path) if preset else None,
        "saved_as": f"{task.configuration.pipeline}@{preset.name}" if preset else None,
        "study": str(folder),
    }  # fmt: skip


def _fold(one: FoldResult, names: tuple[str, ...]) -> dict[str, Any]:
    chosen = one.chosen
    params = {name: chosen.params_train[name] for name in names} if chosen else None
    return {"fold": one.fold, "value": one.value, "train": one.train, "n_groups": one.n_groups,
            "start": one.start, "tried": one.tried, "trial": chosen.number if chosen else None,
            "params": params}  # fmt: skip


def public(outcome: Outcome, said: dict[str, Any]) -> dict[str, Any]:
    """What is printed and kept: no figure of quality where weights are random, and no choice where all is too slow.

    Args:
        outcome: of the search.
        said: the whole document.
    """
    if outcome.nothing:
        said = {**said, "best": {**said["best"], "params": None, "value": None}}
    if not outcome.random:
        return said
    quality = ("value", "cv_value", "cv_ci", "gain", "gain_ci", "train", "start", "ci", said["objective"])

    def without(row: dict[str, Any]) -> dict[str, Any]:
        return {name: None if name in quality else value for name, value in row.items()}

    best = {**without(said["best"]), "folds": [without(fold) for fold in said["best"]["folds"]]}
    rows = {name: [without(row) for row in said[name]] for name in ("variants", "pareto")}
    return {**said, **rows, "best": best, "start": without(said["start"]), "curves": [], "learning_curve": [],
            "enough_groups": None, "importance": {}}  # fmt: skip


def trials(outcome: Outcome) -> list[dict[str, Any]]:
    """One row a trial that was judged: what was tried, and what it came to over all images and without its fold."""
    task = outcome.task
    return [{"variant": task.variants[one.variant].label, "fold": one.fold, "trial": one.number,
             task.objective: None if outcome.random else one.whole,
             f"{task.objective} without fold": None if outcome.random else one.train, "latency_ms": one.latency_ms,
             "errors": one.errors, **{name: one.params_whole[name] for name in task.space.names}}
            for one in outcome.candidates]  # fmt: skip


def show(outcome: Outcome, screen: Console) -> None:
    """Print what a person wants to know, the answer first."""
    if outcome.random:
        screen.print("The weights are random: times are real, and no figure of quality means anything.", soft_wrap=True)
        for line in _times(outcome):
            screen.print(line, markup=False, soft_wrap=True)
        return
    for line in _answer(outcome):
        screen.print(line, markup=False, soft_wrap=True)
    _show_changes(outcome, screen)
    _show_variants(outcome, screen)
    _show_pareto(outcome, screen)
    for line in _further(outcome):
        screen.print(line, markup=False, soft_wrap=True)


def _answer(outcome: Outcome) -> Iterator[str]:
    began = outcome.task.configuration
    if began.tuned_here:
        yield f"{began.label} was tuned on {began.tuned_here} of these images before: no figure below is of unseen ones"
    judged, name = outcome.judged, outcome.task.objective
    if judged.cv_value is not None:
        ends = judged.cv.ends if judged.cv else None
        said = f" [{ends[0]:.4f}, {ends[1]:.4f}]" if ends else ""
        few = ", few groups: read it as rough" if judged.cv and judged.cv.few_groups else ""
        yield f"cross-validated {name}: {judged.cv_value:.4f}{said}{few}"
    yield f"on the images of the search: {_number(judged.value)}, where it began: {_number(judged.start)}"
    if outcome.nothing:
        yield too_slow(outcome)
        return
    if outcome.errors:
        yield f"On {outcome.errors} of {len(outcome.task.fold)} images what is kept fails, which counts as 0."
    if judged.too_slow:
        yield f"Where it began takes more than {outcome.task.most_ms:g} ms: the best that is fast enough is kept."
    if judged.too_slow and judged.cv_value is None and outcome.task.folds > 1:
        yield f"No cross-validated {name}: the search of a part found nothing fast enough. Give it more --trials."
    if outcome.words:
        yield f"asked for: {', '.join(outcome.words)} (a saved preset asks for the same)"
    if judged.chosen is None:
        yield "Nothing is ahead of where it began by more than the best of so many is by chance: this is kept."


def too_slow(outcome: Outcome) -> str:
    """That nothing is fast enough, and how fast it gets."""
    took = [one.latency_ms for one in outcome.candidates if one.latency_ms is not None]
    fastest = f"the fastest of {len(took)} takes {min(took):.4g} ms" if took else "nothing was timed"
    return (f"Nothing that was tried takes at most {outcome.task.most_ms:g} ms: {fastest}. Allow more with "
            "--max-latency-ms, or search more fields; trials that are done are not repeated.")  # fmt: skip


def searched(task: Task) -> tuple[str, ...]:
    """Fields that were searched, those of which each value costs a load first."""
    loads = dict.fromkeys(name for one in task.variants if len(task.variants) > 1 for name in one.load)
    return (*loads, *task.space.names)


def _show_changes(outcome: Outcome, screen: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if outcome.judged.chosen is None:
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("field", "was", "is", "matters"):
        table.add_column(name, justify="left" if name == "field" else "right")
    before = outcome.task.configuration.params
    for name, value in outcome.params.items():
        if before.get(name) != value and name not in (outcome.task.params.floor or ())[:1]:
            part = outcome.importance.get(name)
            table.add_row(name, _said(before.get(name)), _said(value), f"{part:.0%}" if part is not None else "")
    screen.print(table)


def _show_variants(outcome: Outcome, screen: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    if len(outcome.variants) < 2:
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("wording or weights", outcome.task.objective, "95 %"):
        table.add_column(name, justify="left" if name.startswith("wording") else "right")
    for one in outcome.variants:
        ends = f"{one.ci[0]:.4f} {one.ci[1]:.4f}" if one.ci else "-"
        table.add_row(escape(one.label), _number(one.value), ends)
    screen.print(table)


def _show_pareto(outcome: Outcome, screen: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if not outcome.pareto:
        return
    table = Table(title="no other is better and faster", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    held = [one.params_whole for one in outcome.pareto[:MOST_ROWS]]
    names = [name for name in outcome.task.space.names if len({str(one[name]) for one in held}) > 1][:MOST_COLUMNS]
    for name in (outcome.task.objective, "ms", *names):
        table.add_column(name, justify="right")
    for one in outcome.pareto[:MOST_ROWS]:
        table.add_row(_number(one.whole), f"{one.latency_ms:.2f}", *(_said(one.params_whole[name]) for name in names))
    screen.print(table)


def _further(outcome: Outcome) -> Iterator[str]:
    for curve in outcome.curves:
        low, high = curve.plateau
        yield f"{curve.field}: {curve.best:g} is chosen; from {low:g} to {high:g} the figure stays within 0.01"
        if curve.of_folds:
            yield f"  best without one fold each: {min(curve.of_folds):g} to {max(curve.of_folds):g}"
    yield from _times(outcome)
    if outcome.judged.chosen is None:  # choosing nothing takes no images
        return
    needed = enough(outcome.learning, outcome.task.sign)
    if needed is not None:
        yield f"Labelled images: from some {needed} groups on, more of them change the choice by less than 0.005."
    elif outcome.learning:
        yield f"Labelled images: with {outcome.learning[-1].n_groups} groups more of them may still pay."


def _times(outcome: Outcome) -> Iterator[str]:
    if outcome.pass_s is not None:
        yield f"a pass over all images takes {outcome.pass_s:.2f} s"
    if outcome.decision_s is not None:
        yield f"a trial that needs no pass takes {outcome.decision_s:.3f} s"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _said(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
