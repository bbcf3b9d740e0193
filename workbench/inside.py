"""Pipelines in this process, for a machine that lends its GPU to single calls, as ZeroGPU Spaces do.

There a process of our own would never see the GPU: it is lent to a fork of this one, for one call of a function that
was wrapped, and what goes in and comes out is pickled (huggingface.co/docs/hub/spaces-zerogpu).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from threading import Event, Lock
from typing import Any

from benchmarks import loading
from benchmarks.records import Configuration
from pipelines.base import Pipeline
from pipelines.errors import UnavailableError, WorkbenchError
from pipelines.types import Image, Prompt
from workbench.child import MS_IN_S, Failed, Ready, Seen, look
from workbench.running import CancelledError, load_key

Look = Callable[[str, Image, Prompt, dict[str, Any]], "Seen | Failed"]


class Inside:
    """Pipelines that were loaded here, one look at a time. It has the methods of `workbench.running.Pool`.

    A look that is under way cannot be ended: whoever lends the GPU ends it. It can be called off before it begins.

    Args:
        wrap: lends the GPU to a function.
    """

    def __init__(self, wrap: Callable[[Look], Look]) -> None:
        self.loaded: dict[str, tuple[Pipeline, Ready]] = {}
        self.lock = Lock()
        self.lent = wrap(self._look)

    def warm(self, configurations: Iterable[Configuration]) -> dict[str, str]:
        """Load what will be asked for; what cannot be loaded keeps no other from it.

        Args:
            configurations: that can run here.

        Returns:
            Why some could not be loaded, by label.
        """
        failed = {}
        for one in configurations:
            try:
                self._ready(one)
            except WorkbenchError as error:
                failed[one.label] = str(error)
        return failed

    def look(self, configuration: Configuration, image: Image, prompt: Prompt, params: dict[str, Any],
             off: Event) -> tuple[Ready, Seen | Failed, bool]:  # fmt: skip
        """As `workbench.running.Pool.look`."""
        with self.lock:
            if off.is_set():
                raise CancelledError("It was called off.", "Start it again.")
            fresh = load_key(configuration) not in self.loaded
            ready = self._ready(configuration)
            return ready, self.lent(load_key(configuration), image, prompt, params), fresh

    def _look(self, key: str, image: Image, prompt: Prompt, params: dict[str, Any]) -> Seen | Failed:
        return look(self.loaded[key][0], image, prompt, params)

    def _ready(self, configuration: Configuration) -> Ready:
        key = load_key(configuration)
        if key not in self.loaded:
            try:
                pipeline, loaded = loading.load(configuration)
            except Exception as error:
                failed = Failed.of(error)
                raise UnavailableError(failed.message, failed.cure) from error
            self.loaded[key] = pipeline, Ready(loaded, (pipeline.load_s or 0.0) * MS_IN_S, os.getpid())
        return self.loaded[key][1]

    def close(self) -> None:
        """Give up all that was loaded."""
        with self.lock:
            for pipeline, _ in self.loaded.values():
                pipeline.close()
            self.loaded.clear()
