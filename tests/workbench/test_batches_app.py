"""The tab Batch as a visitor meets it: what can be pressed when, what is said, and what one sees of others: nothing."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import cv2
import gradio as gr
import numpy as np
import pytest

from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from pipelines import create
from pipelines.errors import UsageError
from pipelines.types import Prompt
from tests.workbench.apps import Running, request, running
from tests.workbench.hostile_archives import HOSTILE, Entry, zipped
from workbench.batches import wording
from workbench.batches.intake import BatchLimits
from workbench.batches.store import Progress

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
EVIL = "<img src=x onerror=alert(1)>.png"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("app")
    with running(folder) as found:
        yield found


def upload(app: Running, name: str, data: bytes) -> str:
    return str(app.app.shelf.put(name, data))


def picture(level: int = 120, side: int = 40) -> bytes:
    image = np.full((side, side, 3), 30, np.uint8)
    cv2.circle(image, (side // 2, side // 2), side // 3, (level,) * 3, -1)
    return png(image)


def start(app: Running, files: list[str], *names: str, texts: str = "", keeps: tuple[str, ...] = ()) -> dict[Any, Any]:
    chosen: list[Any] = []
    for one in app.app.batch.form.choices:
        chosen += [one.offer.name in names, "default"]
    return dict(app.app.batch.start(request("a"), files, texts, list(keeps), *chosen))


def ended(app: Running, number: str) -> dict[Any, Any]:
    desk, form = app.app.batch, app.app.batch.form
    until = time.monotonic() + 120
    while time.monotonic() < until:
        updates = desk.tick(number, 0, "All", "")
        if not updates[form.timer].active:
            return dict(updates)
        time.sleep(0.05)
    raise AssertionError(updates[form.status])


def test_a_batch_is_begun_watched_and_taken_home(app: Running) -> None:
    desk, form = app.app.batch, app.app.batch.form
    files = [upload(app, f"p{n}.png", picture(100 + 20 * n)) for n in range(3)]
    first = start(app, files, "classical", texts="coin\n\nleaf")
    number = first[form.number]
    assert first[form.files] is None and first[form.timer].active and first[form.stop]["interactive"]
    assert number in first[form.kept] and f"?batch={number}" in first[form.kept]
    last = ended(app, number)
    assert "All done." in last[form.status] and "3 of 3 looks done" in last[form.status]
    assert last[form.table].count("<tr>") == 4 and "1 found" in last[form.table]
    assert Path(last[form.sheet]["value"]).read_bytes()[:2] == b"\xff\xd8"
    assert "p0.png" in last[form.sheet]["alt_text"] and not last[form.go_on]["visible"]
    saved = desk.bundle(number)[form.bundle]
    assert re.search(r"Save the ZIP \(\d+ kB\)", saved) and " download" in saved
    with urlopen(app.url + re.search(r'href="([^"]+)"', saved)[1]) as answer:  # type: ignore[index]
        whole = answer.read()
        assert re.search(r"attachment; filename=\"batch_\d{4}-\d\d-\d\d_\d{4}\.zip\"", str(answer.headers))
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"
    assert not list(app.app.shelf.folder.rglob("*.zip")), "nothing of it takes the room of temporary files"
    with create("classical") as plain:
        (expected,) = plain.predict([cv2.imdecode(np.frombuffer(picture(140), np.uint8), 1)], [Prompt()])
    mask = zipfile.ZipFile(io.BytesIO(whole)).read("masks/classical/p2.png")
    assert mask == png(mask_pixels(expected.foreground())), "byte for byte as a plain call has it"
    assert desk.batches.get(number).ticket.texts == ("coin", "leaf")


@pytest.mark.parametrize("name", ["parent", "bomb", "encrypted"])
def test_what_is_refused_is_said_where_one_looks(app: Running, name: str) -> None:
    make, words = HOSTILE[name]
    form = app.app.batch.form
    updates = start(app, [upload(app, "x.zip", make())], "classical")
    assert list(updates) == [form.refusal] and re.search(words.replace("'", "&#x27;"), updates[form.refusal])
    assert 'role="alert"' in updates[form.refusal]


def test_nothing_given_nothing_chosen_and_no_such_number(app: Running) -> None:
    form, desk = app.app.batch.form, app.app.batch
    assert "no picture yet" in start(app, [], "classical")[form.refusal]
    assert "No pipeline is chosen" in start(app, [upload(app, "p.png", picture())], "sam3")[form.refusal]
    assert "no such picture" in start(app, ["/etc/passwd"], "classical")[form.refusal]
    for number in ("", "x", "0" * 32, "../../etc", "<b>"):
        assert "no batch of that number" in desk.open(number)[form.refusal]
        assert list(desk.tick(number, 0, "All", "")) == [form.timer]
    for ask in (lambda: desk.bundle("0" * 32), lambda: desk.stop("0" * 32, 0, "All", "")):
        with pytest.raises(UsageError, match="no batch of that number"):
            ask()


def test_no_zip_is_served_that_was_not_made_or_by_a_number_that_is_none(app: Running) -> None:
    number = start(app, [upload(app, "p.png", picture())], "classical")[app.app.batch.form.number]
    for path in (f"{number}/results.zip", f"{'0' * 32}/results.zip", f"{number}/journal.jsonl", f"{number}/batch.json"):
        with pytest.raises(HTTPError) as error:
            urlopen(f"{app.url}batch/{path}")
        assert error.value.code == 404
        error.value.close()


def test_stop_and_go_on_are_there_when_they_can_be_pressed(app: Running) -> None:
    desk, form = app.app.batch, app.app.batch.form
    acting = next(index for index, one in enumerate(form.choices) if one.offer.name == "acting")
    files = [upload(app, f"{n}.png", picture(100 + n, 300)) for n in range(4)]
    number = start(app, files, "classical", form.choices[acting].offer.name)[form.number]
    stopped = desk.stop(number, 0, "All", "")
    while desk.batches.running == number:
        time.sleep(0.01)
    stopped = desk.tick(number, 0, "All", "")
    assert "Stopped." in stopped[form.status] and stopped[form.go_on]["visible"] and not stopped[form.timer].active
    assert not stopped[form.stop]["interactive"]
    assert desk.go_on(request("a"), number, 0, "All", "")[form.timer].active
    assert "8 of 8" in ended(app, number)[form.status]


def test_a_link_to_a_zip_goes_when_more_may_come_or_another_batch_is_open(app: Running) -> None:
    desk, form = app.app.batch, app.app.batch.form
    acting = next(one.offer.name for one in form.choices if one.offer.name == "acting")
    files = [upload(app, f"{n}.png", picture(100 + n, 300)) for n in range(4)]
    first = start(app, files, "classical", acting)
    number = first[form.number]
    assert first[form.bundle] == ""
    desk.stop(number, 0, "All", "")
    while desk.batches.running == number:
        time.sleep(0.01)
    assert "Save the ZIP" in desk.bundle(number)[form.bundle]
    assert form.bundle not in desk.tick(number, 0, "All", ""), "it holds all that is there"
    assert desk.go_on(request("a"), number, 0, "All", "")[form.bundle] == ""
    assert ended(app, number)[form.bundle] == "", "rows came after it was made"
    desk.bundle(number)
    assert form.bundle not in desk.turn(1)(number, 0, "All", "") and desk.open(number)[form.bundle] == ""
    (desk.batches.get(number).path / "results.zip").unlink()
    assert desk.tick(number, 0, "All", "")[form.bundle] == ""


def test_what_is_written_into_the_field_of_the_number_changes_nothing_but_what_is_opened(app: Running) -> None:
    form, fns = app.app.batch.form, list(app.app.demo.fns.values())
    readers = {getattr(fn.fn, "__name__", "") for fn in fns if fn.fn is not None and form.number in fn.inputs}
    assert readers == {"open"}
    first = start(app, [upload(app, "p.png", picture())], "classical")
    assert first[form.current] == first[form.number]
    assert app.app.batch.open(first[form.number])[form.current] == first[form.number]
    assert form.looked_at[0] is form.current and isinstance(form.current, gr.State)


def test_too_many_labels_are_refused_before_anything_is_kept(app: Running) -> None:
    form, files = app.app.batch.form, [upload(app, "p.png", picture())]
    assert "There are 51 labels" in start(app, files, "classical", texts="x\n" * 51)[form.refusal]
    number = start(app, files, "classical", texts=" a \n\n" + "\n" * 10_000)[form.number]
    assert app.app.batch.batches.get(number).ticket.texts == ("a",)


def test_the_limits_say_what_may_be_sent_at_once_and_that_room_may_be_needed() -> None:
    said = wording.limited(BatchLimits(), 200)
    assert "At most 200 MB may be sent at once" in said and "500 pictures with 500 MB together, unpacked" in said
    assert "24 hours, unless room is needed before" in said


def test_pages_and_a_choice_of_pictures(app: Running) -> None:
    desk, form = app.app.batch, app.app.batch.form
    files = [upload(app, f"{n}.png", picture(100 + n) if n % 5 else b"broken") for n in range(30)]
    number = start(app, files, "classical")[form.number]
    first = ended(app, number)
    assert "Pictures 1 to 12 of 30" in first[form.place] and not first[form.back]["interactive"]
    second = desk.turn(1)(number, first[form.page], "All", first[form.seen])
    assert "Pictures 13 to 24 of 30" in second[form.place] and second[form.back]["interactive"]
    third = desk.turn(1)(number, second[form.page], "All", second[form.seen])
    assert "Pictures 25 to 30 of 30" in third[form.place] and not third[form.forward]["interactive"]
    assert desk.turn(9)(number, 0, "All", "")[form.page] == 2 and desk.turn(-9)(number, 2, "All", "")[form.page] == 0
    bad = desk.select(number, 2, "Without a result", "")
    assert "Pictures 1 to 6 of 6" in bad[form.place] and bad[form.table].count("✕ not taken") == 6
    again = desk.tick(number, first[form.page], "All", first[form.seen])
    assert form.table not in again and form.sheet not in again, "what did not change is not sent again"


def test_no_name_and_no_reason_is_markup(app: Running) -> None:
    form, data = app.app.batch.form, zipped(Entry(EVIL), Entry("b<script>.png", b"broken"), Entry("<b>.txt"))
    number = start(app, [upload(app, "x.zip", data)], "classical")[form.number]
    last = ended(app, number)
    said = last[form.table] + last[form.kept] + last[form.status] + wording.refused(EVIL)
    assert "&lt;img" in said and "Left out: 1 file<" in last[form.kept]
    assert not any(tag in said for tag in ("<img", "<script", "<b>"))


def test_a_link_opens_a_batch_and_no_other(app: Running) -> None:
    form = app.app.batch.form
    number = start(app, [upload(app, "p.png", picture())], "classical")[form.number]
    ended(app, number)
    linked = next(fn.fn for fn in app.app.demo.fns.values() if fn.fn and fn.fn.__name__ == "linked")
    assert "All done." in linked(request("z", batch=number))[form.status]
    assert "no batch" in linked(request("z", batch=number[:-1] + "0" + "1"))[form.refusal]
    assert list(linked(request("z"))) == [form.timer]


@pytest.mark.parametrize(
    ("progress", "words"),
    [(Progress("waiting", 0, 9, ahead=1), "1 batch before"), (Progress("waiting", 0, 9, ahead=2), "2 batches before"),
     (Progress("running", 3, 9, seconds_left=40.2), "about 40 s left"), (Progress("running", 0, 9), "Working …"),
     (Progress("running", 3, 9, seconds_left=600.0), "about 10 min left"), (Progress("waiting", 0, 9), "Starting"),
     (Progress("broken off", 3, 9, trouble="<b>full"), "Broken off. &lt;b&gt;full"),
     (Progress("finished", 9, 9, 2), "9 of 9 looks done · 2 without a result")],
)  # fmt: skip
def test_how_far_it_is_in_words(progress: Progress, words: str) -> None:
    assert words in wording.status(progress) and 'role="status"' in wording.status(progress)
