"""The tab Batch in a browser: pictures in, results out, whatever is refused, stopped, reloaded or killed on the way."""

from __future__ import annotations

import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect

from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from pipelines import create
from pipelines.images import UPLOAD, load_image
from pipelines.types import Prompt
from tests.browser.screen import QUIET, Screen
from tests.workbench.apps import Running, running
from tests.workbench.hostile_archives import HOSTILE

pytestmark = QUIET
LONG_MS = 60_000


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Without networks: a batch is the same with them, and this way the app is there at once."""
    with running(tmp_path_factory.mktemp("batch")) as found:
        yield found


def picture(level: int = 200, side: int = 90) -> bytes:
    image = np.full((side, side * 4 // 3, 3), 40, np.uint8)
    cv2.circle(image, (side * 2 // 3, side // 2), side // 3, (level,) * 3, -1)
    return png(image)


def packed(folder: Path, name: str, **files: bytes) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for inner, data in files.items():
            archive.writestr(inner.replace("__", "."), data)
    return path


def number_of(screen: Screen) -> str:
    found = re.search(r"[?&]batch=([0-9a-f]{32})", screen.page.url)
    assert found, "the address of the page opens the batch again"
    return found[1]


def begin(screen: Screen, *paths: Path) -> None:
    """Give files, choose the classical pipeline alone, and start."""
    screen.tab("Batch")
    for box in screen.page.locator("[id^=batch-choose-]").all():
        if box.locator("input").is_enabled():
            box.locator("input").set_checked(box.get_attribute("id") == "batch-choose-classical")
    screen.page.locator("#batch-files input[type=file]").set_input_files(list(paths))
    for path in paths[:1]:
        expect(screen.page.locator("#batch-files")).to_contain_text(path.stem)
    screen.page.click("#batch-start")
    screen.page.wait_for_url(re.compile(r"batch=[0-9a-f]{32}"))


def done(screen: Screen) -> None:
    expect(screen.page.locator("#batch-status")).to_contain_text("All done.", timeout=LONG_MS)


def test_a_zip_of_pictures_becomes_a_zip_of_exact_masks(screen: Screen, tmp_path: Path) -> None:
    files = {f"shop/p{n}__png": picture(120 + 20 * n) for n in range(4)}
    begin(screen, packed(tmp_path, "shop.zip", **files, __MACOSX=b"x", notes__txt=b"x"))
    done(screen)
    page = screen.page
    expect(page.locator("#batch-table tbody tr")).to_have_count(4)
    expect(page.locator("#batch-table")).to_contain_text("shop/p2.png")
    expect(page.locator("#batch-kept")).to_contain_text("Left out: 2 files")
    screen.wait_until_still(page.locator("#batch-sheet img"))
    assert "p0.png" in str(page.locator("#batch-sheet img").get_attribute("alt"))
    page.click("#batch-prepare")
    expect(page.locator("#batch-bundle")).to_contain_text("kB)")
    with page.expect_download() as download:
        page.click("#batch-bundle a")
    assert re.fullmatch(r"batch_[\d_-]+\.zip", download.value.suggested_filename)
    saved = zipfile.ZipFile(download.value.path())
    with create("classical") as plain:
        for name, data in files.items():
            (expected,) = plain.predict([load_image(data, UPLOAD)], [Prompt()])
            stem = name.removeprefix("shop/").removesuffix("__png")
            assert saved.read(f"masks/classical/{stem}.png") == png(mask_pixels(expected.foreground()))
    assert json.loads(saved.read("about.json"))["complete"] and "facts.csv" in saved.namelist()


def test_a_bad_picture_is_marked_and_pages_and_choices_find_it(screen: Screen, tmp_path: Path) -> None:
    paths = []
    for n in range(14):
        paths.append(tmp_path / f"p{n:02d}.png")
        paths[-1].write_bytes(b"no picture" if n == 13 else picture(100 + 9 * n))
    begin(screen, *paths)
    done(screen)
    page, table = screen.page, screen.page.locator("#batch-table")
    expect(page.locator("#batch-status")).to_contain_text("14 of 14 looks done · 1 without a result")
    expect(table.locator("tbody tr")).to_have_count(12)
    page.click("#batch-forward")
    expect(page.locator("#batch-page")).to_contain_text("Pictures 13 to 14 of 14")
    expect(table.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Without a result").check()
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table).to_contain_text("✕ not taken")
    expect(table).to_contain_text("p13.png")


def test_a_hostile_archive_is_refused_in_words(screen: Screen, tmp_path: Path) -> None:
    make, words = HOSTILE["parent"]
    path = tmp_path / "holiday.zip"
    path.write_bytes(make())
    screen.tab("Batch")
    screen.page.locator("#batch-files input[type=file]").set_input_files(path)
    expect(screen.page.locator("#batch-files")).to_contain_text("holiday")
    screen.page.click("#batch-start")
    expect(screen.page.get_by_role("alert").and_(screen.page.locator(".batch-refused"))).to_contain_text(
        re.compile(words)
    )
    assert "batch=" not in screen.page.url


def test_a_reload_opens_the_batch_again_and_a_wrong_number_nothing(screen: Screen, tmp_path: Path) -> None:
    begin(screen, packed(tmp_path, "two.zip", a__png=picture(), b__png=picture(150)))
    done(screen)
    number = number_of(screen)
    screen.page.reload()
    expect(screen.page.locator("#batch-table tbody tr")).to_have_count(2)
    expect(screen.page.get_by_role("tab", name="Batch")).to_have_attribute("aria-selected", "true")
    screen.open()
    screen.tab("Batch")
    assert screen.page.locator("#batch-table tbody tr").count() == 0, "without the number nothing of it is seen"
    screen.unfold("Open a batch by its number")
    field = screen.page.locator("#batch-number input, #batch-number textarea")
    field.fill("0" * 32)
    screen.page.click("#batch-open")
    expect(screen.page.locator(".batch-refused")).to_contain_text("no batch of that number")
    field.fill(number)
    field.press("Enter")
    done(screen)
    screen.page.wait_for_url(re.compile(number))


def test_stop_and_go_on_by_keyboard(screen: Screen, tmp_path: Path) -> None:
    files = {f"p{n:02d}__png": picture(100 + n, 700) for n in range(40)}
    begin(screen, packed(tmp_path, "many.zip", **files))
    status = screen.page.locator("#batch-status")
    expect(status).to_contain_text(re.compile(r"[1-9]\d* of 40 looks done"))
    screen.page.locator("#batch-stop").focus()
    start = time.monotonic()
    screen.page.keyboard.press("Enter")
    expect(status).to_contain_text("Stopped.")
    assert time.monotonic() - start < 5
    expect(screen.page.locator("#batch-stop")).to_be_disabled()
    screen.page.locator("#batch-go-on").focus()
    screen.page.keyboard.press("Enter")
    done(screen)
    expect(status).to_contain_text("40 of 40 looks done")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_in_the_way_of_anybody(
    app: Running, context: BrowserContext, tmp_path: Path, theme: Literal["light", "dark"]
) -> None:
    screen = Screen.of(context, app.url)
    page = screen.page
    page.emulate_media(color_scheme=theme)
    screen.open()
    begin(screen, packed(tmp_path, "two.zip", a__png=picture(), b__png=b"broken"))
    done(screen)
    page.click("#batch-prepare")
    expect(page.locator("#batch-bundle a")).to_be_visible()
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert screen.barriers() == [] and screen.overflow() <= 0, width
    page.close()
    assert screen.troubles == []
