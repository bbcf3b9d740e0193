"""The process of a pipeline, from outside: started, asked, waited for, and ended where it takes too long."""

from __future__ import annotations

import multiprocessing
from threading import Event
from time import monotonic
from typing import Any

from benchmarks.records import Configuration
from pipelines.errors import ContractError, ResourceError, UnavailableError, UsageError, WorkbenchError
from pipelines.types import Image, Prompt
from workbench.looks.child import OUT_OF_MEMORY, Failed, Ready, Seen, serve

POLL_S = 0.05
ENDING_S = 2.0
KILLED = -9


class CancelledError(UsageError):
    """Somebody called it off."""

    code = "cancelled"


class FullError(ResourceError):
    """Memory ended while a pipeline was loaded."""

    code = OUT_OF_MEMORY


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
            FullError: memory ended.
            WorkbenchError: it was called off, took too long, or its process ended.
        """
        if self.ready is None:
            said = self._answer(within_s, off, "loading")
            if isinstance(said, Failed):
                raise (FullError if said.code == OUT_OF_MEMORY else UnavailableError)(said.message, said.cure)
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


def check(off: Event) -> None:
    """Stop here if it was called off.

    Raises:
        CancelledError: it was.
    """
    if off.is_set():
        raise CancelledError("It was called off.", "Start it again.")
