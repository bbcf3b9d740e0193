"""From a picture to results in Chromium: what is pressed, what comes of it, and how it can be looked at."""

from __future__ import annotations

import cv2
import pytest
from playwright.sync_api import expect

from tests.browser.screen import QUIET, Screen
from tests.workbench.apps import Running
from workbench.examples import NAMES

pytestmark = QUIET
VIEWS = {"Mask": "Mask by classical", "Cut-out": "Cut-out by classical", "Soft map": "Soft map by classical",
         "Error map": "Error map by classical", "Overlay": "Overlay by classical"}  # fmt: skip


@pytest.fixture
def coin(screen: Screen) -> Screen:
    """One coin, and what the classical pipeline found."""
    screen.choose("classical")
    screen.example("coin")
    screen.compare()
    return screen


def test_two_clicks_to_a_result(screen: Screen) -> None:
    screen.example("coin")
    screen.page.click("#run")
    expect(screen.facts("classical")).to_contain_text("IoU")
    expect(screen.picture("classical")).to_be_in_viewport()
    assert screen.pixels("classical").std() > 10, "a picture, and no empty one"


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_taken_with_its_mask_and_its_text(screen: Screen, name: str) -> None:
    screen.choose("acting")
    screen.example(name)
    expect(screen.status).to_contain_text("pixels. Press Compare.")
    expect(screen.page.get_by_label("Labels, one a line")).not_to_be_empty()
    screen.compare()
    expect(screen.facts("acting")).to_contain_text("Boundary IoU")


def test_every_view_and_what_it_shows(coin: Screen) -> None:
    shown = {"Overlay": coin.pixels("classical")}
    for view, words in VIEWS.items():
        coin.page.get_by_role("radio", name=view).check()
        expect(coin.picture("classical")).to_have_attribute("alt", coin.starts(words))
        shown[view] = coin.pixels("classical")
    assert set(shown["Mask"].ravel().tolist()) == {0, 255}
    assert len({picture.tobytes() for picture in shown.values()}) == 5, "five views, five pictures"
    expect(coin.facts("classical")).to_contain_text("found")


def test_what_lies_behind_a_cut_out(coin: Screen) -> None:
    coin.page.get_by_role("radio", name="Cut-out").check()
    expect(coin.picture("classical")).to_have_attribute("alt", coin.starts("Cut-out"))
    assert {tuple(coin.pixels("classical")[0, column]) for column in (0, 4)} == {(204,) * 3, (255,) * 3}
    coin.changed("classical", lambda: coin.pick("Behind a cut-out", "White"))
    assert coin.pixels("classical")[0, 0].tolist() == [255, 255, 255]
    coin.changed("classical", lambda: coin.pick("Behind a cut-out", "Orange"))
    assert coin.pixels("classical")[0, 0].tolist() == [230, 159, 0]
    ground = coin.page.get_by_label("Behind a cut-out")
    ground.fill("#102030")
    coin.changed("classical", lambda: ground.press("Enter"))
    assert coin.pixels("classical")[0, 0].tolist() == [16, 32, 48]


def test_opacity_and_wipe_move_by_keyboard(coin: Screen) -> None:
    before = coin.pixels("classical")
    opacity = coin.page.get_by_label("range slider for Opacity of the colour")
    coin.changed("classical", lambda: opacity.press("Home"))
    expect(coin.page.get_by_label("number input for Opacity of the colour")).to_have_value("0")
    plain = coin.pixels("classical")
    assert (plain != before).any(axis=2).mean() > 0.1, "the colour is gone, the outline is left"
    wipe = coin.page.get_by_label("range slider for Wipe to the picture, from the left")
    coin.changed("classical", lambda: wipe.press("End"))
    expect(coin.picture("classical")).to_have_attribute("alt", coin.ends("left 100% the picture itself"))


def test_a_quick_knob_acts_at_once_and_nobody_looks_again(app: Running, screen: Screen) -> None:
    screen.choose("acting")
    screen.example("coin")
    screen.compare()
    looked = screen.fact("acting", "Look")
    card = screen.card("acting")
    screen.unfold("Knobs that act at once", card)
    before = screen.fact("acting", "Found")
    screen.changed("acting", lambda: card.get_by_label("range slider for threshold").press("End"))
    assert screen.fact("acting", "Found").startswith("0, 0.0%") and not before.startswith("0,")
    assert screen.fact("acting", "Look") == looked, "the look is the one of before"
    download = screen.saved(card.get_by_role("button", name="Save mask.png"))
    assert not cv2.imread(str(download.path()), cv2.IMREAD_UNCHANGED).any()


def test_a_slow_knob_asks_to_run_again_and_that_does(screen: Screen) -> None:
    screen.choose("acting")
    screen.example("coin")
    screen.compare()
    card = screen.card("acting")
    before = screen.fact("acting", "Found")
    screen.unfold("Knobs that need a new run", card)
    card.get_by_label("range slider for gain").press("Home")
    expect(card).to_contain_text("Changed: press “Run this one again”")
    assert screen.fact("acting", "Found") == before, "nothing is changed before it ran again"
    screen.compare(card.get_by_role("button", name="Run this one again"))
    expect(screen.facts("acting")).to_contain_text("0, 0.0% of the picture")
    expect(card).not_to_contain_text("Changed: press")


def test_a_preset_brings_its_values_and_runs_by_its_name(screen: Screen) -> None:
    screen.choose("classical")
    screen.example("coin")
    screen.compare()
    screen.unfold("Knobs that act at once", screen.card("classical"))
    screen.pick("Preset of Classical (no network)", "preset: coin-seed")
    expect(screen.card("classical")).to_contain_text("Changed: press “Run this one again”")
    screen.compare()
    expect(screen.picture("classical")).to_have_attribute("alt", screen.starts("Overlay by classical@coin-seed"))
    knob = screen.card("classical").get_by_role("slider").first
    moved = knob.input_value()
    screen.changed("classical", lambda: knob.press("Home"))
    assert knob.input_value() != moved
    screen.page.get_by_label("Preset of Classical (no network)").focus()
    screen.page.keyboard.press("Tab")
    screen.changed("classical", lambda: knob.press("ArrowRight"))
    assert float(knob.input_value()) < float(moved), "a list that is left brings nothing back"


def test_one_that_fails_takes_no_other_along(screen: Screen) -> None:
    screen.choose("acting", "classical")
    screen.example("coin")
    screen.unfold("Knobs that need a new run", screen.card("acting"))
    screen.pick("act", "raise", screen.card("acting"))
    screen.compare()
    expect(screen.facts("acting")).to_contain_text("the bulb is broken")
    expect(screen.facts("classical")).to_contain_text("done")
    expect(screen.status).to_contain_text("Without a result: acting.")
    screen.pick("size", "none", screen.card("acting"))
    screen.compare(screen.card("acting").get_by_role("button", name="Run this one again"))
    expect(screen.facts("acting")).to_contain_text("cannot run")
    expect(screen.facts("acting")).to_contain_text("There is no checkpoint of that size. Take another.")


def test_one_that_cannot_run_here_says_why(screen: Screen) -> None:
    choice = screen.page.locator(".choice", has_text="SAM 3")
    expect(choice.get_by_role("checkbox")).to_be_disabled()
    choice.get_by_text("Cannot run here").click()
    expect(choice).to_contain_text("facebook/sam3")


def test_stop_ends_what_hangs_and_another_run_works(screen: Screen) -> None:
    screen.choose("acting")
    screen.example("coin")
    screen.unfold("Knobs that need a new run", screen.card("acting"))
    screen.pick("act", "hang", screen.card("acting"))
    screen.page.click("#run")
    expect(screen.status).to_contain_text("0 of 1 done")
    screen.page.click("#stop")
    expect(screen.facts("acting")).to_contain_text("called off", timeout=3000)
    screen.pick("act", "well", screen.card("acting"))
    screen.compare()
    expect(screen.facts("acting")).to_contain_text("done")


def test_where_two_pipelines_agree(screen: Screen) -> None:
    screen.choose("acting", "classical")
    screen.example("coins")
    screen.compare()
    screen.unfold("Where they agree")
    expect(screen.page.get_by_text("All agree on")).to_be_visible()
    expect(screen.page.get_by_alt_text("How many of 2 pipelines found each pixel")).to_be_visible()


def test_a_link_opens_an_example(screen: Screen) -> None:
    screen.open("?example=coins&pipelines=acting&prompt=penny,dime")
    expect(screen.page.get_by_label("Labels, one a line")).to_have_value("penny\ndime")
    expect(screen.page.locator("#choose-acting input")).to_be_checked()
    expect(screen.page.locator("#choose-classical input")).not_to_be_checked()
    screen.compare()
    expect(screen.facts("acting")).to_contain_text("IoU")
    screen.open("?example=../../etc/passwd")
    screen.said("There is no example")
