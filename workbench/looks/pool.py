"""Pipelines in processes of their own, as many as may be kept: one that hangs or crashes harms no other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Condition, Event, Lock
from typing import Any

from benchmarks.records import Configuration
from pipelines.types import Image, Prompt
from workbench.catalogue import load_key
from workbench.closing import Closing
from workbench.looks.child import BACKOFF, LOST, OUT_OF_MEMORY, Failed, Ready, Seen
from workbench.looks.process import POLL_S, Child, FullError, check


@dataclass(frozen=True)
class Limits:
    """What a look may take.

    Attributes:
        look_s: seconds of a look; then its process is ended.
        load_s: seconds of loading, the weights of the hub included.
        most: processes that are kept at one time; one that is not at work gives way to another pipeline.
    """

    look_s: float = 120.0
    load_s: float = 600.0
    most: int = 3


@dataclass
class _Place:
    """Where a child lives, or is about to."""

    child: Child | None = None
    users: int = 0
    lock: Lock = field(default_factory=Lock)

    def close(self) -> None:
        """End the child that lives there."""
        if self.child is not None:
            self.child.close()
        self.child = None

    @contextmanager
    def ending(self) -> Iterator[None]:
        """End the child where what is done with it goes wrong."""
        try:
            yield
        except BaseException:
            self.close()
            raise


class Pool(Closing):
    """Children by what they have loaded: one look at a time each, and no more of them than may be kept.

    On a GPU there is one look at a time of all. Where memory ends, idle ones give way, and it is tried once more.

    Args:
        limits: of looks and of children.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.places: OrderedDict[str, _Place] = OrderedDict()
        self.changed, self.gpu, self.closed = Condition(), Lock(), Event()

    def look(self, configuration: Configuration, image: Image, prompt: Prompt, params: dict[str, Any],
             off: Event) -> tuple[Ready, Seen | Failed, bool]:  # fmt: skip
        """Have a pipeline look at a picture, loading it where it is not loaded.

        Args:
            configuration: what has to be loaded; its infer and decide fields do not matter.
            image: ``uint8 (H, W, 3)``.
            prompt: what to look for.
            params: all fields.
            off: set by whoever calls it off.

        Returns:
            What is loaded, what came of it, and whether it had to be loaded for that.

        Raises:
            WorkbenchError: it cannot be loaded, was called off, took too long, or its process ended.
        """
        with self._place(load_key(configuration), off) as place:
            with place.ending():
                ready, fresh = self._loaded(place, configuration, off)
            with self._turn(configuration.device, off), place.ending():  # who gives up waiting harms nothing loaded
                said = self._looked(place, image, prompt, params, off)
            if isinstance(said, Failed) and said.code == LOST:
                place.close()
            return ready, said, fresh

    def warm(self, configurations: Iterable[Configuration]) -> dict[str, str]:
        """Load what will be asked for, while there is room and nobody closes the pool; others' children never give way.

        Args:
            configurations: that can run here.

        Returns:
            Why some could not be loaded, by label.
        """
        failed = {}
        for one in configurations:
            if self.closed.is_set() or self._is_full():
                break
            try:
                self._warmed(one)
            except Exception as error:
                if not self.closed.is_set():  # then it is no news that a process ended
                    told = Failed.of(error)
                    failed[one.label] = f"{told.message} {told.cure}"
        return failed

    def _warmed(self, configuration: Configuration) -> None:
        with self._place(load_key(configuration), self.closed) as place, place.ending():
            if place.child is None or not place.child.is_alive:
                place.child = Child(configuration)
            place.child.load(self.limits.load_s, self.closed)

    def _is_full(self) -> bool:
        with self.changed:
            return sum(place.child is not None for place in self.places.values()) >= self.limits.most

    def _loaded(self, place: _Place, configuration: Configuration, off: Event) -> tuple[Ready, bool]:
        """What is loaded, and whether it had to be."""
        if place.child is not None and place.child.is_alive:
            return place.child.load(self.limits.load_s, off), False
        place.child = Child(configuration)
        try:
            return place.child.load(self.limits.load_s, off), True
        except FullError:
            if not self._freed(configuration.device):
                raise
        place.close()
        place.child = Child(configuration)
        return place.child.load(self.limits.load_s, off), True

    def _looked(self, place: _Place, image: Image, prompt: Prompt, params: dict[str, Any], off: Event) -> Seen | Failed:
        assert place.child is not None  # it is loaded
        child, within_s = place.child, self.limits.look_s
        said = child.look(image, prompt, params, within_s, off)
        if (
            isinstance(said, Seen)
            or said.code != OUT_OF_MEMORY
            or not (gone := self._freed(child.configuration.device))
        ):
            return said
        said = child.look(image, prompt, params, within_s, off)
        if isinstance(said, Failed):
            return said
        return replace(said, flags=(*said.flags, f"{BACKOFF}{gone} other pipeline{'s' * (gone > 1)} unloaded"))

    def _freed(self, device: str) -> int:
        """End the children on a device that are not at work; how many there were."""
        with self.changed:
            there = [(name, place) for name, place in self.places.items() if place.child and not place.users]
            idle = [name for name, place in there if place.child and place.child.configuration.device == device]
            for name in idle:
                self.places.pop(name).close()
            return len(idle)

    @contextmanager
    def _turn(self, device: str, off: Event) -> Iterator[None]:
        if device != "cuda":
            check(off)
            yield
            return
        while not self.gpu.acquire(timeout=POLL_S):
            check(off)
        try:
            check(off)
            yield
        finally:
            self.gpu.release()

    @property
    def working(self) -> int:
        """How many looks are asked for and not done."""
        with self.changed:
            return sum(place.users for place in self.places.values())

    @contextmanager
    def _place(self, key: str, off: Event) -> Iterator[_Place]:
        place = self._entered(key, off)
        try:
            while not place.lock.acquire(timeout=POLL_S):
                check(off)
            try:
                check(off)  # before anything is asked of it: one that is called off while at work is ended
                yield place
            finally:
                place.lock.release()
        finally:
            with self.changed:
                place.users -= 1
                self.changed.notify_all()

    def _entered(self, key: str, off: Event) -> _Place:
        """The place of a key; the one that was used longest ago and is not at work gives way to it."""
        check(off)
        with self.changed:
            while key not in self.places and len(self.places) >= self.limits.most and not self._gave_way():
                check(off)
                self.changed.wait(POLL_S)
            place = self.places.setdefault(key, _Place())
            self.places.move_to_end(key)
            place.users += 1
            return place

    def _gave_way(self) -> bool:
        idle = [name for name, place in self.places.items() if not place.users]
        if not idle:
            return False
        empty = next((name for name in idle if self.places[name].child is None), idle[0])
        self.places.pop(empty).close()
        return True

    def close(self) -> None:
        """End all children."""
        self.closed.set()
        with self.changed:
            for place in self.places.values():
                place.close()
            self.places.clear()
