"""Slices part the images by what records say of them; the worst is one that the images show to be weak."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.metrics import METRICS
from benchmarks.records import SampleRecord
from benchmarks.scoring import Scoring, score
from benchmarks.statistics.slices import BRIGHTNESS, OBJECTS, SIZE, TARGET, slices
from tests.benchmarks.pieces import ALL, Slow, ask, record, sample

MIOU = METRICS["miou"]


def strips(name: str, found: int, wanted: int, **known: Any) -> SampleRecord:
    return record(name, found, wanted).model_copy(update=known)


def sized(name: str, target: int, pixels: int, iou: float) -> SampleRecord:
    """A record of so large a target, of which that share is found."""
    tp = round(iou * target)
    overlap = {"tp": tp, "fp": 0, "fn": target - tp, "tn": pixels - target}
    return SampleRecord(key=name, id=name, group=name, size=(1, pixels), components={"overlap": overlap}, ms={})


def test_images_are_parted_by_the_share_of_the_object() -> None:
    shares = {"a": 0.009, "b": 0.01, "c": 0.049, "d": 0.05, "e": 0.249, "f": 0.25, "g": 1.0}
    found = slices([sized(name, round(share * 1000), 1000, 1.0) for name, share in shares.items()], MIOU)
    assert [(one.name.split(",")[0], one.n) for one in found.by(SIZE)] == [
        ("tiny", 1), ("small", 2), ("medium", 2), ("large", 2),
    ]  # fmt: skip


def test_images_without_a_target_stand_apart() -> None:
    found = slices([strips("a", 5, 5), strips("b", 5, 5), strips("c", 2, 0), strips("d", 0, 0)], MIOU)
    assert [(one.name, one.n, one.value) for one in found.by(TARGET)] == [
        ("with a target", 2, 1.0), ("without a target", 2, 0.5),
    ]  # fmt: skip
    assert sum(one.n for one in found.by(SIZE)) == 2


def test_values_of_slices_are_those_of_their_images_alone() -> None:
    records = [strips(f"r{n}", n % 9 + 1, 8, tags={"ground": "xyz"[n % 3]}, brightness=n / 30) for n in range(30)]
    found = slices(records, MIOU)
    for one in found.by("tag:ground"):
        own = [r for r in records if r.tags["ground"] == one.name]
        assert one.value == pytest.approx(MIOU.reduce([(r.components or {})["overlap"] for r in own]))
        assert (one.n, one.few_groups) == (10, True)
    assert [one.n for one in found.by(BRIGHTNESS)] == [8, 7, 8, 7]


def test_the_worst_slice_is_shown_to_be_weak_and_not_just_small() -> None:
    chance = np.random.default_rng(0)
    rows = [sized(f"good{n}", 600, 1000, chance.uniform(0.85, 0.95)) for n in range(40)]
    rows += [sized(f"weak{n}", 100, 1000, chance.uniform(0.5, 0.7)) for n in range(40)]
    rows += [sized(f"few{n}", 5, 1000, 0.2 * n) for n in range(5)]
    found = slices(rows, MIOU)
    tiny = next(one for one in found.by(SIZE) if one.name.startswith("tiny"))
    assert found.worst is not None and found.worst.name.startswith("medium")
    assert tiny.value is not None and found.worst.value is not None and tiny.value < found.worst.value
    assert found.lowest == tiny


def test_a_part_of_one_group_is_not_the_worst_and_may_be_the_lowest() -> None:
    chance = np.random.default_rng(0)
    kinds = {"good": 0.9, "weak": 0.6, "night": 0.2}
    rows = [sized(f"{kind}{n}", 300, 1000, level + chance.uniform(-0.05, 0.05)).model_copy(
                update={"tags": {"scene": kind}, "group": kind if kind == "night" else f"{kind}{n}"})
            for kind, level in kinds.items() for n in range(20)]  # fmt: skip
    found = slices(rows, MIOU)
    assert found.worst is not None and found.worst.name == "weak"
    assert found.lowest is not None
    assert (found.lowest.name, found.lowest.ci, found.lowest.n, found.lowest.n_groups) == ("night", None, 20, 1)


def test_of_a_metric_of_which_less_is_better_the_worst_has_the_most() -> None:
    rows = [strips(f"a{n}", 0 if n % 4 else 5, 5, tags={"ground": "bad"}) for n in range(20)]
    rows += [strips(f"b{n}", 5 if n % 9 else 0, 5, tags={"ground": "good"}) for n in range(20)]
    found = slices(rows, METRICS["miss_rate"])
    assert found.worst is not None and found.worst.name == "bad"
    assert found.lowest is not None and found.lowest.name == "bad"


def test_one_part_alone_is_not_the_worst_of_anything() -> None:
    alone = slices([strips(f"r{n}", n + 1, 8) for n in range(8)], MIOU)
    assert alone.worst is None and alone.lowest is None


def test_what_is_not_known_is_said() -> None:
    old = slices([strips("a", 5, 5), strips("b", 5, 5)], MIOU)
    assert set(old.missing) == {OBJECTS, BRIGHTNESS}
    boxes = slices([strips("a", 5, 5, objects=1), strips("b", 5, 5, objects=4), strips("c", 5, 5, objects=30)], MIOU)
    assert [one.name for one in boxes.by(OBJECTS)] == ["one", "2-4", "10 and more"]
    assert slices([SampleRecord(key="k", id="i", group="g", size=(1, 1), ms={})], MIOU).parts == ()


def test_a_tag_that_names_every_image_makes_no_slices() -> None:
    rows = [strips(f"r{n}", 5, 5, tags={"file": f"{n}.png", "ground": "ab"[n % 2]}) for n in range(40)]
    found = slices(rows, MIOU)
    assert found.by("tag:file") == () and "tag:file" in found.missing
    assert len(found.by("tag:ground")) == 2


def test_memory_does_not_grow_with_the_images() -> None:
    def stream(n: int) -> Iterator[SampleRecord]:
        for number in range(n):
            yield sized(f"r{number}", 100, 1000, 0.5).model_copy(update={"tags": {"file": f"{number}"}})

    tracemalloc.start()
    slices(stream(9000), MIOU)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_a_run_records_brightness_and_tags_and_old_records_load_without() -> None:
    from benchmarks.evaluate import predict

    with Slow() as pipeline:
        scoring = Scoring(ALL, lambda one: one.id)
        made = next(iter(score(predict(pipeline, [sample("s", 255)], ask), scoring)))
    assert made.brightness == 0.5  # of every eighth column of ten: one is bright, one is dark
    old = made.model_dump(exclude={"tags", "brightness", "objects"})
    assert SampleRecord.model_validate(old).brightness is None
