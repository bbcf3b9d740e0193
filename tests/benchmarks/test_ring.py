"""Workers that take turns, one at a time, and what happens where memory, time or a worker ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

import pytest

from benchmarks.datasets import Dataset
from benchmarks.leaderboard import row
from benchmarks.plan import Request, plan
from benchmarks.records import Configuration, Protocol, RunManifest
from benchmarks.ring import Ring, machine_memory_mb
from benchmarks.rows import Row
from benchmarks.store import RunStore, write_whole
from benchmarks.timing.latency import latencies
from benchmarks.workers import Verdict, Worker, _last_line
from pipelines.errors import UsageError
from tests.benchmarks.pieces import CONFIGURATION
from tests.benchmarks.pieces import manifest as small_manifest

Heard = list[tuple[str, str]]
Run = Callable[..., tuple[dict[str, Verdict], Heard]]


@pytest.fixture
def site(plugin_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hostile plugin, for this process and those it starts."""
    monkeypatch.syspath_prepend(str(plugin_site))
    monkeypatch.setenv("PYTHONPATH", str(plugin_site), prepend=":")


def planned(folder: Path, pipelines: str, budget_s: float = 0.3) -> tuple[RunManifest, Dataset]:
    return plan(Request(str(folder), pipelines, protocol=Protocol(budget_s=budget_s, batch_sizes=(1,))))


@pytest.fixture
def run(site: None, tmp_path: Path, photographs: Path) -> Run:
    def made(pipelines: str, memory_mb: float | None = None, timeout_s: float = 60,
             batch_sizes: tuple[int, ...] = (1,)) -> tuple[dict[str, Verdict], Heard]:  # fmt: skip
        store, heard = RunStore(tmp_path / "run"), Heard()
        manifest, _ = planned(photographs, pipelines)
        protocol = manifest.protocol.model_copy(update={"batch_sizes": batch_sizes})
        manifest = manifest.model_copy(update={"protocol": protocol})
        write_whole(store.manifest_path, manifest.model_dump_json())

        def report(configuration: Configuration, event: dict[str, Any]) -> None:
            heard.append((configuration.id[:2], event["event"]))

        with Ring(store, manifest, report, timeout_s, memory_mb) as ring:
            return ring.measure(), heard

    return made


def rows(folder: Path, verdicts: dict[str, Verdict]) -> list[Row]:
    store = RunStore(folder / "run")
    manifest = store.manifest()
    return [row(manifest, one, store.records(one.id), store.timing(one.id), verdicts[one.id].reason)
            for one in manifest.configurations]  # fmt: skip


def turns(heard: Heard) -> str:
    return "".join("ABC"[int(name)] for name, event in heard if event == "window")


def test_workers_take_turns_one_window_each_after_both_have_scored(run: Run, tmp_path: Path) -> None:
    verdicts, heard = run("bright,bright@dim")
    first, second = rows(tmp_path, verdicts)
    assert (first.status, second.status) == ("ok", "ok")
    taken = turns(heard)
    assert taken.startswith("ABABABABAB")
    assert max(index for index, (_, event) in enumerate(heard) if event == "ready") < heard.index(("00", "window"))
    assert first.interleaved is second.interleaved is True
    assert "not_interleaved" not in first.flags
    assert first.parent_cpu_share is not None
    assert first.parent_cpu_share < 0.05
    store = RunStore(tmp_path / "run")
    one, two = (store.timing(c.id) for c in store.manifest().configurations)
    assert one is not None and two is not None
    assert one.session == two.session is not None
    by_image = latencies(store, store.manifest().configurations[0].id)
    assert set(by_image) == {f"p{index}" for index in range(6)}
    assert sum(map(len, by_image.values())) == first.latency_calls
    assert first.latency_ms is not None and first.latency_ci is not None
    assert first.latency_ms["n"] == 6


def test_where_memory_is_short_each_is_timed_alone_and_the_row_says_so(run: Run, tmp_path: Path) -> None:
    verdicts, heard = run("bright,bright@dim", memory_mb=1)
    assert turns(heard) == "".join(sorted(turns(heard)))
    found = rows(tmp_path, verdicts)
    assert [one.interleaved for one in found] == [False, False]
    assert all("not_interleaved" in one.flags for one in found)
    order = [event for event in heard if event[1] in ("memory", "measured", "ready")]
    assert order == [("00", "memory"), ("00", "ready"), ("01", "memory"), ("00", "measured"), ("01", "ready"), ("01", "measured")]  # fmt: skip


def test_one_alone_has_nothing_to_take_turns_with(run: Run, tmp_path: Path) -> None:
    verdicts, _ = run("bright")
    (alone,) = rows(tmp_path, verdicts)
    assert alone.interleaved is None
    assert "not_interleaved" not in alone.flags
    later, heard = run("bright")
    assert (later, heard) == ({}, [])  # what is measured is not measured again


def test_one_that_is_timed_after_the_others_is_not_interleaved(run: Run, tmp_path: Path) -> None:
    run("bright,bright@dim")
    store = RunStore(tmp_path / "run")
    store.timing_path(store.manifest().configurations[1].id).unlink()
    run("bright,bright@dim")
    timing = store.timing(store.manifest().configurations[1].id)
    assert timing is not None
    assert (timing.interleaved, timing.resumed) == (False, True)
    with pytest.raises(UsageError, match="was not timed"):
        latencies(store, "nobody")


def test_one_that_is_killed_in_its_turn_is_tried_alone_and_harms_no_other(run: Run, tmp_path: Path) -> None:
    verdicts, heard = run("bright:fault=killed_in_batches,bright", batch_sizes=(1, 2))
    failed, fine = rows(tmp_path, verdicts)
    assert (failed.status, fine.status, fine.interleaved) == ("failed", "ok", True)
    assert "signal 9 (SIGKILL)" in (failed.reason or "")
    assert [event for name, event in heard if name == "00"].count("ready") == 2
    assert len(list(RunStore(tmp_path / "run").records("00-bright-fault-killed-in-batches"))) == 6


def test_one_that_hangs_is_ended_and_the_parent_sleeps_meanwhile(run: Run, tmp_path: Path) -> None:
    before = process_time()
    verdicts, _ = run("bright:fault=hang,bright", timeout_s=3)
    hung, fine = rows(tmp_path, verdicts)
    assert process_time() - before < 0.5
    assert (hung.status, fine.status) == ("failed", "ok")
    assert "no sign of life for 3 s" in (hung.reason or "")
    assert "--timeout-s" in (hung.reason or "")


@pytest.fixture
def stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Worker]:
    """A worker whose process is a shell script."""

    def made(script: str, timeout_s: float) -> Worker:
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        return Worker(RunStore(tmp_path / "run"), CONFIGURATION, lambda *_: None, timeout_s)

    return made


def test_a_death_is_seen_at_once_though_a_child_holds_the_pipe(
    stands_in: Callable[..., Worker], tmp_path: Path
) -> None:
    worker = stands_in(f"echo last words >&2; sleep 30 & echo $! > {tmp_path}/child; kill -SEGV $$", 20)
    start = perf_counter()
    try:
        assert worker.wait_for("memory") is None
        reason = worker.verdict().reason or ""
        assert perf_counter() - start < 5
        assert "ended by signal 11 (SIGSEGV)" in reason
        assert "last words" in reason
    finally:
        worker.close()
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_where_the_system_cannot_wait_for_an_end_it_goes_on_without(
    stands_in: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    worker = stands_in("exit 7", 20)
    assert worker.wait_for("memory") is None
    assert "exit code 7" in (worker.verdict().reason or "")
    worker.close()


def test_the_patience_that_is_told_is_the_one_that_was_had(stands_in: Callable[..., Worker]) -> None:
    worker = stands_in("exec sleep 30", 0.05)
    assert worker.wait_for("memory") is None
    assert "no sign of life for 0.3 s" in (worker.verdict().reason or "")  # while it loads, six times as long
    worker.close()


def test_the_last_line_of_a_huge_log_is_found_at_its_end(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with log.open("wb") as file:
        file.truncate(1 << 28)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast words\n\n")
    tracemalloc.start()
    try:
        assert _last_line(log).startswith("last words (")
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


ENDS_WITH = """
import ctypes, sys
from benchmarks.worker import end_with_parent
end_with_parent()
print("ready", flush=True)
ctypes.PyDLL(None).sleep(30)  # no other thread gets its turn meanwhile
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel ends a process with its parent")
def test_a_worker_that_lets_no_thread_run_ends_with_its_parent(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    starts = (f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {ENDS_WITH!r}]); "
              f"open({str(pid_file)!r}, 'w').write(str(child.pid)); child.wait()")  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
    child, deadline = int(pid_file.read_text()), perf_counter() + 5
    while _runs(child) and perf_counter() < deadline:
        sleep(0.02)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    """Whether a process is there and no mere entry that nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_on_the_processor_are_no_users_of_the_card(stands_in: Callable[..., Worker], tmp_path: Path) -> None:
    ring = Ring(RunStore(tmp_path / "run"), small_manifest(), lambda *_: None, 1)
    for device in ("cpu", "cuda", "cuda"):
        worker = stands_in("exit 0", 1)
        worker.configuration = CONFIGURATION.model_copy(update={"device": device})
        ring.alive.append(worker)
    with ring:
        assert ring._on_card() == 2


def test_the_memory_of_the_machine_is_known() -> None:
    assert 100 < machine_memory_mb() < 1e8


def test_old_timings_are_read_and_know_no_images(tmp_path: Path, run: Run) -> None:
    run("bright")
    store = RunStore(tmp_path / "run")
    (one,) = store.manifest().configurations
    kept = Path(__file__).parent / "golden" / "timing-1.json"
    store.timing_path(one.id).write_bytes(kept.read_bytes())
    old = store.timing(one.id)
    assert old is not None
    assert old.schema_version == 1
    made = row(store.manifest(), one, store.records(one.id), old)
    written = json.loads(kept.read_text())
    assert made.latency_ms is not None
    assert made.latency_ms["n"] == len(written["latency_ms"])
    assert (made.interleaved, made.disturbed, made.server_ms, made.clock_ms) == (None, None, None, None)
    assert not {"unstable", "disturbed", "not_interleaved", "timed_while_scored"} & set(made.flags)
    with pytest.raises(UsageError, match="kept no images"):
        latencies(store, one.id)
