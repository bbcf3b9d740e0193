"""What stands before Gradio, without it: bodies, closed paths, headers, refusals."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pipelines.errors import UsageError
from workbench.door import bodies
from workbench.door.gate import HEADERS, UPLOAD, Gate, closed


@pytest.mark.parametrize(("body", "words"), [
    (b"", "no JSON"), (b"[]", "no JSON object"), (b'{"a": NaN}', "no JSON"), (b'{"session_hash": ""}', "session"),
    (b'{"session_hash": 5}', "session"), (b'{"session_hash": "' + b"a" * 65 + b'"}', "session"),
    (b'{"a": ' + b"[" * 60 + b"]" * 60 + b"}", "deeply"), (b'{"a": [' + b"1," * 100_000 + b"1]}", "values"),
])  # fmt: skip
def test_bodies_that_are_refused(body: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        bodies.check(body)


def test_bodies_that_are_read() -> None:
    bodies.check(json.dumps({"data": ["a" * 10**6, [[1, 2, 3]] * 1000, None], "session_hash": "a" * 64}).encode())
    assert bodies.depth({"a": [1, {"b": []}]}) == 3 and bodies.depth(1) == 0
    assert bodies.most_bytes(is_upload=True) > bodies.most_bytes(is_upload=False)


def test_paths_that_are_closed() -> None:
    assert closed("/gradio_api/file=https://example.com/a.png") and closed("/gradio_api/proxy=x") and closed("/login")
    assert not closed("/gradio_api/file=/a/b.png") and not closed("/") and not closed("/gradio_api/login_check")


def asked(
    app: Any, method: str = "GET", path: str = "/", parts: tuple[bytes, ...] = (b"",), **headers: str | list[str]
) -> list[Any]:
    """All that the gate sends before an app; a header with several values is sent as often."""
    sent: list[Any] = []
    left = [{"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
            for number, part in enumerate(parts)]  # fmt: skip

    async def receive() -> Any:
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    fields = [(name.replace("_", "-").encode(), value.encode()) for name, values in headers.items()
              for value in ([values] if isinstance(values, str) else values)]  # fmt: skip
    scope = {"type": "http", "method": method, "path": path, "headers": fields}
    asyncio.run(Gate(app)(scope, receive, send))
    return sent


def test_a_body_that_never_ends_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.door.gate.WHOLE_S", 0.05)
    sent: list[Any] = []

    async def receive() -> Any:
        if not sent:
            sent.append(None)
            return {"type": "http.request", "body": b"{", "more_body": True}
        return await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/gradio_api/queue/join", "headers": []}
    asyncio.run(asyncio.wait_for(Gate(echo)(scope, receive, send), 10))
    assert sent[1]["status"] == 408 and b"took too long to arrive" in sent[2]["body"]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Gives the body back."""
    body = (await receive()).get("body", b"") if scope["method"] == "POST" else b"well"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"referrer-policy", b"no-referrer")]})
    await send({"type": "http.response.body", "body": body})


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise KeyError("/home/somebody")


async def broken_late(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError


def test_headers_are_set_where_there_are_none() -> None:
    start, body = asked(echo)
    assert body["body"] == b"well" and len(start["headers"]) == len(HEADERS)
    assert dict(start["headers"])[b"referrer-policy"] == b"no-referrer"


def test_a_body_is_checked_and_passed_on_whole() -> None:
    assert asked(echo, "POST", parts=(b'{"da', b'ta": []}'))[1]["body"] == b'{"data": []}'
    assert asked(echo, "POST", parts=(b"{",))[0]["status"] == 422
    assert asked(echo, "POST", content_length="99999999999")[0]["status"] == 413


def test_a_body_that_does_not_say_its_length_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_JSON_BYTES", 10)
    assert asked(echo, "POST", parts=(b'{"data":', b" []}"))[0]["status"] == 413


@pytest.mark.parametrize("name", ["content_type", "content_length"])
@pytest.mark.parametrize("path", ["/", UPLOAD])
def test_a_header_that_can_be_read_in_two_ways_is_refused(path: str, name: str) -> None:
    values = {"content_type": ["application/json", "multipart/form-data; boundary=x"], "content_length": ["2", "99"]}
    start, body = asked(echo, "POST", path, (b"{}",), **{name: values[name]})
    assert start["status"] == 400 and b"more than once" in body["body"]
    assert asked(echo, "POST", path, (b"{}",), **{name: values[name][:1]})[0]["status"] == 200


def test_only_the_path_of_uploads_takes_forms_whatever_a_body_calls_itself() -> None:
    form = "multipart/form-data; boundary=x"
    assert asked(echo, "POST", "/gradio_api/queue/join", (b"--x",), content_type=form)[0]["status"] == 422
    assert asked(echo, "POST", UPLOAD, (b"--x",), content_type=form)[1]["body"] == b"--x"
    size = str(bodies.MOST_JSON_BYTES + 1)
    assert asked(echo, "POST", "/", (b"{}",), content_type=form, content_length=size)[0]["status"] == 413


@pytest.mark.filterwarnings("ignore")
def test_what_goes_wrong_is_told_in_words() -> None:
    start, body = asked(broken)
    assert start["status"] == 400 and b"somebody" not in body["body"] and b"number" in body["body"]
    start, body = asked(broken_late)
    assert start["status"] == 200 and body["body"] == b"", "an answer that began is ended"
    assert asked(echo, path="/gradio_api/vibe-edit")[0]["status"] == 404
