"""Pages that are open side by side in Chromium: nobody meets what another has; and the tab About."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.browser.screen import QUIET, Screen

pytestmark = QUIET


def test_two_pages_do_not_mix(screen: Screen, context: BrowserContext) -> None:
    other = Screen.of(context, screen.url)
    other.open()
    for page, example in ((screen, "coin"), (other, "coins")):
        page.choose("acting")
        page.example(example)
        expect(page.status).to_contain_text("Press Compare.")
    for page in (screen, other):
        page.page.bring_to_front()  # in one that lies behind, Chromium draws nothing new
        page.compare()
    assert screen.pixels("acting").shape == (192, 192, 3) != other.pixels("acting").shape
    screen.page.bring_to_front()
    mine = screen.fact("acting", "Found")
    screen.changed("acting", lambda: screen.page.get_by_role("radio", name="Mask").check())
    assert screen.pixels("acting").shape == (192, 192, 3) and screen.fact("acting", "Found") == mine
    expect(other.page.get_by_role("radio", name="Overlay")).to_be_checked()
    other.page.close()
    screen.changed("acting", lambda: screen.page.get_by_role("radio", name="Overlay").check())
    assert other.troubles == []


def test_about_tells_method_limits_licences_and_versions(screen: Screen) -> None:
    screen.tab("About")
    for title in ("How it works", "Limits", "Licences", "At home", "By program", "Versions"):
        expect(screen.page.get_by_role("heading", name=title)).to_be_visible()
    licences = screen.page.locator(".about li")
    expect(licences.filter(has_text="Background removal")).to_contain_text("commercial use not allowed")
    expect(licences.filter(has_text="SAM 3")).to_contain_text("cannot run here")
    expect(screen.page.get_by_text("25 megapixels")).to_be_visible()
    screen.tab("Compare")
    expect(screen.page.locator("#run")).to_be_visible()
