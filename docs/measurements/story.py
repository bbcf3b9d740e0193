"""The five minutes that the README tells, driven in Chromium and timed: ``python docs/measurements/story.py FOLDER``.

A newcomer in an empty folder has a ZIP of photographs with masks: twelve of the embedded ones, under other names. The
app is started as the README says, and each step is done as a hand would do it; FOLDER gets a picture of each. Printed
are the seconds that the machine took until the step was there to be read; reading and choosing come on top.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from playwright.sync_api import Locator, Page, expect, sync_playwright

from benchmarks.datasets import open_dataset
from benchmarks.export.originals import png
from tests.browser.screen import Screen

PHOTOGRAPHS, WAIT_MS = 12, 180_000.0
SIZE = {"width": 1280, "height": 860}
Step = Callable[[Screen, Path], Locator]


def photographs(folder: Path) -> Path:
    """A ZIP as somebody has it: ``my photos/images`` and ``my photos/masks``."""
    own = folder / "my photos"
    for name in ("images", "masks"):
        (own / name).mkdir(parents=True)
    samples = list(open_dataset("coins"))
    for number, sample in enumerate(samples[:: len(samples) // PHOTOGRAPHS][:PHOTOGRAPHS]):
        (own / "images" / f"IMG_{4000 + number}.png").write_bytes(png(sample.image))
        cv2.imwrite(str(own / "masks" / f"IMG_{4000 + number}.png"), 255 * sample.truth().union().astype("uint8"))
    return Path(shutil.make_archive(str(folder / "my photos"), "zip", folder, "my photos"))


def profile(screen: Screen, own: Path) -> Locator:
    screen.tab("Dataset")
    screen.page.get_by_label("My own, as a ZIP").check()
    screen.upload("dataset-file", own)
    expect(screen.page.locator("#dataset-file")).to_contain_text(own.name)
    screen.page.click("#dataset-profile")
    expect(screen.page.locator("#dataset-state")).to_contain_text("is done")
    expect(screen.page.locator("#dataset-summary .headline")).to_be_visible()
    return screen.page.locator("#dataset-source")


def benchmark(screen: Screen, own: Path) -> Locator:
    screen.page.get_by_label("Classical (no network), preset coin-seed").check()
    screen.page.click("#dataset-start")
    expect(screen.page.locator("#dataset-run-state")).to_contain_text("benchmark is done")
    expect(screen.page.locator("#dataset-rows")).to_contain_text("classical@coin-seed")
    return screen.page.get_by_role("heading", name="2 · Try pipelines on it")


def leaderboard(screen: Screen, own: Path) -> Locator:
    screen.page.click("#dataset-board")
    expect(screen.page.locator("#board-table .row-name")).to_have_count(2)
    expect(screen.page.locator("#board-answer")).to_contain_text("Ship")
    return screen.page.locator("#board-images")


def limit(screen: Screen, own: Path) -> Locator:
    answer = screen.page.locator("#board-answer")
    before = answer.inner_text()
    screen.page.get_by_label("number input for Latency, at most ms (0 = any)").fill("10")
    expect(answer).not_to_have_text(before)
    return screen.page.locator("#board-ship")


def closer(screen: Screen, own: Path) -> Locator:
    screen.page.locator("#board-table .row-name").first.click()
    near = screen.page.locator("#board-near")
    expect(near).to_contain_text("Worst images")
    screen.wait_until_still(near.locator("article img").first)
    return near


def vote(screen: Screen, own: Path) -> Locator:
    page = screen.page
    screen.tab("Blind vote")
    page.click("#vote-example-gravel")
    expect(page.locator("#vote-status")).to_contain_text("pixels. Press")
    page.click("#vote-show")
    expect(page.locator("#vote-left")).to_be_enabled()
    for side in ("a", "b"):
        screen.wait_until_still(page.locator(f"#vote-{side} img"))
    return page.locator("#vote-show")


STEPS: tuple[Step, ...] = (profile, benchmark, leaderboard, limit, closer, vote)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The app as the README starts it; without a network, what needs weights that are not there takes no part."""
    command = [sys.executable, "-m", "workbench", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stdout=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            said = re.search(r"http://\S+", process.stdout.readline())
            if said is None:
                raise RuntimeError("the app did not start")
            yield said[0]
        finally:
            process.terminate()


def pictured(page: Page, top: Locator, path: Path) -> None:
    """What is seen of the page where a step is read."""
    page.wait_for_timeout(600)  # until what fades has faded
    top.evaluate("part => window.scrollTo(0, part.getBoundingClientRect().top + window.scrollY - 90)")
    page.wait_for_timeout(300)
    page.screenshot(path=path, type="jpeg", quality=80)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        own = photographs(Path(name))
        begun = time.monotonic()
        with served(Path(name)) as url:
            expect.set_options(timeout=WAIT_MS)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            screen = Screen.of(browser.new_context(viewport=SIZE, color_scheme="light"), url)
            screen.page.set_default_timeout(WAIT_MS)
            screen.open()
            print(f"open         {time.monotonic() - begun:5.1f} s")
            for number, step in enumerate(STEPS, 1):
                since = time.monotonic()
                top = step(screen, own)
                print(f"{step.__name__:12} {time.monotonic() - since:5.1f} s", flush=True)
                pictured(screen.page, top, out / f"story-{number}-{step.__name__}.jpg")
            screen.leave()
            browser.close()
        print(f"all          {time.monotonic() - begun:5.1f} s, pictures included; troubles: {screen.troubles}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
