"""Batches: rows as they come, nothing lost or done twice however it ends, and files that are those of Compare."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.export.originals import png
from pipelines.errors import ResourceError, UsageError, WorkbenchError
from pipelines.images import UPLOAD, load_image
from pipelines.types import Image, Prompt
from tests.conftest import ROOT
from tests.workbench import acting
from tests.workbench.hostile_archives import HOSTILE, Entry, zipped
from workbench.batches import store as batches_module
from workbench.batches.contact_sheet import pages, sheet
from workbench.batches.folder import JOURNAL, BatchFolder
from workbench.batches.intake import BatchLimits, Wanted, check_room
from workbench.batches.results import COLUMNS, results
from workbench.batches.store import Batches, Progress
from workbench.catalogue import Order, Place
from workbench.files import downloads, taken
from workbench.files.disk import size_of, written_s
from workbench.looks.pool import Limits
from workbench.service import Service


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        acting.installed(patch, tmp_path_factory.mktemp("plugin"))
        yield


@pytest.fixture(scope="module")
def service(_installed: None) -> Iterator[Service]:
    with Service(Place(device="cpu"), Limits(look_s=20)) as made:
        yield made


@pytest.fixture
def made(service: Service, tmp_path: Path) -> Iterator[Batches]:
    found = Batches(service, tmp_path / "batches", BatchLimits(pictures=30, bytes=5_000_000))
    found.start()
    yield found
    found.close()


def picture(level: int = 102) -> Image:
    image = np.full((16, 24, 3), 51, np.uint8)
    image[:, :12] = level
    return image


def uploaded(folder: Path, **files: bytes) -> list[str]:
    paths = []
    for name, data in files.items():
        path = folder / "uploads" / f"{len(paths)}" / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        paths.append(str(path))
    return paths


def pictures(folder: Path, number: int) -> list[str]:
    return uploaded(folder, **{f"p{n}__png": png(picture(100 + n)) for n in range(number)})


def begun(found: Batches, folder: Path, paths: list[str], *orders: Order, **said: object) -> str:
    return found.begin(paths, folder / "uploads", Wanted(orders or (acts(),), **said))  # type: ignore[arg-type]


def acts(**fields: object) -> Order:
    return Order("acting", fields={"threshold": 0.3, **fields})


def until(found: Batches, number: str, *states: str, check: Callable[[Progress], bool] = lambda said: True) -> Progress:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        said = found.progress(found.get(number))
        if said.state in states and check(said):
            return said
        time.sleep(0.01)
    raise AssertionError(f"still {said}")


def test_every_picture_has_a_row_for_every_pipeline_and_files_as_compare_makes_them(
    made: Batches, tmp_path: Path
) -> None:
    keeps = ("cut_out", "soft")
    number = begun(made, tmp_path, pictures(tmp_path, 3), acts(), acts(gain=0.9), keeps=keeps)
    said = until(made, number, "finished")
    batch = made.get(number)
    assert (said.done, said.of, said.without) == (6, 6, 0) and len(batch.rows()) == 6
    for (place, order), row in batch.rows().items():
        image = load_image(batch.picture(place), UPLOAD)
        card = made.service.look("v", image, Prompt(), batch.ticket.asked[order].order)
        result = taken.result(row.name, image, card)
        for kind in ("mask", *keeps):
            assert batch.file(kind, order, place).read_bytes() == downloads.download(result, kind)
        assert row.share == 0.5 and row.size == (16, 24) and row.found == 1 and row.seconds > 0
        assert row.sha256 == hashlib.sha256(batch.picture(place).read_bytes()).hexdigest()
    assert batch.ticket.labels == ["acting 1", "acting 2"] and not made.service.kept.held


def test_a_bad_picture_and_a_failing_pipeline_take_no_other_along(made: Batches, tmp_path: Path) -> None:
    paths = uploaded(tmp_path, a__png=png(picture()), b__png=b"nothing", c__gif=b"GIF89a", d__png=png(picture()))
    number = begun(made, tmp_path, paths, acts(act="raise"), acts(), Order("sam3"), Order("nobody"))
    until(made, number, "finished")
    rows = made.get(number).rows()
    assert [rows[place, 1].status for place in range(4)] == ["ok", "refused", "refused", "ok"]
    assert "not a picture" in str(rows[1, 1].reason) and "00001" not in str(rows[1, 1].reason)
    assert rows[0, 0].status == "failed" and "the bulb is broken" in str(rows[0, 0].reason)
    assert {rows[place, 2].status for place in (0, 3)} == {"unavailable"}
    assert "no pipeline 'nobody'" in str(rows[0, 3].reason)
    table = list(csv.DictReader(io.StringIO(zipfile.ZipFile(results(made.get(number))).read("facts.csv").decode())))
    assert len(table) == 16 and sum(row["status"] == "ok" for row in table) == 2


def test_a_pipeline_that_fails_all_the_time_is_not_tried_on_every_picture(made: Batches, tmp_path: Path) -> None:
    number = begun(made, tmp_path, pictures(tmp_path, 13), acts(act="raise"))
    until(made, number, "finished")
    reasons = [str(row.reason) for row in made.get(number).rows().values()]
    assert sum("Not tried, because 10 pictures in a row" in reason for reason in reasons) == 3
    assert all("the bulb is broken" in reason for reason in reasons)


def test_cancel_ends_what_hangs_within_two_seconds_and_keeps_what_is_done(made: Batches, tmp_path: Path) -> None:
    number = begun(made, tmp_path, pictures(tmp_path, 2), acts(), acts(act="hang"))
    until(made, number, "running", check=lambda said: said.done == 1)
    time.sleep(0.3)
    start = time.monotonic()
    made.cancel(number)
    while made.running == number:
        time.sleep(0.01)
    assert time.monotonic() - start < 2
    said = until(made, number, "stopped")
    assert said.done == 1 and made.open(number) and until(made, number, "stopped")
    names = zipfile.ZipFile(results(made.get(number))).namelist()
    assert "masks/acting 1/p0.png" in names and "about.json" in names


def test_what_was_stopped_goes_on_where_it_was(made: Batches, tmp_path: Path) -> None:
    number = begun(made, tmp_path, pictures(tmp_path, 4), acts(act="slow"))
    until(made, number, "running", check=lambda said: said.done == 1)
    made.cancel(number)
    until(made, number, "stopped")
    before = (made.folder / number / JOURNAL).read_bytes()
    made.go_on(number)
    assert until(made, number, "finished").done == 4
    after = (made.folder / number / JOURNAL).read_bytes()
    assert after.startswith(before) and after.count(b"\n") == 4


def test_one_batch_after_another_and_one_that_waits_can_be_called_off(made: Batches, tmp_path: Path) -> None:
    first = begun(made, tmp_path, pictures(tmp_path, 3), acts(act="slow"))
    until(made, first, "running")
    others = [begun(made, tmp_path, pictures(tmp_path, 1)) for _ in range(2)]
    assert made.progress(made.get(others[1])).ahead == 2
    made.cancel(others[0])
    assert made.progress(made.get(others[0])).state == "stopped" and made.progress(made.get(others[1])).ahead == 1
    assert until(made, others[1], "finished").done == 1
    assert made.progress(made.get(first)).state == "finished" and not made.get(others[0]).rows()


@pytest.mark.parametrize("number", ["", "0" * 32, "../batches", "f" * 31 + "/", "F" * 32, "a" * 32 + "\n"])
def test_a_number_that_is_none_opens_nothing(made: Batches, number: str) -> None:
    with pytest.raises(UsageError, match="no batch of that number"):
        made.open(number)


def test_numbers_are_not_guessed_and_folders_are_nobody_elses(made: Batches, tmp_path: Path) -> None:
    numbers = {begun(made, tmp_path, pictures(tmp_path, 1)) for _ in range(4)}
    assert len(numbers) == 4 and all(len(number) == 32 for number in numbers)
    assert all((made.folder / number).stat().st_mode & 0o077 == 0 for number in numbers)


@pytest.mark.parametrize("name", ["parent", "link", "bomb", "zip in zip", "overlapping", "tar hard link"])
def test_a_refused_archive_begins_no_batch_and_leaves_nothing(made: Batches, tmp_path: Path, name: str) -> None:
    make, words = HOSTILE[name]
    with pytest.raises(WorkbenchError, match=words):
        begun(made, tmp_path, uploaded(tmp_path, x__zip=make()))
    assert list(made.folder.iterdir()) == [] and not made.queue


def test_an_archive_is_a_batch_and_says_what_was_left_out(made: Batches, tmp_path: Path) -> None:
    data = zipped(Entry("x/a.png"), Entry("x/b.png"), Entry("x/notes.txt"), Entry("__MACOSX/x/._a.png"))
    number = begun(made, tmp_path, uploaded(tmp_path, all__zip=data))
    until(made, number, "finished")
    ticket = made.get(number).ticket
    assert [one.name for one in ticket.pictures] == ["x/a.png", "x/b.png"]
    assert list(ticket.skipped) == ["x/notes.txt", "__MACOSX/x/._a.png"]
    assert "masks/acting/a.png" in zipfile.ZipFile(results(made.get(number))).namelist()


def test_limits_are_told_in_words_before_any_work(made: Batches, tmp_path: Path) -> None:
    paths = pictures(tmp_path, 31)
    for given, orders, words in (
        ([], [acts()], "no picture yet"), (paths[:1], [], "No pipeline is chosen"),
        (paths, [acts()], "There are 31 pictures; at most 30"),
        (uploaded(tmp_path, big__png=bytes(5_000_001)), [acts()], "more than 5 MB together"),
        (uploaded(tmp_path, a__zip=zipped(Entry("a.png")), b__png=b""), [acts()], "an archive beside other files"),
        (["/etc/passwd"], [acts()], "no such picture"),
    ):  # fmt: skip
        with pytest.raises(WorkbenchError, match=words):
            made.begin(given, tmp_path / "uploads", Wanted(orders))
    with pytest.raises(UsageError, match="'exe' is no file that is kept"):
        begun(made, tmp_path, paths[:1], keeps=("exe",))
    with pytest.raises(ResourceError, match=r"The disk has [\d,]+ MB left, and this batch may need"):
        check_room(tmp_path, 10**15, 1, ("mask",))
    assert not made.folder.exists() or not list(made.folder.iterdir())


def test_pictures_of_one_name_are_told_apart(made: Batches, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    paths = [*uploaded(tmp_path, x__png=png(picture()))]
    for level in (120, 140):
        place = tmp_path / "uploads" / f"again{level}"
        place.mkdir()
        (place / "x.png").write_bytes(png(picture(level)))
        paths.append(str(place / "x.png"))
    number = begun(made, tmp_path, paths)
    until(made, number, "finished")
    assert [one.name for one in made.get(number).ticket.pictures] == ["x.png", "x (2).png", "x (3).png"]
    assert len({name for name in zipfile.ZipFile(results(made.get(number))).namelist() if "masks/" in name}) == 3


def test_the_zip_holds_masks_facts_coco_sheets_and_what_made_them(made: Batches, tmp_path: Path) -> None:
    evil = {"=cmd()__png": png(picture(101)), "+x__png": png(picture(103)), "p__png": png(picture(105))}
    number = begun(made, tmp_path, uploaded(tmp_path, **evil), acts(), acts(act="raise"), texts=("coin", "leaf"))
    until(made, number, "finished")
    batch = made.get(number)
    path = results(batch)
    assert results(batch) == path and number.encode() not in path.read_bytes(), "the number opens it: not for whoever"
    archive = zipfile.ZipFile(path)
    assert archive.testzip() is None and len(set(archive.namelist())) == len(archive.namelist())
    table = list(csv.DictReader(io.StringIO(archive.read("facts.csv").decode())))
    assert tuple(table[0]) == COLUMNS and [row["picture"] for row in table][::2] == ["'=cmd().png", "'+x.png", "p.png"]
    assert not any(str(cell).startswith(("=", "+", "-", "@")) for row in table for cell in row.values())
    first = archive.read(table[0]["mask"])
    assert hashlib.sha256(first).hexdigest() == table[0]["mask_sha256"]
    assert (cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_UNCHANGED) > 0).sum() == 16 * 12
    coco = json.loads(archive.read("coco/acting 1.json"))
    assert [one["file_name"] for one in coco["images"]] == ["=cmd().png", "+x.png", "p.png"]
    assert {one["image_id"] for one in coco["annotations"]} == {1, 2, 3} and len(coco["categories"]) == 1
    assert "coco/acting 2.json" not in archive.namelist()
    about = json.loads(archive.read("about.json"))
    assert about["complete"] and about["without_result"] == 3 and about["texts"] == ["coin", "leaf"]
    assert about["produced"]["acting 1"]["params"]["threshold"] == 0.3 and about["produced"]["acting 2"] is None
    assert archive.read("contact_sheets/contact_sheet_01.jpg")[:2] == b"\xff\xd8"


def test_a_contact_sheet_has_a_row_a_picture_and_marks_what_failed(made: Batches, tmp_path: Path) -> None:
    number = begun(made, tmp_path, pictures(tmp_path, 3), acts(), acts(act="raise"))
    until(made, number, "finished")
    batch = made.get(number)
    drawn = [cv2.imdecode(np.frombuffer(sheet(batch, batch.rows(), places), np.uint8), cv2.IMREAD_COLOR)
             for places in (range(3), range(2), range(0))]  # fmt: skip
    heights = [one.shape[0] for one in drawn]
    assert heights[0] > heights[1] > heights[2] and heights[0] - heights[1] > 120
    red = (drawn[0][..., 2].astype(int) - drawn[0][..., 0]) > 90
    third = drawn[0].shape[1] // 3
    assert red[:, 2 * third :].sum() > 1000 > 20 * red[:, :third].sum()
    assert [len(one) for one in pages(500, 25)] == [25] * 20 and [list(one) for one in pages(3, 2)] == [[0, 1], [2]]


def test_old_batches_are_swept_away_and_none_that_is_at_work(
    made: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = begun(made, tmp_path, pictures(tmp_path, 1))
    until(made, old, "finished")
    running = begun(made, tmp_path, pictures(tmp_path, 3), acts(act="slow"))
    until(made, running, "running")
    (made.folder / ".new-left-behind").mkdir()
    now = time.time()
    monkeypatch.setattr(batches_module.time, "time", lambda: now + made.limits.keep_s + 60)
    used = made.sweep()
    assert {path.name for path in made.folder.iterdir()} == {running} and used > 0
    with pytest.raises(UsageError, match="no longer kept"):
        made.get(old)
    assert until(made, running, "finished").done == 3


def test_where_there_is_too_little_room_for_all_the_oldest_goes_and_the_young_stay(
    service: Service, tmp_path: Path
) -> None:
    found = Batches(service, tmp_path / "batches", BatchLimits(all_bytes=100))
    with pytest.raises(UsageError, match="no room for another batch now"):
        for _ in range(2):
            begun(found, tmp_path, pictures(tmp_path, 1))
    (young,) = found.folder.iterdir()
    for file in young.rglob("*"):
        os.utime(file, (time.time() - 7200, time.time() - 7200))
    found.queue.clear()
    found._trouble[young.name] = "the disk was full"
    assert found.sweep() == 0 and not list(found.folder.iterdir()) and not found._trouble


def test_one_visitor_does_not_take_every_place_in_the_line(service: Service, tmp_path: Path) -> None:
    found, wanted = Batches(service, tmp_path / "batches"), Wanted((acts(),))
    paths, uploads = pictures(tmp_path, 1), tmp_path / "uploads"
    own = [found.begin(paths, uploads, wanted, "first") for _ in range(2)]
    with pytest.raises(UsageError, match="2 batches of yours wait already"):
        found.begin(paths, uploads, wanted, "first")
    assert found.begin(paths, uploads, wanted, "second") in found.queue
    found.cancel(own[0])
    third = found.begin(paths, uploads, wanted, "first")
    with pytest.raises(UsageError, match="2 batches of yours wait already"):
        found.go_on(own[0], "first")
    assert found.get(own[0]).is_stopped and found.queue[0] == own[1] and third in found.queue


def test_a_batch_of_too_many_looks_is_refused(service: Service, tmp_path: Path) -> None:
    found = Batches(service, tmp_path / "batches", BatchLimits(looks=5))
    with pytest.raises(UsageError, match="3 pictures by 2 pipelines are 6 looks; at most 5"):
        begun(found, tmp_path, pictures(tmp_path, 3), acts(), acts(gain=0.9))
    assert begun(found, tmp_path, pictures(tmp_path, 2), acts(), acts(gain=0.9)) in found.queue


def test_a_file_that_is_gone_since_it_was_listed_has_no_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(7))
    whole = Path.lstat

    def replaced(self: Path) -> os.stat_result:
        if self.name == "a":
            raise FileNotFoundError(2, "No such file", str(self))
        return whole(self)

    monkeypatch.setattr(Path, "lstat", replaced)
    assert size_of(tmp_path) == 7 and written_s(tmp_path / "none") == 0


def test_a_full_disk_breaks_off_in_words_and_goes_on_later(
    made: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = BatchFolder.write

    def full(self: BatchFolder, path: Path, data: bytes, *, lasting: bool = True) -> str:
        if path.parent.parent.name == "mask" and path.name == "00001.png":
            raise OSError(28, "No space left on device")
        return whole(self, path, data, lasting=lasting)

    with monkeypatch.context() as patch:
        patch.setattr(BatchFolder, "write", full)
        number = begun(made, tmp_path, pictures(tmp_path, 3))
        said = until(made, number, "broken off")
    assert said.done == 1 and "No space left on device" in str(said.trouble) and "Go on" in str(said.trouble)
    made.go_on(number)
    assert until(made, number, "finished").done == 3


def test_a_file_that_was_lost_or_changed_is_made_again(made: Batches, service: Service, tmp_path: Path) -> None:
    number = begun(made, tmp_path, pictures(tmp_path, 3))
    until(made, number, "finished")
    batch = made.get(number)
    before = batch.file("mask", 0, 1).read_bytes()
    batch.file("mask", 0, 1).write_bytes(before[:-3])
    journal = batch.journal.read_bytes().splitlines(keepends=True)
    batch.journal.write_bytes(b"".join(journal[:2]) + journal[2][:40])
    again = Batches(service, made.folder, made.limits)
    again.start()
    again.open(number)
    until(again, number, "finished")
    again.close()
    assert again.get(number).file("mask", 0, 1).read_bytes() == before
    lines = batch.journal.read_bytes().splitlines(keepends=True)
    assert lines[:2] == journal[:2] and len(lines) == 4, "only what was lost is looked at again"


WORKER = """
import sys, time
from pathlib import Path
from workbench.batches.store import Batches
from workbench.catalogue import Place
from workbench.looks.inside import Inside
from workbench.service import Service

if __name__ == "__main__":
    made = Batches(Service(Place(device="cpu"), pool=Inside(lambda look: look)), Path(sys.argv[1]))
    made.start()
    made.open(sys.argv[2])
    print("open", flush=True)
    while made.progress(made.get(sys.argv[2])).state != "finished":
        time.sleep(0.02)
    made.close()
    made.service.close()
"""


def test_a_kill_in_the_middle_loses_nothing_and_nothing_is_done_twice(service: Service, tmp_path: Path) -> None:
    idle = Batches(service, tmp_path / "batches")
    number = begun(idle, tmp_path, pictures(tmp_path, 18), acts(), acts(gain=0.9))
    batch, script, kills, before = idle.get(number), tmp_path / "worker.py", 0, b""
    script.write_text(WORKER)
    while True:
        process = subprocess.Popen([sys.executable, str(script), str(idle.folder), number], stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{ROOT}"})  # fmt: skip
        assert process.stdout and process.stdout.readline() == b"open\n"
        goal = len(batch.rows()) + 9
        while process.poll() is None and len(batch.rows()) < goal:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        process.stdout.close()
        journal = batch.journal.read_bytes()
        whole = journal[: journal.rfind(b"\n") + 1]
        assert journal.startswith(before), "what was acknowledged stays, to the letter"
        assert all(batch.is_whole(row) for row in batch.rows().values())
        before = whole
        if process.returncode == 0:
            break
    assert kills >= 3 and before.count(b"\n") == 36 == len(batch.rows()), "no picture was looked at twice"
    undisturbed = Batches(service, tmp_path / "others")
    undisturbed.start()
    other = begun(undisturbed, tmp_path, pictures(tmp_path, 18), acts(), acts(gain=0.9))
    until(undisturbed, other, "finished")
    undisturbed.close()
    same = {place: (row.files["mask"], row.status, row.found, row.share) for place, row in batch.rows().items()}
    assert same == {place: (row.files["mask"], row.status, row.found, row.share)
                    for place, row in undisturbed.get(other).rows().items()}  # fmt: skip


def test_two_processes_at_one_batch_do_not_disturb_each_other(service: Service, made: Batches, tmp_path: Path) -> None:
    number = begun(made, tmp_path, pictures(tmp_path, 4), acts(act="slow"))
    until(made, number, "running")
    second = Batches(service, made.folder, made.limits)
    second.start()
    second.open(number)
    said = until(second, number, "broken off")
    assert "Another process of this app is at it" in str(said.trouble)
    second.close()
    assert until(made, number, "finished").done == 4
    assert (made.folder / number / JOURNAL).read_bytes().count(b"\n") == 4
