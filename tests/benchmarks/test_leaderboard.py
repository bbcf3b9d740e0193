"""Records → rows: counts, intervals, statuses and flags."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from benchmarks.leaderboard import document, row
from benchmarks.metrics import METRICS
from benchmarks.records import Loaded, SampleRecord, WeightsRecord
from benchmarks.rows import TIMES, Row
from benchmarks.table import COLUMNS, print_leaderboard
from tests.benchmarks.pieces import CONFIGURATION, manifest, record, timing

RECORDS = [record("a", 5, 10), record("b", 10, 10), record("c", 0, 4), record("d", 2, 0)]


def test_a_row_holds_what_the_records_say() -> None:
    made = row(manifest(), CONFIGURATION, RECORDS, timing())
    assert made.status == "ok"
    assert made.miou == pytest.approx((0.5 + 1 + 0 + 0) / 4)
    assert made.iou_pooled == pytest.approx(15 / (10 + 10 + 4 + 2))
    assert made.miss_rate == pytest.approx(1 / 3)
    assert made.metrics["miou_pos"].value == pytest.approx(0.5)
    assert (made.metrics["miou_pos"].n, made.metrics["false_alarm_rate"].n, made.metrics["miou"].n) == (3, 1, 4)
    assert made.metrics["false_alarm_rate"].value == 1
    assert set(made.metrics) == set(METRICS)
    assert made.miou_ci is not None
    assert 0 <= made.miou_ci[0] <= made.miou <= made.miou_ci[1] <= 1


def test_throughput_is_the_best_batch_and_percentiles_need_support() -> None:
    made = row(manifest(), CONFIGURATION, RECORDS, timing())
    assert made.throughput_ips is not None
    assert (made.throughput_ips.value, made.throughput_ips.batch_size) == (9, 2)
    assert made.latency_ms == {"n": 4, "mean": 11.5, "p50": 11.5, "p90": None, "p95": None, "p99": None}
    many = row(manifest(), CONFIGURATION, RECORDS, timing(60)).latency_ms
    assert many is not None
    assert many["p95"] is not None
    assert many["p99"] is None


def test_a_failed_image_counts_zero_in_every_mean() -> None:
    failed = row(
        manifest(),
        CONFIGURATION,
        [*RECORDS[:2], record("c", 0, 4, error="broke"), record("d", 0, 0, error="broke")],
        timing(),
    )
    assert (failed.status, failed.errors, failed.scored) == ("ok", 2, 4)
    assert failed.miou == pytest.approx(1.5 / 4)
    assert failed.metrics["mae"].value == pytest.approx((0.5 + 0 + 1 + 1) / 4)
    assert failed.metrics["false_alarm_rate"].value == 1


@pytest.mark.parametrize(
    ("records", "timed", "reason", "status", "said"),
    [
        ([record("a", 0, 4, error="RuntimeError: x")], True, None, "failed", "RuntimeError: x"),
        (RECORDS, True, "It crashed.", "failed", "It crashed."),
        (RECORDS, False, None, "failed", "It did not finish."),
        ([], False, "Signal 11.", "failed", "Signal 11."),
        (RECORDS[:3], True, None, "failed", "It did not finish."),
    ],
)
def test_what_did_not_end_well_has_a_reason_and_no_figures(
    records: list[SampleRecord], timed: bool, reason: str | None, status: str, said: str
) -> None:
    made = row(manifest(n=1 if len(records) == 1 else 4), CONFIGURATION, records, timing() if timed else None, reason)
    assert (made.status, made.reason, made.miou, made.latency_ms) == (status, said, None, None)


def test_an_unavailable_configuration_is_a_row() -> None:
    missing = CONFIGURATION.model_copy(update={"unavailable": "No licence."})
    made = row(manifest(missing), missing, [], None)
    assert (made.status, made.reason) == ("unavailable", "No licence.")


def test_flags() -> None:
    assert row(manifest(n_groups=60), CONFIGURATION, RECORDS, timing()).flags == ()
    made = row(manifest(limit=4), CONFIGURATION, RECORDS, timing(2, resumed=True))
    assert made.flags == ("few_groups", "limited", "timed_in_part", "resumed")
    without = [r.model_copy(update={"components": None}) for r in RECORDS]
    assert row(manifest(), CONFIGURATION, without, timing()).flags == ("no_masks",)
    assert row(manifest(), CONFIGURATION, without, timing()).miou is None


def test_groups_decide_the_interval() -> None:
    apart = row(manifest(n=40), CONFIGURATION, [record(f"{i}", i % 2 * 10, 10) for i in range(40)], timing()).miou_ci
    pairs = [record(f"{i}", i // 10 % 2 * 10, 10, group=str(i // 10)) for i in range(40)]
    together = row(manifest(n=40), CONFIGURATION, pairs, timing()).miou_ci
    assert apart is not None
    assert together is not None
    assert together[1] - together[0] > 1.5 * (apart[1] - apart[0])


def test_the_table_shows_reasons_and_hides_no_markup() -> None:
    odd = CONFIGURATION.model_copy(update={"label": "[red]x[/]", "unavailable": "see [bold]there[/]"})
    rows = [row(manifest(), CONFIGURATION, RECORDS, timing()), row(manifest(odd), odd, [], None)]
    text = printed(rows, 100)
    assert "0.375" in text
    assert "unavailable" in text
    assert "[red]x[/]: see [bold]there[/]" in text


def test_the_document_is_json_with_every_field() -> None:
    made = document(manifest(), [row(manifest(), CONFIGURATION, RECORDS, timing())])
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    wanted = "label pipeline preset params status reason substitute_for n scored errors miou miou_ci iou_pooled dice precision recall"
    wanted += " boundary_iou miss_rate metrics classes soft latency_ms throughput_ips stages_ms load_s first_ms peak_memory_mb overhead_ms"
    assert {*f"{wanted} size_mb device dtype weights flags".split(), *TIMES} == set(made["rows"][0])


def printed(rows: list[Row], width: int) -> str:
    file = io.StringIO()
    print_leaderboard(Console(file=file, width=width), manifest(), rows)
    return file.getvalue()


@pytest.mark.parametrize("width", [30, 40, 60, 80, 200])
def test_a_number_is_shown_whole_or_not_at_all(width: int) -> None:
    licence = WeightsRecord(repo="a/b", revision=None, licence="Apache-2.0", commercial=True)
    heavy = row(manifest(), CONFIGURATION, RECORDS, timing()).model_copy(
        update={
            "label": "grounded_sam@a-long-preset",
            "weights": (licence, licence),
            "peak_memory_mb": {"host": 18234.2},
        }
    )
    text = printed([heavy], width)
    head = next(line for line in text.splitlines() if "mIoU" in line and "pipeline" in line)
    for column, cell in {"mIoU": "0.375", "p50 ms": "11.5", "MB": "18234", "weights": "Apache-2.0, Apache-2.0"}.items():
        assert (column in head) == (cell in text), column
    assert "mIoU" in head
    assert "p50 ms" in head
    if width == 200:
        assert all(column in head for column in COLUMNS)
    else:
        assert "not shown for width" in text.replace("\n", " ")


WEIGHTS = (WeightsRecord(repo="a/b", revision=None, licence="MIT", commercial=True),)


def test_random_weights_give_times_and_no_quality() -> None:
    chosen = CONFIGURATION.model_copy(update={"weights": WEIGHTS, "weights_from": "random"})
    found = row(manifest(chosen), chosen, [record(str(i), 5, 5) for i in range(4)], timing())
    assert found.status == "ok"
    assert found.miou is None and found.miou_ci is None and found.miss_rate is None and found.scored == 0
    assert all(value.value is None and value.ci is None for value in found.metrics.values())
    assert found.latency_ms is not None and found.throughput_ips is not None
    assert "random_weights" in found.flags and "no_masks" not in found.flags


def test_a_pipeline_without_weights_keeps_its_quality_beside_random_ones() -> None:
    chosen = CONFIGURATION.model_copy(update={"weights_from": "random"})
    found = row(manifest(chosen), chosen, [record(str(i), 5, 5) for i in range(4)], timing())
    assert found.miou == 1 and "random_weights" not in found.flags


def test_what_was_loaded_wins_over_what_was_declared() -> None:
    chosen = CONFIGURATION.model_copy(update={"weights": WEIGHTS, "oracle": True})
    ran = WeightsRecord(repo="c/d", revision="0" * 40, licence="MIT", commercial=True)
    measured = timing().model_copy(update={
        "loaded": Loaded(weights=(ran,), substitute_for="a/b", dtype="float32", size_mb=3.5), "flags": ("oom_backoff:2",)})  # fmt: skip
    found = row(manifest(chosen), chosen, [record(str(i), 5, 5) for i in range(4)], measured)
    assert (found.weights, found.substitute_for, found.dtype, found.size_mb) == ((ran,), "a/b", "float32", 3.5)
    assert {"oom_backoff:2", "oracle_prompts"} <= set(found.flags)


@pytest.mark.parametrize(("commercial", "flag"), [(True, None), (False, "non_commercial"), (None, "licence_unclear")])
def test_what_may_not_be_sold_is_said_of_the_row_that_it_is_true_of(commercial: bool | None, flag: str | None) -> None:
    ran = WeightsRecord(repo="c/d", revision=None, licence="custom", commercial=commercial)
    measured = timing().model_copy(update={"loaded": Loaded(weights=(ran,))})
    rows = [row(manifest(CONFIGURATION), CONFIGURATION, [record(str(i), 5, 5) for i in range(4)], one)
            for one in (timing(), measured)]  # fmt: skip
    rows[1] = rows[1].model_copy(update={"label": "theirs"})
    raised = {"non_commercial", "licence_unclear"} & set(rows[1].flags)
    assert raised == ({flag} if flag else set())
    screen = Console(width=200, file=io.StringIO())
    print_leaderboard(screen, manifest(CONFIGURATION), rows)
    told = screen.file.getvalue()  # type: ignore[attr-defined]
    assert ("theirs: " in told and "used commercially" in told) is bool(flag)
