"""The served app as an attacker meets it: plain HTTP, with whatever body is wanted, and what comes back."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx

PYTHON = re.compile(r"Traceback|Error:|Exception|\b\w+Error\b|\.py\b|NoneType|object at 0x|\bgradio\.|KeyError|numpy")
MACHINE = re.compile(r"/(?:tmp|home|root|work|usr|proc|etc|var|opt)/|site-packages")


@dataclass(frozen=True)
class Reply:
    """What an event came to.

    Attributes:
        ok: whether it was done.
        data: what it gave.
        error: in words, where it was not.
        text: all that came over the wire.
    """

    ok: bool
    data: Any
    error: str
    text: str

    @property
    def is_plain(self) -> bool:
        """Whether a refusal is a sentence for people: not blank, no path of the machine, no name of Python."""
        said = self.error
        return len(said) > 20 and said.rstrip()[-1] in ".!?" and not PYTHON.search(said) and not MACHINE.search(said)


@dataclass
class Caller:
    """Somebody with curl.

    Attributes:
        url: of the app, with a slash behind it.
        session: that is named in calls of events of the page.
    """

    url: str
    session: str = "attacker0001"
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60, trust_env=False))
    known: dict[str, Any] = field(default_factory=dict)

    def upload(self, data: bytes, name: str = "a.png") -> str:
        """Path of an upload, as Gradio names it."""
        answer = self.http.post(f"{self.url}gradio_api/upload", files={"files": (name, data)})
        answer.raise_for_status()
        return str(answer.json()[0])

    def post(self, path: str, body: Any = None, **said: Any) -> httpx.Response:
        """Anything at all; ``content=`` for raw bytes."""
        more = said if body is None else {"json": body, **said}
        return self.http.post(self.url + path, **more)

    def call(self, endpoint: str, *data: Any) -> Reply:
        """An endpoint for programs, as curl calls it."""
        asked = self.post(f"gradio_api/call/{endpoint}", {"data": list(data)})
        if asked.status_code != 200:
            return _refused(asked)
        answer = self.http.get(f"{self.url}gradio_api/call/{endpoint}/{asked.json()['event_id']}")
        event, _, rest = answer.text.rpartition("event: ")[2].partition("\n")
        told = json.loads(rest.partition("data: ")[2].strip() or "null")
        if event == "complete":
            return Reply(True, told, "", answer.text)
        said = told.get("error") if isinstance(told, dict) else told
        return Reply(False, None, said or "", answer.text)

    def segment(self, image: Any, pipeline: str = "acting", **named: Any) -> Reply:
        """The endpoint of that name."""
        order = ("preset", "prompt", "boxes", "points", "fields")
        usual = {"preset": "default", **named}
        return self.call("segment", image, pipeline, *(usual.get(name) for name in order))

    def event(self, number: int, data: list[Any], session: str | None = None, **more: Any) -> Reply:
        """An event of the page, which no program is told of, with any values in its components."""
        whose = session or self.session
        body = {"data": data, "fn_index": number, "session_hash": whose, **more}
        asked = self.post("gradio_api/queue/join", body)
        if asked.status_code != 200:
            return _refused(asked)
        seen: list[Any] = []
        with self.http.stream("GET", f"{self.url}gradio_api/queue/data", params={"session_hash": whose}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:]))
                    if seen[-1]["msg"] in ("process_completed", "unexpected_error"):
                        break
        last, text = seen[-1], json.dumps(seen)
        output = last.get("output") or {}
        if last.get("success"):
            return Reply(True, output.get("data"), "", text)
        return Reply(False, None, output.get("error") or last.get("message") or "", text)

    def received(self, sent: Any) -> Reply:
        """The event of a new picture; what is refused is told in the status, and the picture is taken away."""
        reply = self.event(self.number("received"), [sent])
        if not reply.ok or reply.data[0] is not None:
            return reply
        said = next(one for one in reply.data if isinstance(one, str) and one.startswith("<p"))
        return Reply(False, None, unescape(re.sub(r"<[^>]+>", "", said)), reply.text)

    def number(self, name: str) -> int:
        """Of the first event of the page with a callback of that name."""
        return int(next(one["id"] for one in self.config()["dependencies"] if one["api_name"] == name))

    def pressed(self, words: str) -> int:
        """Of the event of a button, by what stands on it."""
        config = self.config()
        button = next(one["id"] for one in config["components"] if one["props"].get("value") == words)
        return int(next(one["id"] for one in config["dependencies"] if [button, "click"] in one["targets"]))

    def config(self) -> dict[str, Any]:
        """What the page is told of components and events."""
        if not self.known:
            self.known.update(self.http.get(f"{self.url}config").json())
        return self.known


def _refused(answer: httpx.Response) -> Reply:
    try:
        said = answer.json().get("detail")
    except (ValueError, AttributeError):
        said = answer.text
    return Reply(False, None, said if isinstance(said, str) else json.dumps(said), answer.text)


def file_data(path: str, **more: Any) -> dict[str, Any]:
    """A file as Gradio's clients send it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}
