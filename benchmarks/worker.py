"""One configuration in a process of its own: ``python -m benchmarks.worker FOLDER CONFIGURATION``, started by a run.

It reads the manifest, appends records and writes the timing. What happens is told as JSON lines on stdout; when to go
on is heard as JSON lines on stdin. Being alone makes its peak memory honest, and its crash a row instead of the end of
the run.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Any

from benchmarks import evaluate, loading, scoring
from benchmarks.datasets import Dataset, Sample
from benchmarks.metrics import METRICS
from benchmarks.records import Configuration, RunManifest
from benchmarks.selection import PromptOf, classes_of, open_selected, prompt_of
from benchmarks.soft_maps import SoftMaps
from benchmarks.store import Lock, RecordWriter, RunStore, write_whole
from benchmarks.timing import span
from benchmarks.timing.latency import LatencyLog
from benchmarks.timing.rounds import Rounds, Windows
from benchmarks.timing.steadiness import Watch
from pipelines.base import Pipeline
from pipelines.errors import DatasetError, ResourceError, WorkbenchError
from pipelines.registry import pipeline_class

Tell = Callable[[dict[str, Any]], None]
Orders = SimpleQueue[dict[str, Any]]
"""What the parent says: to go on with the quality pass, whose turn it is, and that all is measured."""

WAIT_FOR_PREDECESSOR_S = 10
TELL_EVERY_S = 0.2
PR_SET_PDEATHSIG = 1
"""Of prctl (sys/prctl.h): the signal that a process gets when its parent ends."""


@dataclass(frozen=True)
class Job:
    """One configuration of a run, with the samples in the order in which they are done.

    Attributes:
        store: folder of the run.
        manifest: of the run.
        configuration: what to do.
        samples: gone through several times.
        ask: the prompt of a sample.
    """

    store: RunStore
    manifest: RunManifest
    configuration: Configuration
    samples: Iterable[Sample]
    ask: PromptOf

    @classmethod
    def of(cls, store: RunStore, manifest: RunManifest, configuration: Configuration) -> Job:
        """Open the dataset of the run again.

        Raises:
            DatasetError: it is not what the run began with.
        """
        dataset = open_selected(manifest.dataset)
        if dataset.hash != manifest.dataset.hash:
            raise DatasetError(
                f"{dataset.name} changed since the run began.", "Run again when nothing writes to it any more."
            )
        samples = _shuffled(dataset, manifest.protocol.seed)
        kinds = pipeline_class(configuration.pipeline).info.prompts
        ask = prompt_of(manifest.dataset, dataset, kinds, configuration.prompt)
        return cls(store, manifest, configuration, samples, ask)

    @property
    def folder(self) -> Path:
        """Where the configuration writes."""
        return self.store.folder / self.configuration.id

    def key(self, sample: Sample) -> str:
        """Key of a sample's record."""
        return scoring.sample_key(sample, self.ask(sample), self.configuration, self.manifest.sources)

    def todo(self, known: set[bytes]) -> Iterator[Sample]:
        """What no process has recorded."""
        return (sample for sample in self.samples if bytes.fromhex(self.key(sample)) not in known)

    def scoring(self) -> scoring.Scoring:
        """How its outcomes become records."""
        about, room_mb = self.manifest.dataset, self.manifest.protocol.soft_maps_mb
        keep = SoftMaps(self.folder, room_mb).keep
        classes = classes_of(about, self.configuration.prompt)
        return scoring.Scoring(list(METRICS.values()), self.key, classes, about.class_names, keep)


def work(job: Job, tell: Tell, orders: Orders) -> None:
    """Predict and score what is not recorded yet, then time in turns, then write the timing."""
    configuration = job.configuration
    pipeline, loaded = loading.load(configuration)
    with Lock(job.folder / "lock", WAIT_FOR_PREDECESSOR_S), pipeline:
        known = job.store.keys(configuration.id)
        loading.settle(job.folder, loaded, begun=bool(known))
        tell({"event": "start", "done": len(known)})
        first_ms, calls = span.warm_up(pipeline, job.samples, job.ask, lambda: tell({"event": "alive"}))
        peak = span.peak_of_a_call(pipeline, job.samples, job.ask, configuration.device)
        tell({"event": "memory", **peak, "device_total": span.device_total_mb(configuration.device)})
        orders.get()
        log = LatencyLog()
        _record(evaluate.predict(pipeline, job.todo(known), job.ask), log, job, tell)
        tell({"event": "ready"})
        found, end = _turns(job, pipeline, log, tell, orders)
        in_turns = end["interleaved"] and not log.counts_scored  # scoring is done alone
        measured = log.timing(
            locate_s=pipeline.locate_s,
            load_s=pipeline.load_s or 0.0,
            first_ms=first_ms,
            warm_up=calls,
            peak_memory_mb=peak,
            resumed=bool(known),
            loaded=loaded,
            flags=tuple(sorted(pipeline.flags)),
            **found,
            **end | {"interleaved": in_turns},
        )
        write_whole(job.store.timing_path(configuration.id), measured.model_dump_json())
        tell({"event": "written"})


def _turns(job: Job, pipeline: Pipeline, log: LatencyLog, tell: Tell,
           orders: Orders) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """Make one window each time it is this process's turn.

    Returns:
        The figures, and what the parent says about how they came about.
    """
    windows = Windows(Watch(job.configuration.device))
    rounds = Rounds(pipeline, job.samples, job.ask, log, job.manifest.protocol, windows, job.configuration.device)
    steps = rounds.blocks()
    while True:
        windows.living = orders.get()["living"]
        if next(steps, steps) is steps:  # a step gives nothing back, so the generator itself says that it is through
            break
        tell({"event": "window"})
    tell({"event": "measured"})
    return rounds.figures(), orders.get()["end"]


def _shuffled(dataset: Dataset, seed: int) -> Iterable[Sample]:
    """An order that has nothing to do with the names, so that drift of the machine hits no kind of picture alone.

    A stream keeps its own.
    """
    if dataset.streamed:
        return dataset
    samples = list(dataset)
    random.Random(seed).shuffle(samples)
    return samples


def _record(outcomes: Iterator[evaluate.Outcome], log: LatencyLog, job: Job, tell: Tell) -> None:
    def logged() -> Iterator[evaluate.Outcome]:
        for outcome in outcomes:
            log.add(outcome)
            yield outcome

    untold, told_at = 0, perf_counter()
    with RecordWriter(job.store.records_path(job.configuration.id)) as writer:
        for record in scoring.score(logged(), job.scoring()):
            writer.append(record)
            untold += 1
            if perf_counter() - told_at >= TELL_EVERY_S:  # the parent is to sleep, however fast images go by
                tell({"event": "sample", "n": untold})
                untold, told_at = 0, perf_counter()
    tell({"event": "sample", "n": untold})


def main(folder: Path, configuration_id: str) -> int:
    """Do the work; the exit code is that of the error, which is told as well."""
    end_with_parent()
    tell, orders = _teller(), Orders()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    store = RunStore(folder)
    try:
        manifest = store.manifest()
        configuration = next(c for c in manifest.configurations if c.id == configuration_id)
        work(Job.of(store, manifest, configuration), tell, orders)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _tell_error(ResourceError("The disk is full.", "Make room, then run the same command again."), tell)
    except MemoryError:
        ended = WorkbenchError("Its memory ended.", "Give it a larger machine, or smaller images.")
        return _tell_error(ended, tell, memory=True)
    except WorkbenchError as error:
        return _tell_error(error, tell)
    except KeyboardInterrupt:
        return 130
    return 0


def _tell_error(error: WorkbenchError, tell: Tell, *, memory: bool = False) -> int:
    told = {"code": error.code, "message": error.message, "cure": error.cure, "memory": memory}
    tell({"event": "error", **told})
    return error.exit_code


def _teller() -> Tell:
    """Keep stdout for the JSON lines alone; whatever a library prints goes to stderr."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    lines.write("\n")  # whatever was printed before may lack the end of its line

    def tell(event: dict[str, Any]) -> None:
        lines.write(json.dumps(event) + "\n")

    return tell


def end_with_parent() -> None:
    """Have the kernel end this process when its parent ends, where it can (Linux): a thread may never get its turn.

    A parent that ended before this was asked for has closed our stdin, or is another one now.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        error = ctypes.get_errno()
        print(f"prctl: {os.strerror(error)}; the end of the parent is heard on stdin alone", file=sys.stderr)
    if os.getppid() != parent:
        os._exit(1)


def _listen(orders: Orders) -> None:
    """The parent holds our stdin; when it is gone, so are we, also where it was killed."""
    rest = b""
    while data := os.read(0, 4096):  # not sys.stdin, whose lock would be held at exit
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            orders.put(json.loads(line))
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("benchmarks.worker is started by benchmarks.run. Use that.")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
