"""Masks that stand out by what they mark: nothing, everything, the ground, beside the object, specks, too much."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.profile.polarity import NAMES
from benchmarks.profile.suspects import Suspect
from benchmarks.profile.suspects.usual import Column, Flags, Usual, rows_of, usual
from benchmarks.profile.table import Table

OFTEN_EMPTY, OFTEN_FULL = 0.25, 0.25
FULL = 0.998
FEW_SPECKS, FEW_PINHOLES = 6, 8
"""Fewer than that are no noise, whatever the other masks have; a few holes are left where objects touch."""

HUGE, SELDOM_HUGE = 0.9, 0.6
"""Foreground that is nearly all, where the usual mask has less than the second."""

FAR_AREA, VERY_FAR_AREA, LEAST_FACTOR, FAR_COUNT = 3.5, 4.5, 4.0, 6.0
ENOUGH_MASKS = 8
TURNED = -0.1
"""Of the usual score: exactly inverted masks have it with the opposite sign."""

ENCLOSED, PLAINLY = -0.15, 0.45
"""At least 35 % of the picture's border is foreground; where there are few masks, 95 %."""

FAR_PLACE, BETTER, CLEARLY, SHARPLY = 0.02, 0.15, 1.5, 4.0
"""A better place: how far off, by how much, and by how many standard deviations of the score over all places."""

ON_EDGES, OFF_EDGES = 0.25, 0.12
MOST_OF_BORDER = 0.6


def find(table: Table) -> Iterator[Suspect]:
    """Suspects among masks; of several that one sample could be, all."""
    yield from _empty(table)
    yield from _full(table)
    yield from _inverted(table)
    yield from _specks(table)
    yield from _areas(table)
    yield from _shifted(table)


def _empty(table: Table) -> Iterator[Suspect]:
    share = table.column("area_share")
    known, empty = int(np.isfinite(share).sum()), share == 0
    if known and empty.sum() <= OFTEN_EMPTY * known:
        for row in rows_of(empty):
            yield Suspect("mask_empty", table.ids[row], f"Nothing is foreground; {int(empty.sum())} of {known} masks "
                          "are empty.", figure={"area_share": 0.0})  # fmt: skip


def _full(table: Table) -> Iterator[Suspect]:
    share = table.column("area_share")
    known, full = int(np.isfinite(share).sum()), share >= FULL
    if known and full.sum() <= OFTEN_FULL * known and len(table.classes) < 2:  # several classes may leave no ground
        for row in rows_of(full):
            yield Suspect("mask_full", table.ids[row], f"{share[row]:.1%} of the picture is foreground.",
                          figure={"area_share": share[row]})  # fmt: skip


def _inverted(table: Table) -> Iterator[Suspect]:
    """Masks that are more like the inverses of the others than like the others.

    The discriminant of Fisher (1936) between masks and their inverses, which lie opposite each other.
    """
    values = np.stack([table.column(name) for name in NAMES], axis=1)
    known = np.isfinite(values).all(axis=1)
    if known.sum() < ENOUGH_MASKS:
        yield from _plainly_inverted(table)
        return
    scores = np.full(len(table), np.nan)
    scores[known] = side_scores(values[known])
    likely = _usual_inverse(table) | (values[:, 1] > PLAINLY)
    for row in rows_of((scores < TURNED) & (values[:, 1] > ENCLOSED) & likely):
        yield Suspect("mask_inverted", table.ids[row], f"{values[row, 1] + 0.5:.0%} of the border and "
                      f"{values[row, 0] + 0.5:.0%} of the picture are foreground, which is more like an inverted mask "
                      "of this dataset than like the others.", figure={"score": scores[row]})  # fmt: skip


def _usual_inverse(table: Table) -> Flags:
    """Whether the ground has an area that objects of this dataset have; otherwise the area itself is what is odd."""
    odds = _odds(table)
    common = usual(odds, 0.3)
    return np.zeros(len(table), np.bool_) if common is None else np.abs(common.distance(-odds)) <= VERY_FAR_AREA


def _odds(table: Table) -> Column:
    """Logarithm of the foreground's area by that of the ground; NaN where one is empty."""
    share = table.column("area_share")
    inner = np.where((share > 0) & (share < 1), share, np.nan)
    return np.asarray(np.log(inner / (1 - inner)), np.float64)


def _plainly_inverted(table: Table) -> Iterator[Suspect]:
    """With few masks to compare with, only what takes in nearly all of the picture's border."""
    area, border = table.column("area_share"), table.column("side_border")
    for row in rows_of((area > 0.5) & (area < FULL) & (border > PLAINLY)):
        yield Suspect("mask_inverted", table.ids[row], f"{border[row] + 0.5:.0%} of the border and {area[row]:.0%} of "
                      "the picture are foreground.", figure={"area_share": area[row]})  # fmt: skip


def side_scores(values: Column) -> Column:
    """How much each mask is like the others (1 is usual) rather than like their inverses (-1).

    Args:
        values: ``float64 (N, 8)``, measures that turn their sign where a mask is inverted.
    """
    middle = np.median(values, axis=0)
    spread = 1.4826 * np.median(np.abs(values - middle), axis=0) + 0.05 * np.abs(values).max(axis=0) + 1e-9
    away = np.clip((values - middle) / spread, -3, 3)
    cover = np.cov(away.T) + 0.3 * np.eye(values.shape[1])
    scores = (values / spread) @ np.linalg.solve(cover, middle / spread)
    common = float(np.median(scores))
    return np.asarray(scores / common if common > 0 else np.ones(len(values)), np.float64)


def _specks(table: Table) -> Iterator[Suspect]:
    specks, holes = table.column("specks"), table.column("pinholes")
    common = usual(specks, 0.5), usual(holes, 1.0)
    if common[0] is None or common[1] is None:
        return
    several = FEW_PINHOLES + 3 * float(np.nanpercentile(holes, 75))  # of objects that touch, many masks have some
    many = _many(specks, common[0], FEW_SPECKS) | _many(holes, common[1], several)
    for row in rows_of(many):
        yield Suspect("mask_specks", table.ids[row], f"It has {specks[row]:.0f} tiny parts and {holes[row]:.0f} tiny "
                      f"holes; the usual mask {common[0].middle:.0f} and {common[1].middle:.0f}.",
                      figure={"specks": specks[row], "pinholes": holes[row]})  # fmt: skip


def _many(counts: Column, common: Usual, fewest: float) -> Flags:
    return (counts >= fewest) & (counts > 4 * common.middle) & (common.distance(counts) > FAR_COUNT)


def _areas(table: Table) -> Iterator[Suspect]:
    share, odds = table.column("area_share"), _odds(table)
    common = usual(odds, 0.3)
    if common is None or common.n < ENOUGH_MASKS:
        return
    far = (np.abs(common.distance(odds)) > FAR_AREA) & (np.abs(odds - common.middle) > np.log(LEAST_FACTOR))
    far |= (share > HUGE) & (share < FULL) & (np.nanmedian(share) < SELDOM_HUGE)
    middle = 1 / (1 + np.exp(-common.middle))
    for row in rows_of(far):
        yield Suspect("area_outlier", table.ids[row], f"{share[row]:.1%} of the picture is foreground, in the usual "
                      f"mask {middle:.0%}.", figure={"area_share": share[row]})  # fmt: skip


def _shifted(table: Table) -> Iterator[Suspect]:
    here, best, spread = table.column("fit"), table.column("fit_best"), table.column("fit_usual")
    dx, dy = table.column("fit_dx"), table.column("fit_dy")
    common = usual(here, 0.05)
    if common is None or common.middle < ON_EDGES:  # outlines of this dataset do not follow edges
        return
    gain = (best - here) / np.fmax(spread, 0.01)
    strong = (best > 0.6 * common.middle) & (best - here > BETTER) & (gain > CLEARLY) & (here < 0.75 * best)
    sharp = (best > 0.3 * common.middle) & (gain > SHARPLY) & (here < 0.5 * best)
    elsewhere = (np.hypot(dx, dy) > FAR_PLACE) & (strong | sharp)
    nowhere = (common.n >= ENOUGH_MASKS) & (here < 0.3 * common.middle) & (common.distance(here) < -FAR_AREA)
    for row in rows_of(elsewhere | nowhere):
        if elsewhere[row]:
            reason = (f"Its outline lies on stronger edges {abs(dx[row]):.0%} of the width to the "
                      f"{'right' if dx[row] > 0 else 'left'} and {abs(dy[row]):.0%} of the height "
                      f"{'down' if dy[row] > 0 else 'up'}: {best[row]:.2f} instead of {here[row]:.2f}.")  # fmt: skip
        else:
            reason = f"Its outline lies on no edges: {here[row]:.2f}, where {common.middle:.2f} is usual."
        yield Suspect("mask_shifted", table.ids[row], reason, figure={
            "fit": here[row], "fit_best": best[row], "dx_share": dx[row], "dy_share": dy[row]})  # fmt: skip


def concerns(table: Table) -> list[dict[str, str]]:
    """What is odd of so many masks that none of them stands out, each with a title and a reason.

    Args:
        table: of all samples.
    """
    share, border = table.column("area_share"), table.column("border_share")
    known = int(np.isfinite(share).sum())
    if not known:
        return []
    found = [_concern("Many masks mark nothing", share == 0, OFTEN_EMPTY, known, "have no foreground at all")]
    if len(table.classes) < 2:
        found.append(
            _concern("Many masks mark everything", share >= FULL, OFTEN_FULL, known, "cover the whole picture")
        )
        found.append(_concern("Many masks may be inverted", (share > 0.5) & (share < FULL) & (border > MOST_OF_BORDER),
                              OFTEN_FULL, known, "take in most of the picture and of its border"))  # fmt: skip
    fit = table.column("fit")
    if np.isfinite(fit).sum() >= ENOUGH_MASKS and (middle := float(np.nanmedian(fit))) < OFF_EDGES:
        reason = (f"The outline of the usual mask lies on hardly any edge of its picture ({middle:.2f}; 0 is none, 1 "
                  "along strong ones): are all masks shifted, or do they belong to other pictures?")  # fmt: skip
        found.append({"title": "Outlines do not lie on edges", "reason": reason})
    return [one for one in found if one is not None]


def _concern(title: str, flags: Flags, often: float, known: int, what: str) -> dict[str, str] | None:
    number = int(flags.sum())
    if number <= often * known:
        return None
    return {"title": title, "reason": f"{number} of {known} masks {what}. Is that meant?"}
