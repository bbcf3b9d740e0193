"""Recommendations: what is chosen among rows, why, how sure, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.recommend.advice import Recommendation, recommend
from benchmarks.recommend.choice import Limits, breaches, rounded_down, rounded_up, told_apart
from benchmarks.recommend.grounds import Case
from benchmarks.recommend.resampled import SameImages
from benchmarks.records import WeightsRecord
from benchmarks.rows import Row
from benchmarks.statistics.paired import SideBySide
from benchmarks.timing.record import Throughput

IMAGES = 60
SPREAD = np.random.default_rng(0).normal(0, 0.05, IMAGES)
OTHER_SPREAD = np.random.default_rng(1).normal(0, 0.05, IMAGES)
"""What images of one pipeline differ by, and what another differs by from it; the means are taken out."""


def weights(licence: str, commercial: bool | None) -> tuple[WeightsRecord, ...]:
    return (WeightsRecord(repo="maker/net", revision=None, licence=licence, commercial=commercial),)


def line(label: str, miou: float | None = 0.8, ms: float | None = 100, mb: float | None = 500, rate: float | None = 10,
         **more: Any) -> Row:  # fmt: skip
    about: dict[str, Any] = {"pipeline": label, "preset": "default", "params": {}, "status": "ok", "n": IMAGES,
                             "scored": IMAGES, "device": "cpu", "miou": miou}  # fmt: skip
    times = {"latency_ms": {"n": IMAGES, "p50": ms, "p95": ms and ms * 1.2}, "peak_memory_mb": {"host": mb, "device": None},
             "throughput_ips": rate and Throughput(value=rate, batch_size=1)}  # fmt: skip
    return Row(label=label, **{**about, **times, **more})


def on_images(ious: dict[str, Sequence[float]]) -> SameImages:
    table = SideBySide(len(ious), limits=(0.0, 1.0))
    for place, values in enumerate(zip(*ious.values(), strict=True)):
        table.add(str(place), [(value, 1.0) for value in values])
    return SameImages(list(ious), table)


def advice(*rows: Row, noise: float = 0.01, **limits: Any) -> Recommendation:
    """Each row's images share what is hard about them, and differ by `noise` times what is its own."""
    common, ious = SPREAD - SPREAD.mean(), {}
    for place, one in enumerate(rows):
        own = np.random.default_rng(place + 2).normal(0, 1, IMAGES)
        if one.miou is not None and one.status == "ok":
            ious[one.label] = list(one.miou + common + noise * (own - own.mean()))
    return recommend(Case(rows, Limits(**limits), on_images(ious), IMAGES))


def reasons(found: Recommendation) -> dict[str, str]:
    return {one.label: one.reason for one in found.excluded}


def test_the_best_quality_wins_where_the_difference_is_real() -> None:
    found = advice(line("good", 0.85, ms=400), line("quick", 0.80, ms=10))
    assert found.choice == "good"
    assert (found.sure.level, found.sure.share) == ("sure", 1.0)
    assert "best quality of the 2 that fit: mIoU 0.850" in found.why
    assert [(one.label, one.tied) for one in found.runners_up] == [("quick", False)]
    assert found.runners_up[0].miou_difference == pytest.approx(-0.05)
    assert found.would_change == ("If the median latency had to be under 400 ms, quick would be the choice, "
                                  "at 0.050 mIoU less.",)  # fmt: skip


def test_of_a_tie_the_cheaper_one_is_shipped_and_it_is_said() -> None:
    found = advice(line("good", 0.802, ms=400), line("quick", 0.800, ms=10), noise=0.05)
    assert found.choice == "quick"
    assert found.sure.level == "a tie"
    assert found.sure.share is not None
    assert 0.1 < found.sure.share < 0.5
    assert "as good as the best of the 2 that fit, as far as the images tell" in found.why
    assert "faster, 10 ms instead of 400 ms" in found.why
    assert "By quality alone it is a tie" in found.sure.words[0]
    assert "The loss may be as large as 0.0" in found.sure.words[0]
    assert any("if quality alone counts, good would be the choice" in said for said in found.would_change)
    assert found.runners_up[0].tied


def test_of_a_tie_a_row_that_is_far_lower_is_not_shipped_for_being_cheaper() -> None:
    rows = (line("good", 0.80, ms=400), line("near", 0.79, ms=50), line("far", 0.72, ms=10))
    found = advice(*rows, noise=0.3)
    assert found.choice == "near"
    assert all(one.tied for one in found.runners_up)
    assert "cost decides a tie within 0.02 of the best" in found.why
    alone = advice(rows[0], rows[2], noise=0.3)
    assert alone.choice == "good" and alone.sure.level != "sure"
    assert (
        "far cannot be told apart from it with so few groups (60), but the mIoU is lower by more than 0.02" in alone.why
    )
    assert alone.would_change == ("If the median latency had to be under 400 ms, far would be the choice, at 0.080 mIoU "
                                  "less, which cannot be told apart with so few groups.",)  # fmt: skip
    assert "as good" not in alone.why and "tie" not in alone.why


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (line("other", 0.8, ms=97, mb=500, weights=weights("custom", None)), None),  # 3 % faster is not faster
        (line("other", 0.8, ms=103, mb=300), "smaller, 300 MB instead of 500 MB"),
        (line("other", 0.8, ms=103, mb=510, weights=()), "of a clearer licence"),
    ],
    ids=["alike", "smaller", "licence"],
)
def test_cheaper_is_faster_then_smaller_then_of_a_clearer_licence(other: Row, said: str | None) -> None:
    found = advice(line("best", 0.8001, weights=weights("custom", None)), other, noise=0.05)
    assert found.choice == ("other" if said else "best")
    assert (said or "The images do not tell other apart from it, at no lower cost.") in found.why


def test_each_row_that_is_left_out_has_a_reason_with_the_limit_and_the_figure() -> None:
    found = advice(
        line("fits", 0.7, ms=20, mb=200, rate=60),
        line("slow", 0.9, ms=120.04, mb=200, rate=60),
        line("large", 0.9, ms=20, mb=2000, rate=60),
        line("steady", 0.9, ms=20, mb=200, rate=8),
        line("weak", 0.2, ms=20, mb=200, rate=60),
        line("closed", 0.9, ms=20, mb=200, rate=60, weights=weights("cc-by-nc-4.0", False)),
        line("unclear", 0.9, ms=20, mb=200, rate=60, weights=weights("other", None)),
        line("dreamt", None, ms=20, mb=200, rate=60, flags=("random_weights",)),
        line("broken", None, status="failed", reason="It crashed."),
        line("absent", None, status="unavailable", reason="Its weights are missing."),
        line("elsewhere", 0.9, ms=5, mb=200, rate=60, device="cuda", peak_memory_mb={"host": 900, "device": 100}),
        line("clicked", 0.9, ms=20, mb=200, rate=60, flags=("oracle_prompts",)),
        line("untimed", 0.9, ms=None, mb=200, rate=None),
        latency_ms=100, memory_mb=1000, throughput_ips=50, miou=0.5, commercial=True, device="cpu",
    )  # fmt: skip
    assert found.choice == "fits"
    assert reasons(found) == {
        "slow": "median latency 120 ms is over the limit of 100 ms",
        "large": "peak memory of the process 2000 MB is over the limit of 1000 MB",
        "steady": "throughput 8 images/s is under the limit of 50 images/s",
        "weak": "mIoU 0.2 is under the limit of 0.5",
        "closed": "its licence forbids commercial use: cc-by-nc-4.0 of maker/net",
        "unclear": "its licence does not clearly allow commercial use: other of maker/net",
        "dreamt": "random weights: its quality is not known; mIoU is not known, so that the limit of 0.5 cannot be checked",
        "broken": "failed: It crashed.",
        "absent": "unavailable: Its weights are missing.",
        "elsewhere": "it ran on cuda, not on cpu",
        "clicked": "its points or boxes were taken from the true masks, so that its quality is not one to ship",
        "untimed": "median latency was not measured, so that the limit of 100 ms cannot be checked; "
                   "throughput is not known, so that the limit of 50 images/s cannot be checked",
    }  # fmt: skip


def test_memory_is_that_of_the_device_where_it_ran_on_one() -> None:
    on_gpu = line("gpu", device="cuda", peak_memory_mb={"host": 5000, "device": 700})
    assert not breaches(on_gpu, Limits(memory_mb=800))
    counted = on_gpu.model_copy(
        update={"peak_memory_mb": {"host": 5000, "device": 700, "reserved": 900, "driver": None}}
    )
    assert breaches(counted, Limits(memory_mb=800))
    (broken,) = breaches(on_gpu, Limits(memory_mb=600))
    assert broken.reason == "peak memory of the device 700 MB is over the limit of 600 MB"


def test_a_figure_at_the_limit_keeps_it_and_one_above_is_told_apart_from_it() -> None:
    assert not breaches(line("at"), Limits(latency_ms=100, memory_mb=500, throughput_ips=10, miou=0.8))
    assert told_apart(100.0004, 100) == ("100.0004", "100")
    assert told_apart(0.79999, 0.8) == ("0.79999", "0.8")
    assert (rounded_up(20.01), rounded_up(20.0), rounded_down(0.88897)) == ("20.1", "20", "0.888")


def test_what_would_change_the_answer_is_the_nearest_first() -> None:
    found = advice(
        line("fits", 0.70, ms=90),
        line("a_little_slow", 0.73, ms=120),
        line("far_too_slow", 0.90, ms=900),
        line("closed", 0.80, ms=90, weights=weights("cc-by-nc-4.0", False)),
        line("slow_and_worse", 0.60, ms=110),
        latency_ms=100, commercial=True,
    )  # fmt: skip
    assert found.choice == "fits"
    assert found.would_change == (
        "With 20 ms more latency, a_little_slow would win by 0.030 mIoU.",
        "With licences allowed that forbid commercial use, closed would win by 0.100 mIoU.",
        "With 800 ms more latency, far_too_slow would win by 0.200 mIoU.",
    )


def test_two_limits_that_must_give_way_are_named_together() -> None:
    found = advice(line("fits", 0.7), line("both", 0.9, ms=150, mb=900), latency_ms=100, memory_mb=600)
    assert found.would_change == ("With 50 ms more latency and 300 MB more memory, both would win by 0.200 mIoU.",)


def test_limits_that_the_interval_or_the_tail_crosses_make_it_less_sure() -> None:
    row = line("only", 0.81, ms=95, miou_ci=(0.78, 0.84), latency_ci={"p50": (92.0, 104.0)}, mb=480,
               throughput_ips=Throughput(value=10, batch_size=1, windows=9, ci=(9.0, 11.0)))  # fmt: skip
    sure = advice(row, latency_ms=100, miou=0.8, memory_mb=500, throughput_ips=9.5).sure
    assert sure.level == "fairly sure"
    assert sure.words == (
        "Nothing else fits, so nothing could take its place.",
        "The interval of its median latency reaches 104 ms, over 100 ms.",
        "One image in twenty takes longer than 114 ms, over the limit of 100 ms.",
        "The interval of its throughput reaches 9 images/s, under the limit.",
        "The interval of its mIoU reaches 0.780, under 0.8.",
        "Its memory is within 10% of the limit, and a larger picture may take more.",
    )
    assert advice(row, latency_ms=200).sure.level == "sure"


def test_what_a_reader_has_to_know_of_the_choice_is_said() -> None:
    row = line("only", 0.3, errors=4, flags=("few_groups", "unstable"), latency_ms={"n": 5, "p50": 90, "p95": None})
    words = " ".join(advice(row, latency_ms=100).sure.words)
    for said in ("share less than half", "failed on 4 of 60 images", "60 groups alone", "not steady", "Too few calls"):
        assert said in words


def test_nothing_fits_names_the_nearest_miss() -> None:
    found = advice(line("far", 0.9, ms=500), line("near", 0.6, ms=110), line("both", ms=105, mb=900), latency_ms=100,
                   memory_mb=600)  # fmt: skip
    assert (found.choice, found.nearest, found.sure.level) == (None, "near", "nothing fits")
    assert found.why == ("Nothing can be recommended: none keeps the limits. The nearest is near: "
                         "median latency 110 ms is over the limit of 100 ms.")  # fmt: skip
    assert found.would_change[0] == "With 10 ms more latency, near would fit."
    assert len(found.excluded) == 3


def test_without_masks_speed_decides_only_where_speed_is_asked_for() -> None:
    rows = (line("slow", None, ms=50), line("quick", None, ms=5), line("middle", None, ms=20))
    found = advice(*rows, latency_ms=40)
    assert (found.choice, found.sure.level, found.sure.share) == ("quick", "speed alone", None)
    assert "quality is not known, so speed alone decides" in found.why
    assert "far better would not be seen" in found.sure.words[0]
    assert [one.label for one in found.runners_up] == ["middle"]
    assert all(one.share is None and one.miou_difference is None for one in found.runners_up)
    for limits in ({}, {"memory_mb": 1000}):
        refused = advice(*rows, **limits)
        assert refused.choice is None
        assert "--max-latency-ms or --min-throughput" in refused.why
    assert "no limit on the mIoU can be checked" in advice(*rows, latency_ms=40, miou=0.5).why
    assert advice(line("gone", None, status="failed", reason="x")).why == (
        "Nothing can be recommended: no row of the run is ok.")  # fmt: skip


def test_random_weights_are_never_chosen_for_quality_and_may_be_for_speed() -> None:
    random = line("random", None, ms=1, flags=("random_weights",))
    assert advice(line("real", 0.3, ms=99), random, latency_ms=100).choice == "real"
    alone = advice(random, latency_ms=100)
    assert alone.choice == "random"
    assert any("weights are random" in said for said in alone.sure.words)


def test_prompts_from_the_masks_are_chosen_only_where_all_are_such() -> None:
    clicked = [line(name, value, flags=("oracle_prompts",)) for name, value in (("a", 0.9), ("b", 0.7))]
    assert advice(*clicked, line("real", 0.5)).choice == "real"
    found = advice(*clicked)
    assert found.choice == "a"
    assert any("who knows the answer" in said for said in found.sure.words)


def test_the_share_is_how_often_resampled_groups_agree() -> None:
    """Against the normal approximation of the difference of two means."""
    gap = OTHER_SPREAD - OTHER_SPREAD.mean() + 0.008
    images = on_images({"a": list(0.7 + gap), "b": [0.7] * IMAGES})
    expected = 0.5 * (1 + np.tanh(0.7978 * (z := 0.008 / (gap.std() / np.sqrt(IMAGES))) * (1 + 0.044715 * z * z)))
    shares = images.shares(["a", "b"])
    assert shares["a"] == pytest.approx(expected, abs=0.02)
    assert shares["a"] + shares["b"] == pytest.approx(1)
    assert images.shares(["b"]) == {"b": 1.0}
    twins = on_images({"a": [0.5, 0.7, 0.9], "b": [0.5, 0.7, 0.9]})
    assert twins.shares(["a", "b"]) == {"a": 1.0, "b": 1.0}
    assert twins.pair("a", "b").tie
