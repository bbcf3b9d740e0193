"""What a browser says of a profile's page: requests, console lines, what axe finds, and whether its switches work.

    python docs/measurements/profile_check.py profile.html... [--pictures FOLDER] [--browser /usr/bin/chromium]
    python docs/measurements/profile_check.py --hostile FOLDER

The first needs two packages that are no part of this project, see report_check.py. Each page is opened in two themes at
two widths, and what is folded away is opened too. Prints one JSON document; the exit code is 1 where anything left the
page, ran or is wrong. The second writes a profile whose every name and reason tries to be markup or script.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from report_check import THEMES, faulty, looked_at  # noqa: E402 - a file beside this one

WIDTHS = (1280, 375)
SHOWN = "elements => elements.filter(e => e.getClientRects().length).length"


def switched(browser: Any, path: Path) -> dict[str, Any]:
    """What each kind of switch hides, and whether a click on a picture enlarges it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.resolve().as_uri())

    def shown(selector: str) -> int:
        return int(page.eval_on_selector_all(selector, SHOWN))

    found: dict[str, Any] = {
        "chapters": shown(".kind"),
        "lines": shown(".of-0"),
        "plots": shown(".pick"),
        "layers": shown(".over"),
    }
    for name, switch, what in (
        ("one kind", "#kind-0", ".kind"),
        ("another plot", "#plot-1", ".pick"),
        ("no line", "#split-0", ".of-0"),
    ):
        if page.query_selector(switch):
            page.click(switch)
            found[name] = shown(what)
    if page.query_selector(".suspect a .seen"):
        page.click("#kind-all")
        picture = page.locator(".suspect a .seen").first
        before = picture.bounding_box()["width"]
        picture.click()
        page.wait_for_timeout(500)
        found["enlarged"] = round(picture.bounding_box()["width"] / before, 2)
    page.close()
    return found


def wrong(found: dict[str, Any]) -> bool:
    """Whether a switch does nothing."""
    one = found.get("one kind", 1) != 1 or found.get("another plot", 1) != 1 or found.get("no line", 0) != 0
    return one or found.get("enlarged", 2) <= 1


def every_view(paths: list[Path], browser_path: str | None, pictures: Path | None) -> Iterator[dict[str, Any]]:
    """Each page in each theme at each width, and its switches once."""
    try:
        from axe_playwright_python.sync_playwright import Axe
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        sys.exit(f"{error}. Install both with: pip install playwright axe-playwright-python")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for path in paths:
            views = [looked_at(browser, Axe(), path, theme, width, pictures) for theme in THEMES for width in WIDTHS]
            yield {
                "page": path.name,
                "kb": round(path.stat().st_size / 1000),
                "views": views,
                "switches": switched(browser, path),
            }


def hostile(folder: Path) -> Path:
    """The profile of the tests in which everything that has a name is called by 24 hostile strings."""
    from benchmarks.profile.page import write_page
    from tests.benchmarks.test_profile_page import hostile_profile

    document, dataset = hostile_profile(folder)
    return write_page(document, dataset, folder)


def main() -> int:
    """Look at every page, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--hostile", type=Path, help="write the hostile page into this new folder, and end")
    parser.add_argument("--pictures", type=Path, help="keep screenshots in this folder")
    parser.add_argument("--browser", help="path of a Chromium; without it, that of playwright")
    asked = parser.parse_args()
    if asked.hostile:
        print(hostile(asked.hostile))
        return 0
    if asked.pictures:
        asked.pictures.mkdir(parents=True, exist_ok=True)
    found = list(every_view(asked.pages, asked.browser, asked.pictures))
    faults = sum(sum(map(faulty, one["views"])) + wrong(one["switches"]) for one in found)
    print(json.dumps({"pages": found, "faulty": faults}, indent=1))
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
