"""What stands before Gradio: routes that nobody needs are closed, bodies are checked, headers set, errors in words."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pipelines.errors import UsageError
from workbench.door import bodies

logger = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Served = Callable[[Any, Receive, Send], Awaitable[None]]

CURE = "Reload the page, or see Use via API there for what each endpoint takes."
CLOSED = (
    "/openapi.json", "/login", "/logout", "/monitoring", "/runs", "/gradio_api/runs", "/gradio_api/run-history",
    "/gradio_api/deep_link", "/gradio_api/dev/", "/gradio_api/proxy=", "/gradio_api/stream/", "/gradio_api/vibe-",
    "/gradio_api/undo-vibe", "/gradio_api/process_recording", "/gradio_api/component_server", "/gradio_api/profiling",
    "/gradio_api/custom_component", "/gradio_api/run/", "/gradio_api/api/", "/pwa_icon", "/gradio_api/file/",
    "/gradio_api/token",
)  # fmt: skip
"""Beginnings of paths that Gradio answers and this app has no use for."""

FILE, UPLOAD = "/gradio_api/file=", "/gradio_api/upload"
WHOLE_S = 60.0
"""For a body that is read whole before anybody looks at it: one that never ends would be kept in memory."""

ONCE = (b"content-type", b"content-length")
"""Headers of which whoever reads the first and whoever reads the last have to find the same."""

POLICY = ("default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
          "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
          "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
          "form-action 'self'")  # fmt: skip
"""The page may load from its own address alone. It may be framed: a Space is."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "content-security-policy": POLICY,
}


class Gate:
    """Middleware of ASGI.

    Args:
        app: what lies behind it.
    """

    def __init__(self, app: Served) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            if closed(scope["path"]):
                raise UsageError("There is nothing at this address.", CURE)
            await self.app(scope, await _checked(scope, receive), answer.send)
        except _RefusedError as error:
            await answer.refuse(error.status, str(error))
        except UsageError as error:
            await answer.refuse(404, str(error))
        except Exception as error:
            await answer.refuse(400, not_taken(error))


def not_taken(error: BaseException) -> str:
    """The sentence for a request that Gradio does not understand; what it says itself goes to the log.

    Args:
        error: as it was raised.
    """
    number = secrets.token_hex(4)
    logger.warning("Not taken, %s: %s: %s", number, type(error).__name__, str(error)[:500])
    return f"What was sent is not what this takes (number {number} in the log). {CURE}"


def closed(path: str) -> bool:
    """Whether nobody is let through to a path: Gradio would fetch what ``file=`` names, for anybody."""
    return path.startswith(CLOSED) or (path.startswith(FILE) and not path.startswith(f"{FILE}/"))


def is_upload(path: str) -> bool:
    """Whether forms are received at a path."""
    return path.rstrip("/").endswith(UPLOAD)


class _RefusedError(Exception):
    """A request that is not passed on.

    Args:
        status: of HTTP.
        why: in words.
    """

    def __init__(self, status: int, why: UsageError) -> None:
        super().__init__(str(why))
        self.status = status


class _Answer:
    """An answer with the headers of this app, which may be a refusal as long as nothing was sent."""

    def __init__(self, send: Send) -> None:
        self.to, self.begun, self.whole = send, False, False

    async def send(self, message: Message) -> None:
        """Pass a part of it on."""
        if message["type"] == "http.response.start":
            self.begun = True
            there = {name.lower() for name, _ in message["headers"]}
            ours = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
            message = {**message, "headers": [*message["headers"], *ours]}
        if message["type"] == "http.response.body":
            self.whole = not message.get("more_body", False)
        await self.to(message)

    async def refuse(self, status: int, why: str) -> None:
        """End it, with the reason where it has not begun."""
        if self.begun:
            logger.warning("An answer broke off: %s", why)
            if not self.whole:
                await self.send({"type": "http.response.body", "body": b""})
            return
        body = json.dumps({"detail": why, "error": why}).encode()
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": status, "headers": head})
        await self.send({"type": "http.response.body", "body": body})


async def _checked(scope: Any, receive: Receive) -> Receive:
    """What gives the body, after JSON was read and checked, and forms as they come but not beyond their limit."""
    if scope["method"] not in ("POST", "PUT", "PATCH"):
        return receive
    names = [name.lower() for name, _ in scope["headers"]]
    if any(names.count(name) > 1 for name in ONCE):
        raise _RefusedError(400, UsageError("The request says its Content-Type or Content-Length more than once.",
                                            "Send each of them once."))  # fmt: skip
    headers = dict(zip(names, (value.decode("latin-1") for _, value in scope["headers"]), strict=True))
    is_form = is_upload(scope["path"])
    counted = _counted(is_form, receive, headers.get(b"content-length", ""))
    if is_form:
        return counted
    body = await _whole(counted)
    try:
        bodies.check(body)
    except UsageError as error:
        raise _RefusedError(422, error) from error
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return parts.pop() if parts else await receive()

    return again


def _counted(is_form: bool, receive: Receive, announced: str) -> Receive:
    left = bodies.most_bytes(is_form)
    if announced.isdigit() and int(announced) > left:
        raise _RefusedError(413, bodies.too_large(is_form))

    async def part() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _RefusedError(413, bodies.too_large(is_form))
        return message

    return part


async def _whole(receive: Receive) -> bytes:
    from anyio import move_on_after

    with move_on_after(WHOLE_S):
        return await _gathered(receive)
    raise _RefusedError(408, UsageError("The request took too long to arrive.", "Send it again, or send less."))


async def _gathered(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the other side is gone
            return bytes(body)
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)
