"""A worker as its parent sees it: started, spoken to, watched while it works, and ended, whatever it does."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.records import Configuration
from benchmarks.store import RunStore
from pipelines.errors import DatasetError, ImageError, ResourceError, RunLockedError, WorkbenchError

Report = Callable[[Configuration, dict[str, Any]], None]
FATAL: tuple[type[WorkbenchError], ...] = (DatasetError, ImageError, ResourceError, RunLockedError)
"""Errors that are not one pipeline's own: they end the run, and what is recorded stays."""

LOADING_PATIENCE = 6
"""Times as long as a call: weights may be on their way from the hub, and nothing is told meanwhile."""

LOG_END = 1 << 16
"""Bytes of a log that are looked through for its last line: a library may have written gigabytes."""


@dataclass(frozen=True)
class Verdict:
    """How a worker ended.

    Attributes:
        configuration: its own, marked unavailable where it could not be loaded.
        reason: why it failed, or None.
        of_memory: whether memory ended, so that alone it might go better.
    """

    configuration: Configuration
    reason: str | None = None
    of_memory: bool = False


class Worker:
    """One configuration's process.

    Args:
        store: of the run.
        configuration: what it does.
        report: told each of its events.
        timeout_s: without a sign of life for so long while it has something to do, it is killed.
    """

    def __init__(self, store: RunStore, configuration: Configuration, report: Report, timeout_s: float) -> None:
        self.configuration, self.report, self.timeout_s = configuration, report, timeout_s
        self.log = store.folder / configuration.id / "worker.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.worker", str(store.folder), configuration.id]
        self.log.open("wb").close()
        with self.log.open("ab") as errors:  # to the end, since what it says on stdout is written there as well
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.said: list[dict[str, Any]] = []
        self.rest = b""
        self.error: dict[str, Any] = {}
        self.started = self.written = False
        self.waited_s: float | None = None
        self.end = _end_of(self.process.pid)

    def tell(self, order: dict[str, Any]) -> None:
        """Give an order; one who died meanwhile does not hear it, which the next look at it finds out."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return

    def wait_for(self, *events: str) -> dict[str, Any] | None:
        """Sleep until it tells one of these events; None where it ended, or was killed because it told nothing."""
        while True:
            event = self._next()
            if event is None or event["event"] in events:
                return event

    def _next(self) -> dict[str, Any] | None:
        while not self.said:
            if not self._read():
                return None
        event = self.said.pop(0)
        self.started = self.started or event["event"] == "start"
        self.written = self.written or event["event"] == "written"
        self.error = event if event["event"] == "error" else self.error
        self.report(self.configuration, event)
        return event

    def _read(self) -> bool:
        """Wait for whole lines; False where none will come, also where a child of a dead worker holds the pipe open."""
        assert self.process.stdout is not None
        told = self.process.stdout.fileno()
        patience_s = self.timeout_s * (1 if self.started else LOADING_PATIENCE)
        ready = select.select([told, *self.end], [], [], patience_s)[0]
        if not ready:
            self._kill(patience_s)
        if told not in ready:
            return False
        data = os.read(told, 1 << 16)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self._hear(line)
        return bool(data)

    def _hear(self, line: bytes) -> None:
        """Take an event; anything else was printed by a library before stdout was ours, and goes to the log."""
        event = _event(line)
        if event is not None:
            self.said.append(event)
        elif line.strip():
            with self.log.open("ab") as log:
                log.write(line + b"\n")

    def _kill(self, waited_s: float) -> None:
        self.waited_s = waited_s
        self.process.kill()

    def verdict(self) -> Verdict:
        """Wait for its end and say what it was.

        Raises:
            KeyboardInterrupt: it was interrupted.
            WorkbenchError: one of `FATAL`.
        """
        code = self._code()
        if code == 0 or self.written:
            return Verdict(self.configuration)
        if code in (130, -signal.SIGINT):
            raise KeyboardInterrupt
        for kind in FATAL:
            if _is(kind, self.error.get("code")):
                raise kind(self.error["message"], self.error["cure"])
        said = f"{self.error.get('message')} {self.error.get('cure')}"
        if self.error.get("code") == "unavailable":
            return Verdict(self.configuration.model_copy(update={"unavailable": said}))
        if self.error:
            return Verdict(self.configuration, said, bool(self.error.get("memory")))
        if self.waited_s is not None:
            return Verdict(self.configuration, f"It gave no sign of life for {self.waited_s:g} s and was ended. "
                           f"Give --timeout-s more if it needs longer. {_last_line(self.log)}")  # fmt: skip
        return Verdict(self.configuration, f"{_ending(code)} {_last_line(self.log)}", code == -signal.SIGKILL)

    def _code(self) -> int:
        try:
            return self.process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:  # all was told, and it does not end
            self._kill(self.timeout_s)
            return self.process.wait()

    def close(self) -> None:
        """End it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            _close(pipe)
        while self.end:
            os.close(self.end.pop())
        self.process.wait()


def _end_of(pid: int) -> list[int]:
    """What can be waited on until the process ends; nothing where the system has no such thing (before Linux 5.3)."""
    if not hasattr(os, "pidfd_open"):
        return []
    try:
        return [os.pidfd_open(pid)]
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):  # an old kernel, or a container that forbids it
            raise
        return []


def _event(line: bytes) -> dict[str, Any] | None:
    """The event of a line, or None where it is none."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and isinstance(said.get("event"), str) else None


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except BrokenPipeError:  # an order that it died without hearing
        return


def _is(kind: type[WorkbenchError], code: str | None) -> bool:
    return code in {kind.code, *(sub.code for sub in kind.__subclasses__())}


def _ending(code: int) -> str:
    if code >= 0:
        return f"Its process ended with exit code {code}."
    known: Collection[int] = {one.value for one in signal.Signals}
    name = f" ({signal.Signals(-code).name})" if -code in known else ""
    why = " The system does so where memory ends." if code == -signal.SIGKILL else ""
    return f"Its process was ended by signal {-code}{name}.{why}"


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_END))
        text = file.read().decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    return f"{lines[-1][:500]} (the whole: {log})" if lines else f"It said nothing (log: {log})."
