"""Peers are read rightly, outputs are compared before times, and a ratio survives a busy machine."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.command import main
from benchmarks.peers import classical, curves, masks, metrics, outlines, report, seed
from benchmarks.peers.__main__ import app
from benchmarks.peers.interleave import Contest, Row, measure, median_interval
from pipelines.errors import UnknownNameError

KEYS = {"name", "ours", "peer", "ratio", "ratio_ci", "rounds", "goal", "met", "equal_outputs", "status", "reason"}


def work(times: int) -> Callable[[], float]:
    return lambda: sum(math.sqrt(i) for i in range(300 * times))


def contest(equal: bool = True, goal: float | None = 2.5) -> Contest:
    return Contest("work", "ours", "peer", work(1), work(4), lambda: equal, goal)


def test_a_ratio_is_that_of_the_work() -> None:
    row = measure(contest(), rounds=7)
    assert row.ratio is not None and row.ratio_ci is not None
    assert 2.5 < row.ratio < 6
    assert row.ratio_ci[0] <= row.ratio <= row.ratio_ci[1]
    assert (row.met, row.equal_outputs, row.rounds, row.status) == (True, True, 7, "ok")
    assert measure(contest(goal=100), rounds=1).met is False
    assert measure(contest(goal=None), rounds=1).met is None


def test_outputs_that_differ_void_the_ratio() -> None:
    row = measure(contest(equal=False), rounds=7)
    assert (row.ratio, row.met, row.equal_outputs, row.status) == (None, False, False, "unequal")
    assert report.exit_code([row, measure(contest(), rounds=1)]) == 1


def test_blocks_alternate_and_fill_a_block() -> None:
    calls: list[str] = []

    def side(name: str) -> Callable[[], None]:
        def call() -> None:
            calls.append(name)
            work(30)()

        return call

    measure(Contest("", "", "", side("a"), side("b"), lambda: True), rounds=6)
    blocks = [calls[0]] + [b for a, b in itertools.pairwise(calls) if a != b]
    assert 6 <= len(blocks) <= 14
    assert abs(calls.count("a") - calls.count("b")) < len(calls) / 2


@pytest.mark.parametrize("n", [1, 5, 6, 7, 15, 40])
def test_the_interval_of_a_median_is_that_of_order_statistics(n: int) -> None:
    found = median_interval([float(i) for i in range(1, n + 1)])
    lows = [k for k in range(1, n // 2 + 1) if 2 * binom.cdf(k - 1, n, 0.5) <= 0.05]
    assert found == ((lows[-1], n + 1 - lows[-1]) if lows else None)


def test_a_bad_round_moves_neither_median_nor_interval_far() -> None:
    assert median_interval([2.0] * 14 + [50.0]) == (2.0, 2.0)


def held(sizes: dict[int, int]) -> list[Row]:
    return [measure(c, rounds=1) if isinstance(c, Contest) else c for c in metrics.contests(sizes)]


def test_metrics_contests_agree_on_the_same_masks() -> None:
    rows = held({48: 3})
    assert [row.goal for row in rows] == [5, 25, 150, 100, 40, None]
    assert all(row.equal_outputs for row in rows)


@pytest.mark.alone
def test_ours_is_the_faster_one_at_512_pixels() -> None:
    for row in held({512: 1}):
        assert row.equal_outputs and row.ratio is not None and row.ratio > 1, row.name


def test_few_rounds_have_to_do_where_a_call_takes_seconds() -> None:
    assert [c.most_rounds for c in outlines.contests(1000) if isinstance(c, Contest)] == [3, None]
    assert [c.most_rounds for c in outlines.contests(512) if isinstance(c, Contest)] == [None, None]
    slow = Contest("", "", "", work(1), work(1), lambda: True, most_rounds=2)
    assert [measure(slow, rounds=n).rounds for n in (1, 2, 7)] == [1, 2, 2]


def test_a_loop_over_thresholds_and_discs_read_the_definitions() -> None:
    pred, target = masks.pair(60, 1)
    map_, empty = masks.soft(pred, 0), np.zeros_like(pred)
    assert curves.loop(map_, empty)[255] == 1
    assert curves.loop(map_, target)[0] == target.mean()
    assert len(np.unique(curves.loop(map_, target))) > 50
    assert outlines.by_disc(pred, pred) == 1
    assert outlines.contour(np.ones((3, 3), np.bool_)).sum() == 0
    far = np.zeros((60, 60), np.bool_)
    far[0, 0] = True
    assert outlines.by_disc(far, far[::-1]) == 0


@pytest.mark.parametrize("package", ["torchmetrics", "faster_coco_eval"])
def test_a_missing_peer_is_a_row_with_its_install_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    rows = [c for c in metrics.contests({16: 1}) if isinstance(c, Row)]
    assert [row.status for row in rows] == ["unavailable"]
    assert rows[0].reason is not None and "pip install" in rows[0].reason
    assert report.exit_code(rows) == 1
    assert report.exit_code([*rows, measure(contest(), rounds=1)]) == 0
    assert "pip install" in str(report.table(rows).caption)


def test_classical_contests_give_identical_masks() -> None:
    rows = [measure(c, rounds=1) for c in classical.contests((96,), ("coins", "coffee")) if isinstance(c, Contest)]
    assert [row.goal for row in rows] == [1.8, None, 10]
    assert all(row.equal_outputs for row in rows)


def test_evaluate_style_leaves_out_a_class_that_is_nowhere() -> None:
    pred, target = np.array([[0, 0], [1, 1]], np.uint8), np.array([[0, 1], [1, 255]], np.uint8)
    found = metrics.mean_iou([pred], [target], 3)
    assert found["iou"][:2].tolist() == [0.5, 0.5]
    assert np.isnan(found["iou"][2])
    assert (found["mean_iou"], found["mean_accuracy"]) == (0.5, 0.75)
    assert found["overall_accuracy"] == pytest.approx(2 / 3)


def test_the_coin_project_counts_every_pixel_above_0_and_fails_on_two_empty_masks() -> None:
    soft = np.array([[0, 1, 128, 255]], np.uint8)
    assert seed.iou(np.array([[0, 255, 255, 255]], np.uint8), soft) == 1
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.isnan(seed.iou(soft * 0, soft * 0))


@pytest.mark.parametrize("change", [{}, {"pre_blur": True}, {"sharpen": "default"}, {"sharpen": "gaussian"},
                                    {"sharpen": "laplacian"}, {"brightness_alpha": 2.0, "kernel_size": 3}])  # fmt: skip
def test_the_coin_project_fills_what_edges_enclose(change: dict[str, Any]) -> None:
    picture = classical.photograph("coins", 200)
    mask = seed.segment(seed.read_image(picture.image), seed.Settings(**change))
    assert mask.shape == (200, 200)
    assert set(np.unique(mask)) <= {0, 255}
    assert 0 < (mask > 0).mean() < 1
    target = seed.read_target(picture.mask)
    assert seed.score(picture.image, picture.mask, seed.Settings(**change)) == seed.iou(mask, target)


def test_an_unknown_subject_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="classical"):
        list(report.contests("metric"))


def test_one_document_on_stdout(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(metrics, "contests", partial(metrics.contests, {48: 1, 64: 1}))
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # handlers belong to whoever runs the tests
    monkeypatch.setattr(sys, "argv", ["peers", "--only", "metrics", "--rounds", "1", "--json", "--quiet"])
    with pytest.raises(SystemExit) as done:
        main(app)
    out, err = capfd.readouterr()
    assert (done.value.code, err) == (0, "")
    document = json.loads(out)
    assert document["schema_version"] == 1
    assert document["environment"]["packages"]["torchmetrics"]
    assert document["environment"]["packages"]["faster-coco-eval"]
    assert len(document["rows"]) == 12
    for row in document["rows"]:
        assert set(row) >= KEYS
        assert row["equal_outputs"] is True and row["ratio"] > 0 and row["ratio_ci"] is None


def test_a_bad_option_is_one_sentence_and_2(command: Any) -> None:
    done = command("benchmarks.peers", "--only", "metric", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "unknown_name"
    assert command("benchmarks.peers", "--rounds", "0").returncode == 2
