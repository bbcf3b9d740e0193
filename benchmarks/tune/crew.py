"""The workers of a study: each holds some of the images, all judge one trial at a time, so that a result has one order.

With one job all happens in this process. More are processes of their own; whatever they find, they find it on their
own images, so that the number of jobs changes no figure.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.tune.slice import Slice, split
from benchmarks.tune.surface import Floats, Place, Surface
from benchmarks.tune.task import Setting, Task
from pipelines.base import Pipeline
from pipelines.errors import ContractError, ResourceError, WorkbenchError

LAST_WORD_S = 5


class Crew:
    """Judges trials on all images.

    Args:
        task: what is searched.
        jobs: processes; 1 = this one alone.
        ready: the pipeline, where this process has loaded it; closed with the crew, or at once if others work.
    """

    def __init__(self, task: Task, jobs: int, ready: Pipeline | None = None) -> None:
        parts = list(split(sorted(task.fold), jobs))
        self.members: list[Member] = []
        if ready is not None and len(parts) > 1:
            ready.close()
        try:
            for part in parts:
                self.members.append(Local(task, part, ready) if len(parts) == 1 else Remote(task, part, len(parts)))
            self.ids = [name for member in self.members for name in member.answer()]
        except BaseException:
            self.close()
            raise

    def sweepable(self, setting: Setting) -> bool:
        """Whether two thresholds are all that these parameters decide, as the first image tells that does not fail."""
        for member in self.members:
            member.ask("sweepable", (setting,), {})
            if member.answer():
                return True
        return False

    def judge(self, setting: Setting, *, swept: bool, early: bool = False) -> Surface:
        """Sums of the objective's terms by fold, over all images or the early ones."""
        return Surface.joined(self._all("judge", setting, swept=swept, early=early))

    def latency_ms(self, setting: Setting) -> float:
        """Milliseconds of one image, measured by one worker while the others wait."""
        self.members[0].ask("latency_ms", (setting,), {})
        return float(self.members[0].answer())

    def at(self, places: Sequence[Place]) -> Floats:
        """Terms of each image at some places of what was judged last, ``(places, images, 2)``, as `ids` orders them."""
        return np.concatenate(self._all("at", places), axis=1)

    def _all(self, name: str, *given: Any, **named: Any) -> list[Any]:
        for member in self.members:
            member.ask(name, given, named)
        return [member.answer() for member in self.members]

    def close(self) -> None:
        """End all workers."""
        for member in self.members:
            member.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Local:
    """A slice in this process.

    Args:
        task: what is searched.
        ids: of its images.
        ready: the pipeline, where it is loaded already.
    """

    def __init__(self, task: Task, ids: Sequence[str], ready: Pipeline | None = None) -> None:
        self.slice = Slice(task, ids, ready)
        self.said: Any = self.slice.ids()

    def ask(self, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Call a method of the slice."""
        self.said = getattr(self.slice, name)(*given, **named)

    def answer(self) -> Any:
        """What it returned."""
        return self.said

    def close(self) -> None:
        """Give the pipeline's memory back."""
        self.slice.close()


class Remote:
    """A slice in a process of its own.

    Args:
        task: what is searched.
        ids: of its images.
        jobs: how many processes share the cores.
    """

    def __init__(self, task: Task, ids: Sequence[str], jobs: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=serve, args=(there, task, list(ids), jobs), daemon=True)
        self.process.start()
        there.close()

    def ask(self, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Have a method of the slice called."""
        try:
            self.pipe.send((name, given, named))
        except BrokenPipeError:  # it ended; `answer` says how
            return

    def answer(self) -> Any:
        """What it returned.

        Raises:
            WorkbenchError: what it raised.
            ContractError: it ended.
        """
        try:
            fine, said = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._ended() from None
        if not fine:
            raise said
        return said

    def _ended(self) -> WorkbenchError:
        self.process.join(LAST_WORD_S)
        code = self.process.exitcode
        if code == -9:
            return ResourceError("A worker was killed, as the system does where memory ends.",
                                 "Give --jobs 1, or --limit.")  # fmt: skip
        return ContractError(f"A worker ended with {code}.", "Run again with --jobs 1 to see why.")

    def close(self) -> None:
        """End it."""
        self.pipe.close()
        self.process.join(LAST_WORD_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


Member = Local | Remote


def serve(pipe: Connection, task: Task, ids: list[str], jobs: int) -> None:
    """Answer until nobody asks any more.

    Args:
        pipe: asks for a method, its arguments and its named ones; gets (whether it went well, result or error).
        task: what is searched.
        ids: of the images to hold.
        jobs: processes that share the cores.
    """
    import cv2

    cv2.setNumThreads(max(1, (os.cpu_count() or 1) // jobs))
    try:
        held = Slice(task, ids)
        pipe.send((True, held.ids()))
        while True:
            name, given, named = pipe.recv()
            pipe.send((True, getattr(held, name)(*given, **named)))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):  # who asked is gone
        return
    except WorkbenchError as error:
        plain = next(kind for kind in type(error).__mro__ if "__init__" not in vars(kind) or kind is WorkbenchError)
        pipe.send((False, plain(error.message, error.cure)))  # one of another form cannot be sent
    except MemoryError:
        pipe.send((False, ResourceError("Memory is used up.", "Give --jobs 1, or --limit.")))


def jobs_for(task: Task) -> int:
    """As many processes as there are cores; one for a pipeline with weights, which uses all cores by itself."""
    has_weights = bool(task.configuration.weights)
    return 1 if has_weights else max(1, min(len(os.sched_getaffinity(0)), len(task.fold)))
