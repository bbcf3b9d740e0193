"""Knobs as controls of a form, and what goes with them: visits, points, files and times."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Thread

import gradio as gr
import numpy as np
import pytest

from benchmarks.datasets.sample import Truth
from pipelines.errors import PromptError, UsageError
from pipelines.params import knobs, make_params
from pipelines.presets import preset
from pipelines.registry import names, pipeline_class
from workbench.catalogue import Offer, Place, offers
from workbench.files.shelf import LONGEST_SIDE, Shelf, fitted
from workbench.given.pointing import MODES, clicked, prompt_of
from workbench.tabs.controls import Picture, control, fields, step_of, values_of
from workbench.visitors import Presence, Visit, Visits

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
ALL = [(name, knob) for name in names() for knob in knobs(pipeline_class(name).Params)]


@pytest.mark.parametrize(("name", "knob"), ALL, ids=lambda value: getattr(value, "name", value))
def test_every_knob_has_a_control_that_can_stand_on_its_default(name: str, knob: object) -> None:
    (found,) = [one for one in knobs(pipeline_class(name).Params) if one is knob]
    made = control(found, [])
    assert made.label and made.info == found.help and made.value == found.default  # type: ignore[attr-defined]
    if isinstance(made, gr.Slider):
        steps = (found.default - made.minimum) / made.step
        assert abs(steps - round(steps)) < 1e-6, "a browser would move it to the grid"
        assert (made.minimum, made.maximum) == (found.low, found.high)


def test_a_slider_can_stand_on_what_presets_say() -> None:
    (threshold,) = [knob for knob in knobs(pipeline_class("clipseg").Params) if knob.name == "threshold"]
    assert step_of(threshold, []) == 0.01
    assert step_of(threshold, [0.3815]) == 0.0005


def test_a_form_that_nobody_touched_asks_for_nothing_but_the_preset() -> None:
    for offer in offers(Place(device="cpu")):
        for name in offer.presets if offer.knobs else ():
            values = values_of(offer, name)
            assert fields(offer, name, [values[knob.name] for knob in offer.knobs]) == {}


def test_values_of_a_form_are_those_of_the_parameters() -> None:
    (offer,) = [one for one in offers(Place(device="cpu")) if one.name == "classical"]
    given = [9.0 if knob.name == "mask_kernel" else None if knob.name == "guided_eps" else knob.default
             for knob in offer.knobs]  # fmt: skip
    told = fields(offer, "default", given)
    assert told == {"mask_kernel": 9} and isinstance(told["mask_kernel"], int)
    kind = pipeline_class("classical")
    assert make_params(kind.Params, {**preset(kind)[0].model_dump(), **told})


def test_a_pipeline_that_cannot_be_imported_has_no_knobs_to_ask() -> None:
    assert Offer("broken", "Broken", reason="It cannot be imported. Install it.").knobs == ()


def test_a_picture_is_never_opened_by_gradio(tmp_path: Path) -> None:
    class Data:
        path = str(tmp_path / "no picture at all.exe")

    made = Picture(type="filepath", image_mode=None)
    assert made.preprocess(Data()) == Data.path and made.preprocess(None) is None
    assert made.get_block_name() == "image" and isinstance(made, gr.Image)


def test_labels_points_and_boxes_are_read_from_lines() -> None:
    asked = prompt_of(" coin \n\nleaf\n", "point 1 2\nNOT 3, 4\n\nbox 5 6 7.5 8\nbox 1 1")
    assert asked.texts == ("coin", "leaf")
    assert asked.points == ((1, 2, 1), (3, 4, 0)) and asked.boxes == ((5, 6, 7.5, 8),)


@pytest.mark.parametrize("line", ["circle 1 2", "point 1", "point a b", "box 1 2 3", "point nan 2", "point 1e9 1", "7"])
def test_a_line_that_says_nothing_of_the_kind_is_refused(line: str) -> None:
    with pytest.raises(PromptError, match="no point and no box"):
        prompt_of("", line)


def test_too_many_are_refused() -> None:
    with pytest.raises(PromptError, match="51 labels"):
        prompt_of("a\n" * 51, "")


def test_two_clicks_make_a_box_whichever_corner_comes_first() -> None:
    first = clicked("point 1 1", MODES[2], 30, 5)
    assert first == "point 1 1\nbox 30 5"
    assert clicked(first, MODES[2], 10, 25) == "point 1 1\nbox 10 5 30 25"
    assert clicked("box 9 9", MODES[2], 9, 9) == "box 9 9 10 10"
    assert clicked("", MODES[1], 3, 4) == "not 3 4"


def visit(side: int = 10) -> Visit:
    return Visit("p", "p.png", np.zeros((side, side, 3), np.uint8))


def test_visits_stay_within_their_room_and_the_one_in_use_stays() -> None:
    gone: list[str] = []
    visits = Visits(700 / 1e6, gone.append)
    held = {name: visits.begin(name, visit()) for name in "ab"}
    visits.get("a")
    visits.begin("c", visit())
    assert gone == ["b"] and held["b"].off.is_set() and not held["a"].off.is_set()
    visits.begin("huge", visit(100))
    assert list(visits.held) == ["huge"]
    with pytest.raises(UsageError, match="Give the picture again"):
        visits.get("a")


def test_the_true_masks_of_a_visit_take_room_too() -> None:
    held, mask = visit(), np.zeros((10, 10), np.bool_)
    held.truth = Truth({"a": mask, "b": mask}, mask)
    assert held.nbytes == visit().nbytes + 300


def test_of_two_pictures_that_begin_at_once_one_is_called_off() -> None:
    ready, begun = Barrier(8), list[Visit]()
    visits = Visits(1, lambda visitor: None)

    def begin() -> None:
        one = visit()
        ready.wait()
        begun.append(visits.begin("a", one))

    for _ in range(30):
        threads = [Thread(target=begin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [one for one in begun if not one.off.is_set()] == [visits.get("a")]


def test_a_visitor_is_told_what_was_dropped_until_there_is_another_picture() -> None:
    visits = Visits(1, lambda visitor: None, most=1)
    for name in "ab":
        visits.begin(name, visit())
    assert visits.was_dropped("a") and not visits.was_dropped("b")
    visits.begin("a", visit())
    visits.leave("a")
    assert not visits.was_dropped("a"), "who took it away knows"


def test_a_page_is_dropped_when_no_heartbeat_is_back_in_time() -> None:
    time_s, stopped, dropped = [0.0], list[str](), list[str]()
    presence = Presence(stopped.append, dropped.append, 60, lambda: time_s[0])
    for page in ("back", "gone", "twice", "twice"):
        presence.come(page)
    for page in ("back", "gone", "twice"):
        presence.go(page)
    assert stopped == ["back", "gone"], "of the other there is a second one"
    time_s[0] = 59
    presence.sweep()
    presence.come("back")
    time_s[0] = 61
    presence.sweep()
    assert dropped == ["gone"] and not presence.away


def test_no_more_visits_than_may_be() -> None:
    gone: list[str] = []
    visits = Visits(1, gone.append, most=2)
    for name in "abc":
        visits.begin(name, visit())
    assert gone == ["a"] and list(visits.held) == ["b", "c"]


def test_files_lie_where_nobody_guesses_and_large_pictures_are_made_smaller_for_the_screen(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    paths = {shelf.put("a.png", b"1"), shelf.put("a.png", b"2")}
    assert len(paths) == 2 and all(len(Path(path).parent.name) == 32 for path in paths)
    assert fitted(np.zeros((100, 4000, 3), np.uint8)).shape == (40, LONGEST_SIDE, 3)
    small = np.zeros((5, 5, 3), np.uint8)
    assert fitted(small) is small
