"""The janitor of temporary files: cap, age, what it spares, what it survives."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.errors import UsageError
from workbench.files import janitor as module
from workbench.files.janitor import Janitor, Round, Rules

KB = 4096


class Clock:
    """The time, as far on as told."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def write(path: Path, kb: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(kb * KB))
    time.sleep(0.012)  # clocks of file systems are coarse, and these files are to differ in age
    return path


def there(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def test_what_is_too_old_goes_and_nothing_else(folder: Path) -> None:
    clock = Clock()
    keeper = Janitor(folder, Rules(cap_bytes=100 * KB, age_s=1000, young_s=100), clock)
    write(folder / "a" / "old.png")
    assert keeper.run_now() == Round(0, 0, 0, 1, KB)
    clock.ahead_s = 999
    assert keeper.run_now().removed == 0
    clock.ahead_s = 1001
    assert keeper.run_now() == Round(1, KB, 0, 0, 0)
    assert there(folder) == set()


def test_above_the_cap_the_oldest_go_until_it_fits(folder: Path) -> None:
    clock = Clock()
    for name in "abcdef":
        write(folder / name / "x.png", 2)
    clock.ahead_s = 500
    done = Janitor(folder, Rules(cap_bytes=7 * KB, age_s=1000, young_s=100), clock).run_now()
    assert done == Round(3, 6 * KB, 0, 3, 6 * KB)
    assert there(folder) == {"d/x.png", "e/x.png", "f/x.png"}


def test_the_young_are_spared_unless_the_cap_forces_it(folder: Path) -> None:
    for name in "abc":
        write(folder / name, 2)
    roomy = Janitor(folder, Rules(cap_bytes=6 * KB, age_s=100, young_s=100))
    assert roomy.run_now() == Round(0, 0, 0, 3, 6 * KB)
    tight = Janitor(folder, Rules(cap_bytes=5 * KB, age_s=100, young_s=100))
    assert tight.run_now() == Round(1, 2 * KB, 1, 2, 4 * KB)
    assert there(folder) == {"b", "c"}


def test_a_copy_is_as_old_as_the_copy_and_not_as_its_original(folder: Path, tmp_path: Path) -> None:
    original = write(tmp_path / "original.png")
    os.utime(original, (0, 0))
    shutil.copy2(original, folder / "copy.png")
    assert (folder / "copy.png").stat().st_mtime == 0
    future = write(folder / "future.png")
    os.utime(future, (time.time() + 1e6, time.time() + 1e6))
    clock = Clock()
    keeper = Janitor(folder, Rules(age_s=1000, young_s=100), clock)
    assert keeper.run_now().removed == 0
    clock.ahead_s = 1001
    assert keeper.run_now().removed == 2


def test_links_go_and_what_they_lead_to_stays(folder: Path, tmp_path: Path) -> None:
    kept = write(tmp_path / "kept" / "a.png")
    (folder / "link.png").symlink_to(kept)
    (folder / "folder").symlink_to(kept.parent)
    (folder / "nowhere").symlink_to("nowhere")
    clock = Clock()
    clock.ahead_s = 5000
    done = Janitor(folder, Rules(), clock).run_now()
    assert (done.removed, done.failed) == (3, ())
    assert kept.is_file()
    assert list(folder.iterdir()) == []


def test_empty_folders_go_when_they_are_no_longer_young_and_the_folder_itself_stays(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    write(folder / "c" / "x.png")
    clock = Clock()
    keeper = Janitor(folder, Rules(age_s=1000, young_s=100), clock)
    keeper.run_now()
    assert (folder / "a" / "b").is_dir()
    clock.ahead_s = 150
    keeper.run_now()
    keeper.run_now()
    assert not (folder / "a" / "b").exists()
    assert (folder / "c" / "x.png").is_file()
    clock.ahead_s = 2000
    for _ in range(3):
        keeper.run_now()
    assert list(folder.iterdir()) == []


def test_files_that_vanish_under_its_hands_are_no_trouble(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        write(folder / name)
    gone_before, gone_between = folder / "a", folder / "b"
    lstat, unlink = Path.lstat, Path.unlink

    def vanishing_lstat(self: Path) -> os.stat_result:
        if self == gone_before:
            unlink(self)
        return lstat(self)

    def vanishing_unlink(self: Path, missing_ok: bool = False) -> None:
        if self == gone_between:
            unlink(self)
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "lstat", vanishing_lstat)
    monkeypatch.setattr(Path, "unlink", vanishing_unlink)
    done = Janitor(folder, Rules(cap_bytes=KB, age_s=10, young_s=0)).run_now()
    assert done == Round(2, 2 * KB, 0, 1, KB)
    assert there(folder) == {"d"}


def test_what_cannot_be_removed_stays_counted_and_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        write(folder / name)

    unlink = Path.unlink

    def refused(self: Path, missing_ok: bool = False) -> None:
        if self.name == "a":
            raise PermissionError(13, "Permission denied", str(self))
        unlink(self)

    monkeypatch.setattr(Path, "unlink", refused)
    done = Janitor(folder, Rules(cap_bytes=KB, age_s=10, young_s=0)).run_now()
    assert (done.removed, done.left, done.left_bytes) == (2, 1, KB)
    assert len(done.failed) == 1
    assert done.failed[0].endswith("/a: Permission denied")


def test_a_folder_that_is_not_there_yet_or_no_longer_is_empty(tmp_path: Path) -> None:
    keeper = Janitor(tmp_path / "later")
    assert keeper.run_now() == Round(0, 0, 0, 0, 0)
    write(tmp_path / "later" / "a")
    assert keeper.run_now().left == 1
    shutil.rmtree(tmp_path / "later")
    assert keeper.run_now() == Round(0, 0, 0, 0, 0)


@contextmanager
def writing(folder: Path, n: int) -> Iterator[None]:
    """Threads that write and remove files all the while."""
    over = threading.Event()

    def work(name: int) -> None:
        number = 0
        while not over.is_set():
            path = folder / str(name) / f"{number % 50}"
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.write_bytes(bytes(KB))
            except FileNotFoundError:
                continue  # the folder went between the two
            number += 1
            if number % 3 == 0:
                path.unlink(missing_ok=True)
            time.sleep(0.0005)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(n)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def test_rounds_keep_a_busy_folder_below_its_cap(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = Rules(cap_bytes=40 * KB, age_s=60, young_s=30, every_s=0.01)
    with Janitor(folder, rules) as keeper, writing(folder, 3):
        time.sleep(0.8)
        assert keeper.run_now().left_bytes <= rules.cap_bytes
    done = keeper.run_now()
    assert 0 < done.left_bytes <= rules.cap_bytes
    assert caplog.records == []


def test_rounds_begin_and_end(folder: Path) -> None:
    before = threading.active_count()
    keeper = Janitor(folder, Rules(cap_bytes=0, age_s=60, young_s=0, every_s=0.01))
    write(folder / "a")
    assert there(folder) == {"a"}
    for _ in range(2):  # it can be started again
        write(folder / "a")
        keeper.start()
        keeper.start()
        assert threading.active_count() == before + 1
        until = time.monotonic() + 5
        while there(folder) and time.monotonic() < until:
            time.sleep(0.01)
        assert there(folder) == set()
        keeper.close()
        keeper.close()
        assert threading.active_count() == before


def test_a_round_that_fails_does_not_end_the_rounds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    walks, walk = [0], os.walk

    def breaks_once(*arguments: object, **more: object) -> object:
        walks[0] += 1
        if walks[0] == 1:
            raise OSError(24, "Too many open files")
        return walk(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module.os, "walk", breaks_once)
    write(folder / "a")
    with Janitor(folder, Rules(cap_bytes=0, age_s=60, young_s=0, every_s=0.01)):
        until = time.monotonic() + 5
        while there(folder) and time.monotonic() < until:
            time.sleep(0.01)
    assert there(folder) == set()
    assert "Too many open files" in caplog.text


def test_folders_that_hold_more_than_temporary_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("/")
    (tmp_path / "file").write_bytes(b"")
    for path in (Path("/"), Path.home(), tmp_path, Path(), Path(".."), Path("link"), Path(module.__file__).parent,
                 tmp_path / "file"):  # fmt: skip
        with pytest.raises(UsageError):
            Janitor(path)
    assert Janitor(tmp_path / "temporary").folder == tmp_path / "temporary"


@pytest.mark.parametrize("rules", [
    {"cap_bytes": -1}, {"age_s": 10, "young_s": 11}, {"young_s": -1}, {"every_s": 0}, {"age_s": float("nan")},
])  # fmt: skip
def test_rules_that_contradict_themselves_are_refused(rules: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Rules(**rules)  # type: ignore[arg-type]
