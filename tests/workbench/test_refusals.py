"""Overflow is refused at once and in our words, by page and by program, and nothing hangs or is lost."""

from __future__ import annotations

import base64
import errno
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from stat import S_ISREG
from threading import Lock, Thread
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from pipelines.errors import ResourceError
from tests.workbench import marked
from tests.workbench.apps import Running, running
from tests.workbench.visiting import JSON, RefusedError, Visitor
from workbench.door import refusals
from workbench.door.refusals import BUSY
from workbench.files import shelf
from workbench.files.janitor import Janitor, Rules
from workbench.files.shelf import Shelf
from workbench.settings import WAITING

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
PAGE = {**JSON, "Sec-Fetch-Mode": "cors"}
MB = 1_000_000


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("refusals"), temp_mb=5.0) as found:
        yield found


def test_of_a_burst_some_are_served_and_the_rest_is_refused_in_our_words(app: Running) -> None:
    counts, lock, took = Counter[str](), Lock(), []

    def call(number: int) -> None:
        visitor, headers = Visitor(app.url, f"burst-{number}"), PAGE if number % 2 else JSON
        picture = base64.b64encode(marked.encoded(number)).decode()
        body = {"data": [picture, "acting", "default", None, None, None, {"act": "slow"} if number < 8 else None]}
        start = time.monotonic()
        try:
            said = visitor.post("/gradio_api/call/segment", json.dumps(body).encode(), headers)
            marked.check_mask(base64.b64decode(visitor.result(json.loads(said)["event_id"])["mask_png"]), number)
            what = "served"
        except RefusedError as error:
            what = f"{error.status} {error.words}"
            took.append(time.monotonic() - start)
        with lock:
            counts[what] += 1

    threads = [Thread(target=call, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts["served"] >= 20 and counts[f"503 {BUSY}"] > 0 and counts[f"429 {BUSY}"] > 0
    assert sum(counts.values()) == 60 and len(counts) == 3, counts
    assert len(took) > 20


def test_while_looks_are_waited_for_all_else_goes_on(app: Running) -> None:
    visitor = Visitor(app.url, "patient")
    body = json.dumps({"data": ["hello!", "acting", "default", None, None, None, None]}).encode()
    with pytest.raises(RefusedError, match="not base64"):
        visitor.result(json.loads(visitor.post("/gradio_api/call/segment", body, JSON))["event_id"])
    line = app.app.demo._queue.event_queue_per_concurrency_id["looks"]
    line.current_concurrency += 1  # nobody's turn comes
    try:
        taken = [json.loads(visitor.post("/gradio_api/call/segment", body, JSON))["event_id"] for _ in range(WAITING)]
        with pytest.raises(RefusedError, match="Too many are waiting") as refused:
            visitor.post("/gradio_api/call/segment", body, JSON)
        assert refused.value.status == 503
        assert {one["name"] for one in visitor.call("pipelines")} >= {"acting"}
    finally:
        line.current_concurrency -= 1
    for number in taken:
        with pytest.raises(RefusedError, match="not base64"):
            visitor.result(number)


def test_an_upload_that_is_too_long_is_refused_and_one_that_does_not_say_its_length_is_counted(app: Running) -> None:
    visitor = Visitor(app.url, "uploads")
    with pytest.raises(RefusedError, match=r"One upload may take 1\.7 MB here") as long:
        visitor.upload(bytes(2 * MB))
    assert long.value.status == 413
    for size, status in ((MB, 200), (2 * MB, 413)):
        line = begun(app)
        line.putheader("Transfer-Encoding", "chunked")
        line.endheaders()
        for part in parts(os.urandom(size)):
            line.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        line.send(b"0\r\n\r\n")
        answer = line.getresponse()
        said = json.load(answer)
        assert answer.status == status
        assert Path(said[0]).stat().st_size == size if status == 200 else "One upload" in said["detail"]
        line.close()
    assert not loose(app), "half of a file is none"


def test_what_is_announced_and_does_not_come_takes_no_room_and_is_ended_in_words(
    app: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "SILENT_S", 0.4)
    path, lines = app.app.shelf.put("x.bin", os.urandom(3 * MB)), [begun(app) for _ in range(6)]
    for line in lines:
        line.putheader("Content-Length", str(3 * MB // 2))
        line.endheaders()
        line.send(parts(b"")[0])
    assert Visitor(app.url, "uploads").upload(marked.encoded(3))["path"].endswith("photo.png")
    assert Path(path).is_file(), "of another visitor"
    for line in lines:
        answer = line.getresponse()
        assert answer.status == 408 and "too slowly" in json.load(answer)["detail"]
        line.close()
    assert not loose(app) and not app.app.janitor.held


def test_an_upload_may_not_take_for_ever_byte_by_byte(app: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "WHOLE_S", 0.2)
    line = begun(app)
    line.putheader("Content-Length", "1000")
    line.endheaders()
    line.send(parts(b"")[0])
    for _ in range(3):
        line.send(b"-")
        time.sleep(0.05)
    assert line.getresponse().status == 408
    line.close()


def test_an_upload_is_not_removed_while_it_is_received_and_where_there_is_no_room_is_refused(app: Running) -> None:
    lines = [begun(app) for _ in range(4)]
    whole = [parts(os.urandom(3 * MB // 2)) for _ in lines]
    for line, pieces in zip(lines, whole, strict=True):
        line.putheader("Content-Length", str(sum(map(len, pieces))))
        line.endheaders()
    for number in range(len(whole[0]) - 1):
        for line, pieces in zip(lines[:2], whole, strict=False):
            line.send(pieces[number])
        app.app.shelf.put("x.bin", os.urandom(MB // 2))
        app.app.janitor.run_now()
    for line, pieces in zip(lines[:2], whole, strict=False):
        line.send(pieces[-1])
        answer = line.getresponse()
        (path,) = json.load(answer)
        assert answer.status == 200 and Path(path).stat().st_size == 3 * MB // 2
    for line in lines:
        line.close()
    until = time.monotonic() + 5
    while (loose(app) or app.app.janitor.held) and time.monotonic() < until:
        time.sleep(0.01)
    assert not loose(app) and not app.app.janitor.held


def begun(app: Running) -> HTTPConnection:
    """An upload of which the first line was sent."""
    visitor = Visitor(app.url, "uploads")
    line = HTTPConnection(visitor.host, visitor.port, timeout=20)
    line.putrequest("POST", "/gradio_api/upload")
    line.putheader("Content-Type", "multipart/form-data; boundary=x")
    return line


def parts(data: bytes) -> list[bytes]:
    """A form with one file, in pieces."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.bin"\r\n\r\n'
    step = MB // 4
    return [head, *(data[at : at + step] for at in range(0, len(data), step)), b"\r\n--x--\r\n"]


def loose(app: Running) -> list[Path]:
    """Files that are being received."""
    return [path for path in app.app.shelf.folder.iterdir() if path.is_file()]


def test_a_flood_of_uploads_stays_below_the_cap_and_the_app_goes_on(app: Running) -> None:
    largest, over, folder = [0], [False], app.app.shelf.folder

    def watch() -> None:
        while not over[0]:
            largest[0] = max(largest[0], size_of(folder))
            time.sleep(0.01)

    watcher = Thread(target=watch)
    watcher.start()
    counts = Counter(flooded(app, thread) for thread in range(1))
    threads = [Thread(target=lambda n=n: counts.update([flooded(app, n)])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    over[0] = True
    watcher.join()
    assert 2 * MB < largest[0] <= 5 * MB and counts["all"] == 5
    found = Visitor(app.url, "after").call("segment", base64.b64encode(marked.encoded(9)).decode(), "acting",
                                           "default", None, None, None, None)  # fmt: skip
    marked.check_mask(base64.b64decode(found["mask_png"]), 9)


def flooded(app: Running, number: int) -> str:
    """Upload 5 MB in ten files, and put as much on the shelf."""
    visitor = Visitor(app.url, f"flood-{number}")
    for _ in range(10):
        visitor.upload(os.urandom(MB // 2))
        app.app.shelf.put("x.bin", os.urandom(MB // 2))
    return "all"


def size_of(folder: Path) -> int:
    """Bytes at the moment when all was met: one that is gone by then made room for what was met after it."""
    met = [(path, found) for path in folder.rglob("*") if (found := _seen(path))]
    there = {found.st_ino for path, _ in met if (found := _seen(path))}
    return sum({found.st_ino: found.st_size for _, found in met if found.st_ino in there}.values())


def _seen(path: Path) -> os.stat_result | None:
    """What is known of a file, unless it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found if S_ISREG(found.st_mode) else None


def test_with_a_full_disk_an_error_is_in_words_and_nothing_is_lost(
    app: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, folder = Client(app.url, verbose=False), app.app.shelf.folder
    path = app.upload(marked.marked(4))
    before, write = set(folder.rglob("*")), Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.warns(UserWarning, match="The disk of this app is full"):
        _, card, _ = app.compare("full", path, {"acting": {}})
    assert "The disk of this app is full" in card[app.slot("acting").facts]
    assert set(folder.rglob("*")) == before, "half a file is none"
    monkeypatch.undo()
    again = app.compare("full", path, {"acting": {}})
    assert "done" in str(again[1][app.slot("acting").facts])
    with pytest.raises(AppError, match="not base64"):
        client.predict(image="hello!", api_name="/segment")


def test_an_upload_that_the_disk_has_no_room_for_is_refused_in_words(
    app: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gradio.route_utils

    async def full(*arguments: Any, **named: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(gradio.route_utils.GradioMultiPartParser, "parse", full)
    with pytest.raises(RefusedError, match="The disk of this app is full") as error:
        Visitor(app.url, "disk").upload(b"x")
    assert error.value.status == 507
    monkeypatch.undo()
    assert Visitor(app.url, "disk").upload(marked.encoded(5))["path"]


def test_another_error_of_the_disk_is_not_taken_for_a_full_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="Not a directory") as error:
        Shelf(tmp_path / "file").put("a.png", b"x")
    assert error.value.errno not in shelf.NO_SPACE


def test_room_is_made_before_anything_is_written_and_no_more_promised_than_there_is(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    janitor = Janitor(folder, Rules(cap_bytes=MB))
    put = Shelf(folder, janitor.room).put
    for number in range(6):
        put(f"{number}.bin", bytes(300_000))
        assert size_of(folder) <= MB
        time.sleep(0.012)
    assert {path.name for path in folder.rglob("*.bin")} == {"4.bin", "5.bin"}
    with janitor.room(900_000):
        assert not size_of(folder)
        with pytest.raises(ResourceError, match=r"no room for 0\.2 MB more .* all may take 1 MB"):
            put("more.bin", bytes(200_000))
    put("after.bin", b"xx")


def test_what_is_being_received_is_never_removed_and_nothing_is_promised_beside_it(tmp_path: Path) -> None:
    janitor = Janitor(tmp_path / "temporary", Rules(cap_bytes=MB))
    put = Shelf(janitor.folder, janitor.room).put
    path = Path(put("first.bin", bytes(700_000)))
    janitor.held.add(path)
    time.sleep(0.012)
    put("second.bin", bytes(200_000))
    with pytest.raises(ResourceError, match=r"no room for 0\.4 MB"):
        put("third.bin", bytes(400_000))
    assert path.is_file()
    janitor.held.clear()
    put("third.bin", bytes(900_000))
    assert not path.is_file()


def test_what_is_being_written_is_not_counted_twice(tmp_path: Path) -> None:
    janitor = Janitor(tmp_path / "temporary", Rules(cap_bytes=MB))
    shelf = Shelf(janitor.folder, janitor.room)
    other = Path(shelf.put("other.bin", bytes(300_000)))
    with shelf.writing("large.bin", 600_000) as path:
        path.write_bytes(bytes(600_000))
        assert janitor.run_now().removed == 0
    assert janitor.run_now().left == 2 and other.is_file()


def test_a_round_that_fails_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    janitor = Janitor(tmp_path / "temporary", Rules(cap_bytes=MB))
    put = Shelf(janitor.folder, janitor.room).put
    put("a.bin", bytes(600_000))

    def broken(*arguments: object, **named: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "walk", broken)
    for _ in range(3):
        with pytest.raises(OSError, match="Too many open files"):
            put("b.bin", bytes(600_000))
    monkeypatch.undo()
    put("c.bin", bytes(900_000))
