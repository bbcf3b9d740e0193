"""Hostile pictures sent to the served app: refused in words or read rightly, soon, in little memory of the server."""

from __future__ import annotations

import base64
import time

import cv2
import httpx
import numpy as np
import pytest

from benchmarks import rle
from benchmarks.export.coco import compressed
from tests.workbench.hostile.calls import Caller, file_data
from tests.workbench.hostile.pictures import Hostile, all_pictures, saved
from tests.workbench.hostile.served import Served

SLOWEST_S, MOST_MB = 5.0, 600.0
KINDS = sorted({one.kind for one in all_pictures()})
QUICK = [one for one in all_pictures() if one.name != "25mp.png"]


def test_there_are_123_of_ten_kinds() -> None:
    counts = {kind: sum(one.kind == kind for one in all_pictures()) for kind in KINDS}
    assert counts == {"pixel bombs": 6, "byte bombs": 8, "truncation": 12, "byte-fuzz": 40, "wrong extension": 10,
                      "forbidden formats": 12, "extreme sizes": 8, "modes": 14, "frames": 5, "orientation": 8}  # fmt: skip


def shown(caller: Caller, data: list[object]) -> np.ndarray:
    """The picture that the page shows of what was uploaded."""
    found = next(one for one in data if isinstance(one, dict) and "path" in one)
    answer = caller.http.get(f"{caller.url}gradio_api/file={found['path']}")
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.alone
@pytest.mark.parametrize("kind", KINDS)
def test_each_is_refused_in_words_or_read_rightly_by_the_page(kind: str, caller: Caller) -> None:
    for one in (found for found in QUICK if found.kind == kind):
        sent = file_data(caller.upload(one.make(), one.name))
        start = time.monotonic()
        reply = caller.received(sent)
        assert time.monotonic() - start < SLOWEST_S, one.name
        check(one, reply.ok, reply.error)
        assert reply.ok or reply.is_plain, (one.name, reply.error)
        if reply.ok and one.expected is not None and max(one.expected.shape) <= 1600:
            found = shown(caller, reply.data)
            assert found.shape == one.expected.shape, one.name
            assert np.abs(found.astype(int) - one.expected).max() <= one.slack, one.name


def check(one: Hostile, accepted: bool, error: str) -> None:
    assert one.outcome == "either" or accepted == (one.outcome == "accepted"), (one.name, error)
    assert accepted or one.words in error, (one.name, error)


@pytest.mark.parametrize("as_text", [False, True], ids=["file", "base64"])
def test_programs_are_told_the_same(as_text: bool, caller: Caller) -> None:
    chosen = [one for kind in KINDS for one in [found for found in QUICK if found.kind == kind][:2]]
    for one in chosen:
        data = one.make()
        image = base64.b64encode(data).decode() if as_text else file_data(caller.upload(data, one.name))
        reply = caller.segment(image)
        check(one, reply.ok, reply.error)
        assert reply.ok or reply.is_plain, (one.name, reply.error)
        if reply.ok and one.expected is not None and one.slack == 0:
            soft = np.clip(one.expected.mean(axis=2) / 255, 0, 1).astype(np.float32)
            assert reply.data[0]["rle"] == compressed(rle.encode(soft > 0.5)), one.name


def test_the_server_keeps_its_memory(server: Served, caller: Caller) -> None:
    """The pictures are decoded elsewhere; what the server itself holds of one are its bytes and its pixels."""
    base, _ = server.memory_mb()
    for one in all_pictures():
        if one.kind in ("pixel bombs", "byte bombs"):
            caller.segment(file_data(caller.upload(one.make(), one.name)))
    assert server.memory_mb()[1] - base < MOST_MB


@pytest.mark.alone
@pytest.mark.parametrize("how", ["crash", "hang", "spin", "eat", "lie"])
def test_a_decoder_that_goes_wrong_is_an_error_in_words_and_the_next_picture_is_read(
    how: str, server: Served, caller: Caller
) -> None:
    sent = file_data(caller.upload(saved("PNG")))
    server.told(decoder=how)
    try:
        start = time.monotonic()
        reply = caller.segment(sent)
        assert not reply.ok and reply.is_plain and time.monotonic() - start < 8
        assert "could not be opened" in reply.error or "memory" in reply.error
        assert httpx.get(f"{caller.url}healthz", trust_env=False).json()["status"] == "ok"
    finally:
        server.told(decoder="read")
    assert caller.segment(sent).ok
