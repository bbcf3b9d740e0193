"""How the IoU of single images is spread, how fast each pipeline is, and what other thresholds would give: as SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.report import axes, figures
from benchmarks.report.facts import Series
from benchmarks.report.markup import Markup, element, fragment

BINS, BAR, TALL = 20, 11, 46
SPAN = BINS * BAR
DASHES = ("", "7 4", "2 4", "10 4 2 4", "1 3", "14 5")
Floats = npt.NDArray[np.float64]


def ious(one: Series) -> Floats:
    """IoU of each image that has one, ascending ``(n,)``."""
    values = np.asarray(one.ious, np.float64)
    return np.sort(values[~np.isnan(values)])


def histogram(values: Floats, number: int) -> Markup:
    """Twenty bars from IoU 0 to 1, the tallest filling the height, and a line at the median."""
    counts, _ = np.histogram(values, bins=BINS, range=(0.0, 1.0))
    most, parts = max(int(counts.max()), 1), []
    for index, n in enumerate(counts.tolist()):
        tall = round(TALL * n / most, 1)
        title = f"IoU {index / BINS:.2f} to {(index + 1) / BINS:.2f}: {figures.count(n, 'image')}"
        if n:
            kind, top = f"s{number % axes.COLOURS}", round(TALL - tall, 1)
            place = {"x": index * BAR + 1, "y": top, "width": BAR - 2, "height": tall}
            parts.append(element("rect", element("title", title), **place, class_=kind))
    middle = round(float(np.median(values)) * SPAN, 1)
    parts.append(element("line", x1=middle, x2=middle, y1=0, y2=TALL, class_="median"))
    ends = [element("text", said, x=x, y=TALL + 14, text_anchor=side, class_="tick")
            for said, x, side in (("0", 0, "start"), ("0.5", SPAN / 2, "middle"), ("1", SPAN, "end"))]  # fmt: skip
    foot = element("line", x1=0, x2=SPAN, y1=TALL, y2=TALL, class_="axis")
    said = f"Histogram of the IoU of {len(values)} images; median {np.median(values):.3f}."
    return element(
        "svg", parts, foot, ends, viewBox=f"0 0 {SPAN} {TALL + 18}", class_="histogram", role="img", aria_label=said
    )


def duration(ms: float, longest_ms: float, number: int) -> Markup:
    """A bar as long as the share of the longest time."""
    long = round(max(200 * ms / longest_ms, 1.5), 1)
    bar = element("rect", x=0, y=3, width=long, height=14, class_=f"s{number % axes.COLOURS}")
    return element("svg", bar, viewBox="0 0 200 20", class_="duration", aria_hidden="true", focusable="false")


def curves(drawn: Sequence[tuple[int, Series, Floats]]) -> Markup:
    """Mean IoU at each threshold, a line with its own dashes for each pipeline, and its highest place.

    Args:
        drawn: number in the leaderboard, series and curve ``(256,)``.
    """
    across = axes.Scale(0.0, 1.0, axes.LEFT, axes.WIDTH - axes.RIGHT)
    up = axes.Scale(0.0, 1.0, axes.HEIGHT - axes.BOTTOM, axes.TOP + 8)
    parts = []
    for number, one, curve in drawn:
        points = [(across(k / 255), up(float(curve[k]))) for k in range(0, 256, 3)]
        kind, dashes = f"curve l{number % axes.COLOURS}", DASHES[number % len(DASHES)] or None
        line = element("path", element("title", one.label), d=axes.path(points), class_=kind, stroke_dasharray=dashes)
        k = int(np.argmax(curve))
        parts += [line, axes.marker(number, across(k / 255), up(float(curve[k])))]
    described = "; ".join(f"{one.label}: highest {c.max():.3f} at {np.argmax(c) / 255:.2f}" for _, one, c in drawn)
    names = ("threshold on the probability", "mean IoU of the cut map")
    forms = (lambda value: f"{value:.1f}", lambda value: f"{value:.1f}")
    frame = axes.frame(across, up, names, forms)
    return axes.chart("curves", "Mean IoU at every threshold", described, frame, fragment(parts))


def key(number: int) -> Markup:
    """The mark of a pipeline, small, to stand beside its name."""
    drawn = axes.marker(number, 10, 10)
    return element("svg", drawn, viewBox="0 0 20 20", class_="key", aria_hidden="true", focusable="false")
