"""The app is killed in the middle of a vote, a batch and a benchmark: what was acknowledged is there, the rest goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.screen import LOAD_MS, QUIET, Screen
from tests.browser.test_batch import begin, done, number_of, packed, picture
from tests.browser.test_dataset import judge
from tests.browser.test_vote import part, ready, two
from tests.conftest import ROOT
from workbench.tabs.dataset_form import USUAL_IMAGES
from workbench.votes.book import Book

pytestmark = QUIET
PICTURES = 24


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def served(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The app as anybody starts it, until the block ends."""
    command = [sys.executable, "-m", "workbench", "--port", str(port), "--device", "cpu", "--kept", "kept"]
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
                          text=True) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith("The app is at")
        try:
            yield process
        finally:
            process.kill()


def page(context: BrowserContext, port: int, query: str = "") -> Screen:
    screen = Screen.of(context, f"http://127.0.0.1:{port}/")
    screen.page.goto(screen.url + query, wait_until="commit")
    expect(screen.page.locator("#run")).to_be_enabled()
    return screen


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LOAD_MS / 1e3
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def journal(path: Path) -> list[bytes]:
    """Its whole lines."""
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def looked_at(screen: Screen) -> int:
    """Looks that the page says are done: some, and not all."""
    status = screen.page.locator("#batch-status")
    expect(status).to_contain_text(re.compile(rf"\b([3-9]|1\d|2[0-3]) of {PICTURES} looks done"), timeout=LOAD_MS)
    return int(re.findall(rf"(\d+) of {PICTURES} looks done", status.inner_text())[0])


def records(kept: Path) -> dict[Path, list[bytes]]:
    """Whole lines of the benchmark, by the file that they lie in."""
    return {path: journal(path) for path in kept.glob("studies/*/**/samples.jsonl")}


def measure(study: Screen, kept: Path) -> None:
    """Begin a benchmark of every preset, and wait for its first line."""
    study.page.bring_to_front()
    for box in study.page.locator("#dataset-pipelines input").all():
        box.check()
    study.page.click("#dataset-start")
    until(lambda: any(records(kept).values()))


def test_a_kill_loses_nothing_that_was_acknowledged(context: BrowserContext, tmp_path: Path, port: int) -> None:
    kept, book = tmp_path / "kept", Book(tmp_path / "kept" / "votes")
    archive = packed(tmp_path, "many.zip", **{f"p{n:02d}__png": picture(100 + n, 500) for n in range(PICTURES)})
    with served(tmp_path, port) as process:
        study, vote, batch = (page(context, port) for _ in range(3))
        study.page.bring_to_front()
        study.tab("Dataset")
        judge(study)
        vote.page.bring_to_front()
        vote.tab("Blind vote")
        ready(vote, "coin")
        two(vote)
        part(vote, "left").click()
        expect(part(vote, "told")).to_contain_text("It is written down and counts.")
        ready(vote, "coins")
        two(vote)
        measure(study, kept)
        batch.page.bring_to_front()
        begin(batch, archive)
        told, size = looked_at(batch), book.path.stat().st_size
        part(vote, "right").dispatch_event("click")
        until(lambda: book.path.stat().st_size > size)
        process.send_signal(signal.SIGKILL)
        process.wait()
    queries = [re.sub(r"^.*/", "", one.page.url) for one in (study, batch)]
    (looked,) = kept.glob(f"batches/{number_of(batch)}/journal.jsonl")
    before = {looked: journal(looked), **records(kept)}
    assert len(before[looked]) >= told, "what the page has said is on the disk"
    first, *second = book.read().votes
    assert first.choice == "left" and len(second) <= 1
    for one in (study, vote, batch):
        one.page.close()
    with served(tmp_path, port):
        study, batch = (page(context, port, query) for query in queries)
        batch.page.bring_to_front()
        done(batch)
        expect(batch.page.locator("#batch-status")).to_contain_text(f"{PICTURES} of {PICTURES} looks done")
        study.page.bring_to_front()
        expect(study.page.locator("#dataset-run-state")).to_contain_text("benchmark is done", timeout=LOAD_MS)
        study.tab("Blind vote")
        expect(part(study, "board")).to_contain_text(f"{1 + len(second)} vote")
        for one in (study, batch):
            one.leave()
            one.page.close()
    for path, lines in before.items():
        assert journal(path)[: len(lines)] == lines, "what was written stays"
    assert len(journal(looked)) == PICTURES, "nothing is looked at twice"
    measured = [[json.loads(line)["id"] for line in lines] for lines in records(kept).values()]
    assert len(measured) == 2
    for ids in measured:
        assert len(ids) == len(set(ids)) == USUAL_IMAGES, "nothing is measured twice"
