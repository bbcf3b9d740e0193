"""Pictures of the app in the states that matter: ``python docs/measurements/app_pictures.py FOLDER [WEIGHTS]``.

Debian's Chromium, 1280 and 375 pixels wide, light and dark. Without weights the classical pipeline alone can run, and
that is what the pictures of the README show. WEIGHTS is a folder of weights, or ``random``.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.export.originals import png
from tests.browser.screen import Screen
from workbench.examples import examples
from workbench.settings import Settings, prepare

WIDTHS, THEMES = (1280, 375), ("light", "dark")
HEIGHT, WAIT_MS = 1000, 60_000.0
NO_PICTURE = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no picture"}


def fresh(page: Page) -> None:
    expect(page.locator("#run")).to_be_enabled()


def result(page: Page) -> None:
    page.click("#example-gravel")
    expect(page.locator("#status")).to_contain_text("pixels. Press")
    page.click("#run")
    expect(page.locator("#status")).to_contain_text(re.compile(r"All \d+ done\."))
    page.locator("#result-classical img").evaluate("picture => picture.decode()")


def knobs(page: Page) -> None:
    page.get_by_role("button", name="Knobs that act at once").first.click()
    expect(page.get_by_label("range slider for threshold").first).to_be_visible()


def errors(page: Page) -> None:
    page.get_by_role("radio", name="Error map").check()
    expect(page.locator("#facts-classical")).to_contain_text("wrong: found, but not there")


def cut_out(page: Page) -> None:
    page.get_by_role("radio", name="Cut-out").check()
    expect(page.get_by_alt_text("Cut-out by classical")).to_be_visible()


def refused(page: Page) -> None:
    page.get_by_role("button", name="Remove Image").first.click()
    page.locator("#picture input[type=file]").set_input_files(NO_PICTURE)
    expect(page.get_by_test_id("toast-text")).to_be_visible()


def tab(page: Page, name: str) -> None:
    Screen(page, page.url).tab(name)


def vote(page: Page) -> None:
    tab(page, "Blind vote")
    page.click("#vote-example-brick")  # results of which were not seen with names
    expect(page.locator("#vote-status")).to_contain_text("pixels. Press")
    page.click("#vote-show")
    few = page.locator("#vote-status").get_by_text("Fewer than two have a result.")  # without weights
    expect(page.locator("#vote-a img").or_(few)).to_be_visible()
    for side in page.locator("#vote-two img").all():
        Screen(page, page.url).wait_until_still(side)


def batch(page: Page) -> None:
    tab(page, "Batch")
    pictures = [{"name": f"{name}.png", "mimeType": "image/png", "buffer": png(one.sample.image)}
                for name, one in examples().items()]  # fmt: skip
    page.locator("#batch-files input[type=file]").set_input_files([NO_PICTURE, *pictures])
    expect(page.locator("#batch-files")).to_contain_text("gravel")
    page.click("#batch-start")
    expect(page.locator("#batch-status")).to_contain_text("All done.")
    Screen(page, page.url).wait_until_still(page.locator("#batch-sheet img"))


def dataset(page: Page) -> None:
    tab(page, "Dataset")
    page.click("#dataset-profile")
    expect(page.locator("#dataset-summary .headline")).to_be_visible()
    page.click("#dataset-start")
    expect(page.locator("#dataset-rows tbody")).to_be_visible()


def leaderboard(page: Page) -> None:
    tab(page, "Leaderboard")
    page.get_by_role("combobox", name="Images").click()
    page.get_by_role("option", name="31 images").click()  # of the runs that come with the package
    expect(page.locator("#board-table")).to_contain_text("classical@default")
    expect(page.locator("#board-answer")).to_contain_text("Ship")
    page.locator("#board-table .row-name").first.click()
    Screen(page, page.url).wait_until_still(page.locator("#board-near article img").first)
    page.get_by_role("button", name="Compare the two").click()
    expect(page.locator("#board-pair table").first).to_be_visible()


def about(page: Page) -> None:
    tab(page, "About")
    expect(page.get_by_role("heading", name="Versions")).to_be_visible()


STATES: tuple[Callable[[Page], None], ...] = (
    fresh, result, knobs, errors, cut_out, refused, vote, batch, dataset, leaderboard, about
)  # fmt: skip
"""One after another on one page."""


def take(page: Page, out: Path, name: str) -> Iterator[Path]:
    """A picture of each state, the whole page and what is seen of it."""
    for state in STATES:
        state(page)
        page.wait_for_timeout(600)  # until what fades has faded
        page.screenshot(path=out / f"{name}-{state.__name__}.png", full_page=True)
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=out / f"{name}-{state.__name__}-top.png")
        yield out / f"{name}-{state.__name__}.png"


def main(out: Path, weights: str | None) -> None:
    """Take all."""
    prepare()
    from workbench.app import build

    out.mkdir(parents=True, exist_ok=True)
    app = build(Settings(port=0, device="cpu", weights=weights))
    try:
        url = app.open()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            for width, theme in ((width, theme) for width in WIDTHS for theme in THEMES):
                page = browser.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme=theme)
                page.set_default_timeout(WAIT_MS)
                expect.set_options(timeout=WAIT_MS)
                page.goto(url)
                for path in take(page, out, f"{width}-{theme}"):
                    print(path)
            browser.close()
    finally:
        app.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
