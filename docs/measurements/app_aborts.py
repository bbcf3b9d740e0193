"""Looks that hang and are aborted in four ways, and calls of many at one moment; called by ``app_visitors.py``."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.request import urlopen

import numpy as np

from docs.measurements.app_process import Served
from tests.workbench import marked as marks
from tests.workbench.visiting import JSON, Page, RefusedError, Visitor, hold

BROWSER = {**JSON, "Sec-Fetch-Mode": "cors"}


@dataclass
class Seen:
    """What all visitors saw."""

    counts: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    took_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, took_s: float | None = None) -> None:
        with self.lock:
            self.counts[what] += 1
            if took_s is not None:
                self.took_s[what].append(took_s)

    def refused(self, error: RefusedError) -> None:
        with self.lock:
            self.counts["refused"] += 1
            self.words[f"{error.status}: {error.words}"] += 1

    def told(self) -> dict[str, Any]:
        took = {name: {"p50_s": round(float(np.percentile(all_, 50)), 3),
                       "p95_s": round(float(np.percentile(all_, 95)), 3), "max_s": round(max(all_), 3)}
                for name, all_ in sorted(self.took_s.items())}  # fmt: skip
        return {"counts": dict(self.counts), "words": dict(self.words), "took": took, "faults": self.faults[:20]}


def hang(visitor: Visitor) -> bool:
    """Begin with a look that hangs; whether it was taken."""
    page = visitor.page
    visitor.values |= {**visitor.chosen(["acting"]), page.labelled("act"): "hang"}
    number = page.named("run")
    event = page.event(number, "click")
    try:
        visitor.running = visitor.begin(event, number), event["id"]
    except RefusedError:
        return False
    visitor.follow()
    return True


def aborts(app: Served, page: Page, many: int) -> Seen:
    """Looks that hang, aborted one after another by every way there is."""
    seen = Seen()
    for number in range(many):
        way = (_by_stop, _by_going, _by_hanging_up, _by_cancel)[number % 4]
        begin = way(app, page, f"abort-{number}")
        until(lambda: state(app)["working"] == 1, 30)
        time.sleep(0.1)
        start = time.perf_counter()
        begin()
        until(lambda: state(app)["working"] == 0, 30)
        seen.count(way.__name__.removeprefix("_"), time.perf_counter() - start)
    return seen


def _by_stop(app: Served, page: Page, name: str) -> Callable[[], None]:
    visitor = _hanging(app, page, name)

    def stop() -> None:
        button = page.named("stop")
        visitor.begin(page.event(button, "click"), button)
        visitor.rest()
        visitor.close()

    return stop


def _by_going(app: Served, page: Page, name: str) -> Callable[[], None]:
    return _hanging(app, page, name).close


def _hanging(app: Served, page: Page, name: str) -> Visitor:
    visitor = Visitor(app.url, name)
    visitor.open(page)
    visitor.give(marks.encoded(7))
    if not hang(visitor):
        raise RuntimeError("the app is busy")
    return visitor


def _by_hanging_up(app: Served, page: Page, name: str) -> Callable[[], None]:
    """A program that listens for its answer, as curl does, and is ended."""
    visitor = Visitor(app.url, name)
    number = _called(visitor)
    line = visitor.listen(f"/gradio_api/call/segment/{number}")
    return line.close


def _by_cancel(app: Served, page: Page, name: str) -> Callable[[], None]:
    """A program that says that it wants no answer any more, as gradio_client does."""
    visitor = Visitor(app.url, name)
    index = next(one["id"] for one in page.events if one["api_name"] == "segment")
    number = _called(visitor, index)

    def cancel() -> None:
        body = {"session_hash": name, "fn_index": index, "event_id": number}
        visitor.post("/gradio_api/cancel", json.dumps(body).encode(), JSON)

    return cancel


def _called(visitor: Visitor, index: int | None = None) -> str:
    data = [base64.b64encode(marks.encoded(7)).decode(), "acting", "default", None, None, None, {"act": "hang"}]
    body = {"data": data} if index is None else {"data": data, "fn_index": index, "session_hash": visitor.session}
    path = "/gradio_api/call/segment" if index is None else "/gradio_api/queue/join"
    return str(json.loads(visitor.post(path, json.dumps(body).encode(), JSON))["event_id"])


def burst(app: Served, page: Page, many: int) -> Seen:
    """Calls at one moment, every other one from a page."""
    seen, gate = Seen(), threading.Event()
    index = next(one["id"] for one in page.events if one["api_name"] == "segment")

    def call(number: int) -> None:
        visitor = Visitor(app.url, f"burst-{number}")
        picture = base64.b64encode(marks.encoded(number)).decode()
        data = [picture, "acting", "default", None, None, None, None]
        body = {"data": data, "fn_index": index, "session_hash": visitor.session}
        kind, path, headers = (("page", "/gradio_api/queue/join", BROWSER) if number % 2 else
                               ("program", "/gradio_api/call/segment", JSON))  # fmt: skip
        gate.wait()
        start = time.perf_counter()
        try:
            event = str(json.loads(visitor.post(path, json.dumps(body).encode(), headers))["event_id"])
        except RefusedError as error:
            seen.count(f"{kind} refused", time.perf_counter() - start)
            seen.refused(error)
            return
        seen.count(f"{kind} taken", time.perf_counter() - start)
        found = visitor.result(event) if kind == "program" else visitor.wait(event, page.events[0]).last
        marks.check_mask(base64.b64decode((found or {})["mask_png"]), number)
        seen.count(f"{kind} served", time.perf_counter() - start)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(many)]
    threading.Timer(1, gate.set).start()
    hold(threads)
    return seen


def state(app: Served) -> dict[str, Any]:
    """What ``/healthz`` tells."""
    with urlopen(f"{app.url}healthz") as answer:
        return dict(json.load(answer))


def until(done: Callable[[], bool], within_s: float) -> None:
    """Wait for something."""
    last = time.monotonic() + within_s
    while not done():
        if time.monotonic() > last:
            raise TimeoutError("the worker is still at work")
        time.sleep(0.01)
