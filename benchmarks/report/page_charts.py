"""The pictures of the page: quality against speed, the spread of quality over images, thresholds, and speed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.report import distributions, figures, pareto
from benchmarks.report.contents import Report
from benchmarks.report.facts import Facts, Series
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import small, table
from benchmarks.report.ties import Pair
from benchmarks.rows import Row

NO = Markup("")
LOW, HALF = 0.1, 0.5
SPEED = ("Pipeline", "Median of one image", "Length", "95 % interval", "90 % below", "95 % below", "99 % below",
         "Images/s", "As a server", "Load", "First image", "Memory of the process", "On the device",
         "Weights on disk")  # fmt: skip
TIMED = (
    "From a decoded image in memory to its mask in memory, one image at a time. ",
    "A percentile stands only where enough images were timed. Images/s are of whole batches, not 1 / latency. ",
    "As a server: from the arrival of a request to its answer, waiting included, where requests come by chance.",
)


def trade_off(report: Report) -> Markup:
    """Quality against latency, with the front."""
    return drawn(pareto.points(report.facts.series), report.facts, report.pairs)


def drawn(found: Sequence[pareto.Point], facts: Facts, pairs: Sequence[Pair]) -> Markup:
    """The same of some rows; nothing of fewer than two.

    Args:
        found: those that are drawn.
        facts: of all.
        pairs: that were compared.
    """
    if len(found) < 2:
        return NO
    rivals = {one.label for one in facts.rivals}
    best = pareto.front([p for p in found if p.label in rivals] or found)
    rows = {row.label: row for row in facts.rows}
    names = figures.listed([f"{p.label} ({figures.latency(rows[p.label])}, {figures.score(p.miou)})" for p in best])
    one = len(best) == 1
    said = (f"Nothing here is both faster and better than {names}." if one
            else f"The dashed line is the front, where a higher score costs time: {names}.")  # fmt: skip
    beaten = [p.label for p in found if p not in best and p.label in rivals]
    rest = (f" For each of the others, {figures.and_others(beaten)}, something takes no longer and scores no less."
            if beaten else "")  # fmt: skip
    how = "Bars are 95 % intervals. Up and to the left is better."
    words = f"{said}{_no_gain(best, pairs)}{rest} "
    return element("figure", _wide(pareto.chart(found, best), "Quality against latency"),
                   element("figcaption", words, element("span", how, class_="quiet")))  # fmt: skip


def _no_gain(best: Sequence[pareto.Point], pairs: Sequence[Pair]) -> str:
    """Those on the front that cost more time than another, and that the images do not show to be better."""
    tied = {frozenset((pair.first, pair.label)) for pair in pairs if pair.tie}
    said = []
    for place, slow in enumerate(best):
        quick = next((one for one in best[:place] if frozenset((one.label, slow.label)) in tied), None)
        if quick:
            how = "is about as fast" if figures.alike(quick.ms, slow.ms) else "is faster"
            said.append(f"{slow.label} is not told apart from {quick.label}, which {how}")
    return f" No gain is shown by these images where {figures.listed(said)}." if said else ""


def _wide(drawn: Markup, named: str) -> Markup:
    return element("div", drawn, class_="wide", tabindex=0, role="region", aria_label=named)


def spread(report: Report) -> Markup:
    """A histogram of the IoU of single images for each pipeline, and the figures of its lower end."""
    columns = ("Pipeline", "IoU of single images, 0 to 1", "Median", "Worst tenth below", "Images below 0.5", "Images")
    rows = [_spread_row(number, one) for number, one in enumerate(report.facts.series) if len(distributions.ious(one))]
    if not rows:
        return NO
    said = element(
        "p", "A mean hides its worst cases. Bars: number of images at each IoU; line: the median.", class_="quiet"
    )
    return fragment(said, table("How the IoU of single images is spread", columns, rows, frozenset(columns[2:])))


def _spread_row(number: int, one: Series) -> list[Child]:
    values = distributions.ious(one)
    middle, low = np.quantile(values, [HALF, LOW]).tolist()
    return [
        fragment(distributions.key(number), one.label),
        distributions.histogram(values, number),
        figures.score(middle),
        figures.score(low),
        figures.share(float((values < HALF).mean())),
        str(len(values)),
    ]


def thresholds(report: Report) -> Markup:
    """Mean IoU at every threshold of those that give probabilities."""
    series = enumerate(report.facts.series)
    drawn = [(n, one, one.curve) for n, one in series if one.curve is not None and one.row.status == "ok"]  # fmt: skip
    if not drawn:
        return NO
    peaks = [f"{one.label}: {curve.max():.3f} at {int(curve.argmax()) / 255:.2f}" for _, one, curve in drawn]
    keys = [element("li", distributions.key(n), peak) for (n, _, _), peak in zip(drawn, peaks, strict=True)]
    masks = [one.label for one in report.facts.judged if one.curve is None]
    without = f" {figures.and_others(masks)} gave masks only." if masks else ""
    said = ("The map alone is cut at each threshold, without the clean-up that a pipeline may do after. The mark is "
            "the best threshold on these same images, so it flatters; a flat top means that the choice matters little."
            f"{without}")  # fmt: skip
    legend = element("ul", keys, class_="keys")
    return element("figure", _wide(distributions.curves(drawn), "Mean IoU at every threshold"), legend,
                   element("figcaption", said, class_="quiet"))  # fmt: skip


def speed(report: Report) -> Markup:
    """Latency with its percentiles, start-up and memory of all that ran, and the stages folded away."""
    timed = [(n, one) for n, one in enumerate(report.facts.series) if figures.p50(one.row) is not None]
    if not timed:
        return NO
    longest = max(figures.p50(one.row) or 0.0 for _, one in timed)
    rows = [_speed_row(n, one, longest) for n, one in sorted(timed, key=lambda item: figures.p50(item[1].row) or 0.0)]
    return fragment(
        element("p", *TIMED, class_="quiet"),
        table("Speed and memory, fastest first", SPEED, rows, frozenset(SPEED) - {"Pipeline", "Length"}),
        _stages(timed),
    )


def _speed_row(number: int, one: Series, longest: float) -> list[Child]:
    row, latency = one.row, one.row.latency_ms or {}
    peak, ends, server = row.peak_memory_mb or {}, figures.p50_ci(one.row), one.row.server_ms
    random = element("small", "random weights") if one.random else None
    return [
        fragment(distributions.key(number), one.label, random),
        figures.latency(row),
        distributions.duration(figures.p50(row) or 0.0, longest, number),
        f"{figures.milliseconds(ends[0])} to {figures.milliseconds(ends[1])}" if ends else figures.NOTHING,
        *(figures.milliseconds(latency.get(name)) for name in ("p90", "p95", "p99")),
        figures.rate(row),
        f"{figures.milliseconds(server.p50)} at {figures.digits(server.rate_ips)} requests/s"
        if server
        else figures.NOTHING,
        figures.milliseconds(None if row.load_s is None else row.load_s * figures.MS_IN_S),
        figures.milliseconds(row.first_ms),
        figures.megabytes(peak.get("host")),
        _on_device(row),
        figures.megabytes(row.size_mb),
    ]


def _on_device(row: Row) -> Child:
    """The peak on the device, and what it is made of: what torch asked for, and what the driver saw taken."""
    if figures.device_mb(row) is None:
        return figures.NOTHING
    names = {"device": "tensors", "reserved": "reserved", "driver": "driver"}
    peak = row.peak_memory_mb or {}
    said = [f"{words} {figures.megabytes(peak[name])}" for name, words in names.items() if peak.get(name) is not None]
    return [figures.megabytes(figures.device_mb(row)), small(", ".join(said))]


def _stages(timed: list[tuple[int, Series]]) -> Markup:
    rows: list[list[Child]] = [
        [one.label, name, figures.milliseconds(ms), figures.share(ms / sum(one.row.stages_ms.values()))]
        for _, one in timed if one.row.stages_ms and sum(one.row.stages_ms.values())
        for name, ms in one.row.stages_ms.items()
    ]  # fmt: skip
    if not rows:
        return NO
    columns = ("Pipeline", "Stage", "Mean of one image", "Share")
    return element("details", element("summary", "Show where the time goes"),
                   table("Stages of one image", columns, rows, frozenset(columns[2:])))  # fmt: skip
