"""Pipelines in processes of their own: a picture that hangs or crashes one harms nobody else, and can be called off."""

from __future__ import annotations

import multiprocessing
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Event, Lock
from time import monotonic
from types import TracebackType
from typing import Any, Self

from benchmarks.records import Configuration
from pipelines.errors import ContractError, ResourceError, UnavailableError, UsageError, WorkbenchError
from pipelines.types import Image, Prompt
from workbench.child import Failed, Ready, Seen, serve

POLL_S = 0.05
ENDING_S = 2.0
KILLED = -9


class CancelledError(UsageError):
    """Somebody called it off."""

    code = "cancelled"


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


class Child:
    """A pipeline in a process of its own.

    Args:
        configuration: what it loads.
    """

    def __init__(self, configuration: Configuration) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.configuration = configuration
        self.process = context.Process(target=serve, args=(there, configuration), daemon=True)
        self.process.start()
        there.close()
        self.ready: Ready | None = None

    def load(self, within_s: float, off: Event) -> Ready:
        """Wait until it is loaded.

        Raises:
            UnavailableError: it cannot be loaded.
            WorkbenchError: it was called off, took too long, or its process ended.
        """
        if self.ready is None:
            said = self._answer(within_s, off, "loading")
            if isinstance(said, Failed):
                raise UnavailableError(said.message, said.cure)
            self.ready = said
        return self.ready

    def look(self, image: Image, prompt: Prompt, params: dict[str, Any], within_s: float, off: Event) -> Seen | Failed:
        """What it sees in a picture; what went wrong there is an answer.

        Args:
            image: ``uint8 (H, W, 3)``.
            prompt: what to look for.
            params: fields that differ from what is loaded.
            within_s: seconds; then it is ended.
            off: set by whoever calls it off.

        Raises:
            WorkbenchError: it was called off, took too long, or its process ended.
        """
        try:
            self.pipe.send((image, prompt, params))
        except OSError:
            raise self._ended() from None
        found: Seen | Failed = self._answer(within_s, off, "looking")
        return found

    def _answer(self, within_s: float, off: Event, doing: str) -> Any:
        until = monotonic() + within_s
        try:
            while not self.pipe.poll(POLL_S):
                if off.is_set():
                    self.close()
                    raise CancelledError("It was called off.", "Start it again.")
                if monotonic() > until:
                    self.close()
                    raise ResourceError(
                        f"{self.configuration.label} was still {doing} after {within_s:g} s, and was ended.",
                        "Take a smaller picture or another pipeline.",
                    )
            return self.pipe.recv()
        except (EOFError, OSError):
            raise self._ended() from None

    def _ended(self) -> WorkbenchError:
        self.process.join(ENDING_S)
        label, code = self.configuration.label, self.process.exitcode
        if code == KILLED:
            return ResourceError(f"The process of {label} was killed, as the system does where memory ends.",
                                 "Take a smaller picture or another pipeline.")  # fmt: skip
        return ContractError(f"The process of {label} ended with {code}.", "Try again, or take another pipeline.")

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.process.is_alive()

    def close(self) -> None:
        """End its process, whatever it does."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


@dataclass
class _Place:
    """Where a child lives, or is about to."""

    child: Child | None = None
    users: int = 0
    lock: Lock = field(default_factory=Lock)


class Pool:
    """Children by what they have loaded: one look at a time each, and no more of them than may be kept.

    Args:
        limits: of looks and of children.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.places: OrderedDict[str, _Place] = OrderedDict()
        self.changed = Condition()

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
            fresh = place.child is None or not place.child.is_alive
            try:
                if place.child is None or fresh:
                    place.child = Child(configuration)
                ready = place.child.load(self.limits.load_s, off)
                return ready, place.child.look(image, prompt, params, self.limits.look_s, off), fresh
            except BaseException:
                if place.child is not None:
                    place.child.close()
                    place.child = None
                raise

    @contextmanager
    def _place(self, key: str, off: Event) -> Iterator[_Place]:
        place = self._entered(key, off)
        try:
            while not place.lock.acquire(timeout=POLL_S):
                _check(off)
            try:
                yield place
            finally:
                place.lock.release()
        finally:
            with self.changed:
                place.users -= 1
                self.changed.notify_all()

    def _entered(self, key: str, off: Event) -> _Place:
        """The place of a key; the one that was used longest ago and is not at work gives way to it."""
        with self.changed:
            while key not in self.places and len(self.places) >= self.limits.most and not self._gave_way():
                _check(off)
                self.changed.wait(POLL_S)
            place = self.places.setdefault(key, _Place())
            self.places.move_to_end(key)
            place.users += 1
            return place

    def _gave_way(self) -> bool:
        idle = next((name for name, place in self.places.items() if not place.users), None)
        if idle is None:
            return False
        child = self.places.pop(idle).child
        if child is not None:
            child.close()
        return True

    def close(self) -> None:
        """End all children."""
        with self.changed:
            for place in self.places.values():
                if place.child is not None:
                    place.child.close()
            self.places.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def load_key(configuration: Configuration) -> str:
    """The same for configurations that load the same."""
    from pipelines.params import knobs
    from pipelines.registry import pipeline_class

    read = [knob.name for knob in knobs(pipeline_class(configuration.pipeline).Params) if knob.reads == "load"]
    fields = [(name, configuration.params.get(name)) for name in read]
    return repr((configuration.pipeline, configuration.device, configuration.weights_from, fields))


def _check(off: Event) -> None:
    if off.is_set():
        raise CancelledError("It was called off.", "Start it again.")
