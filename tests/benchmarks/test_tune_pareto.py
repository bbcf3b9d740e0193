"""Quality against latency: the front against every pair of candidates, and a pipeline whose time depends on a field."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.command import run_command
from benchmarks.tune.__main__ import app
from benchmarks.tune.candidates import Candidate, packed
from benchmarks.tune.outcome import Outcome, eligible, pareto
from tests.benchmarks import tuning, tuning_more
from tests.benchmarks.tuning_more import NAP_MS

NOTHING = packed(np.ones((2, 1, 2)))


def timed(whole: float | None, latency_ms: float | None, number: int, fold: int = 0) -> Candidate:
    return Candidate((), {}, {}, whole, whole, NOTHING, 0, 0.0, 0.0, latency_ms=latency_ms, fold=fold, number=number)


def front(candidates: Sequence[Candidate], sign: int) -> list[Candidate]:
    """Every pair is looked at: nothing that another is at least as good and as fast as, the first one of equals."""
    known = [one for one in candidates if one.whole is not None and one.latency_ms is not None]

    def beats(other: Candidate, one: Candidate) -> bool:
        assert None not in (one.whole, other.whole, one.latency_ms, other.latency_ms)
        better, faster = sign * other.whole - sign * one.whole, one.latency_ms - other.latency_ms  # type: ignore[operator]
        return better >= 0 and faster >= 0 and (better > 0 or faster > 0 or other.order < one.order)

    kept = [one for one in known if not any(beats(other, one) for other in known)]
    return sorted(kept, key=lambda one: -sign * float(one.whole or 0))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("levels", [3, 10, 1000])
def test_the_front_is_what_looking_at_every_pair_finds(levels: int, sign: int) -> None:
    """Few levels, many ties."""
    chance = np.random.default_rng(levels)
    for _ in range(60):
        count = int(chance.integers(0, 40))
        figures = chance.integers(0, levels, count) / levels
        times = 1 + chance.integers(0, levels, count)
        candidates = [
            timed(None if chance.random() < 0.05 else float(figure), None if chance.random() < 0.05 else float(time), n)
            for n, (figure, time) in enumerate(zip(figures, times, strict=True))
        ]
        expected = front(candidates, sign)
        for order in (candidates, candidates[::-1], [candidates[i] for i in chance.permutation(count)]):
            assert list(pareto(order, sign)) == expected


def test_what_takes_for_ever_is_on_no_front() -> None:
    assert not list(pareto([timed(0.9, float("inf"), 0)], 1))
    assert [one.number for one in pareto([timed(0.9, float("inf"), 0), timed(0.1, 5.0, 1)], 1)] == [1]


def test_of_equals_the_first_trial_is_on_the_front() -> None:
    tied = [timed(0.5, 2.0, number, fold) for number, fold in ((3, 0), (1, 1), (1, 0), (2, 2))]
    assert [(one.number, one.fold) for one in pareto(tied, 1)] == [(1, 0)]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Better by the nap; it begins with the fastest."""
    folder = tmp_path_factory.mktemp("slow")
    with pytest.MonkeyPatch.context() as patch:
        tuning_more.installed(patch, folder)
        data = tuning.discs(folder / "d")
        return tuning.tuned(folder / "out", data, "slow", trials=12, folds=0, objective="miou,latency_ms", span=1.0)


def test_what_was_timed_is_what_a_decision_takes(searched: Outcome) -> None:
    for one in searched.candidates:
        slept = one.params_whole["naps"] * NAP_MS
        assert one.latency_ms is not None and slept <= one.latency_ms < slept + 25
    assert len({one.params_whole["naps"] for one in searched.candidates}) > 3


def test_the_front_of_a_search_is_the_better_the_slower(searched: Outcome) -> None:
    found = list(searched.pareto)
    assert found == front(searched.candidates, 1)
    naps = [one.params_whole["naps"] for one in found]
    assert naps == sorted(set(naps), reverse=True)
    assert {naps[0], naps[-1]} == {
        choose(one.params_whole["naps"] for one in searched.candidates) for choose in (min, max)
    }


@pytest.mark.parametrize("most_ms", [3.5 * NAP_MS, 6.5 * NAP_MS])
def test_nothing_slower_than_the_limit_is_kept(searched: Outcome, most_ms: float) -> None:
    allowed = eligible(replace(searched.task, most_ms=most_ms), searched.candidates)
    assert {one.number for one in allowed} == {
        one.number for one in searched.candidates if one.latency_ms is not None and one.latency_ms <= most_ms
    }
    assert 0 < len(allowed) < len(searched.candidates)


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tuning_more.installed(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tuning.discs(tmp_path / "d")


def test_the_command_keeps_the_best_that_is_fast_enough(
    known: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = []
    for limit in ("1000", str(4.5 * NAP_MS)):
        monkeypatch.setattr(sys, "argv", ["tune", "slow", "--dataset", str(known), "--objective", "miou,latency_ms", "--trials", "12",
                                          "--folds", "2", "--span", "1", "--max-latency-ms", limit, "--jobs", "1", "--json"])  # fmt: skip
        assert run_command(app) == 0
        kept.append(json.loads(capfd.readouterr().out))
    free, bound = kept
    assert bound["study"] == free["study"], "the same trials, chosen from anew"
    assert 0 < bound["best"]["params"]["naps"] <= 4 < free["best"]["params"]["naps"]
    assert bound["start"]["value"] < bound["best"]["value"] < free["best"]["value"]
    assert all(one["params"] is None or one["params"]["naps"] <= 4 for one in bound["best"]["folds"])
    for said in kept:
        times, figures = ([one[name] for one in said["pareto"]] for name in ("latency_ms", "miou"))
        assert times == sorted(times, reverse=True) and figures == sorted(figures, reverse=True)
        assert len(times) > 2


def test_a_start_that_is_too_slow_is_not_kept(known: Path, tmp_path: Path) -> None:
    outcome = tuning.tuned(tmp_path / "out", known, "slow:naps=8", trials=10, folds=0, objective="miou,latency_ms",
                           span=1.0, most_ms=5.5 * NAP_MS)  # fmt: skip
    assert any((one.latency_ms or 0) <= 5.5 * NAP_MS for one in outcome.candidates)
    assert outcome.params["naps"] <= 5


def test_a_limit_needs_times(known: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tune", "slow", "--dataset", str(known), "--max-latency-ms", "5", "--json"])
    assert run_command(app) == 2
    error = json.loads(capfd.readouterr().out)["error"]
    assert "--max-latency-ms" in error["message"] and "miou,latency_ms" in error["cure"]
