"""Pipelines in this process, for a machine that lends its GPU to single calls, as ZeroGPU Spaces do.

There a process of our own would never see the GPU: it is lent to a fork of this one, for one call of a function that
was wrapped, and what goes in and comes out is pickled (huggingface.co/docs/hub/spaces-zerogpu; package spaces 0.51,
zero/wrappers.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any

import cv2

from benchmarks import loading
from benchmarks.environment import environment
from benchmarks.records import Configuration
from pipelines.base import Pipeline
from pipelines.errors import ResourceError, UnavailableError, WorkbenchError
from pipelines.types import Image, Prompt
from workbench.catalogue import load_key
from workbench.looks.child import LOST, MS_IN_S, Failed, Ready, Seen, look
from workbench.looks.process import POLL_S, check

Told = tuple["Ready | Failed", "Seen | Failed | None", bool]
"""What is loaded, what came of the look, and whether it had to be loaded for that."""

Look = Callable[[Configuration, Image, Prompt, dict[str, Any]], Told]


class LostError(ResourceError):
    """The GPU is lost to the process that it was lent to."""


class Inside:
    """Pipelines that were loaded here, one look at a time. It has the methods of `workbench.looks.pool.Pool`.

    A look that is under way cannot be ended: whoever lends the GPU ends it. It can be called off before it begins.
    What was not loaded before the app started is loaded where the GPU is, each time: in this process that would be
    done in another thread than the first, which is the only one where the GPU's absence is made up for.

    What needs no GPU looks here: nobody's quota is spent on it, and it waits for no look with the GPU.

    Args:
        wrap: lends the GPU to a function.
    """

    def __init__(self, wrap: Callable[[Look], Look]) -> None:
        self.loaded: dict[str, tuple[Pipeline, Ready]] = {}
        self.lock, self.here = Lock(), Lock()
        self.lent = wrap(self._look)
        cv2.setNumThreads(1)  # a fork has none of the threads that OpenCV believes to have, and would wait for them

    @property
    def working(self) -> int:
        """How many looks are under way."""
        return self.lock.locked() + self.here.locked()

    def warm(self, configurations: Iterable[Configuration]) -> dict[str, str]:
        """Load what will be asked for; what cannot be loaded keeps no other from it.

        Args:
            configurations: that can run here.

        Returns:
            Why some could not be loaded, by label.
        """
        failed = {}
        for one in configurations:
            ready = self._ready(one)
            if isinstance(ready, Failed):
                failed[one.label] = f"{ready.message} {ready.cure}"
        return failed

    def look(self, configuration: Configuration, image: Image, prompt: Prompt, params: dict[str, Any],
             off: Event) -> tuple[Ready, Seen | Failed, bool]:  # fmt: skip
        """As `workbench.looks.pool.Pool.look`."""
        lock, do = (self.here, self._look) if configuration.device == "cpu" else (self.lock, self._lent)
        with _turn(lock, off):
            ready, seen, fresh = do(configuration, image, prompt, params)
        if isinstance(ready, Failed):
            raise UnavailableError(ready.message, ready.cure)
        assert seen is not None  # what is loaded has looked
        return ready, seen, fresh

    def _lent(self, configuration: Configuration, image: Image, prompt: Prompt, params: dict[str, Any]) -> Told:
        """A look with the GPU; the lender's own errors, of whatever kind, in words."""
        try:
            return self.lent(configuration, image, prompt, params)
        except WorkbenchError:
            raise
        except Exception as error:
            said = str(getattr(error, "message", error)).splitlines()
            words = f"{said[0][:200] if said else type(error).__name__}".rstrip(".")
            raise ResourceError(
                f"The GPU was not lent, or was taken back: {words}.",
                "Try again in a while, with a smaller picture, or on your own machine.",
            ) from error

    def _look(self, configuration: Configuration, image: Image, prompt: Prompt, params: dict[str, Any]) -> Told:
        """What is done where the GPU is, or here. An error ends the process that a GPU was lent to."""
        fresh = load_key(configuration) not in self.loaded
        ready = self._ready(configuration)
        if isinstance(ready, Failed):
            return ready, None, fresh
        seen = look(self.loaded[load_key(configuration)][0], image, prompt, params)
        if isinstance(seen, Failed) and seen.code == LOST:
            raise LostError(seen.message, seen.cure)
        return ready, seen, fresh

    def _ready(self, configuration: Configuration) -> Ready | Failed:
        key = load_key(configuration)
        if key not in self.loaded:
            try:
                pipeline, loaded = loading.load(configuration)
                stamp = environment(configuration.device)
            except Exception as error:
                return Failed.of(error)
            load_ms = (pipeline.load_s or 0.0) * MS_IN_S
            self.loaded[key] = pipeline, Ready(loaded, load_ms, os.getpid(), stamp)
        return self.loaded[key][1]

    def close(self) -> None:
        """Give up all that was loaded."""
        with self.lock, self.here:
            for pipeline, _ in self.loaded.values():
                pipeline.close()
            self.loaded.clear()


@contextmanager
def _turn(lock: Lock, off: Event) -> Iterator[None]:
    while not lock.acquire(timeout=POLL_S):
        check(off)
    try:
        check(off)
        yield
    finally:
        lock.release()
