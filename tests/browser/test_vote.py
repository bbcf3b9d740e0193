"""The blind vote in Chromium: two results without names, a vote, the names, and what is told of all votes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from benchmarks.export.originals import png
from tests.browser.conftest import looks, opened
from tests.browser.screen import LOAD_MS, QUIET, Screen
from tests.workbench.apps import Running, running

pytestmark = QUIET
NAMES = re.compile("classical|acting", re.IGNORECASE)


@pytest.fixture(scope="module")
def polls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The app with a folder of votes of its own, which it gives out."""
    folder = tmp_path_factory.mktemp("votes")
    with running(folder, kept=str(folder / "kept"), give_votes=True) as found:
        yield found


@pytest.fixture
def screen(context: BrowserContext, polls: Running) -> Iterator[Screen]:
    """The tab, open in a page of its own; all are of one visitor, so that each test takes another picture."""
    for found in opened(context, polls):
        found.tab("Blind vote")
        yield found


def part(screen: Screen, name: str) -> Locator:
    return screen.page.locator(f"#vote-{name}")


def ready(screen: Screen, name: str) -> None:
    """An example is taken."""
    part(screen, f"example-{name}").click()
    expect(part(screen, "status")).to_contain_text("pixels. Press")


def two(screen: Screen) -> None:
    """Both results are there."""
    part(screen, "show").click()
    for side in ("a", "b"):
        expect(part(screen, side).locator("img")).to_be_visible(timeout=LOAD_MS)
    expect(part(screen, "left")).to_be_enabled()


def test_the_names_come_after_the_vote_and_the_table_and_the_files_with_them(screen: Screen, polls: Running) -> None:
    ready(screen, "coin")
    two(screen)
    html = part(screen, "two").evaluate("two => two.outerHTML")
    assert not NAMES.search(html), "nothing in the page names them"
    sources = [part(screen, side).locator("img").get_attribute("src") for side in ("a", "b")]
    assert all(re.search(r"/[0-9a-f]{32}/[0-9a-f]{8}\.png$", str(source)) for source in sources)
    part(screen, "left").click()
    told = part(screen, "told")
    expect(told).to_contain_text("Your vote: A is better. It is written down and counts.", timeout=LOAD_MS)
    expect(told.locator("table")).to_contain_text("IoU")
    assert {"classical", "acting"} <= {name.lower() for name in NAMES.findall(told.inner_text())}
    for name in ("left", "tie", "bad", "right", "names"):
        expect(part(screen, name)).to_be_disabled()
    head = part(screen, "board").locator("th").all_inner_texts()
    assert head[-1] == "IoU" and head[:2] == ["Rank", "Who"]
    expect(part(screen, "board").locator("tbody tr")).to_have_count(2)
    part(screen, "files").click()
    kept = (polls.app.settings.votes / "votes.jsonl").read_bytes()
    saved = screen.saved(part(screen, "jsonl"))
    assert saved.suggested_filename == "votes.jsonl" and Path(saved.path()).read_bytes() == kept
    table = Path(screen.saved(part(screen, "csv")).path()).read_text().splitlines()
    assert len(table) == 1 + len(kept.splitlines()) and table[0].startswith("id,time,visitor,picture")


def test_an_own_picture_its_views_and_no_second_vote_after_a_reload(
    screen: Screen, polls: Running, tmp_path: Path
) -> None:
    image = np.full((60, 80, 3), 51, np.uint8)
    image[:, :40] = 110  # too dark for the one of them
    (tmp_path / "holiday.png").write_bytes(png(image))
    screen.upload("vote-picture", tmp_path / "holiday.png")
    expect(part(screen, "status")).to_contain_text("80 × 60 pixels")
    two(screen)
    for view in ("Mask", "Cut-out"):
        screen.page.get_by_role("radio", name=view).check()
        expect(part(screen, "a").locator("img")).to_have_attribute("alt", screen.starts(f"Result A, {view.lower()}:"))
        expect(part(screen, "b").locator("img")).to_have_attribute("alt", screen.starts(f"Result B, {view.lower()}:"))
    part(screen, "bad").click()
    expect(part(screen, "told")).to_contain_text("Your vote: both bad", timeout=LOAD_MS)
    kept = [json.loads(line) for line in (polls.app.settings.votes / "votes.jsonl").read_text().splitlines()]
    assert kept[-1]["choice"] == "both_bad" and kept[-1]["name"] == "own picture"
    assert "holiday" not in json.dumps(kept)
    screen.open()
    screen.tab("Blind vote")
    screen.upload("vote-picture", tmp_path / "holiday.png")
    expect(part(screen, "status")).to_contain_text("80 × 60 pixels")
    part(screen, "show").click()
    expect(part(screen, "status")).to_contain_text("with their names: acting, classical", timeout=LOAD_MS)
    expect(part(screen, "two")).to_be_hidden()
    screen.said("Take another picture")


def test_a_vote_by_keyboard_alone(screen: Screen) -> None:
    keyboard = screen.page.keyboard
    for name in ("example-gravel", "show"):
        screen.reach(part(screen, name))
        keyboard.press("Enter")
        if name != "show":
            expect(part(screen, "status")).to_contain_text("pixels. Press")
    expect(part(screen, "tie")).to_be_enabled(timeout=LOAD_MS)
    screen.reach(part(screen, "tie"))
    keyboard.press("Enter")
    expect(part(screen, "told").get_by_role("status")).to_contain_text("as good as each other", timeout=LOAD_MS)


def test_names_without_a_vote_and_names_from_compare(screen: Screen) -> None:
    ready(screen, "brick")
    two(screen)
    part(screen, "names").click()
    expect(part(screen, "told")).to_contain_text("There is no vote on these two", timeout=LOAD_MS)
    expect(part(screen, "right")).to_be_disabled()
    screen.tab("Compare")
    screen.choose("acting")
    screen.example("coins")
    screen.compare()
    screen.tab("Blind vote")
    part(screen, "take").click()
    expect(part(screen, "status")).to_contain_text("384 × 303 pixels")
    part(screen, "show").click()
    expect(part(screen, "status")).to_contain_text("with their names: acting", timeout=LOAD_MS)


def test_axe_finds_no_barrier_by_day_and_night_on_a_desk_and_a_telephone(screen: Screen) -> None:
    screen.page.get_by_role("button", name="Who takes part").click()
    ready(screen, "coins")
    two(screen)
    found = {f"two, {look}": (screen.barriers(), screen.overflow()) for look in looks(screen.page)}
    part(screen, "tie").click()
    expect(part(screen, "told")).to_contain_text("counts", timeout=LOAD_MS)
    found |= {f"told, {look}": (screen.barriers(), screen.overflow()) for look in looks(screen.page)}
    assert len(found) == 8 and {look: said for look, said in found.items() if said[0] or said[1] > 0} == {}
