"""Pipelines in processes of their own: whatever one does, the pool answers, and goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

from pipelines.errors import ContractError, ResourceError, UnavailableError, WorkbenchError
from pipelines.types import Prompt
from tests.workbench import acting
from workbench.looks.child import Failed, Ready, Seen
from workbench.looks.pool import Limits, Pool
from workbench.looks.process import CancelledError

IMAGE = np.full((8, 12, 3), 102, np.uint8)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    acting.installed(monkeypatch, tmp_path)


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(Limits(look_s=1.0, load_s=60, most=2)) as made:
        yield made


def look(pool: Pool, off: Event | None = None, size: str = "small", **params: Any) -> tuple[Ready, Seen | Failed, bool]:
    return pool.look(acting.configuration(size=size), IMAGE, Prompt(), params, off or Event())


def test_a_look_gives_evidence_and_times_and_the_next_one_needs_no_load(pool: Pool) -> None:
    first, seen, fresh = look(pool)
    assert isinstance(seen, Seen) and fresh
    assert np.allclose(seen.evidence.soft, 0.4)
    assert seen.infer_ms > 0 and set(seen.stages_ms) == {"brightness"}
    again, brighter, fresh = look(pool, gain=2.0)
    assert isinstance(brighter, Seen) and np.allclose(brighter.evidence.soft, 0.8)
    assert not fresh and again.process == first.process != os.getpid()


def test_one_that_was_called_off_before_it_began_harms_nothing_that_is_loaded(pool: Pool) -> None:
    off = Event()
    first, *_ = look(pool)
    off.set()
    with pytest.raises(CancelledError):
        look(pool, off)
    assert look(pool)[0].process == first.process


@pytest.mark.parametrize(("act", "words"), [("raise", "RuntimeError: the bulb is broken."), ("memory", "memory")])
def test_what_a_pipeline_raises_is_an_answer_and_its_process_lives(pool: Pool, act: str, words: str) -> None:
    first, failed, _ = look(pool, act=act)
    assert isinstance(failed, Failed) and words in failed.message and "more" not in failed.message
    assert look(pool)[0].process == first.process


@pytest.mark.parametrize(("act", "error", "words"), [
    ("exit", ContractError, "ended with 7"), ("kill", ResourceError, "was killed"), ("hang", ResourceError, "after 1 s"),
])  # fmt: skip
def test_a_process_that_ends_or_hangs_is_told_of_and_made_anew(
    pool: Pool, act: str, error: type[WorkbenchError], words: str
) -> None:
    before = look(pool)[0].process
    with pytest.raises(error, match=words):
        look(pool, act=act)
    ready, seen, fresh = look(pool)
    assert isinstance(seen, Seen) and fresh and ready.process != before


def test_what_cannot_be_loaded_is_unavailable_each_time(pool: Pool) -> None:
    for _ in range(2):
        with pytest.raises(UnavailableError, match="no checkpoint"):
            look(pool, size="none")


def test_a_look_that_is_called_off_ends_within_two_seconds() -> None:
    with Pool(Limits(look_s=60)) as pool:
        look(pool)
        off, raised = Event(), list[BaseException]()

        def hang() -> None:
            try:
                look(pool, off, act="hang")
            except CancelledError as error:
                raised.append(error)

        thread = Thread(target=hang)
        thread.start()
        sleep(0.3)
        start = monotonic()
        off.set()
        thread.join(5)
        assert monotonic() - start < 2 and len(raised) == 1
        assert isinstance(look(pool)[1], Seen)


def test_who_waits_for_a_turn_can_call_that_off() -> None:
    with Pool(Limits(look_s=60, most=1)) as pool:
        busy = Event()

        def hang() -> None:
            with pytest.raises(CancelledError):
                look(pool, busy, act="hang")

        thread = Thread(target=hang)
        thread.start()
        sleep(1.5)
        for size in ("small", "large"):  # the same process, and one for which there is no room
            off = Event()
            Thread(target=lambda off=off: (sleep(0.2), off.set())).start()
            start = monotonic()
            with pytest.raises(CancelledError):
                look(pool, off, size=size)
            assert monotonic() - start < 1
        busy.set()
        thread.join(5)


def test_no_more_processes_are_kept_than_may_be(pool: Pool) -> None:
    small, large = look(pool)[0].process, look(pool, size="large")[0].process
    assert look(pool)[0].process == small  # used last
    configuration = acting.configuration(size="large").model_copy(update={"weights_from": "random"})
    pool.look(configuration, IMAGE, Prompt(), {}, Event())
    assert len(pool.places) == 2
    assert look(pool)[0].process == small
    assert look(pool, size="large")[0].process != large


def test_looks_at_one_time_wait_for_each_other_and_all_are_answered(pool: Pool) -> None:
    look(pool)
    found: list[Seen | Failed] = []
    threads = [Thread(target=lambda: found.append(look(pool, act="slow")[1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 3 and all(isinstance(one, Seen) for one in found)


def test_closed_it_leaves_no_process() -> None:
    with Pool() as pool:
        process = look(pool)[0].process
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
