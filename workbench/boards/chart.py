"""Rows of several runs on one set of images: which of the best the images tell apart, and quality against speed."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from threading import Lock
from types import MappingProxyType

from benchmarks.report import figures, page_charts, pareto
from benchmarks.report.facts import Facts, Series, series_of
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.report.ties import MOST, Pair, pairs
from workbench.boards.identity import Identity, identity
from workbench.boards.stored import Entry
from workbench.boards.table import machine, missing

MOST_RECORDS = 5000
"""That are read to tell ties; beyond it nothing is compared, and that is said."""

MOST_TOLD = 30
"""Rows that are all compared; of more the best ten."""

MOST_DRAWN = 30
KEPT = 16
START = 6
"""Of the name of a folder, which tells most runs apart."""

Asked = tuple[tuple[str, str, Identity], ...]


def labels(entries: Sequence[Entry]) -> Mapping[str, str]:
    """Row → a label that no other has: rows of several runs may be called alike."""
    return _labels(tuple((entry.id, entry.row.label, entry.run.folder.name, entry.run.id) for entry in entries))


@lru_cache(KEPT)
def _labels(named: tuple[tuple[str, str, str, str], ...]) -> Mapping[str, str]:
    """Of ids, labels, folders and ids of runs; a longer one is taken where the one before is not alone."""
    found = {id_: label for id_, label, _, _ in named}
    with_start = {id_: f"{label} ({folder[:START]})" for id_, label, folder, _ in named}
    with_folder = {id_: f"{label} ({folder})" for id_, label, folder, _ in named}
    with_run = {id_: f"{label} ({run})" for id_, label, _, run in named}
    for longer in (with_start, with_folder, with_run):
        count = Counter(found.values())
        found = {id_: longer[id_] if count[label] > 1 else label for id_, label in found.items()}
    return MappingProxyType(found)


def called(one: Series, label: str) -> Series:
    """A row under another label."""
    configuration = one.configuration.model_copy(update={"label": label})
    return replace(one, configuration=configuration, row=one.row.model_copy(update={"label": label}))


def judged(entries: Sequence[Entry]) -> list[Entry]:
    """Those whose quality is known, in their order."""
    return [entry for entry in entries if entry.row.status == "ok" and entry.row.miou is not None]


def contenders(entries: Sequence[Entry]) -> list[Entry]:
    """Those that are compared: all of a few, else the best ten, and none where their records are too many."""
    found = judged(entries)
    if len(found) > MOST_TOLD or _size(found) > MOST_RECORDS:
        found = found[:MOST]
    return found if len(found) > 1 and _size(found) <= MOST_RECORDS else []


def _size(entries: Sequence[Entry]) -> int:
    return sum(entry.row.n for entry in entries)


class Ties:
    """Pairs that were worked out, held by the identity of the files that they were read from."""

    def __init__(self) -> None:
        self.held: OrderedDict[Asked, tuple[Pair, ...]] = OrderedDict()
        self.lock = Lock()

    def known(self, entries: Sequence[Entry]) -> tuple[Pair, ...] | None:
        """Pairs of some rows where they were worked out before, else None."""
        return self.held.get(_asked(entries))

    def tell(self, entries: Sequence[Entry]) -> tuple[Pair, ...]:
        """Every two of the best rows on the same images, those of the best first.

        What a report says of a run is said here of all runs on these images; labels are those of `labels`.

        Args:
            entries: in the order of a report.

        Raises:
            UsageError: records are gone.
        """
        asked, found = _asked(entries), contenders(entries)
        with self.lock:  # who asks for the same meanwhile finds it held
            told = self.held.get(asked)
            if told is None:
                names = labels(entries)
                read = [called(records(entry), names[entry.id]) for entry in found]
                told = self.held[asked] = pairs(read, found[0].run.manifest.protocol.seed) if found else ()
                while len(self.held) > KEPT:
                    self.held.popitem(last=False)
            return told


def _asked(entries: Sequence[Entry]) -> Asked:
    found = contenders(entries)
    names = labels(entries)
    files = {entry.run.folder: identity(entry.run.folder) for entry in found}
    return tuple((names[entry.id], entry.id, files[entry.run.folder]) for entry in found)


def records(entry: Entry) -> Series:
    """A row with what its records say image by image.

    Raises:
        UsageError: the records are gone.
    """
    run = entry.run
    one = series_of(run.store, run.manifest, entry.configuration, entry.row, compared=False)
    return replace(one, store=run.store)


def against_best(entries: Sequence[Entry], found: Sequence[Pair]) -> dict[str, Pair | None]:
    """Row → the best against it, and None for the best itself; what was not compared is left out."""
    first = judged(entries)[:1]
    if not first or not found:
        return {}
    names = labels(entries)
    ids = {label: id_ for id_, label in names.items()}
    leader = names[first[0].id]
    return {first[0].id: None, **{ids[pair.label]: pair for pair in found if pair.first == leader}}


def trade_off(entries: Sequence[Entry], wanted: Sequence[Entry], found: Sequence[Pair]) -> Markup:
    """Quality against latency with the front, and what is not in the picture, with reasons.

    Args:
        entries: all on one set of images, in the order of a report: marks are numbered by it.
        wanted: those that pass the filters.
        found: pairs that were compared.
    """
    if not wanted:
        return element("p", "No row passes these filters.")
    names, inside = labels(entries), {entry.id for entry in wanted}
    points = pareto.points([entry.series for entry in entries])
    points = [point for point in points if entries[point.number].id in inside]
    drawn = [replace(point, label=names[entries[point.number].id]) for point in points[:MOST_DRAWN]]
    first = wanted[0].run
    series = tuple(called(entries[point.number].series, point.label) for point in drawn)
    facts = Facts(first.store, first.manifest, series)
    with_point = {entries[point.number].id for point in points}
    left = [(names[entry.id], _why(entry)) for entry in wanted if entry.id not in with_point]
    left += [
        (names[entries[point.number].id], f"only the best {MOST_DRAWN} are drawn") for point in points[MOST_DRAWN:]
    ]
    few = f"A point needs quality and latency: {figures.count(len(drawn), 'row')} with both, and a picture needs two."
    picture = page_charts.drawn(drawn, facts, found) or element("p", few)
    return fragment(_machines(wanted), picture, _left_out(left))


def _why(entry: Entry) -> str:
    return missing(entry, "miou") if entry.row.miou is None else "latency was not measured"


def _machines(entries: Sequence[Entry]) -> Markup | None:
    """Times of several machines are not of the pipelines alone."""
    found = list(dict.fromkeys(f"{machine(entry)} ({entry.row.device})" for entry in entries if figures.p50(entry.row)))
    if len(found) < 2:
        return None
    return element("p", f"Times are of several machines, so that they are not of the pipelines alone: "
                        f"{figures.and_others(found)}. Choose one under Ran on.", class_="care")  # fmt: skip


def _left_out(left: Sequence[tuple[str, str]]) -> Markup | None:
    if not left:
        return None
    by_reason: dict[str, list[str]] = {}
    for label, reason in left:
        by_reason.setdefault(reason, []).append(label)
    said = [element("li", f"{reason}: {figures.and_others(labels)}") for reason, labels in by_reason.items()]
    return element("details", element("summary", f"Not in the picture: {figures.count(len(left), 'row')}"),
                   element("ul", said), open=len(left) <= figures.LISTED)  # fmt: skip
