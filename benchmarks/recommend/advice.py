"""The recommendation in words that a stakeholder can use: what to ship, why, how sure, and what would change it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmarks.recommend import choice, grounds
from benchmarks.recommend.choice import Flip, Pick
from benchmarks.recommend.grounds import Case, Ends, Sure
from benchmarks.records import Record
from benchmarks.rows import Row, has_oracle, knew

MOST_FLIPS = 4


class RunnerUp(Record):
    """A row that fits and was not chosen.

    Attributes:
        miou_difference: its mIoU less that of the choice.
        difference_ci: 95 % interval of that on the same images.
        difference_method: how that was made; "exact" is a bound, as no resample differs.
        difference_p: p-value of that, corrected for all pairs of the run (Holm 1979).
        tied: whether the images do not tell it apart from the choice.
        share: of resampled sets of images on which it has the best mIoU.
        latency_ms: median.
        memory_mb: peak.
    """

    label: str
    miou: float | None
    miou_difference: float | None
    difference_ci: Ends | None
    difference_method: str | None
    difference_p: float | None
    tied: bool
    share: float | None
    latency_ms: float | None
    memory_mb: float | None
    throughput_ips: float | None
    licences: tuple[str, ...]


class Exclusion(Record):
    """A row that does not fit, and why."""

    label: str
    reason: str


class Recommendation(Record):
    """What to ship.

    Attributes:
        choice: label of the row, or None where nothing can be recommended.
        why: in plain words.
        sure: how sure.
        runners_up: best mIoU first.
        excluded: in the order of the run.
        would_change: what would change the answer, the nearest first.
        nearest: where there is no choice, the row that misses the limits by least.
    """

    choice: str | None
    why: str
    sure: Sure
    runners_up: tuple[RunnerUp, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    would_change: tuple[str, ...] = ()
    nearest: str | None = None


def recommend(case: Case) -> Recommendation:
    """What to ship, and everything that has to be said about it."""
    judged = any(row.miou is not None for row in case.rows)
    barred = {row.label: why for row in case.rows if (why := _barred(row, case, judged))}
    open_rows = [row for row in case.rows if row.label not in barred]
    fit = [row for row in open_rows if not choice.breaches(row, case.limits)]
    chosen = choice.pick(fit, case.images.pair)
    flips = choice.relaxations(open_rows, case.limits, chosen, case.images.pair)
    excluded = tuple(_exclusion(row, case, barred) for row in case.rows if row not in fit)
    if chosen is None:
        return _nothing(open_rows, case, judged, excluded, flips)
    shares = case.images.shares([row.label for row in fit]) if judged else {}
    return Recommendation(
        choice=chosen.row.label,
        why=grounds.why(chosen, fit, case),
        sure=grounds.sure(chosen, fit, case, shares),
        runners_up=_runners_up(chosen, fit, case, shares),
        excluded=excluded,
        would_change=_would_change(chosen, fit, case, flips),
    )


def _barred(row: Row, case: Case, judged: bool) -> str | None:
    """Why no limit would let a row in, or None."""
    random = "random_weights" in row.flags
    if row.status != "ok":
        return f"{row.status}: {row.reason or 'no reason is known'}"
    if judged and row.miou is None:
        return f"{'random weights: ' if random else ''}its quality is not known"
    if not judged and not case.limits.of_speed:
        return "its quality is not known, and nothing is asked of the speed"
    rivals = any(other.miou is not None and not knew(other) for other in case.rows)
    if judged and knew(row) and rivals:
        how = "points or boxes were taken from the true masks" if has_oracle(row) else "preset was tuned on the images"
        return f"its {how}, so that its quality is not one to ship"
    return None


def _exclusion(row: Row, case: Case, barred: Mapping[str, str]) -> Exclusion:
    said = [barred[row.label]] if row.label in barred else []
    if row.status == "ok":
        said += [one.reason for one in choice.breaches(row, case.limits)]
    return Exclusion(label=row.label, reason="; ".join(said))


def _nothing(rows: Sequence[Row], case: Case, judged: bool, excluded: tuple[Exclusion, ...],
             flips: Sequence[Flip]) -> Recommendation:  # fmt: skip
    why = "Nothing can be recommended: "
    broken = {row.label: choice.breaches(row, case.limits) for row in rows}
    missed = [label for label, found in broken.items() if all(one.change for one in found)]
    nearest = min(missed, key=lambda label: (len(broken[label]), sum(one.far for one in broken[label])), default=None)
    if nearest:
        reasons = "; ".join(one.reason for one in broken[nearest])
        why += f"none keeps the limits. The nearest is {nearest}: {reasons}"
    elif not any(row.status == "ok" for row in case.rows):
        why += "no row of the run is ok"
    elif not judged and case.limits.miou is not None:
        why += "the quality of no row is known, so that no limit on the mIoU can be checked"
    elif not judged:
        why += ("the quality of no row is known; with --max-latency-ms or --min-throughput the choice can be made by "
                "speed alone")  # fmt: skip
    else:
        why += "no row that ran can be held to what is asked; the reasons stand beside each"
    changes = tuple(f"With {flip.words}, {flip.pick.row.label} would fit." for flip in flips[:MOST_FLIPS])
    return Recommendation(choice=None, why=f"{why}.", sure=Sure(level="nothing fits", share=None, words=()),
                          excluded=excluded, would_change=changes, nearest=nearest)  # fmt: skip


def _runners_up(chosen: Pick, fit: Sequence[Row], case: Case,
                shares: Mapping[str, float]) -> tuple[RunnerUp, ...]:  # fmt: skip
    others = sorted(
        (row for row in fit if row is not chosen.row), key=lambda row: (-(row.miou or 0), choice.p50_ms(row))
    )
    return tuple(_runner_up(row, chosen, case, shares) for row in others)


def _runner_up(row: Row, chosen: Pick, case: Case, shares: Mapping[str, float]) -> RunnerUp:
    pair = case.images.pair(row.label, chosen.row.label) if row.miou is not None else None
    gap = pair.difference if pair else None
    return RunnerUp(
        label=row.label,
        miou=row.miou,
        miou_difference=gap.value if gap else None,
        difference_ci=gap.ci if gap else None,
        difference_method=gap.method if gap else None,
        difference_p=gap.p_holm if gap else None,
        tied=pair is not None and pair.tie,
        share=shares.get(row.label),
        latency_ms=_finite(choice.p50_ms(row)),
        memory_mb=_finite(choice.memory_mb(row)),
        throughput_ips=row.throughput_ips.value if row.throughput_ips else None,
        licences=tuple(one.licence for one in row.weights),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _would_change(chosen: Pick, fit: Sequence[Row], case: Case, flips: Sequence[Flip]) -> tuple[str, ...]:
    said = [f"With {flip.words}, {grounds.instead(flip, chosen, case)}." for flip in flips[:MOST_FLIPS]]
    if chosen.row is not chosen.best:
        lead = (chosen.best.miou or 0.0) - (chosen.row.miou or 0.0)
        said.append(f"If more images show that its lead of {lead:.3f} is real, or if quality alone counts, "
                    f"{chosen.best.label} would be the choice.")  # fmt: skip
    said += [f"If {flip.words}, {grounds.instead(flip, chosen, case)}."
             for flip in choice.tightenings(fit, chosen, case.images.pair)[:MOST_FLIPS // 2]]  # fmt: skip
    return tuple(said)
