"""The honest figure: what a search says of itself on data where nothing can be learned, and the rules it chooses by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.metrics import METRICS
from benchmarks.tune.candidates import TRAIN, WHOLE, Candidate, packed
from benchmarks.tune.choice import Judge
from benchmarks.tune.folds import folds_of
from pipelines.errors import UsageError
from tests.benchmarks import tuning

MIOU = METRICS["miou"]


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)


def candidate(
    train: Sequence[float], whole: Sequence[float] | None = None, *, fold: int = 0, number: int = 0
) -> Candidate:
    """One image a group, judged by a mean."""
    terms = np.array([[[value, 1.0] for value in values] for values in (train, whole if whole is not None else train)])
    return Candidate(words=(), params_train={"n": number}, params_whole={"n": number}, train=float(np.mean(train)),
                     whole=float(np.mean(terms[1, :, 0])), terms=packed(terms), errors=0, infer_s=0, decide_s=0, fold=fold,
                     number=number)  # fmt: skip


def judge(start: Sequence[float], folds: Sequence[int] | None = None, metric: str = "miou") -> Judge:
    terms = np.array([[value, 1.0] for value in start])
    return Judge(METRICS[metric], np.array(folds or [0] * len(start), np.int64), terms, 0)


def test_where_there_is_nothing_to_learn_the_cross_validated_figure_is_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 tickets on 16 pictures: the best is right on three quarters of them, and on half of those it was not chosen on."""
    monkeypatch.setattr("benchmarks.tune.choice.errors_ahead", lambda _: 0.0)  # as if there were no rule against it
    own, honest = [], []
    for seed in range(5):
        data = tuning.chances(tmp_path / f"d{seed}", 16, seed)
        outcome = tuning.tuned(tmp_path / f"out{seed}", data, "lottery", trials=60, folds=2, span=1.0, seed=seed)
        assert outcome.judged.value is not None and outcome.judged.cv_value is not None
        own.append(outcome.judged.value)
        honest.append(outcome.judged.cv_value)
    assert np.mean(own) > 0.7
    assert 0.36 < np.mean(honest) < 0.6
    assert np.mean(own) - np.mean(honest) > 0.2


def test_no_fold_has_a_say_in_its_own_study(tmp_path: Path) -> None:
    """A fold is planted in which the opposite is right: the studies of it do not see that, the others do."""
    data = tuning.discs(tmp_path / "d", 9)
    task = tuning.task_of(data, "smooth", folds=3)
    planted = [name for name, fold in task.fold.items() if fold == 1]
    before = tuning.tuned(tmp_path / "before", data, "smooth", trials=18, folds=3)
    for name in planted:
        path = data / "masks" / f"{name}.png"
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert mask is not None and cv2.imwrite(str(path), 255 - mask)
    after = tuning.tuned(tmp_path / "after", data, "smooth", trials=18, folds=3)
    assert after.task.fold == before.task.fold
    tried = [
        [(one.params_train, one.train) for one in outcome.candidates if one.fold == 1] for outcome in (before, after)
    ]
    assert tried[0] == tried[1]
    assert [one.whole for one in before.candidates if one.fold == 1] != [
        one.whole for one in after.candidates if one.fold == 1
    ]
    chosen = [outcome.judged.folds[1] for outcome in (before, after)]
    assert chosen[0].train == chosen[1].train
    assert chosen[0].value is not None and chosen[1].value is not None
    assert chosen[1].value < chosen[0].value
    seen = [
        [(one.params_train, one.train) for one in outcome.candidates if one.fold == 0] for outcome in (before, after)
    ]
    assert seen[0] != seen[1]


def test_each_image_is_judged_by_the_study_that_did_not_see_it() -> None:
    folds = [0, 0, 1, 1]
    good = candidate([0.9, 0.95, 0.1, 0.2], fold=1, number=0)  # best on what study 1 sees, bad on its fold
    other = candidate([0.1, 0.2, 0.9, 0.95], fold=0, number=0)
    found = judge([0.5] * 4, folds).judge([good, other], 2)
    assert [fold.value for fold in found.folds] == [pytest.approx(0.15), pytest.approx(0.15)]
    assert found.cv_value == pytest.approx(0.15)


def test_what_is_not_ahead_by_a_standard_error_is_not_taken() -> None:
    start = [0.5, 0.6, 0.7, 0.4]
    wavering = candidate([0.9, 0.3, 0.9, 0.3])  # 0.05 ahead on the mean, by one picture's chance
    steady = candidate([0.52, 0.62, 0.71, 0.42])
    everything = np.ones(4, bool)
    assert judge(start).pick([wavering], WHOLE, everything) is None
    assert judge(start).pick([steady], WHOLE, everything) is steady
    assert judge(start).pick([candidate(start)], WHOLE, everything) is None
    assert judge(start).pick([], WHOLE, everything) is None
    assert judge([0.5]).pick([candidate([0.9])], WHOLE, np.ones(1, bool)) is None  # of one group nothing is known


def test_of_equals_the_first_is_taken_whatever_order_they_come_in() -> None:
    tied = [candidate([0.9, 0.8, 0.9], number=number, fold=fold) for number, fold in ((3, 0), (1, 2), (1, 1), (7, 0))]
    for order in (tied, tied[::-1]):
        best = judge([0.1, 0.2, 0.1]).pick(order, TRAIN, np.ones(3, bool))
        assert best is not None and (best.number, best.fold) == (1, 1)


def test_a_start_that_may_not_stay_gives_way_to_the_best_that_may() -> None:
    start, worse, worst = [0.9] * 6, [0.7] * 6, [0.2] * 6
    own = replace(judge(start, [0, 0, 0, 1, 1, 1]), may_stay=False)
    some = [candidate(worst, fold=0, number=0), candidate(worse, fold=1, number=1)]
    found = own.judge(some, 2)
    assert found.chosen is some[1] and found.value == pytest.approx(0.7)
    assert [fold.chosen for fold in found.folds] == some
    assert found.cv_value == pytest.approx(0.45) and found.start == pytest.approx(0.9)
    one_sided = own.judge(some[1:], 2)
    assert one_sided.chosen is some[1]
    assert one_sided.cv_value is None and one_sided.folds == ()  # one part found nothing: there is no honest figure
    assert own.judge([], 2).chosen is None


def test_less_is_better_where_the_metric_says_so() -> None:
    start, worse, better = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0], [1.0] * 6, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    own = judge(start, metric="miss_rate")
    assert own.sign == -1
    best = own.pick([candidate(worse, number=0), candidate(better, number=1)], WHOLE, np.ones(6, bool))
    assert best is not None and best.number == 1
    assert own.pick([candidate(worse)], WHOLE, np.ones(6, bool)) is None


def test_groups_that_have_no_say_are_no_ground_for_a_choice() -> None:
    terms = np.array([[0.0, 0.0]] * 5 + [[0.9, 1.0]])
    assert not judge([0.0] * 6).is_ahead(terms, np.array([[0.0, 0.0]] * 5 + [[0.1, 1.0]]), 1)


def test_folds_are_whole_groups_of_like_size_drawn_by_the_seed() -> None:
    groups = {f"i{n:03d}": f"g{n % 23}" for n in range(100)} | {f"x{n}": "large" for n in range(18)}
    fold = folds_of(groups, 5, seed=0)
    for group in set(groups.values()):
        assert len({fold[name] for name, its in groups.items() if its == group}) == 1
    sizes = Counter(fold.values())
    assert set(sizes) == set(range(5)) and max(sizes.values()) - min(sizes.values()) <= 5
    assert folds_of(groups, 5, seed=0) == fold
    assert folds_of(dict(reversed(groups.items())), 5, seed=0) == fold
    assert folds_of(groups, 5, seed=1) != fold
    assert set(folds_of(groups, 0, seed=0).values()) == {0}
    assert set(folds_of({"a": "1", "b": "2"}, 2, seed=3).values()) == {0, 1}


@pytest.mark.parametrize(
    ("groups", "number", "cure"), [(4, 5, "Give 2 to 4"), (4, 1, "Give 2 to 4"), (1, 2, "--folds 0")]
)
def test_too_many_folds_are_refused(groups: int, number: int, cure: str) -> None:
    with pytest.raises(UsageError) as caught:
        folds_of({f"i{n}": f"g{n}" for n in range(groups)}, number, seed=0)
    assert cure in caught.value.cure
