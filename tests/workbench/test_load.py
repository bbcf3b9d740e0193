"""Visitors at once, calls that hang and are aborted, processes that die: everybody gets their own, and the app goes on."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from gradio_client import Client

from tests.workbench import marked
from tests.workbench.apps import Running, running
from tests.workbench.visiting import JSON, Visitor
from workbench.visitors import AWAY_S

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
VISITORS = 8


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("load"), look_s=8) as found:
        yield found


def health(app: Running) -> dict[str, Any]:
    with urlopen(f"{app.url}healthz", timeout=5) as answer:
        return dict(json.load(answer))


def until(done: Callable[[], bool], within_s: float = 20) -> float:
    """Seconds until something is so."""
    start = time.monotonic()
    while not done():
        assert time.monotonic() - start < within_s
        time.sleep(0.01)
    return time.monotonic() - start


def segment(visitor: Visitor, number: int, **fields: Any) -> Any:
    picture = base64.b64encode(marked.encoded(number)).decode()
    return visitor.call("segment", picture, "acting", "default", None, None, None, fields or None)


def test_a_marked_picture_shows_whose_it_is_and_no_other() -> None:
    for number in (0, 1, 10001, 2**24 - 1):
        marked.check_rendering(marked.encoded(number), number)
        marked.check_picture(marked.encoded(number), number)
    for check in (marked.check_rendering, marked.check_picture):
        with pytest.raises(marked.MixedUpError):
            check(marked.encoded(3), 2)
    assert marked.number_in(255 - marked.marked(77)) == 77


def test_of_visitors_at_once_each_gets_what_is_theirs(app: Running) -> None:
    first, faults = Visitor(app.url, "page"), list[str]()
    first.open()

    def visit(number: int) -> None:
        visitor, chance = Visitor(app.url, f"visitor-{number}"), random.Random(number)
        visitor.open(first.page)
        try:
            answer = visitor.compare(marked.encoded(number), ["acting", "classical"])
            for name in ("acting", "classical"):
                marked.check_rendering(visitor.file(answer.data[first.page.named(f"result-{name}")]), number)
            marked.check_mask(visitor.file(answer.data[first.page.named("file-acting")]), number)
            marked.check_rendering(visitor.slide("acting", "threshold", chance.uniform(0.2, 0.8)), number)
            found = segment(visitor, number)
            marked.check_mask(base64.b64decode(found["mask_png"]), number)
            bundle = first.page.named("bundle")
            event = next(event for event in first.page.events if event["outputs"] == [bundle])
            made = visitor.fire(event, event["targets"][0][0]).data[bundle]
            marked.check_zip(visitor.file(made), number)
        except Exception as error:
            faults.append(f"{number}: {type(error).__name__} {error}")
        finally:
            visitor.close()

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(VISITORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    first.close()
    until(lambda: health(app)["visitors"] == 0)
    app.app.presence.away_s = 0
    app.app.presence.sweep()
    app.app.presence.away_s = AWAY_S
    assert not app.app.visits.held, "what visitors had goes with them"
    assert not [name for name in app.app.demo.state_holder.session_data if name.startswith("visitor-")]


def stop(app: Running, visitor: Visitor) -> None:
    button = visitor.page.named("stop")
    visitor.begin(visitor.page.event(button, "click"), button)


def go_away(app: Running, visitor: Visitor) -> None:
    visitor.close()


def test_a_heartbeat_that_breaks_for_a_moment_costs_nobody_what_they_have(app: Running) -> None:
    visitor = Visitor(app.url, "breaks-off")
    visitor.open()
    visitor.compare(marked.encoded(8), ["acting"])
    visit = app.app.visits.get("breaks-off")
    visitor.close()
    until(visit.off.is_set)
    assert app.app.visits.find("breaks-off") is visit and "breaks-off" in app.app.presence.away
    visitor.open(visitor.page)
    assert "breaks-off" not in app.app.presence.away
    marked.check_rendering(visitor.slide("acting", "threshold", 0.3), 8)
    visitor.close()


@pytest.mark.alone
@pytest.mark.parametrize("abort", [stop, go_away])
def test_a_page_that_is_stopped_or_closed_frees_the_worker(
    app: Running, abort: Callable[[Running, Visitor], None]
) -> None:
    visitor = Visitor(app.url, f"hangs until {abort.__name__}".replace(" ", "-"))
    visitor.open()
    visitor.give(marked.encoded(5))
    visitor.values |= {**visitor.chosen(["acting"]), visitor.page.labelled("act"): "hang"}
    run = visitor.page.named("run")
    visitor.begin(visitor.page.event(run, "click"), run)
    visitor.follow()
    until(lambda: health(app)["working"] == 1)
    abort(app, visitor)
    assert until(lambda: health(app)["working"] == 0) < 2
    visitor.close()
    marked.check_mask(base64.b64decode(segment(Visitor(app.url, "next"), 6)["mask_png"]), 6)


@pytest.mark.alone
def test_a_program_that_cancels_or_hangs_up_frees_the_worker(app: Running) -> None:
    client, picture = Client(app.url, verbose=False), base64.b64encode(marked.encoded(5)).decode()
    job = client.submit(image=picture, pipeline="acting", fields={"act": "hang"}, api_name="/segment")
    until(lambda: health(app)["working"] == 1)
    job.cancel()
    assert until(lambda: health(app)["working"] == 0) < 2
    visitor = Visitor(app.url, "hangs up")
    body = {"data": [picture, "acting", "default", None, None, None, {"act": "hang"}]}
    number = json.loads(visitor.post("/gradio_api/call/segment", json.dumps(body).encode(), JSON))["event_id"]
    line = visitor.listen(f"/gradio_api/call/segment/{number}")
    until(lambda: health(app)["working"] == 1)
    line.close()
    assert until(lambda: health(app)["working"] == 0) < 2


def test_while_a_look_hangs_everything_else_answers_and_in_time_it_is_ended(app: Running) -> None:
    visitor, said = Visitor(app.url, "other"), list[Any]()
    found = segment(visitor, 11)
    thread = threading.Thread(target=lambda: said.append(segment(Visitor(app.url, "hangs"), 12, act="hang")))
    thread.start()
    until(lambda: health(app)["working"] == 1)
    assert health(app)["status"] == "ok"
    other = visitor.call("decide", found["id"], {"threshold": 0.3}, False)
    marked.check_mask(base64.b64decode(other["mask_png"]), 11)
    page = Visitor(app.url, "page")
    page.open()
    page.give(marked.encoded(13))
    page.close()
    thread.join(30)
    assert said[0]["status"] == "failed" and "was still looking after 8 s, and was ended" in said[0]["reason"]
    marked.check_mask(base64.b64decode(segment(visitor, 14)["mask_png"]), 14)


def test_a_process_that_is_killed_from_outside_is_replaced(app: Running) -> None:
    visitor = Visitor(app.url, "killed")
    segment(visitor, 15)
    (place,) = [one for key, one in app.app.service.pool.places.items() if "acting" in key]
    before = place.child.process.pid
    os.kill(before, signal.SIGKILL)
    place.child.process.join(5)
    marked.check_mask(base64.b64decode(segment(visitor, 16)["mask_png"]), 16)
    assert place.child.process.pid != before and not Path(f"/proc/{before}").exists()
