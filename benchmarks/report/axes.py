"""The frame of a chart: scales with round ticks, a grid and the names of the axes, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.report.markup import Markup, element, fragment

WIDTH, HEIGHT = 560, 360
LEFT, RIGHT, TOP, BOTTOM = 58, 28, 14, 50
TICKS = 5
LOG_FROM = 8.0
"""A larger ratio between the ends makes an axis logarithmic."""


@dataclass(frozen=True)
class Scale:
    """From values to places along one side of the frame.

    Attributes:
        low: value at the start.
        high: value at the end.
        start: place of the lowest value.
        end: place of the highest.
        log: whether equal steps are equal ratios.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (at - low) / (high - low), 1)

    def ticks(self) -> list[float]:
        """Round values within the scale."""
        return _log_ticks(self.low, self.high) if self.log else _ticks(self.low, self.high)


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(times for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
    return [round(n * step, 10) for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    several = (1, 2, 5) if math.log10(high / low) < 2.5 else (1,)
    found = [times * 10.0**power for power in powers for times in several]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def scores(values: Sequence[float]) -> Scale:
    """An upright scale for scores from 0 to 1: where the values are, but never less than a fifth of the range."""
    low, high = math.floor(min(values) * 20 - 0.4) / 20, math.ceil(max(values) * 20 + 0.4) / 20
    low, high = max(0.0, low), min(1.0, high)
    if high - low < 0.2:
        low = max(0.0, high - 0.2)
        high = min(1.0, low + 0.2)
    return Scale(low, high, HEIGHT - BOTTOM, TOP + 8)


def times(values: Sequence[float]) -> Scale:
    """A level scale for times above 0; logarithmic where they differ much."""
    low, high = min(values), max(values)
    if high / low > LOG_FROM:
        return Scale(low / 1.6, high * 1.6, LEFT, WIDTH - RIGHT, log=True)
    return Scale(0.0, high * 1.25, LEFT, WIDTH - RIGHT)


def frame(across: Scale, up: Scale, names: tuple[str, str], forms: tuple[Callable[[float], str], ...]) -> Markup:
    """Grid, ticks and names.

    Args:
        across: the level scale.
        up: the upright scale.
        names: of both.
        forms: how a tick of each is written.
    """
    foot = HEIGHT - BOTTOM
    parts = []
    for value in across.ticks():
        x = across(value)
        parts.append(element("line", class_="grid", x1=x, x2=x, y1=TOP, y2=foot))
        parts.append(element("text", forms[0](value), x=x, y=foot + 18, text_anchor="middle", class_="tick"))
    for value in up.ticks():
        y = up(value)
        parts.append(element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        parts.append(element("text", forms[1](value), x=LEFT - 8, y=y + 4, text_anchor="end", class_="tick"))
    middle = (TOP + foot) / 2
    across_name = element("text", names[0], x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 8, text_anchor="middle")
    up_name = element("text", names[1], x=14, y=middle, text_anchor="middle", transform=f"rotate(-90 14 {middle:g})")
    return fragment(parts, across_name, up_name)


def chart(name: str, title: str, described: str, *parts: Markup) -> Markup:
    """The whole drawing, with a title and a description for those who do not see it."""
    about = [element("title", title, id=f"{name}-title"), element("desc", described, id=f"{name}-desc")]
    return element("svg", about, parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", class_="chart",
                   aria_labelledby=f"{name}-title {name}-desc")  # fmt: skip


def path(points: Sequence[tuple[float, float]]) -> str:
    """The ``d`` of a line through points."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def marker(number: int, x: float, y: float) -> Markup:
    """The mark of the pipeline of that number: its own colour and, of four, its own shape."""
    kind, r = f"s{number % COLOURS}", 7
    diamond = f"M{x:g} {y - r - 2:g}l{r + 2} {r + 2}l{-r - 2} {r + 2}l{-r - 2} {-r - 2}Z"
    triangle = f"M{x:g} {y - r - 1:g}l{r + 1} {2 * r + 1}h{-2 * r - 2}Z"
    shapes = (
        element("circle", cx=x, cy=y, r=r, class_=kind),
        element("rect", x=x - r, y=y - r, width=2 * r, height=2 * r, class_=kind),
        element("path", d=diamond, class_=kind),
        element("path", d=triangle, class_=kind),
    )
    return shapes[number % len(shapes)]


COLOURS = 6
"""Colours of Okabe and Ito that the style sheet names s0 to s5."""
