"""Pictures of strangers are decoded in processes with limits: one that crashes, hangs or eats memory harms nobody else.

Pillow's own advice (github.com/python-pillow/Pillow, SECURITY.md) is to decode in a process of its own. What comes back
is a line of JSON and bare pixels: nothing that such a process says is unpickled or run.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from queue import Empty, LifoQueue
from threading import Timer
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import (
    ImageDamagedError,
    ImageFormatError,
    ImageLimitError,
    ParameterError,
    ResourceError,
    WorkbenchError,
)
from pipelines.images import UPLOAD, load_image, load_mask
from pipelines.types import Image

logger = logging.getLogger(__name__)
MOST_HEAD_BYTES = 65_536
KINDS = frozenset({"|u1", "<u2", "<i4", "<u4", "<i8"})
"""Types of pixels and ids that are taken back."""

CURE = "Save the picture as PNG or JPEG with another program, and try again."
_REFUSALS: Mapping[str, type[WorkbenchError]] = {
    kind.code: kind for kind in (ImageFormatError, ImageLimitError, ImageDamagedError, ParameterError, ResourceError)
}
Pixels = npt.NDArray[Any]
Read = Callable[[Mapping[str, Any], bytes], Pixels]


@dataclass(frozen=True)
class Bounds:
    """What the decoding of one picture may take.

    Attributes:
        memory_bytes: of addresses, of the whole process.
        cpu_s: seconds of the processor.
        wall_s: seconds until it is ended, whatever it does.
        most: processes at one time.
    """

    memory_bytes: int = 2_000_000_000
    cpu_s: int = 20
    wall_s: float = 25.0
    most: int = 2


def read(asked: Mapping[str, Any], data: bytes) -> Pixels:
    """The pixels of a picture, or the ids of a mask, within the limits for files of strangers.

    Args:
        asked: ``{"mask": bool, "threshold": int or None}``.
        data: of the file.

    Raises:
        WorkbenchError: it is refused.
    """
    return load_mask(data, UPLOAD, asked["threshold"]) if asked["mask"] else load_image(data, UPLOAD)


class Decoders:
    """Processes that decode, started when they are needed and kept. May be used from many threads.

    Args:
        bounds: of each.
        how: what is done there; a function that a new process can import.
    """

    def __init__(self, bounds: Bounds | None = None, how: Read = read) -> None:
        self.bounds, self.how = bounds or Bounds(), how
        self.idle: LifoQueue[_Decoder | None] = LifoQueue()
        for _ in range(self.bounds.most):
            self.idle.put(None)

    def image(self, data: bytes) -> Image:
        """A picture, ``uint8 (H, W, 3)`` RGB, upright.

        Args:
            data: of the file.

        Raises:
            ImageError: it is refused.
            ResourceError: decoding took too long or too much memory, or others' pictures take all processes.
        """
        found = self._asked({"mask": False, "threshold": None}, data)
        if found.ndim != 3 or found.shape[2] != 3 or found.dtype != np.uint8:
            raise _broken()
        return found

    def mask(self, data: bytes, threshold: int | None = None) -> Pixels:
        """The ids of a mask, ``(H, W)``, as `pipelines.images.load_mask` gives them.

        Args:
            data: of the file.
            threshold: where a soft mask is cut.

        Raises:
            WorkbenchError: as for `image`; or the threshold is out of its bounds.
        """
        found = self._asked({"mask": True, "threshold": threshold}, data)
        if found.ndim != 2:
            raise _broken()
        return found

    def warm(self) -> None:
        """Start one process, so that the first picture need not wait for it."""
        one = self._taken()
        try:
            if one is None or not one.is_alive:
                one = _Decoder(self.bounds, self.how)
        finally:  # its place is given back also where no process can be started
            self.idle.put(one if one is not None and one.is_alive else None)

    def close(self) -> None:
        """End all that are idle; they are started anew when they are needed."""
        taken = []
        with suppress(Empty):
            while True:
                taken.append(self.idle.get_nowait())
        for one in taken:
            if one is not None:
                one.close()
            self.idle.put(None)

    def _taken(self) -> _Decoder | None:
        try:
            return self.idle.get(timeout=self.bounds.wall_s)
        except Empty:
            raise ResourceError("Too many pictures are being opened at this time.", "Try again in a minute.") from None

    def _asked(self, asked: Mapping[str, Any], data: bytes) -> Pixels:
        one = self._taken()
        try:
            if one is None or not one.is_alive:
                one = _Decoder(self.bounds, self.how)
            return one.ask(asked, data)
        finally:
            self.idle.put(one if one is not None and one.is_alive else None)


class _Decoder:
    """One process, which decodes one picture at a time."""

    def __init__(self, bounds: Bounds, how: Read) -> None:
        context = multiprocessing.get_context("spawn")
        self.bounds = bounds
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=serve, args=(there, bounds, how), name="decoder", daemon=True)
        self.process.start()
        there.close()

    @property
    def is_alive(self) -> bool:
        return not self.pipe.closed and self.process.is_alive()

    def ask(self, asked: Mapping[str, Any], data: bytes) -> Pixels:
        """Pixels or ids.

        Raises:
            WorkbenchError: a refusal; or the process had to be ended, or ended by itself.
        """
        late = Timer(self.bounds.wall_s, self.process.kill)  # also where it stops in the middle of its answer
        late.start()
        try:
            self.pipe.send_bytes(json.dumps(dict(asked)).encode())
            self.pipe.send_bytes(data)
            return self._answer()
        except WorkbenchError:
            raise
        except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
            self.close()
            logger.warning("A decoder ended with %s: %s", self.process.exitcode, error)
            raise _broken() from error
        except BaseException:  # what is left of an answer in the pipe would be taken for the next one's
            self.close()
            raise
        finally:
            late.cancel()

    def _answer(self) -> Pixels:
        told = json.loads(self.pipe.recv_bytes(MOST_HEAD_BYTES))
        if "code" in told:
            raise _REFUSALS.get(told["code"], ImageDamagedError)(str(told["message"]), str(told["cure"]))
        height, width, *channels = (int(side) for side in told["shape"])
        fits = 0 < width <= UPLOAD.max_side and 0 < height <= UPLOAD.max_side and width * height <= UPLOAD.max_pixels
        if not fits or told["kind"] not in KINDS or channels not in ([], [3]):
            raise ValueError("what was announced is no picture")
        found = np.empty((height, width, *channels), told["kind"])
        if self.pipe.recv_bytes_into(found.data.cast("B")) != found.nbytes:
            raise ValueError("too few pixels")
        return found

    def close(self) -> None:
        """End its process, whatever it does."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


def serve(pipe: Connection, bounds: Bounds, how: Read) -> None:
    """Decode whatever comes, until nobody is there to ask.

    Args:
        pipe: gets what is asked and a file; gives a line of JSON, and pixels unless it says that there are none.
        bounds: to keep to.
        how: it is done.
    """
    os.setpgid(0, 0)  # Ctrl-C of a terminal is the parent's to hear
    _limit(bounds)
    while True:
        try:
            asked, data = json.loads(pipe.recv_bytes()), pipe.recv_bytes()
        except (EOFError, OSError):  # the parent is gone
            return
        _allow(bounds.cpu_s)
        told, pixels = _told(how, asked, data)
        pipe.send_bytes(json.dumps(told).encode())
        if pixels is not None:
            pipe.send_bytes(pixels.data.cast("B"))


def _told(how: Read, asked: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], Pixels | None]:
    try:
        pixels = np.ascontiguousarray(how(asked, data))
    except WorkbenchError as error:
        return {"code": error.code, "message": error.message, "cure": error.cure}, None
    except MemoryError:
        short = ResourceError("There is not enough memory to decode the picture.", "Scale it down.")
        return {"code": short.code, "message": short.message, "cure": short.cure}, None
    return {"shape": pixels.shape, "kind": pixels.dtype.str}, pixels


def _limit(bounds: Bounds) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (bounds.memory_bytes, bounds.memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # a decoder has nothing to write
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _allow(seconds: int) -> None:
    """So many more seconds of the processor, before the system ends this process."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _broken() -> ResourceError:
    return ResourceError("The picture could not be opened: reading it took too long, too much memory, or broke.", CURE)


@cache
def decoders() -> Decoders:
    """Those of this process."""
    return Decoders()
