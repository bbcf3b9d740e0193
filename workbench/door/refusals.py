"""What is refused before any callback is reached, in our words: too many who wait, too much that is uploaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from time import monotonic
from typing import Any

from pipelines.errors import ResourceError
from workbench.door.gate import is_upload
from workbench.door.sessions import Heartbeats
from workbench.files.janitor import BLOCK, Janitor
from workbench.files.shelf import FULL, NO_SPACE
from workbench.visitors import Presence

BUSY = "Too many are waiting here at this moment, so this was not begun. Try again in a minute."
QUEUE_FULL, OTHERS = "Queue is full", 20
AGAIN_S = "30"
SILENT_S, WHOLE_S, SLOWEST = 30.0, 120.0, 100_000
"""Seconds that an upload may be silent, and that it may take in all, with one more for so many bytes."""

SHARES = 3
"""One upload may take the room for temporary files by this."""

SLOW_STATUS = 408
SLOW = "The upload came too slowly, or not at all, and was ended. Try again, or send less at once."
Scope = dict[str, Any]
Asgi = Callable[[Scope, Any, Any], Any]


def answers() -> dict[int | type[Exception], Callable[..., Any]]:
    """What is answered in place of Gradio's own words, by status or error."""
    return {503: busy, OSError: full}


async def busy(request: Any, error: Any) -> Any:
    """The answer to whom there is no place for in the queue.

    A page of Gradio shows a sentence of its own for 503, whatever it is told, so that a browser is told by another
    status; browsers say of themselves what a request is for (Fetch Metadata, W3C).
    """
    is_full = str(error.detail).startswith(QUEUE_FULL)
    status = 429 if is_full and "sec-fetch-mode" in request.headers else 503
    return _told(BUSY if is_full else str(error.detail), status)


async def full(request: Any, error: OSError) -> Any:
    """The answer where the disk is full.

    Raises:
        OSError: it is another error.
    """
    if error.errno not in NO_SPACE:
        raise error
    return _told(" ".join(FULL), 507)


def limit(demo: Any, lines: Mapping[str, int]) -> None:
    """Refuse whoever finds their line full, once the app is served.

    Gradio has one limit for all lines together: nobody could stop what runs while many wait for a look.

    Args:
        demo: of Gradio.
        lines: how many may wait in each line, by concurrency id.
    """
    queue, push = demo._queue, demo._queue.push

    async def admitted(body: Any, request: Any, username: str | None) -> Any:
        event = demo.fns.get(body.fn_index)
        line = queue.event_queue_per_concurrency_id.get(event.concurrency_id) if event else None
        if line is not None and len(line.queue) >= lines.get(line.concurrency_id, OTHERS):
            return False, QUEUE_FULL, "queue_full"
        return await push(body=body, request=request, username=username)

    queue.push = admitted


def _told(words: str, status: int, more: Mapping[str, str] | None = None) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"detail": words, "error": words}, status, {"Retry-After": AGAIN_S, **(more or {})})


class Uploads:
    """Lets an upload in as it comes while there is room for it, or says why not.

    Room is made for bytes that are there and for none that were only announced. What is left of an upload that breaks
    off is removed.

    Args:
        app: that is behind it.
        janitor: makes room.
    """

    def __init__(self, app: Asgi, janitor: Janitor) -> None:
        self.app, self.janitor = app, janitor

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not is_upload(scope["path"]):
            await self.app(scope, receive, send)
            return
        upload = _Upload(self.janitor, receive)
        known = _uploading.set(upload)
        try:
            upload.fits(dict(scope["headers"]).get(b"content-length", b""))
            await self.app(scope, upload.part, send)
        except _RefusedError as error:
            upload.end()
            more = {"Connection": "close"} if error.status == SLOW_STATUS else None  # the others are read to their end
            await _told(str(error), error.status, more)(scope, receive, send)
        finally:
            _uploading.reset(known)
            upload.end()


class _RefusedError(Exception):
    """An upload that is not taken.

    Args:
        status: of HTTP.
        why: in words.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Upload:
    """One that is being received."""

    def __init__(self, janitor: Janitor, receive: Any) -> None:
        self.janitor, self.receive, self.begun_s = janitor, receive, monotonic()
        self.size, self.coming, self.files = 0, 0, list[Path]()

    def fits(self, announced: bytes) -> None:
        """Refuse what is longer than one upload may be, as far as it says so."""
        self._check(int(announced) if announced.isdigit() else 0)

    def hold(self, file: Path) -> None:
        """Keep a file that it is written to from being removed."""
        self.files.append(file.resolve())
        self.janitor.held.add(self.files[-1])

    async def part(self) -> Any:
        """The next part of it; the one before is on the disk."""
        from anyio import move_on_after, to_thread

        self._landed()
        left_s = WHOLE_S + self.size / SLOWEST - (monotonic() - self.begun_s)
        message: Any = None
        with move_on_after(max(0.0, min(SILENT_S, left_s))):
            message = await self.receive()
        if message is None:
            raise _RefusedError(SLOW_STATUS, SLOW)
        if message.get("body"):
            await to_thread.run_sync(self._let_in, len(message["body"]))
        return message

    def end(self) -> None:
        """It is there whole, or never will be: what Gradio has not moved to its place goes."""
        self._landed()
        while self.files:
            file = self.files.pop()
            file.unlink(missing_ok=True)
            self.janitor.held.discard(file)

    def _let_in(self, length: int) -> None:
        self._check(self.size + length)
        blocks = -(-(self.size + length) // BLOCK) - -(-self.size // BLOCK)
        try:
            self.janitor.reserve(blocks * BLOCK)
        except ResourceError as error:
            raise _RefusedError(503, str(error)) from error
        self.size, self.coming = self.size + length, blocks * BLOCK

    def _check(self, size: int) -> None:
        most = self.janitor.rules.cap_bytes // SHARES
        if size > most:
            raise _RefusedError(413, f"One upload may take {most / 1e6:.1f} MB here. Send fewer files at once.")

    def _landed(self) -> None:
        self.janitor.release(self.coming)
        self.coming = 0


_uploading: ContextVar[_Upload | None] = ContextVar("uploading", default=None)


def _noted(make: Callable[..., Any]) -> Callable[..., Any]:
    """What makes temporary files, with the upload told that a file is its own."""

    @wraps(make)
    def made(*given: Any, **named: Any) -> Any:
        file, upload = make(*given, **named), _uploading.get()
        if upload is not None:
            upload.hold(Path(file.name))
        return file

    return made


def guarded(janitor: Janitor, presence: Presence) -> dict[str, Any]:
    """What Gradio's app is made with, so that it refuses in our words.

    Args:
        janitor: of its temporary files.
        presence: told of each heartbeat.
    """
    from gradio import route_utils
    from starlette.middleware import Middleware

    names = vars(route_utils)
    if not hasattr(names["NamedTemporaryFile"], "__wrapped__"):  # or an app before this one has done so
        names["NamedTemporaryFile"] = _noted(names["NamedTemporaryFile"])
    middleware = [Middleware(Uploads, janitor=janitor), Middleware(Heartbeats, presence=presence)]
    return {"exception_handlers": answers(), "middleware": middleware}
