"""The tab Dataset in Chromium: a ZIP, its verdict, what is left out, a benchmark, and all of it again by the link."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.screen import QUIET, Screen
from tests.conftest import photographed
from tests.workbench.apps import Running, running
from workbench.studies.study import Wanted

pytestmark = QUIET
LONG_MS = 120_000.0


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The app with a folder of this machine."""
    folder = tmp_path_factory.mktemp("dataset")
    photographed(folder / "discs")
    with running(folder, kept=str(folder / "kept"), data=(str(folder / "discs"),)) as found:
        yield found


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Six pictures with masks, one of them cut off."""
    folder = photographed(tmp_path / "my discs")
    cut = folder / "images" / "p3.png"
    cut.write_bytes(cut.read_bytes()[:300])
    return Path(shutil.make_archive(str(tmp_path / "discs"), "zip", tmp_path, "my discs"))


def give(screen: Screen, path: Path) -> None:
    screen.tab("Dataset")
    screen.page.get_by_label("My own, as a ZIP").check()
    screen.page.locator("#dataset-file input[type=file]").set_input_files(path)
    expect(screen.page.locator("#dataset-file")).to_contain_text(path.name)


def judge(screen: Screen) -> None:
    screen.page.click("#dataset-profile")
    expect(screen.page.locator("#dataset-state")).to_contain_text("is done", timeout=LONG_MS)
    expect(screen.page.locator("#dataset-summary .headline")).to_be_visible()


@pytest.fixture(scope="module")
def number(app: Running) -> str:
    """Of a study with a profile and rows."""
    studies = app.app.dataset.studies
    found = studies.begin("somebody", "discs")
    for begin in (studies.profile, lambda one: studies.benchmark(one, Wanted(pipelines=("acting",), budget_s=1))):
        begin(found)
        found.thread.join(LONG_MS / 1e3)
    return str(found.number)


def measure(screen: Screen) -> None:
    screen.page.click("#dataset-start")
    expect(screen.page.locator("#dataset-run-state")).to_contain_text("benchmark is done", timeout=LONG_MS)


def test_a_zip_is_judged_and_its_report_is_shown_and_saved(screen: Screen, packed: Path) -> None:
    give(screen, packed)
    judge(screen)
    page = screen.page
    expect(page.locator("#dataset-summary .value")).to_have_count(5)
    expect(page.locator("#dataset-summary")).to_contain_text("Unreadable files")
    expect(page.get_by_role("checkbox", name=re.compile("p3 — Unreadable files"))).to_be_checked()
    page.click("#dataset-show")
    report = page.frame_locator("#dataset-viewer iframe")
    expect(report.get_by_role("heading", name="Dataset profile: my discs")).to_be_visible()
    report.get_by_role("link", name="Method", exact=True).click()
    expect(report.get_by_role("heading", name="Method and limits")).to_be_in_viewport()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the report (HTML)").click()
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("<!doctype html>")
    page.click("#dataset-show")
    expect(page.locator("#dataset-viewer iframe")).to_have_count(0)


def test_what_is_ticked_is_left_out_of_the_benchmark_and_a_reload_shows_all_again(
    app: Running, context: BrowserContext, number: str
) -> None:
    screen = Screen.of(context, app.url)
    screen.open(f"?from=elsewhere&study={number}")
    page = screen.page
    expect(page.locator("#dataset-rows tbody tr")).to_have_count(1)
    expect(page.locator("#dataset-link").locator("input, textarea")).to_have_value(f"{app.url}?study={number}")
    expect(page.locator("#dataset-list")).to_contain_text("0 of 6 images are left out")
    page.locator("#dataset-suspects input").first.check()
    expect(page.locator("#dataset-list")).to_contain_text("1 of 6 images are left out")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the list to leave out").click()
    listed = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert len([line for line in listed if not line.startswith("#")]) == 1
    measure(screen)
    expect(page.locator("#dataset-rows caption")).to_contain_text("discs: 5 images")
    expect(page.locator("#dataset-board")).to_be_visible()
    rows = page.locator("#dataset-rows tbody").inner_text()
    page.reload()
    expect(page.locator("#dataset-rows tbody")).to_be_visible(timeout=LONG_MS)
    assert page.locator("#dataset-rows tbody").inner_text() == rows
    expect(page.locator("#dataset-list")).to_contain_text("1 of 6 images are left out")


def test_a_page_whose_heartbeat_was_lost_goes_on(app: Running, context: BrowserContext, number: str) -> None:
    screen, visitors = Screen.of(context, app.url), app.app.dataset.studies.visitors
    screen.open(f"?study={number}")
    page = screen.page
    expect(page.locator("#dataset-rows tbody tr")).to_have_count(1)
    visitors.clear()
    page.click("#dataset-start")
    expect(page.locator("#dataset-run-state")).to_contain_text("benchmark", timeout=LONG_MS)
    visitors.clear()
    expect(page.locator("#dataset-run-state")).to_contain_text("benchmark is done", timeout=LONG_MS)
    expect(page.locator("#dataset-rows tbody tr")).to_have_count(1)


def test_a_zip_with_nothing_in_it_is_refused_in_words(screen: Screen, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("no picture")
    give(screen, Path(shutil.make_archive(str(tmp_path / "notes"), "zip", tmp_path / "notes")))
    screen.page.click("#dataset-profile")
    screen.said("There is no picture in the ZIP. Send one ZIP of a folder with images/ and masks/")
    assert not screen.page.locator("#dataset-found").is_visible() and "study=" not in screen.page.url


def test_nobody_opens_a_study_by_guessing(app: Running, context: BrowserContext) -> None:
    screen = Screen.of(context, app.url)
    screen.open(f"?study={'0' * 32}")
    screen.said("There is no study of that number")
    assert not screen.page.locator("#dataset-found").is_visible()
    screen.page.close()
    assert screen.troubles == []


def test_by_keyboard_alone(screen: Screen) -> None:
    page, keyboard = screen.page, screen.page.keyboard
    screen.tab("Dataset")
    screen.reach(page.get_by_label("discs", exact=True))
    keyboard.press("Space")
    expect(page.get_by_label("discs", exact=True)).to_be_checked()
    screen.reach(page.locator("#dataset-profile"))
    keyboard.press("Enter")
    expect(page.locator("#dataset-state")).to_contain_text("is done", timeout=LONG_MS)
    screen.reach(page.locator("#dataset-suspects input").first)
    keyboard.press("Space")
    expect(page.locator("#dataset-suspects input").first).not_to_be_checked()
    screen.reach(page.locator("#dataset-start"))
    keyboard.press("Enter")
    expect(page.locator("#dataset-run-state")).to_contain_text("benchmark", timeout=LONG_MS)
    screen.reach(page.locator("#dataset-halt"))
    keyboard.press("Enter")
    expect(page.locator("#dataset-run-state")).to_contain_text("start it again")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_barrier_and_nothing_is_wider_than_the_window(
    app: Running, context: BrowserContext, number: str, theme: Literal["light", "dark"]
) -> None:
    screen = Screen.of(context, app.url)
    page = screen.page
    page.emulate_media(color_scheme=theme)
    screen.open(f"?study={number}")
    expect(page.locator("#dataset-rows tbody")).to_be_visible(timeout=LONG_MS)
    page.get_by_label("My own, as a ZIP").check()
    page.click("#dataset-show")
    expect(page.frame_locator("#dataset-viewer iframe").locator("h1")).to_be_visible()
    page.get_by_text("All that the command says").click()
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert screen.barriers() == [] and screen.overflow() <= 0, width
    page.close()
    assert screen.troubles == []
