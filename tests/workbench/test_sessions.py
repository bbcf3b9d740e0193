"""What is kept of each session: little, nobody else's, and nothing of one that waits for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.workbench.apps import Running, running
from tests.workbench.visiting import Visitor
from workbench.door.sessions import IDLE, MOST_UNREAD, SWEEP_S, Lines, Unkept, begun

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("sessions")) as found:
        yield found


def test_a_line_that_somebody_waits_on_stays_whatever_comes() -> None:
    waiting: dict[str, set[str]] = {"early": {"event"}}
    lines = Lines(waiting, {"event": object()})
    for name in ("early", *map(str, range(3 * IDLE))):
        lines[name] = object()
        waiting.setdefault(name, set())
    assert "early" in lines and waiting["early"] == {"event"}
    assert len(lines) <= IDLE + 1 and set(waiting) == set(lines)
    waiting["early"].clear()
    for number in range(2 * IDLE):
        lines[f"later {number}"] = object()
    assert "early" not in lines


def test_lines_grow_with_those_who_wait_and_are_not_looked_through_each_time() -> None:
    waiting: dict[str, set[str]] = {}
    lines = Lines(waiting, {"event": object()})
    for number in range(4 * IDLE):
        waiting[str(number)] = {"event"}
        lines[str(number)] = object()
    assert len(lines) == 4 * IDLE and lines.next > 3 * IDLE


def test_an_answer_that_nobody_reads_is_kept_for_a_minute_and_no_more_than_some_at_all() -> None:
    waiting: dict[str, set[str]] = {"looks": {"runs"}}
    time_s, running = [0.0], {"runs": object(), "ends": object()}
    lines = Lines(waiting, running, lambda: time_s[0])

    def come(name: str, *events: str) -> None:
        time_s[0] += SWEEP_S
        lines[name] = object()
        waiting[name] = set(events)

    come("looks", "runs")
    come("unread", "done")
    come("ends later", "ends")
    for number in range(5):
        come(str(number))
    assert "unread" in lines, "not for a whole minute yet"
    del running["ends"]
    come("6")
    assert "unread" not in lines and "unread" not in waiting
    assert {"looks", "ends later"} <= set(lines) and waiting["ends later"] == {"ends"}
    for number in range(7):
        come(f"more {number}")
    assert "ends later" not in lines and "looks" in lines
    for number in range(3 * MOST_UNREAD):
        lines[f"at once {number}"], waiting[f"at once {number}"] = object(), {"done"}
    assert "looks" in lines and len(lines) <= MOST_UNREAD + 2 * IDLE


def test_what_is_shown_is_not_kept() -> None:
    values = Unkept()
    values[3] = {"props": {"value": "a picture"}}
    assert 3 in values and values[3] == {} and len(values) == 0


def test_a_session_is_begun_with_nothing_of_another(app: Running) -> None:
    states = app.app.demo.state_holder
    first, second = (begun(states["seen first"]) for _ in range(2))
    slider = app.slot("acting").knobs["gain"]
    first[slider._id] = object()
    assert second[slider._id] is slider and app.app.demo.default_config.blocks[slider._id] is slider
    assert first.state_data is not second.state_data and first._state_ttl is not second._state_ttl


def test_calls_of_programs_leave_next_to_nothing(app: Running) -> None:
    visitor = Visitor(app.url, "program")
    queue, states = app.app.demo._queue, app.app.demo.state_holder
    for _ in range(IDLE + 30):
        visitor.call("pipelines")
    kept: list[Any] = [dict.__len__(one.config_values) for one in states.session_data.values()]
    assert len(kept) > IDLE and not any(kept)
    assert len(queue.pending_messages_per_session) <= IDLE and len(queue.pending_event_ids_session) <= IDLE
