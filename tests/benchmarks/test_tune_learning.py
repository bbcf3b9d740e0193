"""How many labelled images are enough: against every draw there is, and where nothing depends on the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, product
from math import comb, log, sqrt
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from benchmarks.metrics import METRICS
from benchmarks.tune import learning
from benchmarks.tune.candidates import Candidate, packed
from benchmarks.tune.choice import Judge
from benchmarks.tune.learning import Point, enough, learning_curve, sizes
from tests.benchmarks import tuning
from tests.benchmarks.copies import made_folder, picture

Terms = np.ndarray


def one_of(terms: Terms, fold: int, number: int = 0, variant: int = 0) -> Candidate:
    """A candidate of given terms by group, ``(groups, 2)``."""
    return Candidate((), {}, {}, None, None, packed(np.stack([terms, terms])), 0, 0.0, 0.0, fold=fold, number=number,
                     variant=variant)  # fmt: skip


def means(values: Sequence[float] | Terms) -> Terms:
    """Terms of groups of one image each."""
    return np.stack([np.round(np.asarray(values, float), 6), np.ones(len(values))], axis=1)


def judge(start: Terms, fold_of: Sequence[int], metric: str = "miou") -> Judge:
    return Judge(METRICS[metric], np.array(fold_of, np.int64), start, 0)


def figure(terms: Terms, rows: Sequence[int]) -> float | None:
    top, bottom = (sum(float(terms[row, side]) for row in rows) for side in (0, 1))
    return top / bottom if bottom else None


def is_ahead(terms: Terms, start: Terms, rows: Sequence[int], tried: int, sign: int) -> bool:
    """The rule in words: ahead by sqrt(2 ln n) jackknifed standard errors of the difference, and one at least."""
    rows = [row for row in rows if terms[row, 1] or start[row, 1]]
    if len(rows) < 2:
        return False

    def gap(kept: Sequence[int]) -> float:
        ours, theirs = figure(terms, kept), figure(start, kept)
        assert ours is not None and theirs is not None
        return sign * (ours - theirs)

    without = [gap([other for other in rows if other != row]) for row in rows]
    middle = sum(without) / len(rows)
    error = sqrt((len(rows) - 1) / len(rows) * sum((one - middle) ** 2 for one in without))
    return gap(rows) > max(0.0, max(1.0, sqrt(2 * log(tried))) * error)


def chosen(start: Terms, candidates: Sequence[Candidate], rows: Sequence[int], sign: int) -> Terms:
    """Of the best on some groups; of equals the one with the lowest number, then of the first variant."""
    known = [(one, figure(one.sums(0), rows)) for one in candidates]
    ranked = sorted((-sign * value, one.number, one.variant, index)
                    for index, (one, value) in enumerate(known) if value is not None)  # fmt: skip
    if not ranked:
        return start
    best = candidates[ranked[0][-1]].sums(0)
    return best if is_ahead(best, start, rows, len(ranked), sign) else start


def every_draw(judged: Judge, candidates: Sequence[Candidate], folds: int, size: int) -> list[float]:
    """The figure of every combination of draws, one of each fold's."""
    drawn, start = [], judged.start
    for fold in range(folds):
        seen, unseen = np.flatnonzero(judged.fold_of != fold), np.flatnonzero(judged.fold_of == fold)
        own = [one for one in candidates if one.fold == fold]
        held = [chosen(start, own, rows, judged.sign)[unseen].sum(axis=0) for rows in combinations(seen.tolist(), size)]
        drawn.append(held)
    return [float(sum(one[0] for one in draw) / sum(one[1] for one in draw)) for draw in product(*drawn)]


@pytest.fixture
def many_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "DRAWS", 1500)


@pytest.mark.usefixtures("many_draws")
@pytest.mark.parametrize("metric", ["miou", "miss_rate"])
def test_the_curve_is_the_mean_over_every_draw(metric: str) -> None:
    chance, groups = np.random.default_rng(3), 12
    fold_of = [index % 2 for index in range(groups)]
    sign = 1 if METRICS[metric].direction == "higher" else -1
    start = means(np.clip(chance.normal(0.5, 0.1, groups), 0, 1))
    candidates = [
        one_of(means(np.clip(start[:, 0] + sign * chance.normal(0.05, 0.12, groups), 0, 1)), fold, number)
        for fold in (0, 1) for number in range(6)
    ]  # fmt: skip
    judged = judge(start, fold_of, metric)
    curve = learning_curve(judged, candidates, 2, seed=0)
    assert [point.n_groups for point in curve] == [4, 6]
    for point in curve:
        found = every_draw(judged, candidates, 2, point.n_groups)
        assert len(found) == comb(6, point.n_groups) ** 2
        spread = float(np.std(found))
        assert point.value == pytest.approx(np.mean(found), abs=4 * spread / sqrt(1500) + 1e-12)
        for end, share in ((point.low, 10), (point.high, 90)):
            near = np.percentile(found, (share - 4, share + 4))
            assert near[0] - 1e-12 <= end <= near[1] + 1e-12
    assert np.std(every_draw(judged, candidates, 2, 4)) > 0.005, "the draws matter"


def spread_out(groups: int, folds: int, count: int, seed: int) -> tuple[Judge, list[Candidate]]:
    chance = np.random.default_rng(seed)
    sizes_of = chance.integers(1, 6, groups).astype(float)  # images of each group
    shares = np.clip(chance.normal(0.6, 0.1, groups), 0, 1)
    start = np.stack([np.round(shares * sizes_of, 6), sizes_of], axis=1)
    made = []
    for fold, number in product(range(folds), range(count)):
        moved = np.clip(shares + chance.normal(0.08, 0.08) + chance.normal(0, 0.05, groups), 0, 1)
        made.append(one_of(np.stack([np.round(moved * sizes_of, 6), sizes_of], axis=1), fold, number))
    return judge(start, [index % folds for index in range(groups)]), made


def test_with_all_that_a_study_sees_it_is_the_cross_validated_figure() -> None:
    judged, candidates = spread_out(30, 5, 12, seed=1)
    curve = learning_curve(judged, candidates, 5, seed=0)
    assert [point.n_groups for point in curve] == [4, 6, 10, 16, 24]
    end = curve[-1]
    assert judged.judge(candidates, 5).cv_value == pytest.approx(end.value, abs=1e-12)
    assert end.low == pytest.approx(end.value, abs=1e-12) and end.high == pytest.approx(end.value, abs=1e-12)
    assert curve[0].value < end.value, "few images choose worse"


def test_what_is_drawn_are_groups_and_each_counts_with_all_its_images() -> None:
    """A group of a hundred images on which the other choice is right: it is drawn whole or not at all."""
    groups = 9
    sizes_of = np.array([100.0, *np.ones(groups - 1)])
    start = np.stack([0.5 * sizes_of, sizes_of], axis=1)
    good, bad = (np.stack([share * sizes_of, sizes_of], axis=1) for share in (0.7, 0.6))
    bad[0, 0] = 95.0  # of the large group
    candidates = [one_of(terms, fold, number) for fold in range(3) for number, terms in enumerate((good, bad))]
    judged = judge(start, [0, 1, 2] * 3)
    (point, end) = learning_curve(judged, candidates, 3, seed=0)
    assert (point.n_groups, end.n_groups) == (4, 6)
    assert end.value == pytest.approx(judged.judge(candidates, 3).cv_value or 0, abs=1e-12)
    possible = every_draw(judged, candidates, 3, 4)
    assert min(possible) - 1e-12 <= point.low <= point.value <= point.high <= max(possible) + 1e-12
    assert {round(one, 9) for one in (point.low, point.high)} <= {round(one, 9) for one in possible}


def test_the_groups_of_a_dataset_are_counted_and_not_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning.installed(monkeypatch, tmp_path)
    names = [f"p{index:02d}" for index in range(20)]
    data = made_folder(tmp_path / "d", {name: picture(index, (48, 64)) for index, name in enumerate(names)},
                       groups={name: f"g{index % 10}" for index, name in enumerate(names)})  # fmt: skip
    outcome = tuning.tuned(tmp_path / "out", data, "smooth", trials=6, folds=2, fields=("threshold", "erode"))
    assert len(set(outcome.task.group.values())) == 10
    assert [point.n_groups for point in outcome.learning] == [4, 5]
    assert outcome.learning[-1].value == pytest.approx(outcome.judged.cv_value, abs=1e-12)


def test_it_is_level_where_the_choice_depends_on_no_image() -> None:
    groups, start = 20, means([0.4, 0.6] * 10)
    fold_of = [index // 2 % 2 for index in range(groups)]
    better = means([0.6, 0.8] * 10)  # by as much on every image
    for candidates in ([one_of(better, 0), one_of(better, 1)], [one_of(start, 0), one_of(start, 1)]):
        curve = learning_curve(judge(start, fold_of), candidates, 2, seed=0)
        assert [point.n_groups for point in curve] == [4, 6, 10]
        value = float(candidates[0].sums(0)[:, 0].mean())
        for point in curve:
            assert (point.value, point.low, point.high) == pytest.approx((value, value, value), abs=1e-12)
        assert enough(curve, 1) == 4


def test_of_equals_the_same_is_chosen_as_in_the_search() -> None:
    """Two wordings whose candidates tie on what is seen and differ on what is not: the lower number wins."""
    start = means([0.2] * 10)
    fold_of = [0, 1] * 5
    seen_alike = [
        means([0.5 if fold_of[g] != fold else value for g in range(10)]) for value in (0.9, 0.4) for fold in (0, 1)
    ]
    candidates = [one_of(seen_alike[fold], fold, number=3, variant=0) for fold in (0, 1)]
    candidates += [one_of(seen_alike[2 + fold], fold, number=1, variant=1) for fold in (0, 1)]
    judged = judge(start, fold_of)
    (*_, end) = learning_curve(judged, candidates, 2, seed=0)
    assert judged.judge(candidates, 2).cv_value == pytest.approx(0.4)
    assert end.value == pytest.approx(0.4)


def test_what_has_no_figure_is_not_counted_among_those_tried() -> None:
    """199 that say nothing of any image, and one that is ahead by two standard errors: it was the only one tried."""
    chance, groups = np.random.default_rng(0), 16
    fold_of, start = [index % 2 for index in range(groups)], means([0.5] * groups)
    gain = np.tile([-0.02, 0.16], groups // 2)
    chance.shuffle(gain)
    silent, ahead = np.zeros((groups, 2)), means(0.5 + gain)
    candidates = [one_of(terms, fold, number) for fold in (0, 1)
                  for number, terms in enumerate([ahead, *[silent] * 199])]  # fmt: skip
    judged = judge(start, fold_of)
    (*_, end) = learning_curve(judged, candidates, 2, seed=0)
    assert end.value == pytest.approx(judged.judge(candidates, 2).cv_value)
    assert end.value > 0.55


def test_images_without_a_say_leave_no_point(many_draws: None) -> None:
    nothing = np.zeros((12, 2))
    assert not learning_curve(judge(nothing, [0, 1] * 6), [one_of(nothing, 0), one_of(nothing, 1)], 2, seed=0)


def test_without_folds_or_candidates_there_is_no_curve() -> None:
    judged, candidates = spread_out(20, 2, 3, seed=0)
    assert not learning_curve(judged, candidates, 1, seed=0)
    assert not learning_curve(judged, [], 2, seed=0)
    assert not learning_curve(judged, [one for one in candidates if one.fold == 0], 2, seed=0)


def test_the_seed_draws_and_nothing_else() -> None:
    judged, candidates = spread_out(24, 3, 8, seed=2)
    curves = [learning_curve(judged, candidates, 3, seed=seed) for seed in (0, 0, 1)]
    assert curves[0] == curves[1] != curves[2]
    assert curves[0] == learning_curve(judged, candidates[::-1], 3, seed=0)
    assert curves[0] == learning_curve(judged, [replace(one, errors=1) for one in candidates], 3, seed=0)


def test_sizes_grow_to_all_that_is_seen() -> None:
    assert list(sizes(3)) == []
    assert list(sizes(4)) == [4]
    assert list(sizes(7)) == [4, 6, 7]
    assert list(sizes(100)) == [4, 6, 10, 16, 26, 41, 67, 100]


def test_enough_is_where_it_stays_near_the_end() -> None:
    def curve(*values: float) -> list[Point]:
        return [Point(4 + index, value, value, value) for index, value in enumerate(values)]

    assert enough(curve(0.5, 0.696, 0.7), 1) == 5
    assert enough(curve(0.7, 0.6, 0.7), 1) is None, "it fell again"
    assert enough(curve(0.71, 0.7, 0.7), 1) == 4, "better than the end is enough too"
    assert enough(curve(0.5, 0.6, 0.7), 1) is None
    assert enough(curve(0.7, 0.5, 0.5), -1) == 5
    assert enough(curve(0.5), 1) is None and enough([], 1) is None


def test_a_long_search_has_its_curve_in_seconds() -> None:
    judged, candidates = spread_out(300, 5, 400, seed=4)
    begun = perf_counter()
    curve = learning_curve(judged, candidates, 5, seed=0)
    assert len(curve) == 10
    assert perf_counter() - begun < 5
