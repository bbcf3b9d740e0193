"""Where objects lie and which classes there are, on a profile's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.profile.page_parts import NO, bar, value
from benchmarks.report.figures import digits, share
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import table

SIDE, SHADES, PARTS = 8, 12, 8
"""Of a cell in the picture; levels of colour; places along each side that tell their figure."""

MOST_CLASSES = 40
CLASSES = ("Class", "Images", "Of the images with masks", "Objects", "Of all pixels")


def position(document: Mapping[str, Any]) -> Markup:
    """The heat map of the foreground, and how large the objects are."""
    masks = document["masks"]
    grid = masks["position"]
    if not grid:
        return NO
    return element("div", _heat(grid), _sizes(masks), class_="sides")


def _heat(grid: Sequence[Sequence[float]]) -> Markup:
    most, wide = max(max(row) for row in grid), SIDE * len(grid[0])
    tall = SIDE * len(grid)
    levels: dict[int, list[str]] = {}
    for y, row in enumerate(grid):
        for x, part in enumerate(row):
            level = round(SHADES * part / most) if most else 0
            levels.setdefault(level, []).append(f"M{x * SIDE} {y * SIDE}h{SIDE}v{SIDE}h-{SIDE}z")
    cells = [
        element("path", d="".join(paths), class_="heatmap", fill_opacity=round(level / SHADES, 2))
        for level, paths in sorted(levels.items())
        if level
    ]
    top, low = _peak(grid), min(min(row) for row in grid)
    said = (f"Where foreground lies, over all masks stretched to one square: at most {share(most)} of the masks cover "
            f"a place ({top}), at least {share(low)}.")  # fmt: skip
    ground = element("rect", x=0, y=0, width=wide, height=tall, class_="h0")
    drawn = element(
        "svg",
        element("title", said),
        ground,
        cells,
        _told(grid, wide, tall),
        viewBox=f"0 0 {wide} {tall}",
        class_="plot heat",
        role="img",
        aria_label=said,
    )
    return element("figure", drawn, element("figcaption", said, " Point at a place for its figure.", class_="quiet"))


def _peak(grid: Sequence[Sequence[float]]) -> str:
    """The place of the most foreground, in words."""
    n, m = len(grid), len(grid[0])
    y, x = max(((y, x) for y in range(n) for x in range(m)), key=lambda at: grid[at[0]][at[1]])
    down = ("top", "middle", "bottom")[min(3 * y // n, 2)]
    return f"{down} {('left', 'centre', 'right')[min(3 * x // m, 2)]}"


def _told(grid: Sequence[Sequence[float]], wide: int, tall: int) -> list[Markup]:
    """Places that tell their mean while somebody points at them."""
    rows, columns = max(1, len(grid) // PARTS), max(1, len(grid[0]) // PARTS)
    parts = []
    for top in range(0, len(grid), rows):
        for left in range(0, len(grid[0]), columns):
            some = [part for row in grid[top : top + rows] for part in row[left : left + columns]]
            x, y = left * SIDE, top * SIDE
            place = min(max(x + columns * SIDE / 2, 26), wide - 26)
            tip = element(
                "text",
                share(sum(some) / len(some)),
                x=place,
                y=y + rows * SIDE / 2 + 4,
                text_anchor="middle",
                class_="tip",
            )
            parts.append(
                element(
                    "g",
                    element("rect", x=x, y=y, width=columns * SIDE, height=rows * SIDE, class_="hit"),
                    tip,
                    class_="cell",
                )
            )
    return parts


def _sizes(masks: Mapping[str, Any]) -> Markup:
    """Small, medium and large objects, by COCO's limits and relative to the picture."""
    (low, high), (least, most) = masks["size_limits"]["px"], masks["size_limits"]["share"]
    rows: list[list[Child]] = []
    for name in masks["size_classes"]:
        both = []
        for key in ("size_classes", "size_classes_relative"):
            total = sum(masks[key].values())
            both.append(f"{masks[key][name]} ({share(masks[key][name] / total)})" if total else "0")
        rows.append([name, *both])
    drawn = table(
        "Objects by size", ("Size", "In pixels", "Of the picture"), rows, frozenset({"In pixels", "Of the picture"})
    )
    said = (f"In pixels, as COCO counts: small below {digits(low)}, large from {digits(high)} pixels of area. "
            f"Of the picture: small below {value(least, 'share')}, large from {value(most, 'share')}.")  # fmt: skip
    return element("div", drawn, element("p", said, class_="quiet"))


def classes(document: Mapping[str, Any]) -> Markup:
    """How often each class occurs, and which occur together."""
    masks = document["masks"]
    listed = masks["classes"]
    if len(listed) < 2:
        return NO
    n = max(masks["with_masks"], 1)
    rows: list[list[Child]] = [
        [one["name"], f"{one['images']}", bar(one["images"] / n), digits(one["objects"]), share(one["pixel_share"])]
        for one in listed[:MOST_CLASSES]
    ]
    more = len(listed) - MOST_CLASSES
    rest = element("p", f"{more} more stand in the JSON document.", class_="quiet") if more > 0 else None
    drawn = table(
        "Classes, in the order of the dataset", CLASSES, rows, frozenset({"Images", "Objects", "Of all pixels"})
    )
    return fragment(drawn, rest, _together(masks))


def _together(masks: Mapping[str, Any]) -> Markup:
    """The matrix of classes that occur in one picture, shaded."""
    names = [one["name"] for one in masks["classes"]][:MOST_CLASSES]
    grid = [row[: len(names)] for row in masks["co_occurrence"][: len(names)]]
    most = max((grid[a][b] for a in range(len(names)) for b in range(len(names)) if a != b), default=0)
    rows: list[list[Child]] = [
        [name, *(_shaded(n, most, same=a == b) for b, n in enumerate(grid[a]))] for a, name in enumerate(names)
    ]
    drawn = table("Images in which two classes are together", ("Class", *names), rows, frozenset(names))
    return fragment(element("h3", "Which occur together"), drawn)


def _shaded(n: int, most: int, *, same: bool) -> Markup:
    level = 0 if same or not most else round(9 * n / most)
    return element("span", f"{n}", class_=f"shade shade{level}")
