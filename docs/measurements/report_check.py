"""What a browser says of a report: what it asks the network for, what runs, and what axe finds.

    python docs/measurements/report_check.py report.html... [--pictures FOLDER] [--browser /usr/bin/chromium]
    python docs/measurements/report_check.py --hostile FOLDER

The first needs two packages that are no part of this project, best in an environment of their own: ``pip install
playwright axe-playwright-python``, and a Chromium, such as that of ``playwright install chromium``. Each page is opened
in two themes at two widths. Prints one JSON document; the exit code is 1 where anything left the page, ran or is wrong.
The second needs this project alone: it writes a report whose every name, prompt and tag tries to be markup or script.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

THEMES, WIDTHS = ("light", "dark"), (1280, 390)
GRAVE = ("serious", "critical")
LOOK = """() => ({
  scripts: document.scripts.length,
  handlers: [...document.querySelectorAll('*')].flatMap(e => [...e.attributes])
    .filter(a => a.name.startsWith('on')).length,
  frames: document.querySelectorAll('iframe, object, embed, base').length,
  links_out: [...document.querySelectorAll('a')].filter(a => !a.getAttribute('href').startsWith('#')).length,
  wider_than_screen: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  pictures: document.images.length,
  broken_pictures: [...document.images].filter(i => i.complete && !i.naturalWidth).length,
})"""


def looked_at(browser: Any, axe: Any, path: Path, theme: str, width: int, pictures: Path | None) -> dict[str, Any]:
    """One page in one theme at one width."""
    context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900})
    page, address = context.new_page(), path.resolve().as_uri()
    requests: list[str] = []
    said: dict[str, list[str]] = {"dialogs": [], "console": [], "errors": []}
    page.on("request", lambda one: requests.append(one.url))
    page.on("console", lambda one: said["console"].append(one.text))
    page.on("pageerror", lambda one: said["errors"].append(str(one)))
    page.on("dialog", lambda one: (said["dialogs"].append(one.message), one.dismiss()))
    page.goto(address)
    if pictures:
        page.screenshot(path=pictures / f"{path.stem}-{theme}-{width}-top.png")
    for element in page.query_selector_all("details > summary"):  # what is folded away is looked at too
        element.click()
    page.mouse.move(width / 2, 300)
    page.wait_for_timeout(300)
    found = {"report": path.name, "theme": theme, "width": width, **page.evaluate(LOOK), **said}
    if pictures:
        page.screenshot(path=pictures / f"{path.stem}-{theme}-{width}.png", full_page=True)
    faults = axe.run(page).response["violations"]
    context.close()
    away = [url[:200] for url in requests if url != address and not url.startswith("data:")]
    return found | {"requests_away": away, "axe": [_fault(one) for one in faults]}


def _fault(found: dict[str, Any]) -> dict[str, Any]:
    return {"rule": found["id"], "impact": found["impact"], "places": [one["target"] for one in found["nodes"]][:5]}


def faulty(found: dict[str, Any]) -> bool:
    """Whether a page did what no report may do."""
    wrong = ("requests_away", "dialogs", "console", "errors", "scripts", "handlers", "frames", "links_out",
             "wider_than_screen", "broken_pictures")  # fmt: skip
    return any(found[name] for name in wrong) or any(one["impact"] in GRAVE for one in found["axe"])


def every_view(paths: list[Path], browser_path: str | None, pictures: Path | None) -> Iterator[dict[str, Any]]:
    """Each page in each theme at each width."""
    try:
        from axe_playwright_python.sync_playwright import Axe
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        sys.exit(f"{error}. Install both with: pip install playwright axe-playwright-python")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for path in paths:
            for theme in THEMES:
                for width in WIDTHS:
                    yield looked_at(browser, Axe(), path, theme, width, pictures)


def hostile(folder: Path) -> Path:
    """The report of the tests in which everything that has a name is called by 24 hostile strings."""
    from benchmarks.report.contents import report
    from benchmarks.report.written import write
    from tests.benchmarks.test_report_injection import SAFE, written_run

    name = "\"><img src=x onerror=alert(1)>'&lt;=1+1"
    return write(report(written_run(folder, SAFE, name)), folder, ["html"])[0]


def main() -> int:
    """Look at every page, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="*", type=Path)
    parser.add_argument("--hostile", type=Path, help="write the hostile report into this new folder, and end")
    parser.add_argument("--pictures", type=Path, help="keep screenshots in this folder")
    parser.add_argument("--browser", help="path of a Chromium; without it, that of playwright")
    asked = parser.parse_args()
    if asked.hostile:
        print(hostile(asked.hostile))
        return 0
    if asked.pictures:
        asked.pictures.mkdir(parents=True, exist_ok=True)
    found = list(every_view(asked.reports, asked.browser, asked.pictures))
    print(json.dumps({"views": found, "faulty": sum(map(faulty, found))}, indent=1))
    return int(any(map(faulty, found)))


if __name__ == "__main__":
    sys.exit(main())
