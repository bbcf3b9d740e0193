"""How fast the leaderboard is with many runs: ``python docs/measurements/boards.py [--runs 200] [--rows 5] [--page]``.

Makes so many runs in a temporary folder from one real run of the classical pipeline on the embedded dataset, with
other names, dates and figures by chance, and prints: seconds until the tab has its rows the first time and again, of
every filter, of the ties, of a row from near and of a recommendation; and the resident memory before and after. With
--page it also opens the tab in Chromium and takes the times that somebody before it waits.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.run_folder import MANIFEST, SUMMARY
from workbench.boards import advice, closer, table
from workbench.boards.chart import Ties
from workbench.boards.query import Query
from workbench.boards.shown import shown
from workbench.boards.stored import Boards
from workbench.boards.table import Wanted

ROOT = Path(__file__).resolve().parents[2]
WATCHED = """([what, wanted]) => new Promise(done => {
  const names = () => [...document.querySelectorAll('#board-table .row-name')].map(name => name.textContent);
  const there = () => names().length && (!wanted || names().every(name => name.includes(wanted)));
  const start = performance.now();
  new MutationObserver((_, watch) => {
    if (!there()) return;
    watch.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
  }).observe(document.body, { subtree: true, childList: true });
  if (what === 'tab') {
    const tabs = [...document.querySelectorAll('button[role=tab]')];
    return tabs.find(tab => tab.innerText.trim() === 'Leaderboard').click();
  }
  const field = document.querySelector('#board-search textarea, #board-search input');
  field.value = wanted;
  field.dispatchEvent(new InputEvent('input', { bubbles: true }));
})"""
STANDS_MS, SEARCHES = 4000, 12
FILTERS = {"search": {"search": "row-3"}, "device": {"device": "cpu"}, "commercial use": {"use": "yes"},
           "weights": {"size_mb": 10.0}, "sort": {"sort": "p50"}, "metric": {"metric": "boundary_iou"}}  # fmt: skip


def real_run(folder: Path) -> Path:
    """One run of one pipeline, of which the others are made."""
    command = [sys.executable, "-m", "benchmarks.run", "--pipelines", "classical", "--budget-s", "0.5", "--batch-sizes",
               "1", "--soft-maps-mb", "0", "--out", str(folder), "--json", "--quiet"]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return folder / json.loads(done.stdout)["run_id"]


def copied(source: Path, target: Path, number: int, rows: int) -> None:
    """A run of several rows, each with the records of the one, and figures of its own."""
    manifest, summary = (json.loads((source / name).read_bytes()) for name in (MANIFEST, SUMMARY))
    (configuration,), (row,) = manifest["configurations"], summary["rows"]
    chance, names = random.Random(number), [f"row-{n}" for n in range(rows)]
    target.mkdir(parents=True)
    for name in names:
        shutil.copytree(source / configuration["id"], target / name)
    manifest["configurations"] = [{**configuration, "id": name, "label": name} for name in names]
    summary["rows"] = [other(row, name, chance) for name in names]
    manifest["run_id"] = summary["run_id"] = target.name
    manifest["created"] = f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}T10:00:00+00:00"
    (target / MANIFEST).write_text(json.dumps(manifest))
    (target / SUMMARY).write_text(json.dumps(summary))


def other(row: dict[str, Any], label: str, chance: random.Random) -> dict[str, Any]:
    """A row whose mIoU and latency are shifted."""
    shift, times = -0.3 * chance.random(), 0.2 + 5 * chance.random()
    miou = round(row["miou"] + shift, 6)
    metric = {**row["metrics"]["miou"], "value": miou, "ci": [miou - 0.03, min(1.0, miou + 0.03)]}
    latency = {name: value * times if name != "n" and value else value for name, value in row["latency_ms"].items()}
    return {**row, "label": label, "miou": miou, "miou_ci": metric["ci"], "latency_ms": latency,
            "metrics": {**row["metrics"], "miou": metric}}  # fmt: skip


def memory_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def seconds(call: Callable[[], Any], times: int = 5) -> str:
    """Median and worst of some calls, and the median that a core worked for them."""
    taken, worked = [], []
    for _ in range(times):
        start, begun = time.perf_counter(), time.process_time()
        call()
        taken.append(time.perf_counter() - start)
        worked.append(time.process_time() - begun)
    work = statistics.median(worked) * 1e3
    return f"{statistics.median(taken) * 1e3:8.0f} ms (worst {max(taken) * 1e3:.0f}), of a core {work:.0f} ms"


def asked(boards: Boards, ties: Ties, wanted: Wanted) -> str:
    """What a filter does: look at the folders, rank, filter, draw table and picture, fill the lists."""
    return json.dumps(shown(boards.look("me"), Query(wanted=wanted), ties))


def measured(runs: Path) -> Iterator[str]:
    before, boards, ties = memory_mb(), Boards(runs, reference=runs / "none"), Ties()
    yield f"the tab, first time      {seconds(lambda: asked(boards, ties, Wanted()), 1)}"
    yield f"the tab, again           {seconds(lambda: asked(boards, ties, Wanted()))}"
    for name, change in FILTERS.items():
        yield f"filter, {name:<16} {seconds(lambda change=change: asked(boards, ties, Wanted(**change)))}"
    after = memory_mb()
    entries = table.ranked(boards.look("me").entries)
    yield f"resident memory          {before:8.0f} MB before, {after:.0f} MB with all rows held"
    yield f"ties of the best         {seconds(lambda: ties.tell(entries), 1)}"
    yield f"a row from near          {seconds(lambda: closer.closer(entries[0]), 3)}"
    none = advice.limits(0, 0, 0, False)
    yield f"what to ship, first time {seconds(lambda: advice.advised(entries[0].run, none), 1)}"
    yield f"what to ship, again      {seconds(lambda: advice.advised(entries[0].run, none))}"
    yield f"resident memory          {memory_mb():8.0f} MB after that"


def on_page(runs: Path) -> Iterator[str]:
    """The same as somebody before a screen has it, from the press to the frame that shows it."""
    from app_process import served
    from playwright.sync_api import Page, sync_playwright

    def opened(browser: Any, url: str, waits_ms: int = 0) -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_selector("#run:not([disabled])")
        page.wait_for_timeout(waits_ms)
        return page

    with served("--runs", str(runs)) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for visit in ("first visitor, at once", "second visitor, at once"):
            page = opened(browser, app.url)
            yield f"page, tab, {visit:<24} {page.evaluate(WATCHED, ['tab', None]):7.0f} ms"
        page.wait_for_timeout(STANDS_MS)
        taken, worked, session = [], [], page.context.new_cdp_session(page)
        session.send("Performance.enable")
        begun = main_thread_ms(session)
        for number in range(SEARCHES):
            taken.append(page.evaluate(WATCHED, ["search", f"row-{number % 4}"]))
            page.wait_for_timeout(STANDS_MS / 4)
            worked.append(main_thread_ms(session) - sum(worked) - begun)
        yield f"page, {SEARCHES} searches          {statistics.median(taken):7.0f} ms (worst {max(taken):.0f})"
        yield f"browser's main thread at work for each {statistics.median(worked):.0f} ms"
        tabs = [opened(browser, app.url, STANDS_MS).evaluate(WATCHED, ["tab", None]) for _ in range(5)]
        yield f"page, tab, of a page that stood {statistics.median(tabs):7.0f} ms (worst {max(tabs):.0f})"
        browser.close()


def main_thread_ms(session: Any) -> float:
    """For which the thread that draws a page was at work since its figures were asked for."""
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(found["TaskDuration"]) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rows", type=int, default=5)
    parser.add_argument("--page", action="store_true")
    asked = parser.parse_args()
    start = time.perf_counter()
    total = 0
    for number in range(10_000_000):
        total += number
    print(f"ten million additions: {time.perf_counter() - start:.2f} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        source = real_run(Path(folder) / "real")
        for number in range(asked.runs):
            copied(source, Path(folder) / "runs" / f"run{number:05d}", number, asked.rows)
        print(f"{asked.runs} runs of {asked.rows} rows", flush=True)
        for line in measured(Path(folder) / "runs"):
            print(line, flush=True)
        for line in on_page(Path(folder) / "runs") if asked.page else ():
            print(line, flush=True)


if __name__ == "__main__":
    main()
