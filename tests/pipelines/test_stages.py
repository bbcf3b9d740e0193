"""Stages: each timed, each reused while what it reads stays the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.params import Params, knob
from pipelines.stages import Stage, StageCache, StageClock, run_stages
from pipelines.types import Image


class Two(Params):
    first: int = knob(1, help="Added.", reads="infer", ge=0, le=100)
    second: int = knob(1, help="Multiplied.", reads="infer", ge=0, le=100)
    third: int = knob(1, help="Read by nobody.", reads="decide", ge=0, le=100)


class Counted:
    """Two stages that count how often they run."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.stages = (Stage("add", ("first",), self.add), Stage("multiply", ("second",), self.multiply))

    def add(self, image: Image, before: Any, params: Two) -> Image:
        self.runs.append("add")
        return image + params.first

    def multiply(self, image: Image, before: Image, params: Two) -> Image:
        self.runs.append("multiply")
        return before * params.second


IMAGE = np.ones((2, 2, 3), np.uint8)


def run(counted: Counted, cache: StageCache, image: Image = IMAGE, **values: int) -> int:
    return int(run_stages(counted.stages, image, Two(**values), cache, StageClock())[0, 0, 0])


def test_without_a_cache_every_stage_runs_every_time() -> None:
    counted = Counted()
    assert [run(counted, StageCache(), second=s) for s in (2, 3)] == [4, 6]
    assert counted.runs == ["add", "multiply"] * 2


def test_only_stages_that_read_what_changed_run_again() -> None:
    counted, cache = Counted(), StageCache(10)
    assert run(counted, cache, first=2, second=2) == 6
    assert run(counted, cache, first=2, second=3) == 9
    assert counted.runs == ["add", "multiply", "multiply"]
    assert run(counted, cache, first=2, second=3, third=9) == 9
    assert counted.runs == ["add", "multiply", "multiply"]
    assert run(counted, cache, first=4, second=3) == 15
    assert counted.runs[-2:] == ["add", "multiply"]
    assert cache.hits == 2


def test_another_picture_is_another_key_and_results_are_read_only() -> None:
    counted, cache = Counted(), StageCache(10)
    assert run(counted, cache) == 2
    assert run(counted, cache, IMAGE.copy() * 3) == 4
    result = run_stages(counted.stages, IMAGE, Two(), cache, StageClock())
    assert not result.flags.writeable


def test_the_callers_picture_stays_writable_and_is_counted_once() -> None:
    cache, picture = StageCache(max_mb=30e-6), IMAGE.copy()
    for _ in range(9):
        cache.put(("same",), picture, picture)
    assert picture.flags.writeable
    assert cache.get(("same",))[1] is picture  # nine times 24 bytes would have been too much


def test_the_oldest_results_are_dropped_when_the_bound_is_reached() -> None:
    counted, cache = Counted(), StageCache(max_mb=100e-6)  # four results of 12 bytes beside their 12-byte pictures
    pictures = [IMAGE.copy() for _ in range(5)]
    for picture in pictures:
        run(counted, cache, picture)
    counted.runs.clear()
    run(counted, cache, pictures[-1])
    assert counted.runs == []
    run(counted, cache, pictures[0])
    assert counted.runs == ["add", "multiply"]


def test_clock_adds_up_and_waits_for_the_device() -> None:
    waited: list[int] = []
    clock = StageClock(lambda: waited.append(1))
    for _ in range(2):
        with clock.stage("a"):
            pass
    assert list(clock.seconds) == ["a"]
    assert len(waited) == 4
    clock.reset()
    assert clock.seconds == {}
