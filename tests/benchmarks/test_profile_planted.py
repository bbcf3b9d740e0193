"""Faults planted in the embedded dataset are found, each by its own kind, and little else is suspected."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.datasets import open_dataset
from benchmarks.profile.profiling import profile
from benchmarks.profile.suspects import KINDS
from tests.benchmarks.faults import ADDS, CHANGES, LEAKS
from tests.benchmarks.planting import Item, Planted, items_of, plant, write

COINS = os.environ.get("COINS")


def suspects(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = profile(open_dataset(folder, strict=False)).document["suspects"]
    return found


def divided(items: list[Item]) -> list[Item]:
    names = sorted({item.group for item in items})
    return [replace(item, split="test" if names.index(item.group) % 3 == 0 else "train") for item in items]


def recalls(found: list[dict[str, Any]], planted: list[Planted]) -> dict[str, float]:
    named = {(one["kind"], name) for one in found for name in (one["sample"], *one["related"])}
    hits, all_ = Counter[str](), Counter(fault.kind for fault in planted)
    hits.update(fault.kind for fault in planted if (fault.kind, fault.samples[0]) in named)
    return {kind: hits[kind] / n for kind, n in all_.items()} | {"all": hits.total() / all_.total()}


def false_alarms(found: list[dict[str, Any]], planted: list[Planted]) -> list[dict[str, Any]]:
    touched = {name for fault in planted for name in fault.samples}
    return [one for one in found if not touched & {one["sample"], *one["related"]}]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return items_of(sample for sample in open_dataset("coins") if sample.target().any())


def test_the_untouched_dataset(items: list[Item], tmp_path: Path) -> None:
    assert suspects(write(items, tmp_path)) == []


def test_planted_faults_are_found(items: list[Item], tmp_path: Path) -> None:
    changed, planted = plant(divided(items), CHANGES, ADDS | LEAKS, 0, 1)
    few = recalls(found := suspects(write(changed, tmp_path)), planted)
    assert set(few) >= set(KINDS) - {"label_disagreement"}
    assert few["all"] >= 0.95, few
    assert len(false_alarms(found, planted)) <= 1


@pytest.mark.skipif(not COINS, reason="COINS names no folder of photographs with masks")
@pytest.mark.parametrize("seed", [0, 1])
def test_planted_faults_in_photographs(seed: int, tmp_path: Path) -> None:
    assert len(suspects(Path(str(COINS)))) <= 3
    changed, planted = plant(divided(items_of(open_dataset(str(COINS)))), CHANGES, ADDS | LEAKS, seed, 2)
    few = recalls(found := suspects(write(changed, tmp_path)), planted)
    assert len(planted) >= 40
    assert few["all"] >= 0.95, few
    assert min(few.values()) >= 0.8, few
    assert len(false_alarms(found, planted)) <= 3


def test_nothing_read_twice_is_said_twice(items: list[Item], tmp_path: Path) -> None:
    """A fault of one cause is one suspect, not one of each kind that it brings about."""
    changed, planted = plant(items, CHANGES, {}, 0, 1)
    said = Counter(one["sample"] for one in suspects(write(changed, tmp_path)))
    assert {fault.samples[0]: said[fault.samples[0]] for fault in planted if said[fault.samples[0]] > 1} == {}
