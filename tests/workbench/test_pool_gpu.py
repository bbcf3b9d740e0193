"""Pipelines that share one GPU: one look at a time, idle ones give way where memory ends, a lost GPU means a new process."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

from benchmarks.records import Configuration, Loaded
from pipelines.errors import ResourceError
from pipelines.types import Evidence, Prompt
from tests.workbench import acting
from workbench.looks.child import LOST, OUT_OF_MEMORY, Failed, Ready, Seen
from workbench.looks.pool import Limits, Pool
from workbench.looks.process import CancelledError, FullError

IMAGE = np.full((4, 6, 3), 102, np.uint8)
SEEN = Seen(Evidence((4, 6)), 1.0, {}, ("engine:torch",))
FULL = Failed(OUT_OF_MEMORY, "There was not enough memory.", "Take a smaller picture.")
GONE = Failed(LOST, "The GPU gave up.", "Run it again.")


class Card:
    """A GPU with room for so many children, on which looks may not overlap."""

    def __init__(self, room: int) -> None:
        self.room, self.lock, self.children = room, Lock(), list[FakeChild]()
        self.at_once = self.most = 0
        self.answers: list[Seen | Failed] = []
        self.look_s = 0.0

    @property
    def alive(self) -> list[FakeChild]:
        return [child for child in self.children if child.is_alive and child.configuration.device == "cuda"]

    def look(self) -> Seen | Failed:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        sleep(self.look_s)
        with self.lock:
            self.at_once -= 1
        if self.answers:
            return self.answers.pop(0)
        return SEEN if len(self.alive) <= self.room else FULL


class FakeChild:
    """Stands in for a process, with the methods of `workbench.looks.process.Child`."""

    card: Card
    loads_at_most = 99

    def __init__(self, configuration: Configuration) -> None:
        self.configuration, self.is_alive = configuration, True
        self.card.children.append(self)

    def load(self, within_s: float, off: Event) -> Ready:
        if len(self.card.alive) > self.loads_at_most:
            raise FullError(FULL.message, FULL.cure)
        return Ready(Loaded(), 1.0, self.card.children.index(self), {"gpu": "a card"})

    def look(self, image: Any, prompt: Prompt, params: dict[str, Any], within_s: float, off: Event) -> Seen | Failed:
        return self.card.look()

    def close(self) -> None:
        self.is_alive = False


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Card:
    acting.installed(monkeypatch, tmp_path)
    monkeypatch.setattr("workbench.looks.pool.Child", FakeChild)
    monkeypatch.setattr(FakeChild, "loads_at_most", 99)
    monkeypatch.setattr(FakeChild, "card", Card(room=3), raising=False)
    return FakeChild.card


@pytest.fixture
def pool(card: Card) -> Iterator[Pool]:
    with Pool(Limits(most=3)) as made:
        yield made


def look(pool: Pool, weights: str | None = None, device: str = "cuda",
         off: Event | None = None) -> tuple[Ready, Seen | Failed, bool]:  # fmt: skip
    asked = acting.configuration().model_copy(update={"device": device, "weights_from": weights})
    return pool.look(asked, IMAGE, Prompt(), {}, off or Event())


@pytest.mark.parametrize(("device", "most"), [("cuda", 1), ("cpu", 3)])
def test_looks_on_a_gpu_are_one_at_a_time_whatever_is_loaded(pool: Pool, card: Card, device: str, most: int) -> None:
    card.look_s = 0.1
    threads = [Thread(target=look, args=(pool, name, device)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert card.most == most and len(card.children) == 3


def test_who_waits_for_the_gpu_can_call_it_off(pool: Pool, card: Card) -> None:
    off = Event()
    with pool.gpu:
        Thread(target=lambda: (sleep(0.1), off.set())).start()
        start = monotonic()
        with pytest.raises(CancelledError):
            look(pool, off=off)
    assert monotonic() - start < 1 and look(pool)[1] == SEEN


def test_who_gives_up_waiting_for_the_gpu_leaves_what_is_loaded(pool: Pool, card: Card) -> None:
    before, off = look(pool)[0].process, Event()
    off.set()
    with pool.gpu, pytest.raises(CancelledError):
        look(pool, off=off)
    ready, seen, fresh = look(pool)
    assert ready.process == before and seen == SEEN and not fresh


def asked(*names: str) -> list[Configuration]:
    return [acting.configuration().model_copy(update={"label": name, "weights_from": name}) for name in names]


def test_what_is_warmed_is_loaded_before_anybody_asks_and_nobody_gives_way_to_it(pool: Pool, card: Card) -> None:
    look(pool, "visitor", device="cpu")
    assert pool.warm(asked("a", "b", "c")) == {}
    assert [child.configuration.weights_from for child in card.children] == ["visitor", "a", "b"]
    assert look(pool, "a", device="cpu")[2] is False and look(pool, "visitor", device="cpu")[2] is False


def test_what_cannot_be_warmed_takes_nobody_else_s_room(
    pool: Pool, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FakeChild.load

    def load(child: FakeChild, within_s: float, off: Event) -> Ready:
        if child.configuration.weights_from == "bad":
            raise RuntimeError("the files are odd")
        return real(child, within_s, off)

    monkeypatch.setattr(FakeChild, "load", load)
    failed = pool.warm(asked("a", "bad", "b", "c"))
    assert list(failed) == ["bad"] and "the files are odd" in failed["bad"]
    assert {child.configuration.weights_from for child in card.children if child.is_alive} == {"a", "b", "c"}


def test_a_pool_that_was_closed_warms_nothing(pool: Pool, card: Card) -> None:
    pool.close()
    assert pool.warm(asked("a")) == {} and not card.children


def test_where_memory_ends_those_that_are_idle_give_way_and_it_is_said(pool: Pool, card: Card) -> None:
    look(pool, "a")
    look(pool, "b")
    look(pool, "other", device="cpu")
    pool.limits = Limits(most=9)
    card.room = 1
    ready, seen, _ = look(pool, "c")
    assert isinstance(seen, Seen) and seen.flags == ("engine:torch", "oom_backoff:2 other pipelines unloaded")
    assert [child.configuration.weights_from for child in card.alive] == ["c"]
    assert len(pool.places) == 2, "one on the CPU is not in the way"
    assert look(pool, "c")[1] == SEEN, "the next look is fine, and is as any other"
    assert look(pool, "c")[0].process == ready.process


def test_one_that_is_at_work_does_not_give_way(pool: Pool, card: Card) -> None:
    look(pool, "a")
    card.room = 1
    next(iter(pool.places.values())).users += 1
    assert look(pool, "b")[1] == FULL
    next(iter(pool.places.values())).users -= 1
    assert {child.configuration.weights_from for child in card.alive} == {"a", "b"}


def test_where_memory_ends_while_loading_idle_ones_give_way(
    pool: Pool, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeChild, "loads_at_most", 1)
    look(pool, "a")
    assert look(pool, "b")[1] == SEEN
    assert [child.configuration.weights_from for child in card.alive] == ["b"]
    monkeypatch.setattr(FakeChild, "loads_at_most", 0)
    with pytest.raises(ResourceError, match="not enough memory"):
        look(pool, "c")
    assert not card.alive


def test_a_process_that_lost_its_gpu_is_ended_and_made_anew(pool: Pool, card: Card) -> None:
    first = look(pool)[0].process
    card.answers = [GONE]
    assert look(pool)[1] == GONE
    assert not card.alive
    ready, seen, fresh = look(pool)
    assert seen == SEEN and fresh and ready.process != first
