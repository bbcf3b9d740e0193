"""Chromium, the app with tiny random networks, and a page on which nothing goes wrong unseen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.screen import Screen
from tests.workbench.apps import Running, running

MISSING = (
    "There is no Chromium. Install it (Debian: apt-get install chromium), or leave these out: --ignore tests/browser"
)
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
WAIT_MS = 60_000.0
DESKTOP = 1280


@pytest.hookimpl(tryfirst=True)  # before items are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They run alone, and each may fail once: with far more work than cores Chromium loses a key or a click.

    What fails twice in a row fails; ``-r R`` says which was given a second go.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's, so that nothing is downloaded; its camera is a made one."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail(MISSING)
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CAMERA)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def app(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The app that all flows of a worker share, each as a visitor of its own; there are no weights of SAM 3."""
    weights = tmp_path_factory.mktemp("but_one") / "weights"
    shutil.copytree(tiny_weights, weights, ignore=shutil.ignore_patterns("sam3*"))
    with running(tmp_path_factory.mktemp("browser"), weights=str(weights), most=8) as found:
        yield found


@pytest.fixture(scope="package")
def context(chromium: Browser) -> BrowserContext:
    """One for all pages, which are visitors of their own all the same: scripts are then read once."""
    found = chromium.new_context(viewport={"width": DESKTOP, "height": 900}, color_scheme="light")
    found.set_default_timeout(WAIT_MS)
    found.grant_permissions(["camera", "clipboard-read", "clipboard-write"])
    return found


@pytest.fixture
def screen(app: Running, context: BrowserContext) -> Iterator[Screen]:
    """The app, opened; the test fails where the page wrote an error, raised one or asked another host."""
    yield from opened(context, app)


def opened(context: BrowserContext, app: Running) -> Iterator[Screen]:
    """An app in a page of its own, which is left when the test is over."""
    found = Screen.of(context, app.url)
    found.open()
    yield found
    leave(found)


def leave(screen: Screen) -> None:
    """Close a page, which had no trouble.

    One that is closed at once may keep its connections; a browser opens six to a host, and then waits for ever.
    """
    screen.leave()
    screen.page.close()
    assert screen.troubles == []


def looks(page: Page) -> Iterator[str]:
    """A page by day and by night, on a desk and on a telephone, one after another; what is open in it stays."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("body.dark")).to_have_count(int(theme == "dark"))
        for width in (375, DESKTOP):
            page.set_viewport_size({"width": width, "height": 900})
            yield f"{theme}, {width}"
