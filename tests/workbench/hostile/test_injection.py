"""Text that wants to be more than text, in every place that takes text: it stays text in Chromium and in every file."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from playwright.sync_api import Page, sync_playwright
from psd_tools import PSDImage

from benchmarks.export.format import plain
from pipelines.types import Prediction, Prompt
from tests.browser.screen import ALL_DONE, SETTLED
from tests.workbench.hostile.calls import Caller
from tests.workbench.hostile.pictures import PHOTO, saved
from tests.workbench.hostile.served import Served

STRINGS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "'><b onclick=alert(1)>x",
    "<iframe src=https://evil.example></iframe>", "<a href=javascript:alert(1)>x</a>", "<style>@import'//evil.example'",
    "</p></div><h1>mine</h1>", "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "`+alert(1)+`", "{% raw %}",
    "<%= 7*7 %>", "=HYPERLINK(\"https://evil.example\")", "+cmd|' /C calc'!A0", "@SUM(1)", "!!python/object:os.system x",
    "- a: [b", "![x](https://evil.example/x.png)", "[x](javascript:alert(1))", "javascript:alert(1)",
    "\u202egnp.exe", "\x1b[2J\x1b]0;x\x07", "a" * 190,
)  # fmt: skip
"""24; of NUL and of what is longer, which no label may hold, there are tests of their own."""


@dataclass
class Watched:
    """A page of Chromium, and what it did that it should not do."""

    page: Page
    dialogs: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def watch(self, url: str) -> None:
        page = self.page
        page.on("dialog", lambda one: (self.dialogs.append(one.message), one.dismiss()))
        page.on("console", lambda one: self.errors.append(one.text) if one.type == "error" else None)
        page.on("pageerror", lambda one: self.errors.append(str(one)))
        page.on(
            "request", lambda one: None if one.url.startswith((url, "data:", "blob:")) else self.outside.append(one.url)
        )

    def check(self) -> None:
        """Nothing ran, nothing went out, nothing broke, and nothing that was typed became an element."""
        assert (self.dialogs, self.outside, self.errors) == ([], [], [])
        made = "a[href^='javascript:'], a[href*='evil.example'], img[src*='evil.example'], iframe:not([sandbox]), [onerror], [onclick]"
        assert self.page.locator(made).count() == 0
        assert self.page.locator("h1", has_text="mine").count() == 0


@pytest.fixture(scope="module")
def watched(weighted: Served) -> Iterator[Watched]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        found = Watched(browser.new_page(base_url=weighted.url))
        found.watch(weighted.url)
        found.page.set_default_timeout(60_000)
        found.page.goto("/")
        yield found
        browser.close()


def test_labels_and_names_are_text_on_the_page(watched: Watched) -> None:
    page = watched.page
    page.locator("#picture input[type=file]").set_input_files(
        {"name": "<img src=x onerror=alert(1)>${alert(1)}.png", "mimeType": "image/png", "buffer": saved("PNG")})  # fmt: skip
    page.locator("#status", has_text="Press Compare").wait_for()
    page.get_by_label("Labels, one a line").fill("\n".join(one for one in STRINGS))
    page.locator("#choose-clipseg input").check()
    page.locator("#choose-classical input").uncheck()
    page.locator("#run").click()
    page.locator("#status", has_text=ALL_DONE).wait_for()
    told = page.locator("#facts-clipseg").inner_text()
    assert all(one in told for one in ("<script>alert(1)</script>", "${alert(1)}", "{{constructor.constructor"))
    watched.check()


def test_errors_say_back_what_was_typed_as_text(watched: Watched) -> None:
    page = watched.page
    page.get_by_text("Point at things (for SAM)").click()
    page.evaluate(SETTLED)
    for text in (STRINGS[1], STRINGS[9], STRINGS[18], STRINGS[19]):
        page.get_by_label("Points and boxes").fill(text)
        page.get_by_label("Points and boxes").blur()
        page.locator("#status", has_text="is no point and no box").wait_for()
        watched.check()
        page.get_by_label("Points and boxes").fill("")
        page.locator("#run").click()
        page.locator("#status", has_text=ALL_DONE).wait_for()


@pytest.mark.parametrize("text", [STRINGS[0], STRINGS[9]])
def test_a_link_brings_text_alone(text: str, watched: Watched, weighted: Served) -> None:
    given = quote(text)
    opened = Watched(watched.page.context.browser.new_page(base_url=weighted.url))
    opened.watch(weighted.url)
    opened.page.goto(f"/?prompt={given}&pipelines={given}&view={given}&__theme={given}&x={given}")
    opened.page.wait_for_function("document.querySelector('#prompt textarea')?.value")
    assert opened.page.locator("#prompt textarea").input_value() == text
    opened.check()
    other = Watched(watched.page.context.browser.new_page(base_url=weighted.url))
    other.watch(weighted.url)
    other.page.goto(f"/?example={given}")
    other.page.locator(".toast-body", has_text="no example").wait_for()
    other.check()


@pytest.fixture(scope="module")
def result() -> Any:
    """A result whose picture and labels have every name."""
    import numpy as np

    from benchmarks.records import Configuration
    from workbench.files.result import Produced, Result

    count = len(STRINGS)
    masks = np.zeros((count, 48, 64), np.bool_)
    for number in range(count):
        masks[number, number : number + 4, number : number + 9] = True
    boxes = np.array([[n, n, n + 9, n + 4] for n in range(count)], np.float32)
    prediction = Prediction(masks, np.full(count, 0.5, np.float32), np.arange(count), boxes)
    ran = Configuration(
        id="0", label="x", pipeline=STRINGS[0], preset=STRINGS[2], params={"a": STRINGS[16]}, device="cpu"
    )
    produced = Produced.of(ran, Prompt(STRINGS))
    return Result("../" + STRINGS[0] + "\0" + STRINGS[21] + STRINGS[22], PHOTO, prediction, produced, STRINGS)


def test_files_hold_it_as_text(result: Any, tmp_path: Path) -> None:
    from workbench.files import downloads
    from workbench.files.bundle import bundle

    coco = json.loads(downloads.download(result, "coco"))
    seen = [plain(one) for one in STRINGS]
    assert all(one.isprintable() for one in seen)
    assert [one["name"] for one in coco["categories"]] == seen, "without signs that nobody sees"
    assert list(yaml.safe_load(downloads.download(result, "yolo_names"))["names"].values()) == seen
    for kind in downloads.FILES:
        assert re.fullmatch(r"[\w-]+\.[a-z]+", downloads.file_name(result, kind), re.ASCII), downloads.file_name(
            result, kind
        )
    layers = [layer.name for layer in PSDImage.open(io.BytesIO(downloads.download(result, "psd")))]
    assert len(layers) == len(STRINGS) + 1 and all(name.isprintable() for name in layers), layers
    bundle([result, result], tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        for name in archive.namelist():
            assert re.fullmatch(r"[\w-]+/[\w-]+\.[a-z]+", name, re.ASCII) and ".." not in name, name
        assert json.loads(archive.read(next(name for name in archive.namelist() if name.endswith("about.json"))))


def test_an_endpoint_gives_it_back_as_json(known: Caller) -> None:
    text = base64.b64encode(saved("PNG")).decode()
    found = known.segment(text, "clipseg", prompt=list(STRINGS)).data[0]
    assert found["prompt"]["texts"] == list(STRINGS) and found["status"] == "ok"
    for bad in ("\0", "x\0y", "a" * 1_000_000, "", " ", "\u2028"):
        reply = known.segment(text, "clipseg", prompt=[bad])
        assert reply.is_plain or reply.data[0]["status"] in ("ok", "failed", "unavailable"), (bad[:9], reply.error)
    for name in (*STRINGS, "x\0y", "a" * 100_000):
        reply = known.segment(text, name)
        assert not reply.ok or reply.data[0]["status"] == "failed"
        assert "Traceback" not in reply.text


def test_headers_of_downloads_hold_no_line_of_their_own(known: Caller) -> None:
    for name in ("a\r\nSet-Cookie: x=1.png", 'a";x=".png', "\u202egnp.png", "ü.png", STRINGS[1] + ".png"):
        path = known.upload(saved("PNG"), name)
        answer = known.http.get(f"{known.url}gradio_api/file={quote(path)}")
        assert answer.status_code == 200 and "set-cookie" not in answer.headers
        assert answer.headers["content-disposition"].isascii() and answer.headers["content-disposition"].isprintable()
