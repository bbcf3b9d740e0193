"""The process that a pipeline lives in: it loads, looks at pictures one at a time, and tells what came of it."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any

from benchmarks.environment import environment
from benchmarks.records import Configuration, Loaded
from pipelines.errors import WorkbenchError
from pipelines.params import make_params
from pipelines.types import Evidence, Image, Prompt

MS_IN_S = 1e3
OUT_OF_MEMORY, LOST = "memory", "lost"
"""Codes of `Failed`: memory ended; and the GPU is lost to this process, which can do nothing more with it."""

BACKOFF = "oom_backoff:"
_LOST = ("illegal memory access", "illegal instruction", "illegal address", "misaligned address", "device-side assert",
         "unspecified launch failure", "hardware stack error", "invalid program counter")  # fmt: skip
"""What CUDA says of errors after which a process has to be ended and begun anew (CUDA Runtime API, cudaError)."""


@dataclass(frozen=True)
class Ready:
    """A pipeline that is loaded.

    Attributes:
        loaded: weights and arithmetic that it runs with.
        load_ms: what loading took, without finding and fetching the weights.
        process: number of its process.
        environment: machine, versions and GPU as that process sees them.
    """

    loaded: Loaded
    load_ms: float
    process: int
    environment: Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """What a pipeline saw in a picture.

    Attributes:
        evidence: in host memory.
        infer_ms: what the look took, picture in host memory to evidence there.
        stages_ms: parts of it by name.
        flags: what a reader of its figures has to know.
    """

    evidence: Evidence
    infer_ms: float
    stages_ms: dict[str, float]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """What went wrong.

    Attributes:
        code: as of an error of ours, `OUT_OF_MEMORY`, `LOST`, or "failed".
        message: one sentence.
        cure: what to do about it.
    """

    code: str
    message: str
    cure: str

    @classmethod
    def of(cls, error: BaseException) -> Failed:
        """An error in words that may be shown: one of ours as it is, any other by its kind and first line."""
        if isinstance(error, WorkbenchError):
            return cls(error.code, error.message, error.cure)
        if _ran_out(error):
            return cls(OUT_OF_MEMORY, "There was not enough memory.", "Take a smaller picture, or fewer pipelines.")
        first = next(iter(str(error).splitlines()), "")[:200]
        if any(words in str(error) for words in _LOST):
            return cls(LOST, f"The GPU gave up: {first}.", "Run it again: it is started anew.")
        return cls("failed", f"It failed: {type(error).__name__}: {first}".rstrip(": ") + ".", "Try another picture.")


def _ran_out(error: BaseException) -> bool:
    """Whether memory ended, of the machine or of a GPU; where torch was never imported nothing of it can say so."""
    if "torch" not in sys.modules or not isinstance(error, RuntimeError):
        return isinstance(error, MemoryError)
    from pipelines.networks.batches import ran_out_of_memory

    return ran_out_of_memory(error)


def serve(pipe: Connection, configuration: Configuration) -> None:
    """Load, then look at whatever comes until nobody is there to ask.

    Args:
        pipe: gets `Ready` or `Failed`, then one `Seen` or `Failed` for each ``(image, prompt, params)`` that comes.
        configuration: what is loaded.
    """
    from benchmarks import loading

    os.setpgid(0, 0)  # Ctrl-C of a terminal is the parent's to hear
    try:
        start = perf_counter()
        pipeline, loaded = loading.load(configuration)
        load_ms = (pipeline.load_s or perf_counter() - start) * MS_IN_S
        ready = Ready(loaded, load_ms, os.getpid(), environment(configuration.device))
    except Exception as error:
        pipe.send(Failed.of(error))
        return
    pipe.send(ready)
    with pipeline:
        while True:
            try:
                image, prompt, params = pipe.recv()
            except (EOFError, OSError):  # the parent is gone
                return
            pipe.send(look(pipeline, image, prompt, params))


def look(pipeline: Any, image: Image, prompt: Prompt, params: dict[str, Any]) -> Seen | Failed:
    """One look at a picture; whatever a pipeline does wrong is an answer.

    Where memory ends, all that the look held is given back, and it is tried once more.

    Args:
        pipeline: loaded.
        image: ``uint8 (H, W, 3)``.
        prompt: what to look for.
        params: fields that differ from what is loaded, by name.
    """
    found = _tried(pipeline, image, prompt, params)
    if isinstance(found, Seen) or found.code != OUT_OF_MEMORY:
        return found
    _give_back()
    found = _tried(pipeline, image, prompt, params)
    if isinstance(found, Failed):
        _give_back()
        return found
    return replace(found, flags=(*found.flags, f"{BACKOFF}second try"))


def _tried(pipeline: Any, image: Image, prompt: Prompt, params: dict[str, Any]) -> Seen | Failed:
    """With its end the error goes too, whose traceback holds the tensors of the look."""
    try:
        values = make_params(type(pipeline.params), {**pipeline.params.model_dump(), **params})
        pipeline.clock.reset()
        start = perf_counter()
        evidence = pipeline.infer([image], [prompt], values)[0].to_host()
        infer_ms = (perf_counter() - start) * MS_IN_S
    except Exception as error:
        return Failed.of(error)
    stages = {name: seconds * MS_IN_S for name, seconds in pipeline.clock.seconds.items()}
    return Seen(evidence, infer_ms, stages, tuple(sorted(pipeline.flags)))


def _give_back() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
