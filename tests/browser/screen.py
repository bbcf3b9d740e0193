"""The app as somebody before a screen has it: what can be pressed, what can be read, and what went wrong unseen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Download, Locator, Page, Request, expect

from pipelines.types import Image

LOAD_MS = 180_000.0
MOST_STOPS = 150
STILL = "document.getAnimations().every(one => one.playState !== 'running' || one.effect.getTiming().iterations > 9)"
"""Nothing fades in or out any more, which would be measured as faint."""

SETTLED = """() => new Promise(done => {
    const end = () => { watch.disconnect(); done() }, watch = new MutationObserver(() => { clearTimeout(last); wait() })
    let last
    const wait = () => { last = setTimeout(end, 300) }
    watch.observe(document.body, { subtree: true, childList: true, attributes: true })
    setTimeout(end, 5000)
    wait()
})"""
"""Nothing was added, taken away or changed for a while, or it never stands still: then after five seconds."""

ALL_DONE = re.compile(r"All \d+ done\.")
QUIET = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""For event loops that Gradio leaves open; a mark for every module of these tests."""


@dataclass
class Screen:
    """An open page.

    Attributes:
        page: of Playwright.
        url: of the app.
        troubles: errors that the page wrote or raised, and requests to any other host.
    """

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, context: BrowserContext, url: str) -> Self:
        """A new page of a browser, watched from the beginning."""
        found = cls(context.new_page(), url)
        found.page.on("console", found._wrote)
        found.page.on("pageerror", lambda error: found.troubles.append(f"raised: {error}"))
        found.page.on("request", found._asked)
        return found

    def _wrote(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.troubles.append(f"wrote: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.troubles.append(f"asked: {request.url}")

    def open(self, query: str = "") -> None:
        """The app's first page, ready to be used."""
        if self.page.url != "about:blank":
            self.leave()
        self.page.goto(self.url + query)
        expect(self.page.locator("#run")).to_be_enabled()

    def leave(self) -> None:
        """Go away from the app, whose streams then end; that they do is no trouble."""
        before = len(self.troubles)
        self.page.goto("about:blank")
        self.troubles[before:] = [one for one in self.troubles[before:] if not one.startswith("wrote: ")]

    def tab(self, name: str) -> None:
        """Another tab; on a narrow page some lie in a menu."""
        shown, more = self.page.get_by_role("tab", name=name, exact=True), self.page.get_by_label("More tabs")
        expect(shown.or_(more).first).to_be_visible()
        if shown.is_visible():
            shown.click()
            return
        more.click()
        self.page.locator(".overflow-dropdown").get_by_role("button", name=name, exact=True).click()

    def button(self, name: str) -> Locator:
        """The button of that name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def example(self, name: str) -> None:
        """Take an example."""
        self.page.click(f"#example-{name}")

    def choose(self, *names: str) -> None:
        """Tick these pipelines and no other."""
        for part in self.page.locator("[id^=choose-]").all():
            if part.locator("input").is_enabled():
                part.locator("input").set_checked(part.get_attribute("id") in {f"choose-{name}" for name in names})

    @property
    def status(self) -> Locator:
        """What goes on, as it is read aloud."""
        return self.page.get_by_role("status").and_(self.page.locator("#status p"))

    def compare(self, button: Locator | None = None) -> None:
        """Run what is ticked, or what a button runs, until all is done."""
        self.status.evaluate("status => status.textContent = ''")  # else that of the run before would do
        (button or self.page.locator("#run")).click()
        expect(self.status).to_contain_text(ALL_DONE, timeout=LOAD_MS)

    def card(self, name: str) -> Locator:
        """All of a pipeline's card."""
        return self.page.locator(f"#card-{name}")

    def facts(self, name: str) -> Locator:
        """What a card says."""
        return self.page.locator(f"#facts-{name}")

    def fact(self, name: str, title: str) -> str:
        """One of them."""
        row = self.facts(name).locator("dt", has_text=re.compile(f"^{title}$"))
        return row.locator("xpath=following-sibling::dd[1]").inner_text()

    def picture(self, name: str) -> Locator:
        """What a card shows."""
        return self.page.locator(f"#result-{name} img")

    def pixels(self, name: str) -> Image:
        """The same as the browser got it, ``uint8 (H, W, 3)`` RGB."""
        answer = self.page.request.get(str(self.picture(name).get_attribute("src")))
        found = cv2.imdecode(np.frombuffer(answer.body(), np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)

    def changed(self, name: str, act: Callable[[], None]) -> None:
        """Do something, and wait until a card shows another picture."""
        before = str(self.picture(name).get_attribute("src"))
        act()
        expect(self.picture(name)).not_to_have_attribute("src", before)

    def starts(self, words: str) -> re.Pattern[str]:
        """A text that begins so."""
        return re.compile(f"^{re.escape(words)}")

    def ends(self, words: str) -> re.Pattern[str]:
        """A text that ends so."""
        return re.compile(f"{re.escape(words)}$")

    def said(self, words: str) -> None:
        """A notice is shown in these words, once."""
        notice = self.page.get_by_test_id("toast-text")
        expect(notice.first).to_contain_text(words)
        assert notice.count() == 1, notice.all_inner_texts()

    def unfold(self, title: str, within: Locator | None = None) -> None:
        """Open what is folded up, and wait until it stands still: its fields take their first values a moment later."""
        (within or self.page).get_by_role("button", name=title).click()
        self.page.evaluate(SETTLED)

    def pick(self, label: str, option: str, within: Locator | None = None) -> None:
        """Choose from a list."""
        (within or self.page).get_by_label(label, exact=True).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def upload(self, place: str, path: Path) -> None:
        """Give a file, as a dialog of the browser does."""
        self.page.locator(f"#{place} input[type=file]").set_input_files(path)

    def wait_until_still(self, part: Locator) -> None:
        """Wait until a picture is there and no longer moves."""
        expect(part).to_be_visible()
        part.evaluate("picture => picture.decode()")
        part.element_handle().wait_for_element_state("stable")

    def saved(self, button: Locator) -> Download:
        """The file behind a button that saves."""
        expect(button).to_be_enabled()
        with self.page.expect_download() as download:
            button.click()
        return download.value

    def reach(self, part: Locator) -> None:
        """Go there by the tabulator alone."""
        for _ in range(MOST_STOPS):
            if part.evaluate("part => part === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        pytest.fail(f"The tabulator does not reach {part}")

    def barriers(self) -> list[str]:
        """What of this page is critical or serious to somebody who cannot see or point, as axe finds it."""
        self.page.wait_for_function(STILL)
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        return [f"{one['id']}: {node['html'][:200]}" for one in found if one["impact"] in ("critical", "serious")
                for node in one["nodes"]]  # fmt: skip

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
