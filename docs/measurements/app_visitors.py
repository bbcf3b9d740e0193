"""Many visitors at once: ``python docs/measurements/app_visitors.py [MINUTES] [VISITORS] [ABORTS]``.

The app runs in a process of its own. First looks that hang are aborted in four ways, one after another, and the clock
runs until the worker is free. Then visitors as browsers are upload pictures that tell whose they are, compare
pipelines, move knobs, change what is shown, save files, stop and go away; all that comes back is decoded and has to be
theirs. Last come 200 calls at one moment, from programs and from pages.
"""

from __future__ import annotations

import base64
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from docs.measurements.app_aborts import Seen, aborts, burst, hang, state  # noqa: E402
from docs.measurements.app_process import Served, served  # noqa: E402
from tests.workbench import marked as marks  # noqa: E402
from tests.workbench.visiting import Page, RefusedError, Visitor  # noqa: E402

MINUTES, VISITORS, BURST, ABORTS, EVERY_S, DRAIN_S = 10.0, 50, 200, 100, 5.0, 60
VIEWS = ("Overlay", "Soft map", "Mask", "Cut-out")


class Timed(Visitor):
    """A visitor who looks at the clock until the app says that it takes or refuses an event."""

    seen: Seen

    def begin(self, event: dict[str, Any], trigger: int) -> str:
        """As a visitor, with the time until the app answered."""
        start = time.perf_counter()
        try:
            return super().begin(event, trigger)
        finally:
            self.seen.count("notice", time.perf_counter() - start)


def life(url: str, page: Page, number: int, seen: Seen, until: float) -> None:
    """Of one visitor after another at one place, each with a number of its own."""
    chance, lives = random.Random(number), 0
    while time.time() < until:
        lives += 1
        one = number * 10_000 + lives
        visitor = Timed(url, f"visitor-{one}")
        visitor.seen = seen
        try:
            visitor.open(page)
            _visit(visitor, one, chance, seen, until)
        except marks.MixedUpError as error:
            seen.faults.append(f"{one}: {error}")
            seen.count("mixed up")
        except (OSError, RefusedError) as error:
            seen.words[f"broken off: {type(error).__name__}: {error}"] += 1
            seen.count("broken off")
        finally:
            visitor.close()
        time.sleep(chance.uniform(0.1, 1))


def tried(seen: Seen, what: str, do: Callable[[], Any], again: int = 6) -> Any:
    """What an action gives; one that is refused is tried again in a while, as a person does; None in the end."""
    for _ in range(again):
        start = time.perf_counter()
        try:
            found = do()
        except RefusedError as error:
            seen.refused(error)
            time.sleep(random.uniform(0.3, 2))
            continue
        seen.count(what, time.perf_counter() - start)
        return found
    return None


def _visit(visitor: Timed, one: int, chance: random.Random, seen: Seen, until: float) -> None:
    pipelines = ["acting", "classical"] + (["clipseg"] if chance.random() < 0.2 else [])
    data = marks.encoded(one)
    if tried(seen, "upload", lambda: visitor.give(data)) is None:
        return
    run = {**visitor.chosen(pipelines), visitor.page.named("prompt"): "coin"}
    answer = tried(seen, "compare", lambda: visitor.press("run", run))
    if answer is None:
        return
    for name in ("acting", "classical"):  # a random network may paint over the marks
        marks.check_rendering(visitor.file(answer.data[visitor.page.named(f"result-{name}")]), one)
    marks.check_mask(visitor.file(answer.data[visitor.page.named("file-acting")]), one)
    seen.count("files checked")
    for _ in range(chance.randint(1, 4)):
        if time.time() < until:
            chance.choice((_slide, _look, _save, _zip, _program, _stop))(visitor, one, chance, seen)
    if chance.random() < 0.3:  # goes away while something runs
        hang(visitor)
        seen.count("went away")


def _slide(visitor: Timed, one: int, chance: random.Random, seen: Seen) -> None:
    found = tried(seen, "slide", lambda: visitor.slide("acting", "threshold", chance.uniform(0.2, 0.8)))
    if found is not None:
        marks.check_rendering(found, one)


def _look(visitor: Timed, one: int, chance: random.Random, seen: Seen) -> None:
    page, view = visitor.page, chance.choice(VIEWS)
    visitor.values |= {page.named("view"): view, page.labelled("Behind a cut-out"): "Black"}
    number = page.named("view")
    answer = tried(seen, "view", lambda: visitor.fire(page.event(number, "change"), number))
    shown = answer and answer.data.get(page.named("result-acting"))
    if shown:
        marks.check_rendering(visitor.file(shown), one)


def _save(visitor: Timed, one: int, chance: random.Random, seen: Seen) -> None:
    page = visitor.page
    file = page.named("file-acting")
    event = next(event for event in page.events if event["outputs"] == [file])
    (kind,) = event["inputs"]
    visitor.values[kind] = "picture"
    answer = tried(seen, "save", lambda: visitor.fire(event, kind))
    if answer:
        marks.check_picture(visitor.file(answer.data[file]), one)


def _zip(visitor: Timed, one: int, chance: random.Random, seen: Seen) -> None:
    page, bundle = visitor.page, visitor.page.named("bundle")
    event = next(event for event in page.events if event["outputs"] == [bundle])
    answer = tried(seen, "zip", lambda: visitor.fire(event, event["targets"][0][0]))
    if answer:
        marks.check_zip(visitor.file(answer.data[bundle]), one)


def _program(visitor: Timed, one: int, chance: random.Random, seen: Seen) -> None:
    picture = base64.b64encode(marks.encoded(one)).decode()
    found = tried(seen, "segment", lambda: visitor.call("segment", picture, "acting", "default", *[None] * 4))
    if found:
        marks.check_mask(base64.b64decode(found["mask_png"]), one)
        other = tried(seen, "decide", lambda: visitor.call("decide", found["id"], {"threshold": 0.3}, False))
        if other:
            marks.check_mask(base64.b64decode(other["mask_png"]), one)


def _stop(visitor: Timed, one: int, chance: random.Random, seen: Seen) -> None:
    """Stop what hangs, or still waits for its turn; the page's line stays open all the while."""
    if hang(visitor):
        time.sleep(chance.uniform(0, 0.5))
        button, start = visitor.page.named("stop"), time.perf_counter()
        for event in [one for one in visitor.page.events if [button, "click"] in one["targets"]]:
            if event["backend_fn"]:
                tried(seen, "stop", lambda event=event: visitor.begin(event, button), 20)
            else:
                visitor.cancel(visitor.running)
        visitor.rest()
        seen.count("stopped", time.perf_counter() - start)
    visitor.values[visitor.page.labelled("act")] = "well"


def sample(app: Served, start: float) -> dict[str, Any]:
    """What the app takes."""
    own, children = app.memory_mb()
    began = time.perf_counter()
    told = state(app)
    answered = time.perf_counter() - began
    return {"at_s": round(time.time() - start), "rss_mb": round(own), "children_mb": round(children),
            "children": len(app.process.children(recursive=True)), "threads": app.process.num_threads(),
            "descriptors": app.process.num_fds(), "temp_mb": round(app.temp_mb(), 1),
            "healthz_s": round(answered, 3), **told}  # fmt: skip


def crowd(app: Served, page: Page, minutes: float, visitors: int) -> tuple[Seen, list[dict[str, Any]]]:
    """Visitors at once, and what the app takes all the while."""
    seen, start, samples = Seen(), time.time(), []
    until_ = start + minutes * 60
    threads = [threading.Thread(target=life, args=(app.url, page, number, seen, until_), daemon=True)
               for number in range(1, visitors + 1)]  # fmt: skip
    for thread in threads:
        thread.start()
    while time.time() < until_ or any(thread.is_alive() for thread in threads):
        samples.append(sample(app, start))
        print(json.dumps(samples[-1]), file=sys.stderr, flush=True)
        time.sleep(EVERY_S)
        if time.time() > until_ + DRAIN_S:
            seen.faults.append(f"visitors still wait {DRAIN_S} s after the end")
            break
    return seen, samples


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    visitors = int(sys.argv[2]) if len(sys.argv) > 2 else VISITORS
    with served("--look-s", "20") as app:
        first = Visitor(app.url, "first")
        first.open()
        first.compare(marks.encoded(1), ["acting", "classical", "clipseg"], "coin")  # all are loaded
        found: dict[str, Any] = {"load": os.getloadavg(), "at first": sample(app, time.time())}
        found["aborts"] = aborts(app, first.page, int(sys.argv[3]) if len(sys.argv) > 3 else ABORTS).told()
        seen, samples = crowd(app, first.page, minutes, visitors)
        found |= {"crowd": seen.told(), "samples": samples}
        time.sleep(20)
        found["after"] = sample(app, time.time())
        found["burst"] = burst(app, first.page, BURST).told()
        time.sleep(10)
        found |= {"at last": sample(app, time.time()), "load_after": os.getloadavg()}
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
