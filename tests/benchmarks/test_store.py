"""The folder of a run: nothing torn, nothing lost, one writer."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarks import rle
from benchmarks.records import RLE, SampleRecord
from benchmarks.store import Lock, RecordWriter, RunStore, read_records, run_folder, write_whole
from pipelines.errors import RunLockedError, UsageError


def record(number: int) -> SampleRecord:
    return SampleRecord(key=str(number), id=f"s{number}", group="g", size=(2, 3), ms={"latency": 1.5})


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "a" / "samples.jsonl"
    with RecordWriter(path) as writer:
        for number in range(3):
            writer.append(record(number))
    assert list(read_records(path)) == [record(n) for n in range(3)]


@pytest.mark.parametrize("kept", [1, 40, 90])
def test_a_torn_last_line_is_passed_over_and_then_cut_off(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "samples.jsonl"
    with RecordWriter(path) as writer:
        writer.append(record(0))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept])
    assert [r.key for r in read_records(path)] == ["0"]
    with RecordWriter(path) as writer:
        writer.append(record(1))
    assert [r.key for r in read_records(path)] == ["0", "1"]


def test_no_nan_is_ever_written() -> None:
    with pytest.raises(ValidationError, match="finite"):
        SampleRecord(key="k", id="i", group="g", size=(1, 1), components={"soft": {"sum": float("nan")}}, ms={})


def test_the_old_file_stays_where_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "summary.json"
    write_whole(path, "old")

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_the_folder_of_a_run(tmp_path: Path) -> None:
    key = "0123456789ab"
    assert run_folder(tmp_path, key, fresh=False).name == key
    (tmp_path / key).mkdir()
    assert run_folder(tmp_path, key, fresh=False).name == key
    assert run_folder(tmp_path, key, fresh=True).name == f"{key}-2"
    (tmp_path / f"{key}-2").mkdir()
    assert run_folder(tmp_path, key, fresh=False).name == f"{key}-2"
    assert run_folder(tmp_path, key, fresh=True).name == f"{key}-3"


def hold(path: Path, ready: multiprocessing.synchronize.Event) -> None:
    with Lock(path):
        ready.set()
        os.kill(os.getpid(), 9) if path.name == "dies" else __import__("time").sleep(60)


@pytest.mark.parametrize("name", ["lives", "dies"])
def test_one_writer_and_no_stale_lock(tmp_path: Path, name: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path / name, ready))
    process.start()
    ready.wait(30)
    if name == "dies":
        process.join()
        with Lock(tmp_path / name):
            pass
    else:
        with pytest.raises(RunLockedError, match=f"Process {process.pid} "):
            Lock(tmp_path / name)
        process.kill()
        process.join()
    assert process.exitcode == -9


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run"):
        RunStore(tmp_path).manifest()
    (tmp_path / "manifest.json").write_text('{"schema_version": 99}')
    with pytest.raises(UsageError, match="not a manifest that this version reads"):
        RunStore(tmp_path).manifest()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 8), (0, 3)])
def test_run_lengths_are_exact(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    for density in (0.0, 0.1, 0.5, 0.9, 1.0):
        mask = random.random(shape) < density
        encoded = rle.encode(mask)
        assert sum(encoded.counts) == mask.size
        assert np.array_equal(rle.decode(encoded), mask)


def test_run_lengths_are_those_of_coco() -> None:
    mask = np.array([[1, 0, 0], [1, 1, 0]], bool)  # columns: 1 1 | 0 1 | 0 0
    assert rle.encode(mask) == RLE(size=(2, 3), counts=(0, 2, 1, 1, 2))
