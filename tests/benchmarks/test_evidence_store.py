"""The evidence store: never wrong data, never more than its room, whoever writes and whatever is killed."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import multiprocessing
import os
import random
import signal
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.evidence import EvidenceStore, compact, expand, room
from benchmarks.evidence import store as store_module
from benchmarks.evidence.compact import FIELDS
from benchmarks.evidence.layout import MAGIC, from_bytes, to_bytes
from pipelines.errors import ResourceError, UsageError
from pipelines.types import Evidence

SIDE = 64


def key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def evidence(number: int) -> Evidence:
    rng = np.random.default_rng(number)
    return Evidence((SIDE, SIDE), soft=rng.random((1, SIDE, SIDE), np.float32))


FILE_BYTES = len(to_bytes("0" * 64, compact(evidence(0))))


def candidates() -> Evidence:
    rng = np.random.default_rng(0)
    return Evidence((90, 80), "logit", boxes=rng.random((3, 4), np.float32), scores=rng.random((3, 2)),
                    prompt_index=np.array([0, 1, 1]), mask_maps=rng.normal(size=(3, 20, 20)).astype(np.float32),
                    canvas=(64, 64), window=(0, 0, 64, 57))  # fmt: skip


def equal(a: Evidence, b: Evidence) -> bool:
    same = (a.size, a.kind, a.canvas, a.window) == (b.size, b.kind, b.canvas, b.window)
    return same and all(np.array_equal(getattr(a, n), getattr(b, n)) for n in FIELDS)


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("??/*.evidence"))


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != room.LEDGER)


def test_what_was_put_away_comes_back(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path / "new", 10)
    none = Evidence((5, 6), "logit", boxes=np.zeros((0, 4), np.float32), mask_maps=np.zeros((0, 1, 1), np.float32))
    for number, wanted in enumerate((evidence(1), candidates(), none, Evidence((1, 1)))):
        assert store.get(key(number)) is None
        assert store.put(key(number), wanted)
        found = EvidenceStore(tmp_path / "new", 10).get(key(number))
        assert found is not None and equal(found, expand(compact(wanted)))
    assert store.put(key(0), compact(candidates())), "in place of what was there, and compact already"
    assert equal(store.get(key(0)), expand(compact(candidates())))


@pytest.mark.parametrize("name", ["", "x", "../" * 21 + "a", "A" * 64, "0" * 63 + "\n", "0" * 65])
def test_what_is_no_key_is_refused(tmp_path: Path, name: str) -> None:
    store = EvidenceStore(tmp_path, 10)
    for call in (lambda: store.get(name), lambda: store.put(name, evidence(0))):
        with pytest.raises(UsageError, match="no key"):
            call()


def forged(header: bytes, rest: bytes = b"", length: int | None = None) -> bytes:
    """A file whose checksum is right."""
    body = struct.pack("<Q", len(header) if length is None else length) + header + rest
    return MAGIC + hashlib.sha256(body).digest() + body


def header(**array: Any) -> bytes:
    one = {"name": "soft", "coding": "exact", "type": "float32", "shape": [1, 4, 4], "table": 0} | array
    text = {"key": key(0), "size": [9, 9], "kind": "score", "canvas": None, "window": None, "arrays": [one]}
    return json.dumps(text).encode()


HUGE = [{"shape": [1, 2**40, 2**40]}, {"shape": [0, 2**62, 2**62]}, {"shape": [10**4000, 1, 1]}, {"shape": [-1, 4, 4]},
        {"shape": [1, 9, 9]}, {"coding": "fixed", "type": "uint16", "shape": [2**40, 0, 0], "table": 2**40},
        {"coding": "palette", "type": "uint8", "table": 2**50}, {"coding": "palette", "type": "uint8", "table": 0},
        {"coding": "half", "type": "float32"}, {"coding": "fixed", "type": "uint16", "table": 1, "name": "boxes"},
        {"coding": "exact", "type": "uint16"}, {"type": "object"}, {"name": "__class__"}, {"shape": [1.5, 2, 2]},
        {"shape": []}, {"shape": [4, 4]}, {"name": "presence"}, {"shape": [1] * 50}, {"more": 1}]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [b"", b"x", MAGIC, b"\x80\x04pickle", os.urandom(5000), bytes(4096), forged(b"{}"), forged(b""), forged(b"[" * 99999),
     forged(b'{"key":', length=2**63), forged(header(), b"x" * 7, length=2**40),
     *(forged(h + bytes(-(48 + len(h)) % 64), bytes(64), length=len(h)) for h in (header(**change) for change in HUGE)),
     to_bytes(key(1), compact(evidence(0)))],
)  # fmt: skip
def test_a_file_of_any_content_is_a_miss_and_is_removed(tmp_path: Path, data: bytes) -> None:
    store = EvidenceStore(tmp_path, 10)
    store.put(key(0), evidence(0))
    kept(tmp_path)[0].write_bytes(data)
    assert store.get(key(0)) is None
    assert kept(tmp_path) == []
    assert store.put(key(0), evidence(0)) and store.get(key(0)) is not None


def test_a_forged_code_that_means_no_value_is_a_miss() -> None:
    for coding, type_, tables in (("palette", "uint8", [b"\0" * 4]),
                                  ("fixed", "uint16", [struct.pack("<2i", 0, -(2**31)), struct.pack("<2i", 2**31 - 1, 9)])):  # fmt: skip
        for table in tables:
            h = header(coding=coding, type=type_, table=1)
            rest = bytes(-(40 + 8 + len(h)) % 64) + table.ljust(64, b"\0") + (b"\xff" * 16 * np.dtype(type_).itemsize).ljust(64, b"\0")  # fmt: skip
            assert from_bytes(key(0), forged(h, rest, len(h))) is None


def test_every_torn_file_and_every_flipped_bit_is_a_miss() -> None:
    whole = to_bytes(key(0), compact(candidates()))
    assert from_bytes(key(0), whole) is not None and from_bytes(key(1), whole) is None
    rng = random.Random(0)
    for _ in range(400):
        assert from_bytes(key(0), whole[: rng.randrange(len(whole))]) is None
        place, bit = rng.randrange(len(whole)), rng.randrange(8)
        changed = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
        assert from_bytes(key(0), changed) is None
    assert from_bytes(key(0), whole + b"\0") is None


def test_no_folder_or_pipe_in_the_place_of_a_file_is_read(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, 10)
    for number, make in enumerate((os.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero"))):
        path = tmp_path / key(number)[:2] / f"{key(number)}.evidence"
        path.parent.mkdir(exist_ok=True)
        make(path)
        assert store.get(key(number)) is None


def test_the_room_is_kept_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, 10 * FILE_BYTES / 1e6)
    for number in range(10):
        assert store.put(key(number), evidence(number))
        assert store.get(key(0)) is not None
    assert len(kept(tmp_path)) == 10
    for number in range(10, 40):
        assert store.put(key(number), evidence(number))
        assert used(tmp_path) <= store.room.most
        assert store.get(key(0)) is not None and store.get(key(number)) is not None
    assert store.get(key(1)) is None


def test_what_is_larger_than_the_room_is_not_kept_and_drops_nothing(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, 2 * FILE_BYTES / 1e6)
    store.put(key(0), evidence(0))
    assert not store.put(key(1), Evidence((9, 9), soft=np.random.default_rng(0).random((9, SIDE, SIDE), np.float32)))
    assert store.get(key(0)) is not None
    assert not EvidenceStore(tmp_path / "none", 0).put(key(0), evidence(0))
    assert not (tmp_path / "none").exists()


def test_the_folder_is_walked_only_where_the_room_seems_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks, walk = [], room._files
    monkeypatch.setattr(room, "_files", lambda folder: walks.append(1) or walk(folder))
    store = EvidenceStore(tmp_path, 50 * FILE_BYTES / 1e6)
    for number in range(50):
        store.put(key(number), evidence(number))
    assert len(walks) == 1, "before the first file, to see what is there"
    for number in range(50, 100):
        store.put(key(number), evidence(number))
    assert len(walks) <= 1 + 50 // 4, "each walk makes room for a tenth of all"
    for _ in range(20):
        store.put(key(99), evidence(99))
    assert len(kept(tmp_path)) >= 44, "to write a file again takes no more room"


def test_a_ledger_that_is_wrong_or_gone_is_put_right(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, 10 * FILE_BYTES / 1e6)
    ledger = tmp_path / room.LEDGER
    for number, content in enumerate((b"", b"x" * 20, b"9" * 20, b"-" + b"1" * 19, os.urandom(99))):
        store.put(key(0), evidence(0))
        ledger.write_bytes(content)
        assert store.put(key(number), evidence(number))
        assert int(ledger.read_bytes()) == used(tmp_path) == len(kept(tmp_path)) * FILE_BYTES
    ledger.unlink()
    assert store.put(key(0), evidence(0))
    assert int(ledger.read_bytes()) == used(tmp_path)


def test_files_of_others_are_let_be(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, 3 * FILE_BYTES / 1e6)
    store.put(key(0), evidence(0))
    theirs = [tmp_path / "notes.txt", kept(tmp_path)[0].with_name("notes.evidence"), tmp_path / "zz" / "a.txt"]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
    for number in range(20):
        store.put(key(number), evidence(number))
    assert all(path.read_bytes() == b"mine" for path in theirs)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_what_is_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = EvidenceStore(tmp_path, 10)
    store.put(key(0), evidence(0))
    opened = Path.open

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:
            self.file.write(data[: len(data) // 2])
            self.file.close()
            raise OSError(number, os.strerror(number))

    def full(path: Path, mode: str = "r", *given: Any) -> Any:
        file = opened(path, mode, *given)
        if mode != "wb":
            return file
        small = Full()
        small.file = file  # type: ignore[attr-defined]
        return small

    monkeypatch.setattr(Path, "open", full)
    for which in (0, 1):
        with pytest.raises(ResourceError, match=r"full.*Make room") as raised:
            store.put(key(which), evidence(5))
        assert raised.value.exit_code == 4
    monkeypatch.undo()
    assert used(tmp_path) == FILE_BYTES, "nothing half is left"
    assert equal(store.get(key(0)), expand(compact(evidence(0)))) and store.get(key(1)) is None


def test_a_store_that_cannot_be_written_costs_no_result(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert not EvidenceStore(tmp_path / "file", 10).put(key(0), evidence(0))


def test_a_store_that_may_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EvidenceStore(tmp_path, 10)
    store.put(key(0), evidence(0))
    damaged = tmp_path / key(1)[:2] / f"{key(1)}.evidence"
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(b"x")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    assert equal(store.get(key(0)), expand(compact(evidence(0))))
    assert store.get(key(1)) is None


def test_somebody_who_holds_the_lock_for_good_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WAIT_S", 0.05)
    store = EvidenceStore(tmp_path, 10)
    store.put(key(0), evidence(0))
    with room._locked(tmp_path / room.LEDGER) as ledger:
        assert ledger is not None
        assert not store.put(key(1), evidence(1))
        assert store.get(key(0)) is not None
    assert store.put(key(1), evidence(1))


def test_whoever_is_stopped_while_writing_leaves_a_number_that_is_not_too_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, write = EvidenceStore(tmp_path, 10), store_module.replace_bytes
    store.put(key(0), evidence(0))

    def stopped(path: Path, data: bytes) -> None:
        write(path, data)
        raise KeyboardInterrupt

    monkeypatch.setattr(store_module, "replace_bytes", stopped)
    with pytest.raises(KeyboardInterrupt):
        store.put(key(1), evidence(1))
    assert int((tmp_path / room.LEDGER).read_bytes()) >= used(tmp_path) == 2 * FILE_BYTES


def _write_many(folder: Path, seed: int, files: float) -> None:
    store, rng = EvidenceStore(folder, files * FILE_BYTES / 1e6), random.Random(seed)
    while True:
        number = rng.randrange(60)
        found = store.get(key(number))
        if found is not None and not equal(found, expand(compact(evidence(number)))):
            os._exit(7)
        store.put(key(number), evidence(number))


def _wait_for(folder: Path, files: int) -> None:
    deadline = time.monotonic() + 60
    while len(kept(folder)) < files and time.monotonic() < deadline:
        time.sleep(0.01)


def test_writers_that_are_killed_leave_no_wrong_file_and_no_more_than_the_room(tmp_path: Path) -> None:
    server, rng = multiprocessing.get_context("forkserver"), random.Random(0)
    server.set_forkserver_preload([__name__])
    store = EvidenceStore(tmp_path, 20 * FILE_BYTES / 1e6)
    for turn in range(4):
        writers = [server.Process(target=_write_many, args=(tmp_path, 9 * turn + i, 20)) for i in range(3)]
        for writer in writers:
            writer.start()
        _wait_for(tmp_path, 18)
        time.sleep(0.1 + rng.random() / 5)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
            assert writer.exitcode == -signal.SIGKILL, "none read anything wrong"
        assert 15 * FILE_BYTES <= used(tmp_path) <= store.room.most
        found = [(number, store.get(key(number))) for number in range(60)]
        assert all(equal(one, expand(compact(evidence(number)))) for number, one in found if one is not None)
    torn = tmp_path / key(0)[:2] / f".{key(0)}.evidence.12345"
    torn.parent.mkdir(exist_ok=True)
    torn.write_bytes(b"half")
    (tmp_path / room.LEDGER).unlink()
    assert store.put(key(3), evidence(3))
    assert not torn.exists()
    assert int((tmp_path / room.LEDGER).read_bytes()) == used(tmp_path)


def test_a_hundred_and_fifty_maps_are_read_in_half_a_second(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, 100)
    held = compact(Evidence((352, 352), soft=np.random.default_rng(0).random((1, 352, 352), np.float32)))
    for number in range(150):
        store.put(key(number), held)
    taken = []
    for _ in range(3):
        start = time.process_time()
        assert all(store.get(key(number)) is not None for number in range(150))
        taken.append(time.process_time() - start)
    assert min(taken) < 0.5
