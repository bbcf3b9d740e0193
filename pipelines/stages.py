"""A pass over an image as named stages: each timed, each reused while the parameters it reads stay the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from pipelines.params import Params
from pipelines.types import Image


def _nothing_to_wait_for() -> None:
    """On a CPU every call is finished when it returns."""


class StageClock:
    """Seconds by stage since the last reset. The device is synchronised before each reading.

    Args:
        synchronise: waits until the device has done all that was asked of it.
    """

    def __init__(self, synchronise: Callable[[], None] = _nothing_to_wait_for) -> None:
        self.synchronise = synchronise
        self.seconds: dict[str, float] = {}

    def reset(self) -> None:
        """Forget what was measured."""
        self.seconds = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        self.synchronise()
        start = perf_counter()
        try:
            yield
        finally:  # also of a try that ended for want of memory, and is repeated with less
            self.synchronise()
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start


@dataclass(frozen=True)
class Stage:
    """One step of a pass.

    Attributes:
        name: as it appears in timings.
        reads: the fields of the parameters that it reads, beyond those of the stages before it.
        run: (image, what the stage before returned, parameters) → result. It must not write into what it is given.
    """

    name: str
    reads: tuple[str, ...]
    run: Callable[[Image, Any, Any], Any]


class StageCache:
    """Results of stages, the least recently used dropped first. Off (0 MB) unless a sweep switches it on.

    A picture is known by its identity; the cache keeps it alive, so that the identity is not given to another.

    Args:
        max_mb: upper bound of what is kept, in 10**6 bytes.
    """

    def __init__(self, max_mb: float = 0) -> None:
        self.max_bytes = int(max_mb * 1e6)
        self.hits = 0
        self._held: OrderedDict[tuple[Any, ...], tuple[Image, Any, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[Any, ...]) -> tuple[bool, Any]:
        """(whether it is there, the result)."""
        if key not in self._held:
            return False, None
        self._held.move_to_end(key)
        self.hits += 1
        return True, self._held[key][1]

    def put(self, key: tuple[Any, ...], image: Image, result: Any) -> None:
        """Keep a result; its arrays become read-only, save the picture itself, which is the caller's."""
        if not self.max_bytes:
            return
        size = image.nbytes + sum(array.nbytes for array in _freeze(result, image))
        self._bytes += size - self._held.pop(key, (image, None, 0))[2]
        self._held[key] = (image, result, size)
        while self._bytes > self.max_bytes and self._held:
            self._bytes -= self._held.popitem(last=False)[1][2]

    def clear(self) -> None:
        """Drop everything."""
        self._held.clear()
        self._bytes = 0


def _freeze(result: Any, image: Image) -> Iterator[Any]:
    for value in result if isinstance(result, tuple) else (result,):
        if isinstance(value, np.ndarray) and value is not image:
            value.flags.writeable = False
        if hasattr(value, "nbytes"):
            yield value


def run_stages(stages: Sequence[Stage], image: Image, params: Params, cache: StageCache, clock: StageClock) -> Any:
    """Run a chain of stages over one image, from the last one whose result is known.

    Args:
        stages: in order.
        image: ``uint8 (H, W, 3)``.
        params: of the pipeline.
        cache: where results are looked for and kept.
        clock: what times each stage that really runs.

    Returns:
        What the last stage returned.
    """
    keys = list(_keys(stages, image, params)) if cache.max_bytes else []
    start, result = 0, None
    for index in reversed(range(len(keys))):
        found, value = cache.get(keys[index])
        if found:
            start, result = index + 1, value
            break
    for index in range(start, len(stages)):
        with clock.stage(stages[index].name):
            result = stages[index].run(image, result, params)
        if keys:
            cache.put(keys[index], image, result)
    return result


def _keys(stages: Sequence[Stage], image: Image, params: Params) -> Iterator[tuple[Any, ...]]:
    read: tuple[Any, ...] = ()
    for stage in stages:
        read += tuple(getattr(params, name) for name in stage.reads)
        yield id(image), stage.name, *read
