"""Quality against latency: who is beaten by nobody in both, and the picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report import axes, figures
from benchmarks.report.facts import Series
from benchmarks.report.markup import Markup, element, fragment

MOST_NAMED = 12
LONGEST_NAME = 30
LINE = 16
MARK = 10
WIDE = 7.6
"""Of a letter, in the units of the picture."""

MOST_STEPS, STEP = 14, 12


@dataclass(frozen=True)
class Point:
    """One pipeline in the picture.

    Attributes:
        number: its place in the leaderboard, from 0.
        label: what it is called.
        ms: median latency.
        ms_ci: its interval, or None.
        miou: its quality.
        miou_ci: its interval, or None.
    """

    number: int
    label: str
    ms: float
    ms_ci: tuple[float, float] | None
    miou: float
    miou_ci: tuple[float, float] | None


def points(series: Sequence[Series]) -> list[Point]:
    """Those whose quality and latency are known, in the order of the leaderboard."""
    found = []
    for number, one in enumerate(series):
        ms = figures.p50(one.row)
        if one.row.status == "ok" and one.row.miou is not None and ms:
            found.append(Point(number, one.label, ms, figures.p50_ci(one.row), one.row.miou, one.row.miou_ci))
    return found


def front(found: Sequence[Point]) -> list[Point]:
    """Those that no other beats in one of quality and latency without losing in the other, fastest first."""
    best: list[Point] = []
    for point in sorted(found, key=lambda p: (p.ms, -p.miou)):
        if not best or point.miou > best[-1].miou:
            best.append(point)
    return best


def chart(found: Sequence[Point], best: Sequence[Point]) -> Markup:
    """The picture: a mark and both intervals for each pipeline, and the front as a line of steps."""
    ends = [end for p in found for end in (p.miou, *(p.miou_ci or ()))]
    reach = [end for p in found for end in (p.ms, *(p.ms_ci or ())) if end > 0]
    across, up = axes.times(reach), axes.scores(ends)
    forms = (figures.milliseconds, lambda value: f"{value:.2f}")
    names = ("median latency of one image (left is faster)", "mIoU (higher is better)")
    described = "; ".join(f"{p.label}: mIoU {p.miou:.3f} at {figures.milliseconds(p.ms)}" for p in found)
    return axes.chart("pareto", "Quality against latency", described,
                      axes.frame(across, up, names, forms), _steps(best, across, up),
                      fragment(_marked(p, across, up) for p in found), _names(found, across, up))  # fmt: skip


def _steps(best: Sequence[Point], across: axes.Scale, up: axes.Scale) -> Markup:
    corners: list[tuple[float, float]] = []
    for point in best:
        x, y = across(point.ms), up(point.miou)
        corners += [(x, corners[-1][1]), (x, y)] if corners else [(x, y)]
    corners.append((axes.WIDTH - axes.RIGHT, corners[-1][1]))
    return element("path", d=axes.path(corners), class_="front")


def _marked(point: Point, across: axes.Scale, up: axes.Scale) -> Markup:
    x, y, bars = across(point.ms), up(point.miou), []
    if point.miou_ci:
        low, high = (up(end) for end in point.miou_ci)
        bars.append(
            element("path", d=f"M{x:g} {low:g}V{high:g}M{x - 4:g} {low:g}h8M{x - 4:g} {high:g}h8", class_="bar")
        )
    if point.ms_ci and point.ms_ci[0] > 0:
        low, high = (across(end) for end in point.ms_ci)
        bars.append(
            element("path", d=f"M{low:g} {y:g}H{high:g}M{low:g} {y - 4:g}v8M{high:g} {y - 4:g}v8", class_="bar")
        )
    said = f"{point.label}: mIoU {point.miou:.3f} ({figures.interval(point.miou_ci)}), {figures.milliseconds(point.ms)}"
    return element("g", element("title", said), bars, axes.marker(point.number, x, y))


def _names(found: Sequence[Point], across: axes.Scale, up: axes.Scale) -> Markup:
    """A name beside each mark, where it covers no other name or mark; numbers alone where they are many."""
    marks = [(across(point.ms), up(point.miou)) for point in found]
    taken = [Box(x - MARK, x + MARK, y - MARK, y + MARK) for x, y in marks]
    parts = []
    for point, (x, y) in sorted(zip(found, marks, strict=True), key=lambda item: -item[0].miou):
        name = f"{point.number + 1} {shortened(point.label)}" if len(found) <= MOST_NAMED else f"{point.number + 1}"
        box, side = _free(x, y, WIDE * len(name), taken)
        taken.append(box)
        at = box.left if side == "start" else box.right
        parts.append(element("text", name, x=round(at, 1), y=round(box.bottom - 4, 1), text_anchor=side, class_="name"))
    return fragment(parts)


def _free(x: float, y: float, wide: float, taken: Sequence[Box]) -> tuple[Box, str]:
    """The nearest place for a name that covers nothing, first on the side with more room; if all do, the first."""
    sides = ("start", "end") if x < (axes.LEFT + axes.WIDTH) / 2 else ("end", "start")
    places = []
    for step in range(1, MOST_STEPS):
        for shift in (-step * STEP, step * STEP):
            for side in sides:
                left = x + MARK + 3 if side == "start" else x - MARK - 3 - wide
                top = y - LINE / 2 + shift
                places.append((Box(left, left + wide, top, top + LINE), side))
    inside = [place for place in places if place[0].within()]
    free = (place for place in inside if not any(place[0].meets(box) for box in taken))
    return next(free, (inside or places)[0])


@dataclass(frozen=True)
class Box:
    """A place in the picture that something covers."""

    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)  # fmt: skip

    def within(self) -> bool:
        """Whether all of it can be seen."""
        return self.left >= 0 and self.right <= axes.WIDTH and self.top >= 0 and self.bottom <= axes.HEIGHT


def shortened(label: str, longest: int = LONGEST_NAME) -> str:
    """The start of a label, and a sign that it goes on."""
    return label if len(label) <= longest else f"{label[: longest - 1]}…"
