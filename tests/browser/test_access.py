"""The app in Chromium for everybody: by keyboard alone, read aloud, in light and dark, on a desk and on a telephone."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.screen import QUIET, Screen
from tests.workbench.apps import Running

pytestmark = QUIET
LOOKS = [(theme, width) for theme in ("light", "dark") for width in (375, 1280)]
VIEWS = ("Mask", "Cut-out", "Soft map", "Error map", "Overlay")


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def themed(request: pytest.FixtureRequest, chromium: Browser, app: Running) -> Iterator[Screen]:
    """The app in a theme and a width."""
    theme, width = request.param
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
    screen = Screen.of(context, app.url)
    screen.open()
    yield screen
    context.close()
    assert screen.troubles == []


def test_axe_finds_no_barrier_and_nothing_is_wider_than_the_window(themed: Screen) -> None:
    found = {"fresh": themed.barriers()}
    themed.choose("classical", "acting")
    for title in ("Point at things (for SAM)", "I know the true mask", "Where they agree"):
        themed.unfold(title)
    themed.unfold("Knobs that need a new run", themed.card("acting"))
    themed.pick("act", "raise", themed.card("acting"))
    themed.example("coin")
    themed.compare()
    themed.unfold("Knobs that act at once", themed.card("classical"))
    themed.unfold("Knobs that need a new run", themed.card("classical"))
    for view in VIEWS:
        themed.changed("classical", lambda view=view: themed.page.get_by_role("radio", name=view).check())
        assert themed.overflow() <= 0, view
    themed.page.get_by_label("Points and boxes").fill("circle 1 2")
    themed.page.click("#run")
    themed.said("is no point and no box")
    found["all unfolded, and a notice"] = themed.barriers()
    themed.tab("About")
    expect(themed.page.get_by_role("heading", name="Versions")).to_be_visible()
    found["about"] = themed.barriers()
    assert themed.overflow() <= 0
    assert found == {view: [] for view in found}


def test_from_an_example_to_a_file_by_keyboard_alone(screen: Screen) -> None:
    page, keyboard = screen.page, screen.page.keyboard
    screen.reach(page.locator("#example-coin"))
    keyboard.press("Enter")
    expect(screen.status).to_contain_text("Press Compare.")
    screen.reach(page.locator("#choose-acting input"))
    keyboard.press("Space")
    screen.reach(page.locator("#run"))
    keyboard.press("Enter")
    expect(screen.status).to_contain_text("All 1 done.")
    screen.reach(page.get_by_role("radio", name="Mask"))
    screen.changed("classical", lambda: keyboard.press("Space"))
    assert set(screen.pixels("classical").ravel().tolist()) == {0, 255}
    keyboard.press("Shift+Tab")
    screen.changed("classical", lambda: keyboard.press("Space"))
    screen.reach(page.get_by_label("range slider for Opacity of the colour"))
    screen.changed("classical", lambda: keyboard.press("ArrowLeft"))
    card = screen.card("classical")
    screen.reach(card.get_by_role("button", name="Knobs that act at once"))
    keyboard.press("Enter")
    screen.reach(card.get_by_label("range slider for threshold"))
    found = screen.fact("classical", "Found")
    screen.changed("classical", lambda: keyboard.press("End"))
    assert screen.fact("classical", "Found") != found
    screen.reach(card.get_by_label("Download"))
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    save = card.get_by_role("button", name="Save cut_out.png")
    expect(save).to_be_enabled()
    screen.reach(save)
    with page.expect_download() as download:
        keyboard.press("Enter")
    assert cv2.imread(str(download.value.path()), cv2.IMREAD_UNCHANGED).shape == (192, 192, 4)


def test_what_a_screen_reader_is_told(screen: Screen) -> None:
    page = screen.page
    status = screen.status.element_handle()
    screen.choose("classical", "acting")
    screen.example("coin")
    screen.compare()
    assert status.evaluate("status => status.isConnected"), "one live region all the time, whose text changes"
    assert all(page.locator("main img").evaluate_all("pictures => pictures.map(one => one.alt.length > 9)"))
    expect(screen.picture("classical")).to_have_attribute("alt", "Overlay by classical: 1 found, 24.5% of the picture")
    titles = page.locator("main h1, main h2, main h3").all_inner_texts()
    assert titles == ["Segmentation workbench", "1 · Your picture", "2 · What to look for", "3 · Pipelines",
                      "Classical (no network)", "Acting"]  # fmt: skip
    terms = screen.facts("classical").locator(".facts").first.locator("dt").all_inner_texts()
    assert terms[:3] == ["Found", "IoU", "Dice"] and terms[-4:] == ["Load", "Look", "Decision", "Device"]
