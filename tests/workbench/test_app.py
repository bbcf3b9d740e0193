"""The app as a visitor meets it: cards that stream, knobs that act at once, files that are exact, errors in words."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import urlopen

import cv2
import gradio as gr
import numpy as np
import pytest

from benchmarks.datasets import open_dataset
from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from pipelines import create
from pipelines.errors import UsageError, WorkbenchError
from pipelines.types import Image, Prompt
from tests.workbench.apps import Running, request, running
from workbench.plainly import plainly

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
LOOK = ("Overlay", "Checkerboard", 0.5, 0.0)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("app")) as found:
        yield found


def picture(level: int = 102) -> Image:
    image = np.full((40, 60, 3), 51, np.uint8)
    image[:, :30] = level
    return image


def value(update: Any) -> Any:
    return update.get("value") if isinstance(update, dict) else update


def facts(updates: dict[Any, Any], slot: Any) -> str:
    return str(updates[slot.facts])


def test_a_plugin_has_a_card_with_its_knobs_by_what_they_need(app: Running) -> None:
    slot = app.slot("acting")
    assert list(slot.knobs) == ["size", "act", "gain", "threshold"] and list(slot.decided) == ["threshold"]
    assert isinstance(slot.knobs["gain"], gr.Slider) and slot.knobs["gain"].maximum == 4
    assert isinstance(slot.knobs["act"], gr.Dropdown)
    assert slot.chosen.interactive


def test_one_that_cannot_run_says_why_and_cannot_be_chosen(app: Running) -> None:
    slot = app.slot("sam3")
    assert slot.offer.reason and not slot.chosen.interactive and not slot.chosen.value
    updates = app.compare("c", app.upload(picture()), {"sam3": {}, "acting": {}})
    assert slot.facts not in updates[0], "what cannot run is not asked to"


def test_cards_come_one_after_another_and_one_that_fails_takes_none_along(app: Running) -> None:
    bad, good = app.slot("acting"), app.slot("classical")
    first, *between, last = app.compare("a", app.upload(picture()), {"acting": {"act": "raise"}, "classical": {}})
    assert "waiting" in facts(first, bad) and "waiting" in facts(first, good)
    assert len(between) == 2 and app.desk.form.agreement in last
    found = {slot.offer.name: update for update in between for slot in (bad, good) if slot.facts in update}
    assert "the bulb is broken" in facts(found["acting"], bad) and "Traceback" not in facts(found["acting"], bad)
    assert "done" in facts(found["classical"], good) and Path(value(found["classical"][good.picture])).is_file()
    assert "Without a result: acting" in between[1][app.desk.form.status]


def test_the_saved_mask_is_that_of_a_plain_call_byte_for_byte(app: Running) -> None:
    sample = next(iter(open_dataset("coins")))
    updates = app.compare("b", app.upload(sample.image), {"classical": {}})
    with create("classical") as plain:
        (expected,) = plain.predict([sample.image], [Prompt()])
    saved = Path(value(updates[1][app.slot("classical").file]))
    assert saved.read_bytes() == png(mask_pixels(expected.foreground()))


def test_a_moved_knob_acts_at_once_and_nobody_looks_again(app: Running) -> None:
    slot = app.slot("acting")
    app.compare("d", app.upload(picture()), {"acting": {}})
    before = app.desk.visits.get("d").cards["acting"]
    updates = app.desk.decide(slot)(request("d"), *LOOK, 0.3)
    after = app.desk.visits.get("d").cards["acting"]
    assert before.foreground.sum() == 0 and after.foreground.sum() == 40 * 30
    assert after.infer_ms == before.infer_ms and "50.0% of the picture" in facts(updates, slot)
    mask = cv2.imread(value(updates[slot.file]), cv2.IMREAD_UNCHANGED)
    assert (mask > 0).sum() == 40 * 30


def test_the_truth_gives_figures_and_an_error_map(app: Running) -> None:
    truth = np.zeros((40, 60, 3), np.uint8)
    truth[:, :20] = 255
    path, slot = app.upload(picture()), app.slot("acting")
    updates = app.compare("e", path, {"acting": {"threshold": 0.3}}, truth=app.upload(truth[..., 0]))
    assert re.search(r"<dt>IoU</dt><dd>0\.667</dd>", facts(updates[1], slot))
    shown = app.desk.view(request("e"), path, app.desk.visits.get("e").truth_from[0], 0, "Error map", *LOOK[1:])
    assert "wrong: found, but not there 16.7%" in facts(shown, slot)
    again = app.desk.view(request("e"), path, app.desk.visits.get("e").truth_from[0], 0, "Error map", *LOOK[1:])
    assert list(again) == [app.desk.form.status], "what is shown already is not sent again"
    with pytest.raises(WorkbenchError, match="The mask is 20 x 10 pixels, and the picture 60 x 40"):
        app.compare("e", path, {"acting": {}}, truth=app.upload(truth[:10, :20, 0]))


@pytest.mark.parametrize("view", ["Overlay", "Mask", "Cut-out", "Soft map", "Error map"])
def test_every_view_is_a_picture_with_words(app: Running, view: str) -> None:
    slot = app.slot("acting")
    look = (view, "White", 1.0, 0.25)
    updates = app.compare("f", app.upload(picture()), {"acting": {"threshold": 0.3}}, look=look)[1]
    shown = cv2.imread(updates[slot.picture]["value"])
    assert shown.shape == (40, 60, 3) and "50.0% of the picture" in updates[slot.picture]["alt_text"]
    assert (shown[:, :10] == 102).all(), "left of the wipe the picture itself"


def test_where_pipelines_agree(app: Running) -> None:
    last = app.compare("g", app.upload(picture()), {"acting": {"threshold": 0.3}, "classical": {}})[-1]
    assert "All agree on" in last[app.desk.form.agreed] and Path(last[app.desk.form.agreement]["value"]).is_file()


def test_stop_ends_what_hangs_within_two_seconds(app: Running) -> None:
    updates: list[Any] = []
    path = app.upload(picture())
    thread = Thread(target=lambda: updates.extend(app.compare("h", path, {"acting": {"act": "hang"}})))
    thread.start()
    while not (visit := app.desk.visits.find("h")) or not visit.pending:
        time.sleep(0.01)
    time.sleep(0.3)
    start = time.monotonic()
    stopped = app.desk.stop(request("h"))
    thread.join(5)
    assert time.monotonic() - start < 2 and not thread.is_alive()
    assert "called off" in facts(stopped, app.slot("acting"))
    assert app.desk.visits.get("h").cards["acting"].status == "cancelled"


def test_nobody_meets_what_another_has_open(app: Running) -> None:
    app.compare("one", app.upload(picture()), {"acting": {"threshold": 0.3}})
    slot = app.slot("acting")
    assert slot.picture not in app.desk.view(request("two"), None, None, 0, *LOOK)
    assert list(app.desk.decide(slot)(request("two"), *LOOK, 0.1)) == [slot.note]
    with pytest.raises(UsageError, match="no picture"):
        app.desk.all_files(request("two"))
    assert app.desk.file(slot)(request("two"), "mask")[slot.file] == gr.skip(), "the first run reads the list"
    app.desk.visits.drop("one")
    with pytest.raises(UsageError, match=r"^The picture is no longer kept\. Give it again\.$"):
        app.desk.decide(slot)(request("one"), *LOOK, 0.1)
    assert "one" not in {key.visitor for key in app.app.service.kept.held}


def test_a_new_picture_clears_what_was_shown_of_the_one_before(app: Running) -> None:
    slot = app.slot("acting")
    app.compare("i", app.upload(picture()), {"acting": {}})
    updates = app.desk.received(request("i"), app.upload(picture(200)))
    assert "not run yet" in facts(updates, slot) and updates[slot.picture]["value"] is None
    assert app.desk.visits.get("i").cards == {}
    app.desk.received(request("i"), None)
    assert app.desk.visits.find("i") is None


def test_results_that_come_before_the_page_knows_of_its_picture_stay(app: Running) -> None:
    form, slot = app.desk.form, app.slot("acting")
    first, *_ = app.desk.take("coin")(request("s"))
    app.desk.received(request("s"), first)
    app.compare("s", first, {"acting": {}})
    second, *_ = app.desk.take("coins")(request("s"))
    *_, card, _ = app.compare("s", first, {"acting": {}})
    visit = app.desk.visits.get("s")
    assert visit.path == second and "done" in facts(card, slot), "the page still names the picture before"
    assert visit.image.shape[:2] == visit.cards["acting"].foreground.shape != (192, 192)
    assert not {slot.facts, slot.picture, form.agreed} & set(app.desk.received(request("s"), second))
    third, *_ = app.desk.take("coin")(request("s"))
    assert "not run yet" in facts(app.desk.received(request("s"), third), slot)
    assert app.desk.visits.get("s").path == third
    app.compare("s", second, {"acting": {}})
    assert app.desk.visits.get("s").path == second, "the page knew of the third, and went back"


def test_a_page_whose_picture_was_dropped_is_cleared_by_the_next(app: Running) -> None:
    app.compare("t", app.upload(picture()), {"acting": {}})
    app.desk.visits.drop("t")
    path, *_ = app.desk.take("coin")(request("t"))
    assert "not run yet" in facts(app.desk.received(request("t"), path), app.slot("acting"))


def test_other_files_and_a_zip_of_all(app: Running) -> None:
    app.compare("j", app.upload(picture(), "my photo.png"), {"acting": {"threshold": 0.3}, "classical": {}})
    made = app.desk.file(app.slot("acting"))(request("j"), "coco")[app.slot("acting").file]["value"]
    assert Path(made).name == "my_photo_acting_coco.json" and json.loads(Path(made).read_text())["annotations"]
    assert Path(app.desk.all_files(request("j"))[app.desk.form.bundle]["value"]).read_bytes()[:2] == b"PK"


def test_the_kind_of_file_that_was_chosen_stays_while_there_is_one(app: Running) -> None:
    slot, visitor = app.slot("acting"), request("r")

    def saves(threshold: float) -> str:
        return str(app.desk.decide(slot)(visitor, *LOOK, threshold)[slot.file]["label"])

    app.compare("r", app.upload(picture()), {"acting": {"threshold": 0.3}})
    assert app.desk.file(slot)(visitor, "crop")[slot.file]["label"] == "Save crop.png"
    assert [saves(0.3), saves(0.99), saves(0.3)] == ["Save crop.png", "Save mask.png", "Save crop.png"]
    *_, card, _ = app.compare("r", app.upload(picture(120)), {"acting": {"threshold": 0.3}}, kind="crop")
    assert card[slot.file]["label"] == "Save crop.png" and slot.kind not in card
    assert app.desk.file(slot)(visitor, "psd")[slot.file]["label"] == "Save layers.psd"
    assert saves(0.3) == "Save mask.png", "layers take too long for each step of a slider"


def test_what_is_moved_while_a_pipeline_is_at_work_counts_when_it_is_there(app: Running) -> None:
    slot, made = app.slot("acting"), app.comparing("u", app.upload(picture()), {"acting": {}})
    next(made)
    assert list(app.desk.decide(slot)(request("u"), *LOOK, 0.3)) == [slot.note]
    app.desk.view(request("u"), app.desk.visits.get("u").path, None, 0, "Mask", *LOOK[1:])
    card = next(made)
    assert "50.0% of the picture" in facts(card, slot) and card[slot.picture]["alt_text"].startswith("Mask by acting")
    assert slot.note not in card, "nor is the word that it has to run again taken away"


def test_a_run_of_the_picture_before_shows_nothing_on_the_next(app: Running) -> None:
    made = app.comparing("v", app.upload(picture()), {"acting": {}, "classical": {}})
    next(made)
    app.desk.received(request("v"), app.upload(picture(200)))
    assert [list(one) for one in made] == [[app.desk.form.status]], "nor is the last message sent once more at the end"
    assert app.desk.visits.get("v").cards == {}


def test_a_card_that_has_come_follows_its_knobs_while_others_are_at_work(app: Running) -> None:
    slot, form = app.slot("acting"), app.desk.form
    made = app.comparing("y", app.upload(picture()), {"acting": {}, "classical": {}})
    came = next(one for one in made if "of the picture" in str(one.get(slot.facts)))
    for update in came.values():
        if isinstance(update, dict):
            update.pop("value", None)  # as Gradio does with what it sends
    app.desk.decide(slot)(request("y"), *LOOK, 0.3)
    app.desk.view(request("y"), app.desk.visits.get("y").path, None, 0, "Mask", *LOOK[1:])
    app.desk.file(slot)(request("y"), "crop")
    *_, last = made
    assert "50.0% of the picture" in facts(last, slot) and last[slot.picture]["alt_text"].startswith("Mask by acting")
    assert last[slot.picture]["value"] and last[slot.file]["label"] == "Save crop.png" and last[slot.file]["value"]
    assert last[app.slot("classical").picture]["value"] and last[form.bundle]["visible"] is False
    assert "All 2 done." in last[form.status] and form.agreement in last


def test_a_result_that_cannot_be_drawn_takes_none_along(app: Running) -> None:
    look = ("Cut-out", "no colour", 0.5, 0.0)
    chosen: dict[str, Any] = {"acting": {"threshold": 0.3}, "classical": {}}
    with pytest.warns(UserWarning, match="no colour"):
        *cards, last = app.compare("w", app.upload(picture()), chosen, look=look)
    shown = {
        slot.offer.name: facts(one, slot) for one in cards[1:] for slot in app.desk.form.slots if slot.facts in one
    }
    assert set(shown) == {"acting", "classical"} and all("no colour" in said for said in shown.values())
    assert "All 2 done." in cards[-1][app.desk.form.status] and app.desk.form.agreement in last


def test_a_zip_of_before_goes_when_anything_is_made_anew(app: Running) -> None:
    slot, bundle = app.slot("acting"), app.desk.form.bundle
    first, *_ = app.compare("x", app.upload(picture()), {"acting": {}})
    assert first[bundle]["visible"] is False
    assert app.desk.all_files(request("x"))[bundle]["visible"] is True
    assert app.desk.decide(slot)(request("x"), *LOOK, 0.3)[bundle]["visible"] is False


def test_more_points_than_anybody_clicks_are_refused_and_not_drawn(app: Running) -> None:
    app.desk.received(request("y"), app.upload(picture()))
    said = app.desk.mark(request("y"), "point 1 2\n" * 100_000)
    assert "100000 points and boxes" in said[app.desk.form.status]


def test_clicks_are_lines_and_lines_are_drawn(app: Running) -> None:
    app.desk.received(request("k"), app.upload(picture()))
    event = gr.SelectData(None, {"index": [12, 7], "value": None})
    lines, shown = app.desk.point(request("k"), event, "", "Point on it")
    assert lines == "point 12 7" and not np.array_equal(cv2.imread(shown), picture())
    assert "no point and no box" in app.desk.mark(request("k"), "circle 3 4")[app.desk.form.status]


def test_errors_are_in_words_and_tell_nothing_of_this_machine(caplog: pytest.LogCaptureFixture) -> None:
    def broken(kind: str) -> None:
        if kind == "ours":
            raise UsageError("There is no <b>such</b> thing.", "Take another.")
        raise FileNotFoundError("/home/somebody/secret")

    def streams() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    with pytest.raises(gr.Error, match=r"There is no ‹b›such‹/b› thing\. Take another\."):
        plainly(broken)("ours")
    with pytest.raises(gr.Error, match=r"number [0-9a-f]{8} in the log") as other:
        plainly(broken)("other")
    assert "secret" not in str(other.value) and "secret" in caplog.text
    with pytest.raises(gr.Error, match="Something went wrong"):
        list(plainly(streams)())


@pytest.mark.parametrize(
    ("path", "words"),
    [(None, "no picture yet"), ("/etc/passwd", "no such picture"), ("../x.png", "no such picture")],
)
def test_what_is_no_upload_is_refused_in_words(app: Running, path: str | None, words: str) -> None:
    with pytest.raises(WorkbenchError, match=words):
        app.compare("l", path, {"acting": {}})


def test_what_shows_no_progress_has_the_browser_draw_none(app: Running) -> None:
    """Else it draws that of all that was ever asked at each step of each event, which takes longer than all the rest."""
    fns = [
        fn for fn in app.app.demo.fns.values() if fn.fn is not None and fn.outputs and fn.api_visibility == "private"
    ]
    hidden = [fn for fn in fns if fn.show_progress == "hidden"]
    assert len(hidden) > 20 and all(fn.show_progress_on == [] for fn in hidden)
    assert all(fn.show_progress_on != [] for fn in fns if fn not in hidden)


def test_a_link_opens_an_example(app: Running) -> None:
    from workbench.tabs.compare import link

    opened, _ = link(app.desk.form, app.app.shelf)
    form = app.desk.form
    filled = opened(request("m", example="coins", pipelines="acting,sam3", prompt="coin,leaf"))
    assert Path(filled[form.picture]).is_file() and filled[form.prompt] == "coin\nleaf"
    assert filled[app.slot("acting").chosen] is True and filled[app.slot("sam3").chosen] is False
    assert form.picture not in opened(request("m"))
    with pytest.raises(WorkbenchError, match="no example"):
        opened(request("m", example="../../etc/passwd"))


def test_the_app_says_that_it_is_well_and_serves_nothing_else(app: Running) -> None:
    with urlopen(f"{app.url}healthz") as answer:
        assert json.load(answer)["status"] == "ok"
    with urlopen(app.url) as page:
        text = page.read().decode()
    assert not re.findall(r"(?:src|href)=\"https?://(?!127)[^\"]+\.(?:js|css|woff2?)", text)


def test_what_gradio_is_launched_with(app: Running) -> None:
    from workbench.app import launching

    said = launching(app.app.settings)
    assert said["show_error"] is False and said["strict_cors"] is True and said["share"] is False
    assert (said["state_session_capacity"], said["max_file_size"], said["allowed_paths"]) == (500, "200mb", [])
    demo = app.app.demo
    assert demo.analytics_enabled is False and demo._queue.max_size is None and demo.api_open is False
    assert not list(Path(__file__).parents[2].joinpath("workbench").rglob("*.pyi"))


def test_stop_tells_what_runs_and_takes_back_what_waits(app: Running) -> None:
    demo, stop = app.app.demo, app.desk.form.stop
    deps = [fn for fn in demo.fns.values() if any(target == (stop._id, "click") for target in fn.targets)]
    assert deps[0].fn is not None and deps[0].queue and not deps[0].cancels
    ours = [fn for fn in demo.fns.values() if getattr(fn.fn, "__name__", "") != "show"]  # that of the blind vote
    looks = {fn._id for fn in ours if fn.concurrency_id == "looks" and fn.targets}
    assert len(looks) == 1 + len(app.desk.form.slots) and set(deps[-1].cancels) == looks


def test_an_example_is_there_before_the_browser_knows_of_it(app: Running) -> None:
    app.desk.take("coin")(request("q"))
    found = facts(app.compare("q", None, {"classical": {}})[1], app.slot("classical"))
    assert "done" in found and "IoU" in found and app.desk.visits.get("q").prompt.texts == ("coin",)
    path = app.desk.visits.get("q").path
    assert app.slot("classical").facts not in app.desk.received(request("q"), path), "what was found stays"
