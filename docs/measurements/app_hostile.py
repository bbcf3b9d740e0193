"""Hostile pictures sent to the served app, and what decoding in a process of its own costs.

``python docs/measurements/app_hostile.py`` prints the tables of app-hostile.md; it takes some three minutes.
"""

from __future__ import annotations

import base64
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from pipelines.images import load_image
from tests.workbench.hostile.calls import Caller, Reply, file_data
from tests.workbench.hostile.pictures import Hostile, all_pictures, saved
from tests.workbench.hostile.served import Served, served
from workbench.given.decoding import Decoders

ROUNDS = 41


@dataclass(frozen=True)
class Sent:
    """One picture that was sent one way.

    Attributes:
        picture: that it was.
        way: "page", "file" or "base64".
        reply: what came back.
        seconds: until it did.
        is_right: whether it came to what it must, with the right pixels where the page shows them whole.
    """

    picture: Hostile
    way: str
    reply: Reply
    seconds: float
    is_right: bool


def ways(caller: Caller, data: bytes, name: str) -> Iterator[tuple[str, Callable[[], Reply]]]:
    """Each way by which a picture reaches the app."""
    yield "page", lambda: caller.received(file_data(caller.upload(data, name)))
    yield "file", lambda: caller.segment(file_data(caller.upload(data, name)))
    yield "base64", lambda: caller.segment(base64.b64encode(data).decode())


def send(caller: Caller) -> Iterator[Sent]:
    """All pictures, all ways."""
    for picture in all_pictures():
        data = picture.make()
        for way, call in ways(caller, data, picture.name):
            start = time.perf_counter()
            reply = call()
            seconds = time.perf_counter() - start
            yield Sent(picture, way, reply, seconds, is_right(caller, picture, way, reply))


def is_right(caller: Caller, picture: Hostile, way: str, reply: Reply) -> bool:
    """Whether a reply is what it must be."""
    if picture.outcome != "either" and reply.ok != (picture.outcome == "accepted"):
        return False
    if not reply.ok:
        return picture.words in reply.error or picture.outcome == "either"
    if way != "page" or picture.expected is None or max(picture.expected.shape) > 1600:
        return True
    shown = next(one for one in reply.data if isinstance(one, dict) and "path" in one)
    content = caller.http.get(f"{caller.url}gradio_api/file={shown['path']}").content
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    same = found.shape == picture.expected.shape
    return bool(same and np.abs(found.astype(int) - picture.expected).max() <= picture.slack)


def table(rows: list[Sent]) -> str:
    """A line for each kind."""
    lines = ["| kind | pictures | sent | accepted | refused in words | blank or unfit | wrong | slowest |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for kind in dict.fromkeys(one.picture.kind for one in rows):
        here = [one for one in rows if one.picture.kind == kind]
        accepted = sum(one.reply.ok for one in here)
        plain = sum(not one.reply.ok and one.reply.is_plain for one in here)
        wrong = sum(not one.is_right for one in here)
        slowest, other = max(one.seconds for one in here), len(here) - accepted - plain
        pictures = len({one.picture.name for one in here})
        lines.append(
            f"| {kind} | {pictures} | {len(here)} | {accepted} | {plain} | {other} | {wrong} | {slowest:.1f} s |"
        )
    return "\n".join(lines)


def costs() -> str:
    """Decoding here and in a process of its own, in turn, for a picture of 1 megapixel."""
    decoders, rng = Decoders(), np.random.default_rng(0)
    pixels = cv2.resize(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), (1152, 868), interpolation=cv2.INTER_CUBIC)
    lines = ["| format | bytes | here | in a process of its own | more |", "|---|---|---|---|---|"]
    for form in ("PNG", "JPEG", "WEBP", "TIFF", "BMP"):
        data = saved(form, pixels)
        decoders.image(data)
        pairs = [(_ms(lambda: load_image(data)), _ms(lambda: decoders.image(data))) for _ in range(ROUNDS)]  # noqa: B023
        here, there = (statistics.median(column) for column in zip(*pairs, strict=True))
        more = statistics.median(two - one for one, two in pairs)
        lines.append(f"| {form} | {len(data)} | {here:.1f} ms | {there:.1f} ms | {more:.1f} ms |")
    decoders.close()
    return "\n".join(lines)


def _ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def failures(server: Served, caller: Caller) -> str:
    """Decoders that are made to go wrong, and the picture after each."""
    lines = ["| the decoder | answer after | in words | the next picture |", "|---|---|---|---|"]
    path = caller.upload(saved("PNG"))
    for how in ("crash", "hang", "spin", "eat", "lie"):
        server.told(decoder=how)
        start = time.perf_counter()
        reply = caller.segment(file_data(path))
        took = time.perf_counter() - start
        server.told(decoder="read")
        following = caller.segment(file_data(path))
        lines.append(f"| {how} | {took:.1f} s | {reply.is_plain} | {'read' if following.ok else following.error} |")
    return "\n".join(lines)


def memory(server: Served, caller: Caller) -> str:
    """What the server itself takes more while the pictures of a kind are sent."""
    lines = ["| kind | way | before | more at most |", "|---|---|---|---|"]
    for kind in ("pixel bombs", "byte bombs", "extreme sizes"):
        for way in ("page", "file", "base64"):
            server.forget_peak()
            base, _ = server.memory_mb()
            for picture in (one for one in all_pictures() if one.kind == kind):
                dict(ways(caller, picture.make(), picture.name))[way]()
            lines.append(f"| {kind} | {way} | {base:.0f} MB | {server.memory_mb()[1] - base:.0f} MB |")
    return "\n".join(lines)


def main() -> None:
    """Print all tables."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        caller = server.caller()
        caller.segment(file_data(caller.upload(saved("PNG"))))
        print(memory(server, caller), flush=True)
        rows = list(send(caller))
        print("", table(rows), failures(server, caller), costs(), sep="\n\n")
        for one in rows:
            if not one.is_right or not (one.reply.ok or one.reply.is_plain):
                print(f"{one.picture.kind}, {one.picture.name}, {one.way}: {one.reply.ok} {one.reply.error}")
        caller.http.close()


if __name__ == "__main__":
    main()
