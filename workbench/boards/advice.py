"""What should I ship? The answer of ``benchmarks.recommend`` for a run and some limits, as HTML."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from benchmarks.recommend.advice import Recommendation, RunnerUp
from benchmarks.recommend.choice import Limits
from benchmarks.recommend.of_run import compared, recommendation
from benchmarks.recommend.resampled import SameImages
from benchmarks.report import figures
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import table
from benchmarks.tracking.scrubbed import scrubbed
from pipelines.errors import UsageError
from workbench.boards.identity import Identity, identity
from workbench.boards.stored import Origin, Refused, Run, read

KEPT, MOST_SAID = 8, 40
OPTIONS = {
    "--max-latency-ms or --min-throughput": "a limit on the latency", "--max-latency-ms": "a limit on the latency",
    "--min-throughput": "a limit on the images a second", "--min-miou": "a limit on the mIoU",
    "--limit": "a limit on their number", "--fresh": "the option that begins it anew",
}  # fmt: skip
"""What somebody who has a form before him knows an option of a command as."""


def limits(latency_ms: float | None, memory_mb: float | None, miou: float | None, commercial: bool) -> Limits:
    """Limits as a form has them: empty and 0 are none.

    Raises:
        UsageError: a number is out of its bounds.
    """
    for name, value in (("latency", latency_ms), ("memory", memory_mb), ("mIoU", miou)):
        if value is not None and not (isinstance(value, int | float) and 0 <= value < float("inf")):
            raise UsageError(f"The limit on the {name} cannot be {str(value)[:MOST_SAID]}.",
                             "Give a number from 0 up; 0 is no limit.")  # fmt: skip
    if miou is not None and miou > 1:
        raise UsageError(f"The least mIoU cannot be {miou:g}.", "Give a number from 0 to 1; 0 is no limit.")
    return Limits(latency_ms or None, memory_mb or None, None, miou or None, bool(commercial))


def recommended(run: Run, asked: Limits) -> Recommendation:
    """What to ship of a run.

    Raises:
        UsageError: its records are gone.
    """
    return recommendation(
        run.store, run.manifest, list(run.rows), asked, _images(run.folder, run.origin, identity(run.folder))
    )


@lru_cache(KEPT)
def _images(folder: Path, origin: Origin, files: Identity) -> SameImages:
    """Records of a run, read once for all limits; the identity of its files is there to tell calls apart."""
    run = read(folder, origin)
    if isinstance(run, Refused):
        raise UsageError(f"{folder.name} is no longer there as it was.", "Press Refresh.")
    return compared(run.store, run.manifest, run.rows)


def advised(run: Run, asked: Limits) -> Markup:
    """The answer: what, why, how sure, who else, and who is left out for which reason.

    Raises:
        UsageError: the records of the run are gone.
    """
    found = recommended(run, asked)
    head = f"Ship {found.choice}." if found.choice else "Nothing fits."
    return fragment(
        element("p", head, class_="headline"),
        element("p", plain(str(scrubbed(found.why)))),
        _list(f"How sure: {found.sure.level}", found.sure.words),
        _runners_up(found),
        _list("What would change the answer", found.would_change),
        _list("Left out", [f"{one.label}: {scrubbed(one.reason)}" for one in found.excluded]),
    )


def _list(title: str, lines: tuple[str, ...] | list[str]) -> Markup | None:
    if not lines:
        return None
    return fragment(element("h4", title), element("ul", [element("li", plain(line)) for line in lines]))


def plain(text: str) -> str:
    """Words of the command without its options."""
    for option, known in OPTIONS.items():
        text = text.replace(option, known)
    return text


def _runners_up(found: Recommendation) -> Markup | None:
    if not found.runners_up:
        return None
    columns = ("Pipeline", "mIoU", "Against the choice", "Median latency", "Peak memory", "Licences")
    rows: list[list[Child]] = [_cells(one) for one in found.runners_up]
    return fragment(element("h4", "Runners-up"),
                    table("Those that fit as well, best first", columns, rows, frozenset(columns[1:5])))  # fmt: skip


def _cells(one: RunnerUp) -> list[Child]:
    gap = "not compared" if one.miou_difference is None else figures.signed(one.miou_difference)
    return [
        one.label,
        "not measured" if one.miou is None else figures.score(one.miou),
        f"{gap}{', tie' if one.tied else ''}",
        "not measured" if one.latency_ms is None else figures.milliseconds(one.latency_ms),
        "not measured" if one.memory_mb is None else figures.megabytes(one.memory_mb),
        ", ".join(one.licences) or "no weights",
    ]
