"""The report as Markdown: the answer, the leaderboard and how it came about, to be pasted where pages are not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.report import cautions, figures
from benchmarks.report.command_line import command_line
from benchmarks.report.contents import Report
from benchmarks.report.facts import Series
from benchmarks.report.markup import text
from benchmarks.report.ties import of_leader
from benchmarks.rows import Row, was_tuned_here
from benchmarks.tracking.scrubbed import scrubbed

_MARKS = re.compile(r"([\\`*_\[\]|~]|^[#+-])")


def escaped(value: str) -> str:
    """A text of one line in which neither Markdown nor HTML is read as such."""
    return _MARKS.sub(r"\\\1", text(" ".join(value.split())))


def markdown(report: Report) -> str:
    """The whole document."""
    said, manifest = report.answer, report.facts.manifest
    lines = [f"# {escaped(report.title)}", "", f"**{escaped(said.headline)}**", ""]
    lines += [f"- {escaped(line)}" for line in (*said.reasons, *said.cost)]
    lines += ["", "Read with care:", "", *(f"- {escaped(line)}" for line in said.cautions)] if said.cautions else []
    lines += ["", "## Leaderboard", "", *_leaderboard(report), *_absent(report.facts.rows)]
    environment = manifest.environment
    machine = environment.get("gpu") or environment.get("cpu")
    lines += ["", f"{manifest.dataset.n} images in {manifest.dataset.n_groups} groups; {escaped(str(machine))}; "
              f"{manifest.created[:10]}; run {escaped(manifest.run_id)}.",
              "Intervals: 95 %, bootstrap over groups. Latency: one image, decoded array to mask.",
              "", "## Do it again", "", *_fenced(command_line(manifest, shared=True)), ""]  # fmt: skip
    return "\n".join(lines)


def _fenced(line: str) -> list[str]:
    """A block of code that nothing in the line can end."""
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}sh", " ".join(line.split()), fence]


def _leaderboard(report: Report) -> list[str]:
    columns = ("pipeline", "mIoU", "95 %", "tie with the best", "p50", "images/s", "memory", "weights", "commercial")
    ties = {pair.label: "yes" if pair.tie else "no" for pair in of_leader(report.pairs, report.answer.leader)}
    rows = [
        (one.label, figures.score(one.row.miou) + ", tuned on these images" * was_tuned_here(one.row),
         figures.interval(one.row.miou_ci),
         ties.get(one.label, figures.NOTHING),
         figures.latency(one.row), figures.rate(one.row), figures.memory(one.row),
         ", ".join(w.licence for w in one.row.weights) or "none", figures.commercial(one.row))
        for one in report.facts.ran
    ]  # fmt: skip
    flags = sorted({flag for one in report.facts.ran for flag in cautions.flags(one.row)})
    notes = [
        f"- {escaped(cautions.sentence(flag, report.facts))} {escaped(_who(flag, report.facts.ran))}" for flag in flags
    ]
    return [_line(columns), _line(["---"] * len(columns), plain=True), *map(_line, rows), "", *notes] if rows else []


def _who(flag: str, ran: Sequence[Series]) -> str:
    labels = [one.label for one in ran if flag in cautions.flags(one.row)]
    return f"({'all' if len(labels) == len(ran) > 1 else ', '.join(labels)})"


def _line(cells: Sequence[str], *, plain: bool = False) -> str:
    return f"| {' | '.join(cell if plain else escaped(cell) for cell in cells)} |"


def _absent(rows: Sequence[Row]) -> list[str]:
    gone = [row for row in rows if row.status != "ok"]
    listed = [f"- {escaped(row.label)} ({row.status}): {escaped(scrubbed(row.reason or ''))}" for row in gone]
    return ["", "## No result", "", *listed] if gone else []
