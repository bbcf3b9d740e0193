"""Calls that nobody who means well would make: each is refused in words, and nothing of another visitor comes of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.workbench.hostile.calls import Caller, Reply, file_data
from tests.workbench.hostile.pictures import PHOTO, saved
from tests.workbench.hostile.served import Served
from tests.workbench.hostile.test_paths import defaults

TEXT = base64.b64encode(saved("PNG")).decode()
BAD: dict[str, dict[str, Any]] = {
    "image is a number": {"image": 5}, "image is nothing": {"image": None}, "image is a list": {"image": [1, 2]},
    "image is empty": {"image": ""}, "image is an object": {"image": {}}, "image is a file of nothing": {
        "image": {"path": None, "meta": {"_type": "gradio.FileData"}}},
    "image is a flag": {"image": True}, "image is a file of a number": {"image": {"path": 7}},
    "boxes are text": {"boxes": "all"}, "boxes are flat": {"boxes": [1, 2, 3, 4]}, "box of three": {"boxes": [[1, 2, 3]]},
    "box of text": {"boxes": [["a", "b", "c", "d"]]}, "box turned round": {"boxes": [[30, 30, 5, 5]]},
    "box beyond": {"boxes": [[-1e308, -1e308, 1e308, 1e308]]}, "box of no end": {"boxes": [["inf", "nan", 4, 4]]},
    "point of no number": {"points": [["nan", 1, 1]]}, "point beyond": {"points": [[1e9, -1e9, 1]]},
    "point with a bad label": {"points": [[1, 1, 7]]}, "point of two": {"points": [[1, 1]]},
    "points are an object": {"points": {"x": 1}}, "many points": {"points": [[1, 1, 1]] * 5000},
    "many boxes": {"boxes": [[1, 1, 9, 9]] * 5000}, "prompt is a number": {"prompt": 5},
    "prompt of objects": {"prompt": [{"a": 1}]}, "many texts": {"prompt": ["x"] * 5000},
    "text without end": {"prompt": ["x" * 1_000_000]}, "text of nothing": {"prompt": [""]},
    "pipeline unknown": {"pipeline": "../../secret"}, "pipeline is a number": {"pipeline": 3},
    "pipeline is nothing": {"pipeline": None}, "pipeline is a list": {"pipeline": ["acting"]},
    "preset unknown": {"preset": "../../secret"}, "preset is a path": {"preset": "/secret"},
    "preset is a number": {"preset": 4}, "preset is an object": {"preset": {"a": 1}},
    "field unknown": {"fields": {"__class__": 1}}, "field out of bounds": {"fields": {"threshold": 7}},
    "field of no number": {"fields": {"threshold": "nan"}}, "field of text": {"fields": {"gain": "much"}},
    "field of nothing": {"fields": {"gain": None}}, "fields are a list": {"fields": [1, 2]},
    "fields are text": {"fields": "x"}, "field is an object": {"fields": {"gain": {"$ne": 1}}},
    "a choice unknown": {"fields": {"act": "<b>"}},
}  # fmt: skip
ORDER = ("image", "pipeline", "preset", "prompt", "boxes", "points", "fields")
USUAL = {"image": TEXT, "pipeline": "acting", "preset": "default"}
TAKEN = {"prompt of objects"}
"""What a pipeline that takes no prompt may pass over; it is an answer all the same."""


def is_plain(reply: Reply, what: str) -> bool:
    """Whether it was refused in words, or is an answer whose reason is in words."""
    if not reply.ok or not isinstance(reply.data[0], dict):
        return not reply.ok and reply.is_plain
    status, reason = reply.data[0].get("status"), reply.data[0].get("reason")
    if status == "ok":
        return what in TAKEN
    return status in ("failed", "unavailable") and Reply(False, None, str(reason), "").is_plain


@pytest.mark.parametrize("what", BAD)
def test_bad_values_are_refused_in_words(what: str, caller: Caller) -> None:
    values = {**USUAL, **BAD[what]}
    reply = caller.call("segment", *(values.get(name) for name in ORDER))
    assert is_plain(reply, what), (what, reply.error[:300] or reply.text[:300])


@pytest.mark.parametrize("images", [[], ["x"] * 17, "x", None, 5, {"a": 1}, [[TEXT]], [None], [{}]])
def test_bad_lists_of_pictures_are_refused_in_words(images: Any, caller: Caller) -> None:
    reply = caller.call("segment_many", images, "acting", "default", None, None)
    if reply.ok:
        assert all(
            one["status"] == "failed" and Reply(False, None, one["reason"], "").is_plain for one in reply.data[0]
        )
    else:
        assert reply.is_plain, reply.error


@pytest.mark.parametrize("values", [[], ["x"], ["x", None, None], [None, {}, False], [{"a": 1}, {}, False],
                                    ["x", {"threshold": 0.5}, False, 1, 2], ["x" * 100_000, {}, False]])  # fmt: skip
def test_bad_decisions_are_refused_in_words(values: list[Any], caller: Caller) -> None:
    reply = caller.call("decide", *values)
    assert not reply.ok and reply.is_plain, reply.error


BODIES = {
    "nothing": b"", "no JSON": b"{", "NaN": b'{"data": [NaN]}', "a list": b"[]", "a number": b"1", "null": b"null",
    "no data": b'{"dat": []}', "data of text": b'{"data": "x"}', "deep": b'{"data":' + b"[" * 90_000 + b"]" * 90_000 + b"}",
    "a little deep": b'{"data":' + b"[" * 400 + b"]" * 400 + b"}", "not UTF-8": b'{"data": ["\xff"]}',
    "10 MB of lists": b'{"data": [' + b"[]," * 3_300_000 + b"[]]}",
    "a million points": b'{"data": ["x","acting","default",null,null,[' + b"[1,2,1]," * 10**6 + b"[1,2,1]],null]}",
    "long session": b'{"data": [], "fn_index": 0, "session_hash": "' + b"a" * 10**6 + b'"}',
    "session of a number": b'{"data": [], "fn_index": 0, "session_hash": 5}', "no session": b'{"data":[],"fn_index":0}',
    "unknown event": b'{"data": [], "fn_index": 99999, "session_hash": "a1"}',
    "event below 0": b'{"data": [], "fn_index": -1, "session_hash": "a1"}',
    "event of text": b'{"data": [], "fn_index": "x", "session_hash": "a1"}',
    "31 MB": b'{"data": ["' + b"a" * 31_000_000 + b'"]}',
}  # fmt: skip


@pytest.mark.parametrize("path", ["gradio_api/queue/join", "gradio_api/call/segment"])
@pytest.mark.parametrize("what", BODIES)
def test_bad_bodies_are_refused_in_words(what: str, path: str, caller: Caller) -> None:
    answer = caller.post(path, content=BODIES[what], headers={"content-type": "application/json"})
    if "call" in path and answer.status_code == 200:  # these endpoints need no session and no number
        number = answer.json()["event_id"]
        assert "event: error" in caller.http.get(f"{caller.url}{path}/{number}").text
        return
    assert answer.status_code in (400, 413, 422), (what, answer.status_code, answer.text[:200])
    assert Reply(False, None, answer.json()["detail"], "").is_plain, answer.text[:300]


@pytest.mark.parametrize(("method", "path", "kind"), [
    ("GET", "gradio_api/call/segment", ""), ("PUT", "gradio_api/queue/join", "application/json"),
    ("DELETE", "gradio_api/upload", ""), ("POST", "gradio_api/upload", "text/plain"),
    ("POST", "gradio_api/upload", "multipart/form-data"), ("POST", "gradio_api/call/segment", "text/plain"),
    ("POST", "gradio_api/call/segment", "multipart/form-data; boundary=x"), ("POST", "gradio_api/call/nobody", ""),
    ("POST", "gradio_api/run/segment", "application/json"), ("POST", "gradio_api/api/received", "application/json"),
    ("TRACE", "", ""), ("POST", "healthz", "application/json"), ("PATCH", "gradio_api/file=/etc/passwd", ""),
    ("POST", "gradio_api/component_server", "application/json"), ("POST", "gradio_api/process_recording", ""),
    ("GET", "openapi.json", ""), ("GET", "docs", ""), ("GET", "monitoring/x", ""), ("GET", "logout?x=//evil", ""),
    ("POST", "gradio_api/vibe-edit", "application/json"), ("GET", "gradio_api/deep_link?session_hash=victim01", ""),
    ("GET", "gradio_api/dev/reload", ""), ("GET", "gradio_api/token", ""), ("POST", "login", ""),
])  # fmt: skip
def test_wrong_ways_are_refused(method: str, path: str, kind: str, caller: Caller) -> None:
    body = b'{"data": []}' if "json" in kind else b"x"
    answer = caller.http.request(method, caller.url + path, content=body, headers={"content-type": kind} if kind else {},
                                 follow_redirects=False)  # fmt: skip
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:200])
    assert "Traceback" not in answer.text and "location" not in answer.headers


@pytest.fixture(scope="module")
def victim(server: Served) -> str:
    """Somebody else, with a picture and a result."""
    caller = server.caller("victim0001")
    events = caller.config()["dependencies"]
    opened = caller.event(
        caller.number("received"), [file_data(caller.upload(saved("PNG", 255 - PHOTO), "holiday.png"))]
    )
    ran = caller.event(
        caller.number("compare"),
        run_values(caller, events[caller.number("compare")], file_data(caller.upload(saved("PNG", 255 - PHOTO)))),
    )
    caller.http.close()
    assert opened.ok and ran.ok, (opened.error, ran.error)
    return caller.session


def run_values(caller: Caller, event: dict[str, Any], picture: Any) -> list[Any]:
    return [picture, *defaults(caller, event["inputs"])[1:]]


def test_every_event_of_the_page_withstands_values_that_no_page_sends(victim: str, caller: Caller) -> None:
    """All of them, called by number: with nothing, with what is no value, and with what belongs to another kind."""
    for event in caller.config()["dependencies"]:
        if event["cancels"] or event["api_name"] in ("left", "segment"):  # the first have no values
            continue
        count = len(event["inputs"])
        for value in ({"a": [1]}, "<script>", -1e300):
            reply = caller.event(event["id"], [value] * count)
            assert reply.ok or reply.is_plain, (event["id"], event["api_name"], reply.error)
            assert "holiday" not in reply.text
        if count:
            reply = caller.event(event["id"], [])
            assert not reply.ok and reply.is_plain, (event["id"], reply.error)


def test_nothing_of_another_visitor_is_reached_without_their_session(victim: str, caller: Caller) -> None:
    """A path of theirs is not told, and the events that show results know nothing under another session."""
    for event in caller.config()["dependencies"]:
        if event["api_name"] in ("view", "make_file", "all_files", "stop", "decide_again", "mark", "point"):
            values = defaults(caller, event["inputs"])
            reply = caller.event(event["id"], values, "stranger01", event_data={"index": [1, 1], "value": None})
            assert "holiday" not in reply.text and "png" not in json.dumps(reply.data or "")
    for session in ("", "None", "null", "victim000", "victim0001 ", "VICTIM0001", "victim0001\0", "*"):
        answer = caller.post(
            "gradio_api/queue/join", {"data": [], "fn_index": caller.number("mark"), "session_hash": session}
        )
        assert answer.status_code != 200 or "holiday" not in caller.event(caller.number("mark"), [""], session).text


def test_ids_are_not_guessed(caller: Caller) -> None:
    number = caller.segment(TEXT).data[0]["id"]
    assert len(number) >= 20
    for other in (number[:-1], number.swapcase(), number + "A", "0", "", "*", "../" + number):
        assert not caller.call("decide", other, {"threshold": 0.5}, False).ok or other == number


def test_headers(caller: Caller) -> None:
    for path in ("", "config", "healthz", "theme.css", "gradio_api/file=/etc/passwd", "gradio_api/info", "nothing"):
        answer = caller.http.get(caller.url + path, headers={"origin": "https://evil.example"})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers and "set-cookie" not in answer.headers
    for origin in ("null", "https://evil.example", "http://127.0.0.1.evil.example", "file://"):
        asked = {"origin": origin, "access-control-request-method": "POST"}
        answer = caller.http.request("OPTIONS", f"{caller.url}gradio_api/upload", headers=asked)
        assert "access-control-allow-origin" not in answer.headers
    for path in ("//evil.example", "/%2f%2fevil.example/", "login/", "gradio_api/info/", "config/"):
        assert "evil" not in caller.http.get(caller.url + path, follow_redirects=False).headers.get("location", "")


def test_what_is_served_cannot_run_as_a_page(caller: Caller) -> None:
    """A picture that is a page too, and a page that is named as a picture, are given back as what they are not."""
    for name, data in (("a.html", b"<script>alert(1)</script>"), ("a.svg", b"<svg onload='alert(1)'/>"),
                       ("a.xml", b"<?xml version='1.0'?><x/>"), ("a.js", b"alert(1)")):  # fmt: skip
        answer = caller.http.get(f"{caller.url}gradio_api/file={caller.upload(data, name)}")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"
