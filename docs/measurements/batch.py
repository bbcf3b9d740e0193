"""A batch of 500 small pictures through the classical pipeline: its pace, memory, disk, and what one waits for.

    python docs/measurements/batch.py [PICTURES] [--browser]

The pictures are the embedded coins, cut small, in one ZIP. The batch is taken in, killed with the app in the middle,
opened again and gone through; then each thing that a visitor waits for is timed: a page of the table with its contact
sheet, the last page, a choice of pictures, the ZIP of all results. Memory is the highest resident size of the process
that serves, tab and all, beside what it had before the batch was opened. The hostile archives of the tests come first:
their slowest refusal, and the memory that all together took. With ``--browser`` Chromium opens the batch by its link.
"""

from __future__ import annotations

import io
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import cv2

from benchmarks.datasets import open_dataset
from benchmarks.export.originals import png
from workbench.batches.folder import RESULTS

SIDE = 160
ROOT = Path(__file__).resolve().parents[2]


def packed(folder: Path, number: int) -> Path:
    """One ZIP of pictures, each of them another."""
    images = [sample.image for sample in open_dataset("coins")]
    path = folder / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for place in range(number):
            image = images[place % len(images)]
            share = SIDE / max(image.shape[:2])
            small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            small[0, 0] = place % 256, place // 256, 0
            archive.writestr(f"coins/{place:03d}.png", png(small))
    return path


def resident_mb(highest: bool = False) -> float:
    """Of this process, in 10**6 bytes."""
    key = "VmHWM:" if highest else "VmRSS:"
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024 / 1e6


def served(folder: Path):
    """The app, which is not opened to a browser: its callbacks are called as a browser has them called."""
    from workbench.settings import Settings, prepare

    prepare()
    from workbench.app import build

    return build(Settings(port=0, device="cpu", kept=str(folder / "kept")))


def wait(desk, number: str, until: int | None = None) -> None:
    """Look each second, as the page does."""
    seen, page = "", 0
    while True:
        found = desk.tick(number, page, "All", seen)
        seen = found.get(desk.form.seen, seen)
        rows = len(desk.batches.get(number).rows())
        if not found[desk.form.timer].active or (until is not None and rows >= until):
            return
        sleep(0.5)


def child(folder: Path, number: int) -> None:
    """Begin, and tell the number of the batch; whoever started this kills it."""
    app = served(folder)
    import gradio as gr  # after the app has set its switches

    app.batch.batches.start()
    path = app.shelf.put("pictures.zip", packed(folder, number).read_bytes())
    before, start = resident_mb(), perf_counter()
    begun = app.batch.start(gr.Request(session_hash="m"), [path], "", [], *chosen(app.batch.form))
    batch = begun[app.batch.form.number]
    print(json.dumps({"number": batch, "taken_in_s": perf_counter() - start, "before_mb": before}), flush=True)
    wait(app.batch, batch)


def chosen(form) -> list:
    """The classical pipeline alone."""
    return [value for one in form.choices for value in (one.offer.name == "classical", "default")]


def timed(call, times: int = 5) -> float:
    """Seconds, the middle of several."""
    took = []
    for _ in range(times):
        start = perf_counter()
        call()
        took.append(perf_counter() - start)
    return median(took)


def hostile() -> dict[str, float]:
    """Each archive of the tests: refused, and after how long."""
    from tests.workbench.hostile_archives import HOSTILE, SMALL
    from workbench.archives.extract import extract
    from workbench.archives.members import ArchiveRefusedError

    took, made = {}, {name: make() for name, (make, _) in HOSTILE.items()}
    with tempfile.TemporaryDirectory() as folder:
        before = resident_mb()
        for name, data in made.items():
            start = perf_counter()
            try:
                extract(io.BytesIO(data), Path(folder) / "out", SMALL)
            except ArchiveRefusedError:
                took[name] = perf_counter() - start
        left = list(Path(folder).iterdir())
    return {"archives": len(made), "refused": len(took), "slowest_s": max(took.values()), "left_behind": len(left),
            "memory_above_mb": resident_mb(highest=True) - before}  # fmt: skip


def main() -> None:
    number = next((int(one) for one in sys.argv[1:] if one.isdigit()), 500)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "--child" in sys.argv:
            child(Path(sys.argv[-1]), number)
            return
        said: dict[str, object] = {"pictures": number, "side": SIDE, "machine": platform.platform(),
                                   "load": os.getloadavg()[0], "hostile": in_a_process("hostile")}  # fmt: skip
        process = subprocess.Popen([sys.executable, __file__, "--child", str(number), name], stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
        try:
            first, journal = half_way(process, folder, number)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        print(json.dumps({**said, **first, **reopened(folder, first["number"], journal)}, indent=1))


def half_way(process: subprocess.Popen[bytes], folder: Path, number: int) -> tuple[dict[str, Any], Path]:
    """What the app said of the batch that it began, and the journal, once half of the looks are done."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        sys.exit("The app ended before it had taken the batch in; what it said stands above.")
    first = json.loads(line)
    journal = folder / "kept" / "batches" / first["number"] / "journal.jsonl"
    while not journal.exists() or journal.read_bytes().count(b"\n") < number // 2:
        if process.poll() is not None:
            sys.exit("The app ended before half of the batch was done; what it said stands above.")
        sleep(0.05)
    return first, journal


def in_a_process(name: str) -> object:
    """A function of this file in a process of its own, so that its memory is its own."""
    code = f"import json, sys; sys.path[:0] = {[str(ROOT), str(Path(__file__).parent)]}; import batch; print(json.dumps(batch.{name}()))"  # noqa: E501
    return json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def reopened(folder: Path, number: str, journal: Path) -> dict[str, object]:
    """The batch opened again in a new process of the app, gone through, and looked at."""
    lines = journal.read_bytes()
    acknowledged = lines[: lines.rfind(b"\n") + 1]
    app = served(folder)
    desk, before = app.batch, resident_mb()
    desk.batches.start()
    desk.open(number)
    start, rows = perf_counter(), acknowledged.count(b"\n")
    wait(desk, number)
    took, after = perf_counter() - start, journal.read_bytes()
    batch = desk.batches.get(number)
    pages = {"first page, opened by number": lambda: desk.open(number),
             "last page": lambda: desk.turn(1000)(number, 0, "All", ""),
             "only those without a result": lambda: desk.select(number, 0, "Without a result", ""),
             "a look for news, nothing new": lambda: desk.tick(number, 0, "All", seen)}  # fmt: skip
    seen = desk.open(number)[desk.form.seen]
    waits_ms = {words: round(1e3 * timed(call), 1) for words, call in pages.items()}
    start = perf_counter()
    desk.bundle(number)
    zip_s, highest = perf_counter() - start, resident_mb(highest=True)
    disk = sum(file.stat().st_size for file in batch.path.rglob("*") if file.is_file())
    found = {
        "rows_when_killed": rows, "rows_in_the_end": after.count(b"\n"), "nothing_lost": after.startswith(acknowledged),
        "looks_per_s": round((after.count(b"\n") - rows) / took, 2), "waits_ms": waits_ms, "zip_s": round(zip_s, 2),
        "zip_mb": round((batch.path / RESULTS).stat().st_size / 1e6, 2), "disk_mb": round(disk / 1e6, 1),
        "memory_before_mb": round(before, 1), "memory_highest_mb": round(highest, 1),
    }  # fmt: skip
    found |= {"browser": in_browser(app, number)} if "--browser" in sys.argv else {}
    app.close()
    return found


def in_browser(app, number: str) -> dict[str, float]:
    """Chromium: from the address of the batch to its first page on the screen, and from page to page."""
    import shutil

    from playwright.sync_api import sync_playwright

    url = app.open()
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=shutil.which("chromium")).new_page()
        page.goto(url)
        page.wait_for_selector("#run")
        start = perf_counter()
        page.get_by_role("tab", name="Batch", exact=True).click()
        page.wait_for_selector("#batch-start")
        tab_s = perf_counter() - start
        start = perf_counter()
        page.goto(f"{url}?batch={number}")
        page.wait_for_selector("#batch-table tbody tr")
        link_s = perf_counter() - start
        start = perf_counter()
        page.click("#batch-forward")
        page.wait_for_function("document.querySelector('#batch-page').textContent.includes('13 to 24')")
        return {"tab_s": tab_s, "link_s": link_s, "next_page_s": perf_counter() - start}


if __name__ == "__main__":
    main()
