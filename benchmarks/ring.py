"""The living workers of a run: each scores alone, then they take turns at being timed, A B C A B C, one at a time."""

from __future__ import annotations

import os
import secrets
from collections import deque
from pathlib import Path
from time import perf_counter, process_time
from types import TracebackType
from typing import Any, Self

from benchmarks.records import Configuration, RunManifest
from benchmarks.store import RunStore
from benchmarks.workers import Report, Verdict, Worker

MEMORY_SHARE = 0.8
"""Of the machine's memory, and of the device's: workers whose peaks come to more are not kept alive together."""

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
Peaks = dict[str, float]


class Ring:
    """Starts, times and ends the workers of a run; whoever is left when it is closed is ended.

    Args:
        store: of the run.
        manifest: what the run is.
        report: told each event of a worker.
        timeout_s: without a sign of life for so long a worker is ended.
        memory_mb: of the machine; None = what it has.
    """

    def __init__(self, store: RunStore, manifest: RunManifest, report: Report, timeout_s: float,
                 memory_mb: float | None = None) -> None:  # fmt: skip
        self.store, self.manifest, self.report, self.timeout_s = store, manifest, report, timeout_s
        self.memory_mb = memory_mb or machine_memory_mb()
        self.waiting: list[tuple[Worker, Peaks]] = []
        self.alive: list[Worker] = []
        self.verdicts: dict[str, Verdict] = {}
        self.alone: list[Configuration] = []
        self.begun = (perf_counter(), process_time())

    def measure(self) -> dict[str, Verdict]:
        """Do what is not done; how each worker ended, by the id of its configuration.

        Raises:
            KeyboardInterrupt: a worker was interrupted.
            WorkbenchError: an error that is not one pipeline's own.
        """
        self.begun = (perf_counter(), process_time())
        usable = [one for one in self.manifest.configurations if one.unavailable is None]
        for configuration in usable:
            if not self._is_done(configuration):
                self._score(configuration)
        self._take_turns()
        for configuration in self.alone:  # memory ended while others were alive
            self._score(configuration, again=True)
            self._take_turns()
        return self.verdicts

    def _is_done(self, configuration: Configuration) -> bool:
        """Whether it is timed and every record can be read; where one cannot, one process times it all anew."""
        timed = self.store.timing(configuration.id) is not None
        return timed and len(self.store.keys(configuration.id)) >= self.manifest.dataset.n

    def _score(self, configuration: Configuration, *, again: bool = False) -> None:
        """Start a worker and let it score; then it waits for its turns."""
        worker = Worker(self.store, configuration, self.report, self.timeout_s)
        self.alive.append(worker)
        told = worker.wait_for("memory")
        if told is not None:
            if self.waiting and not self._has_room(told):
                self._take_turns(beside=worker)
            worker.tell({"do": "score"})
            told = worker.wait_for("ready") and told
        if told is None:
            self._ended(worker, others=bool(self.waiting) and not again)
        else:
            self.waiting.append((worker, told))

    def _has_room(self, told: dict[str, Any]) -> bool:
        """Whether the peaks of all who are alive fit into the memory of the machine, and of the device."""
        peaks = [told, *(before for _, before in self.waiting)]
        host = sum(one["host"] for one in peaks)
        device = sum(one.get("reserved") or one.get("device") or 0.0 for one in peaks)
        total = told.get("device_total")
        return host <= MEMORY_SHARE * self.memory_mb and (not total or device <= MEMORY_SHARE * total)

    def _take_turns(self, beside: Worker | None = None) -> None:
        """Give one window to each in turn until all have what they need.

        Args:
            beside: a worker that is alive and has no part in it.
        """
        ring = deque(worker for worker, _ in self.waiting)
        self.waiting = []
        said = {"interleaved": self._interleaved([worker.configuration.id for worker in ring], beside),
                "session": secrets.token_hex(4)}  # fmt: skip
        while ring:
            worker = ring.popleft()
            worker.tell({"do": "turn", "living": self._on_card()})
            event = worker.wait_for("window", "measured")
            if event and event["event"] == "window":
                ring.append(worker)
                continue
            if event:
                worker.tell({"do": "write", "end": {**said, "parent_cpu_share": self._cpu_share()}})
                worker.wait_for("written")
            self._ended(worker, others=bool(ring))

    def _on_card(self) -> int:
        """Workers that may hold a context on the card: those on the processor are no users of it."""
        return sum(worker.configuration.device == "cuda" for worker in self.alive)

    def _interleaved(self, ids: list[str], beside: Worker | None) -> bool | None:
        """Whether all configurations that are timed at all take turns; None where there is only one."""
        others = [one.id for one in self.manifest.configurations
                  if one.id not in ids and self.store.timing(one.id) is not None]  # fmt: skip
        others += [one.id for one in self.alone if one.id not in ids]
        others += [beside.configuration.id] if beside else []
        if not others and len(ids) == 1:
            return None
        return not others

    def _cpu_share(self) -> float:
        """Cores' worth of processor time that this process has taken since the first worker began."""
        wall, cpu = self.begun
        return round((process_time() - cpu) / max(perf_counter() - wall, 1e-9), 5)

    def _ended(self, worker: Worker, *, others: bool) -> None:
        """Note how a worker ended; where its memory ended while others were alive it is tried alone, later."""
        try:
            verdict = worker.verdict()
        finally:
            worker.close()
            self.alive.remove(worker)
        if verdict.of_memory and others:
            self.alone.append(worker.configuration)
        else:
            self.verdicts[worker.configuration.id] = verdict
            self.report(worker.configuration, {"event": "finished"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.alive:
            worker.close()


def machine_memory_mb() -> float:
    """Memory that this process may have, in 10**6 bytes: the machine's, or that of its container if that is less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in CGROUP_LIMITS:
        path = Path(name)
        text = path.read_text(encoding="ascii").strip() if path.is_file() else "max"
        limits += [int(text)] if text.isdecimal() else []
    return min(limits) / 1e6
