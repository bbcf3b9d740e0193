"""Files that lie at an address: fetched once over https, checked, and put in place whole or not at all."""

from __future__ import annotations

import os
import ssl
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from pipelines.errors import UnavailableError
from pipelines.types import Weights
from pipelines.weights.cache import cache_folder, check_sum
from pipelines.weights.refusals import check_room, cut_off, retried, unreachable, unwritten

SCHEMES = ("https",)
MAX_REDIRECTS = 5
MAX_BYTES = 8_000_000_000
SILENCE_S = 10.0
"""How long a host may say nothing."""
CHUNK_BYTES = 1 << 20
ABANDONED_S = 86_400


def fetch(weights: Weights) -> Path:
    """Bring the one file of a checkpoint into the cache.

    Returns:
        The folder that holds it.

    Raises:
        UnavailableError: no answer, not over https, too long, cut off, not what its checksum says, or no room for it.
    """
    folder = cache_folder() / weights.repository
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        with _part(folder / weights.files[0]) as part:
            retried(lambda: _copy(weights, part), _NETWORK)
            check_sum(weights, part)
            part.replace(folder / weights.files[0])
        _settle(folder)
    except urllib.error.HTTPError as error:
        error.close()
        raise UnavailableError(f"{weights.address} answered {error.code}.",
                               "Give --weights FOLDER if you have the file.") from error  # fmt: skip
    except (HTTPException, ConnectionError) as error:
        raise cut_off(weights) from error
    except _NETWORK as error:
        raise unreachable(weights, error) from error
    except OSError as error:
        raise unwritten(weights, folder, error) from error
    return folder


_NETWORK = (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS

    def redirect_request(self, request: urllib.request.Request, file: IO[bytes], code: int, message: str,
                         headers: HTTPMessage, address: str) -> urllib.request.Request | None:  # fmt: skip
        if urlsplit(address).scheme not in SCHEMES:
            file.close()
            raise _not_https(address)
        return super().redirect_request(request, file, code, message, headers, address)


def _not_https(address: str) -> UnavailableError:
    return UnavailableError(f"{address} is not fetched: only https is.", "Give --weights FOLDER with the file.")


def _copy(weights: Weights, part: Path) -> None:
    """Fetch into a file, from its start, so that what an earlier try left does not matter."""
    if urlsplit(weights.address).scheme not in SCHEMES:
        raise _not_https(weights.address)
    request = urllib.request.Request(weights.address, headers={"User-Agent": "segmentation-workbench"})
    opener = urllib.request.build_opener(_SafeRedirects)
    with opener.open(request, timeout=SILENCE_S) as answer, part.open("wb") as file:
        stated = int(answer.headers.get("Content-Length") or 0)
        check_room(weights, part.parent, stated)
        _pour(weights, answer, file, stated)
        os.fsync(file.fileno())


def _pour(weights: Weights, answer: Any, file: IO[bytes], stated: int) -> None:
    written = 0
    while chunk := answer.read(CHUNK_BYTES):
        written += file.write(chunk)
        if written > MAX_BYTES:
            raise UnavailableError(f"{weights.address} is longer than {MAX_BYTES / 1e9:.0f} GB.",
                                   "Give --weights FOLDER if you trust the file.")  # fmt: skip
    if stated and written != stated:
        raise ConnectionError(f"{written} of {stated} bytes came")


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """A name of our own beside the target, so that two processes never write one file; gone afterwards."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Delete what processes that were killed left behind."""
    for part in folder.glob(".*.part"):
        with suppress(FileNotFoundError):  # another process has just put its own in place
            if time.time() - part.stat().st_mtime > ABANDONED_S:
                part.unlink()


def _settle(folder: Path) -> None:
    """Make the new name survive a power cut, where folders can be synchronised."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
