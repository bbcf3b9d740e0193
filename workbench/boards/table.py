"""The table of the leaderboard: which rows are wanted, in which order, and each cell in words, as HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from benchmarks.metrics import METRICS
from benchmarks.recommend import choice
from benchmarks.report import cautions, distributions, figures
from benchmarks.report.facts import Facts, place
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import small, table
from benchmarks.report.ties import Pair
from benchmarks.rows import Row, commercial, knew, was_tuned_here
from benchmarks.tracking.scrubbed import scrubbed
from workbench.boards.stored import ORIGINS, Entry

MIOU = "miou"
ANY = "any"
USES = {ANY: "any licence", "yes": "allowed, or no weights", "not no": "not forbidden"}
DEVICES = {ANY: "any device", "cpu": "cpu", "cuda": "cuda"}
SHOWN, MOST, LONGEST = 15, 500, 200
"""Rows at first and at most, and letters of a search."""

COLUMNS = {
    "quality": "Quality", "against": "mIoU against the best", "p50": "Median latency", "p95": "95 % below",
    "throughput": "Images/s", "memory": "Peak memory", "size": "Weights on disk", "licence": "Licence of the weights",
    "commercial": "Commercial use", "device": "Ran on", "notes": "Notes", "run": "Run", "how": "How measured",
    "dtype": "Arithmetic", "load": "Load", "first": "First image", "errors": "Failed images",
}  # fmt: skip
USUAL = ("quality", "against", "p50", "throughput", "memory", "commercial", "device", "notes", "run")
NUMBERS = frozenset(COLUMNS[name] for name in ("against", "p50", "p95", "throughput", "memory", "size", "load", "first",
                                               "errors"))  # fmt: skip
SORTS = {"rank": "quality", "p50": "median latency", "memory": "peak memory", "size": "weights on disk",
         "date": "date, newest first", "label": "name"}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a visitor wants to see of the rows on one set of images.

    Attributes:
        metric: name, by which rows are ranked.
        search: words, each of which has to be in a row.
        device: "cpu", "cuda" or "any".
        use: of `USES`.
        size_mb: weights of at most so many 10**6 bytes; None = any.
        sort: of `SORTS`.
        columns: of `COLUMNS`.
        most: rows at one time.
    """

    metric: str = MIOU
    search: str = ""
    device: str = ANY
    use: str = ANY
    size_mb: float | None = None
    sort: str = "rank"
    columns: tuple[str, ...] = USUAL
    most: int = SHOWN

    @cached_property
    def words(self) -> list[str]:
        """Of the search, in small letters."""
        return self.search.casefold().split()


def ranked(entries: Sequence[Entry], metric: str = MIOU) -> list[Entry]:
    """Rows on one set of images, in the order of a report."""
    return sorted(entries, key=lambda entry: place(entry.series, metric))


def fits(entry: Entry, wanted: Wanted) -> bool:
    """Whether a row passes every filter; weights of unknown size pass none on their size."""
    row = entry.row
    if wanted.device not in (ANY, row.device):
        return False
    if wanted.use != ANY and not _may_be_used(commercial(row), wanted.use):
        return False
    if wanted.size_mb is not None and row.weights and (row.size_mb is None or row.size_mb > wanted.size_mb):
        return False
    return all(word in entry.text for word in wanted.words)


def _may_be_used(allowed: str | None, use: str) -> bool:
    return {"yes": allowed == "yes", "not no": allowed not in ("no", None)}.get(use, True)


def order(entries: Sequence[Entry], sort: str) -> list[Entry]:
    """Rows that are ranked already, by something else; those without the figure come last."""
    if sort == "date":
        return sorted(entries, key=lambda entry: entry.run.manifest.created, reverse=True)
    if sort == "label":
        return sorted(entries, key=lambda entry: entry.row.label.casefold())
    if sort in _COSTS:
        return sorted(entries, key=lambda entry: _COSTS[sort](entry.row))
    return list(entries)


_COSTS: Mapping[str, Callable[[Row], float]] = {
    "p50": choice.p50_ms,
    "memory": choice.memory_mb,
    "size": lambda row: math.inf if row.size_mb is None and row.weights else row.size_mb or 0.0,
}


def drawn(entries: Sequence[Entry], fit: Sequence[Entry], wanted: Wanted, pairs: Mapping[str, Pair | None]) -> Markup:
    """The rows that fit, with what their flags mean below.

    Args:
        entries: of one set of images, as `ranked` gives them: places are among all of these.
        fit: those of them that pass the filters.
        wanted: in which order, how many, and which columns.
        pairs: row → the best against it, None for the best itself; a row that is not in it was not compared.
    """
    fit = order(fit, wanted.sort)[: wanted.most]
    if not fit:
        return element("p", "No row passes these filters.")
    numbers = {entry.id: number for number, entry in enumerate(entries)}
    notes = list(dict.fromkeys(flag for entry in fit for flag in cautions.flags(entry.row)))
    metric = METRICS[wanted.metric]
    better = f"{'mIoU' if metric.name == MIOU else metric.name}, {metric.direction} is better"
    titles = [better if name == "quality" else COLUMNS[name] for name in wanted.columns]
    cells = _Cells(wanted, pairs, {flag: place for place, flag in enumerate(notes, 1)})
    rows = [[_name(entry, numbers[entry.id], wanted.metric), *(cells.of(entry, name) for name in wanted.columns)]
            for entry in fit]  # fmt: skip
    caption = f"Pipelines on these images, by {SORTS[wanted.sort]}"
    said = [element("li", cautions.sentence(flag, _facts(flag, fit))) for flag in notes]
    shown = table(caption, ("Pipeline", *titles), rows, NUMBERS)
    return fragment(shown, element("ol", said, class_="notes") if said and "notes" in wanted.columns else None)


def _facts(flag: str, entries: Sequence[Entry]) -> Facts:
    run = next(entry.run for entry in entries if flag in cautions.flags(entry.row))
    return Facts(run.store, run.manifest, ())


def _name(entry: Entry, number: int, metric: str) -> Markup:
    """Mark, place and name; the name opens the row. What has no place says why."""
    row, value = entry.row, value_of(entry, metric)
    at = f"{number + 1}. " if value is not None and not knew(row) else ""
    button = element("button", f"{at}{row.label}", type="button", data_row=entry.id, class_="row-name")
    said = f"knew the true masks: {'tuned on them' if was_tuned_here(row) else 'prompts from them'}"
    return fragment(distributions.key(number), button, small(said if value is not None and knew(row) else None))


def value_of(entry: Entry, metric: str) -> float | None:
    """The figure of a row, or None where it was not measured or is not defined."""
    found = entry.row.metrics.get(metric)
    return found.value if found else None


def missing(entry: Entry, metric: str) -> str:
    """Why a row has no such figure."""
    row = entry.row
    if row.status != "ok":
        return f"{row.status}: not measured"
    if "random_weights" in row.flags:
        return "not measured: random weights"
    return "not measured: no masks" if not row.scored else "not defined on these images"


class _Cells:
    """What stands in a row, column by column."""

    def __init__(self, wanted: Wanted, pairs: Mapping[str, Pair | None], marks: Mapping[str, int]) -> None:
        self.wanted, self.pairs, self.marks = wanted, pairs, marks

    def of(self, entry: Entry, name: str) -> Child:
        own: dict[str, Callable[[Entry], Child]] = {
            "quality": self._quality, "against": self._against, "notes": self._notes,
        }  # fmt: skip
        return own[name](entry) if name in own else PLAIN[name](entry)

    def _quality(self, entry: Entry) -> Child:
        found = entry.row.metrics.get(self.wanted.metric)
        if found is None or found.value is None:
            return missing(entry, self.wanted.metric)
        ends = figures.interval(found.ci) if found.ci else "no interval: too few groups"
        return fragment(element("strong", figures.score(found.value)), small(ends))

    def _against(self, entry: Entry) -> Child:
        if entry.id not in self.pairs:
            return "not compared" if value_of(entry, MIOU) is not None else missing(entry, MIOU)
        pair = self.pairs[entry.id]
        if pair is None:
            return "best"
        tie = ", tie" if pair.tie else ""
        return fragment(f"{figures.signed(0.0 - pair.difference)}{tie}", small(pair.ends(turned=True)))

    def _notes(self, entry: Entry) -> Child:
        return ", ".join(map(str, sorted(self.marks[flag] for flag in cautions.flags(entry.row)))) or "none"


def _or(text: str, instead: str) -> str:
    """A figure, or words where there is none: a dash is read as nought."""
    return instead if text == figures.NOTHING else text


def _late(entry: Entry) -> str:
    few = "too few calls" if figures.p50(entry.row) is not None else "not measured"
    return _or(figures.milliseconds((entry.row.latency_ms or {}).get("p95")), few)


def _licence(entry: Entry) -> Child:
    row = entry.row
    if not row.weights:
        return "no weights"
    swapped = small(f"stands in for {row.substitute_for}") if row.substitute_for else None
    return [*(element("div", one.licence, small(one.repo)) for one in row.weights), swapped]


def machine(entry: Entry) -> str:
    """The name of what a row ran on."""
    environment = entry.run.manifest.environment
    return str(environment.get("gpu" if entry.row.device == "cuda" else "cpu") or entry.row.device)


def how(entry: Entry) -> str:
    """How the figures of a row were measured, in a sentence or two."""
    row, manifest = entry.row, entry.run.manifest
    if row.status != "ok":
        return str(scrubbed(row.reason or "It did not run."))
    quality = ("Random weights: quality is not measured." if "random_weights" in row.flags
               else f"Quality on {figures.count(row.scored, 'image')} of {row.n}, intervals by resampling "
                    f"{figures.count(manifest.dataset.n_groups, 'group')}." if row.scored
               else "No masks: quality is not measured.")  # fmt: skip
    turns = "in turns with the others" if row.interleaved else "alone"
    calls = f"{row.latency_calls} timed calls, {turns}" if row.latency_calls else "time not measured"
    cores = manifest.environment.get("cores")
    return f"{quality} {calls}, on {machine(entry)}, {cores} cores."


def run_words(entry: Entry) -> Child:
    """Which run, when and whose."""
    run = entry.run
    return fragment(run.manifest.created[:10], small(f"{run.folder.name[:10]}, {ORIGINS[run.origin]}"))


PLAIN: Mapping[str, Callable[[Entry], Child]] = {
    "p50": lambda e: _or(figures.latency(e.row), "not measured"),
    "p95": _late,
    "throughput": lambda e: _or(figures.rate(e.row), "not measured"),
    "memory": lambda e: _or(figures.memory(e.row), "not measured"),
    "size": lambda e: _or(figures.megabytes(e.row.size_mb), "not known" if e.row.weights else "no weights"),
    "licence": _licence,
    "commercial": lambda e: _or(figures.commercial(e.row), "did not run"),
    "device": lambda e: fragment(e.row.device, small(machine(e))),
    "run": run_words,
    "how": how,
    "dtype": lambda e: e.row.dtype or "no network",
    "load": lambda e: _or(figures.milliseconds(_load_ms(e)), "not measured"),
    "first": lambda e: _or(figures.milliseconds(e.row.first_ms), "not measured"),
    "errors": lambda e: f"{e.row.errors} of {e.row.n}",
}  # fmt: skip


def _load_ms(entry: Entry) -> float | None:
    return None if entry.row.load_s is None else entry.row.load_s * figures.MS_IN_S
