"""A visitor as a browser is one, over plain HTTP: it knows the page's events, and waits for what they send."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

WAIT_S = 180
JSON = {"Content-Type": "application/json"}


class RefusedError(Exception):
    """The app would not do it, and said why."""

    def __init__(self, words: str, status: int = 200) -> None:
        super().__init__(words)
        self.words, self.status = words, status


@dataclass
class Page:
    """What a browser knows of the app once it has the page.

    Attributes:
        components: by number.
        events: in their order.
    """

    components: dict[int, dict[str, Any]]
    events: list[dict[str, Any]]

    def named(self, element: str) -> int:
        """Number of the component with an element's name."""
        return next(number for number, one in self.components.items() if one["props"].get("elem_id") == element)

    def labelled(self, label: str) -> int:
        """Number of the only component of a label."""
        (number,) = [number for number, one in self.components.items() if one["props"].get("label") == label]
        return number

    def event(self, target: int, name: str) -> dict[str, Any]:
        """The first event of a component that calls the app."""
        return next(one for one in self.events if [target, name] in one["targets"] and one["backend_fn"])

    def value(self, number: int) -> Any:
        """What a component holds at first."""
        return self.components[number]["props"].get("value")


@dataclass
class Answer:
    """What an event sent.

    Attributes:
        data: of each output, as it stands at last.
        outputs: numbers of the components.
        messages: how many came.
        last: first output of the last message, as it came.
    """

    data: dict[int, Any] = field(default_factory=dict)
    messages: int = 0
    last: Any = None


class Visitor:
    """One browser.

    Args:
        url: of the app.
        session: name that nobody else has.
    """

    def __init__(self, url: str, session: str) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.session = parts.hostname or "", parts.port or 80, session
        self.values: dict[int, Any] = {}
        self.page = Page({}, [])
        self.line: http.client.HTTPConnection | None = None
        self.alive: http.client.HTTPConnection | None = None
        self.running: tuple[str, int] = ("", 0)
        self.stream: socket.socket | None = None

    def open(self, page: Page | None = None) -> None:
        """Get the page, and hold the line that tells the app that somebody is there."""
        config = page or _page(json.loads(self._get("/config")))
        self.page = config
        self.alive = http.client.HTTPConnection(self.host, self.port, timeout=WAIT_S)
        self.alive.request("GET", f"/gradio_api/heartbeat/{self.session}")
        self.alive.getresponse().fp.readline()

    def follow(self) -> None:
        """Open the line on which events tell, without waiting for what they say."""
        self.stream = self.listen(f"/gradio_api/queue/data?session_hash={self.session}")

    def rest(self) -> None:
        """Wait until all that this visitor began has ended."""
        assert self.stream is not None
        said = b""
        while b"close_stream" not in said and (more := self.stream.recv(1 << 16)):
            said = said[-20:] + more
        self.stream.close()
        self.stream = None

    def cancel(self, running: tuple[str, int]) -> None:
        """Take back an event that waits, as a page does whose button cancels others."""
        body = {"session_hash": self.session, "fn_index": running[1], "event_id": running[0]}
        self.post("/gradio_api/cancel", json.dumps(body).encode(), JSON)

    def close(self) -> None:
        """Go away, as a tab that is closed."""
        if self.stream is not None:
            self.stream.close()
        for line in (self.alive, self.line):
            if line is not None:
                if line.sock is not None:
                    line.sock.close()
                line.close()
        self.alive = self.line = None

    def upload(self, data: bytes, name: str = "photo.png") -> dict[str, Any]:
        """A file of the visitor, as events take it."""
        edge = "----------visitor"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        body = f"{head}Content-Type: image/png\r\n\r\n".encode() + data + f"\r\n--{edge}--\r\n".encode()
        said = self.post("/gradio_api/upload", body, {"Content-Type": f"multipart/form-data; boundary={edge}"})
        return {"path": json.loads(said)[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def compare(self, data: bytes, pipelines: list[str], prompt: str = "") -> Answer:
        """Upload a picture, choose pipelines, press Compare, and wait for all cards."""
        self.give(data)
        return self.press("run", {**self.chosen(pipelines), self.page.named("prompt"): prompt})

    def give(self, data: bytes) -> Answer:
        """Upload a picture and let the app receive it."""
        number = self.page.named("picture")
        self.values[number] = self.upload(data)
        return self.fire(self.page.event(number, "change"), number)

    def chosen(self, pipelines: list[str]) -> dict[int, bool]:
        """Which pipelines are ticked."""
        boxes = {str(one["props"].get("elem_id")): number for number, one in self.page.components.items()
                 if str(one["props"].get("elem_id")).startswith("choose-")}  # fmt: skip
        return {number: name.removeprefix("choose-") in pipelines for name, number in boxes.items()}

    def press(self, button: str, values: dict[int, Any] | None = None) -> Answer:
        """Press a button by its element's name, and wait until all that it began is done."""
        self.values |= values or {}
        number = self.page.named(button)
        return self.fire(self.page.event(number, "click"), number)

    def slide(self, pipeline: str, knob: str, value: float) -> bytes:
        """Move a knob that acts at once, and read the picture that it gives."""
        target, event = self.knob(pipeline, knob)
        self.values[target] = value
        answer = self.fire(event, target)
        return self.file(answer.data[self.page.named(f"result-{pipeline}")])

    def knob(self, pipeline: str, knob: str) -> tuple[int, dict[str, Any]]:
        """A knob of a card, and the event that it fires."""
        picture = self.page.named(f"result-{pipeline}")
        label = knob.replace("_", " ")
        for event in self.page.events:
            if picture in event["outputs"]:
                for target, name in event["targets"]:
                    if name == "input" and self.page.components[target]["props"].get("label") == label:
                        return target, event
        raise LookupError(f"{pipeline} has no knob {knob} that acts at once")

    def fire(self, event: dict[str, Any], trigger: int, wait_s: float = WAIT_S) -> Answer:
        """What an event sends, all of it."""
        return self.wait(self.begin(event, trigger), event, wait_s)

    def begin(self, event: dict[str, Any], trigger: int) -> str:
        """Number of an event that begins."""
        data = [self.values.get(number, self.page.value(number)) for number in event["inputs"]]
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session, "trigger_id": trigger,
                "event_data": None}  # fmt: skip
        return str(json.loads(self.post("/gradio_api/queue/join", json.dumps(body).encode(), JSON))["event_id"])

    def wait(self, number: str, event: dict[str, Any], wait_s: float = WAIT_S) -> Answer:
        """All that an event sends, merged."""
        answer, got = Answer(), None
        for message in self.messages(wait_s):
            if message.get("event_id") != number:
                continue
            if message["msg"] in ("process_generating", "process_completed"):
                output, answer.messages = message["output"], answer.messages + 1
                if not message["success"]:
                    raise RefusedError(str(output.get("error")))
                got = _merged(got, output.get("data") or [], message["msg"] == "process_generating" and got is not None)
                answer.last = got[0] if got else None
                for component, value in zip(event["outputs"], got, strict=False):
                    answer.data[component] = _updated(answer.data.get(component), value)
        return answer

    def messages(self, wait_s: float) -> Iterator[dict[str, Any]]:
        """Of the line of this visitor, until it is closed from there."""
        self.line = http.client.HTTPConnection(self.host, self.port, timeout=wait_s)
        self.line.request("GET", f"/gradio_api/queue/data?session_hash={self.session}")
        answer = self.line.getresponse()
        try:
            while text := answer.readline():
                if text.startswith(b"data: "):
                    message = json.loads(text[6:])
                    if message["msg"] == "close_stream":
                        return
                    yield message
        finally:
            self.line.close()

    def file(self, update: Any) -> bytes:
        """The bytes behind what an output holds."""
        value = update.get("value", update) if isinstance(update, dict) and "__type__" in update else update
        return self._get(f"/gradio_api/file={value['path']}")

    def call(self, name: str, *data: Any) -> Any:
        """What an endpoint answers, as ``curl`` asks it."""
        said = self.post(f"/gradio_api/call/{name}", json.dumps({"data": data}).encode(), JSON)
        return self.result(str(json.loads(said)["event_id"]), name)

    def result(self, number: str, name: str = "segment") -> Any:
        """What an endpoint answers to a call that it took."""
        lines = self._get(f"/gradio_api/call/{name}/{number}").decode().splitlines()
        told = json.loads(lines[-2].removeprefix("data: ") if not lines[-1] else lines[-1].removeprefix("data: "))
        if "event: error" in lines:
            raise RefusedError(str((told or {}).get("error")))
        return told[0]

    def listen(self, path: str) -> socket.socket:
        """A line on which an answer is waited for; whoever has it may close it."""
        line = socket.create_connection((self.host, self.port), WAIT_S)
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        line.recv(1)
        return line

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        return self._asked("POST", path, body, headers)

    def _get(self, path: str) -> bytes:
        return self._asked("GET", path, None, {})

    def _asked(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        line = http.client.HTTPConnection(self.host, self.port, timeout=WAIT_S)
        try:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            said = answer.read()
        finally:
            line.close()
        if answer.status != 200:
            raise RefusedError(_detail(said), answer.status)
        return said


def _page(config: dict[str, Any]) -> Page:
    return Page({one["id"]: one for one in config["components"]}, config["dependencies"])


def _detail(said: bytes) -> str:
    try:
        return str(json.loads(said).get("detail"))
    except ValueError:
        return said.decode(errors="replace")[:200]


def _merged(before: list[Any] | None, data: list[Any], is_change: bool) -> list[Any]:
    """The data of a message; those after the first say what changed alone."""
    if not is_change or before is None:
        return data
    return [_changed(old, change) for old, change in zip(before, data, strict=True)]


def _changed(value: Any, changes: Any) -> Any:
    """A value after the changes that Gradio sends in place of it: kind, path and new value."""
    for kind, path, new in changes:
        if not path:
            value = value + new if kind == "append" else new
            continue
        value = json.loads(json.dumps(value))
        place = value
        for step in path[:-1]:
            place = place[step]
        if kind == "delete":
            del place[path[-1]]
        elif kind == "append":
            place[path[-1]] += new
        elif kind == "add" and isinstance(place, list):
            place.insert(path[-1], new)
        else:
            place[path[-1]] = new
    return value


def _updated(before: Any, value: Any) -> Any:
    """What an output holds after an update; one that is skipped leaves it."""
    if isinstance(value, dict) and value.get("__type__") == "update":
        return before if set(value) == {"__type__"} else value
    return value


def hold(visitors: list[threading.Thread]) -> None:
    """Start all and wait for all."""
    for one in visitors:
        one.start()
    for one in visitors:
        one.join()
