"""Weights from an address: https alone, checked, and whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import UnavailableError
from pipelines.types import Weights
from pipelines.weights import address, locate, missing
from tests.pipelines.hub_server import ONNX, PICKLE, StandIn, sha256, standing_in

MD5 = hashlib.md5(ONNX).hexdigest()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(address, "SCHEMES", ("http", "https"))
    with standing_in(tmp_path, monkeypatch) as server:
        server.plain["/files/net.onnx"] = ONNX
        yield server


def at(server: StandIn, path: str = "/files/net.onnx", checksum: str | None = f"md5:{MD5}") -> Weights:
    return Weights("url", "o/tool", "MIT", ("net.onnx",), server.address + path, checksum, size_mb=176)


def refusal(weights: Weights) -> str:
    with pytest.raises(UnavailableError) as raised:
        locate(weights, None)
    return str(raised.value)


def left(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "own").rglob("*") if path.is_file()]


def test_it_is_fetched_once_and_kept_as_a_folder_of_weights(server: StandIn, tmp_path: Path) -> None:
    found = locate(at(server), None)
    assert found.sha256 == {"net.onnx": sha256(ONNX)} and found.revision is None
    assert found.folder == tmp_path / "own" / "o" / "tool"
    assert locate(at(server), None) == found
    assert locate(at(server), tmp_path / "own") == found
    assert len(server.asked) == 1 and left(tmp_path) == ["net.onnx"]


def test_without_the_network_it_comes_from_the_cache_or_not(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lacking = missing(at(server), None)
    assert lacking is not None and f"download {at(server).address}" in lacking.cure
    assert refusal(at(server)) == str(lacking)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    locate(at(server), None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert missing(at(server), None) is None
    locate(at(server), None)
    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_a_wrong_checksum_leaves_nothing(server: StandIn, tmp_path: Path, kind: str) -> None:
    wanted = hashlib.new(kind, b"other").hexdigest()
    message = refusal(at(server, checksum=f"{kind}:{wanted}"))
    assert f"expected {kind} {wanted[:12]}, got {hashlib.new(kind, ONNX).hexdigest()[:12]}" in message
    assert not left(tmp_path)


def test_what_rotted_in_the_cache_is_refused(server: StandIn) -> None:
    path = locate(at(server), None).file("net.onnx")
    path.write_bytes(ONNX + ONNX)
    assert "not what its publisher states" in refusal(at(server))


@pytest.mark.parametrize("content", [PICKLE, b"PK\x03\x04" + bytes(60), ONNX[:-1], b"<!DOCTYPE html>", b""])
def test_what_is_no_onnx_model_is_refused_and_not_kept(server: StandIn, tmp_path: Path, content: bytes) -> None:
    server.plain["/files/net.onnx"] = content
    message = refusal(at(server, checksum=None))
    assert "pickle under another name" in message or "damaged" in message
    assert not left(tmp_path)


def test_only_https_is_asked_also_after_a_redirect(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    server.redirects["/old/net.onnx"] = "/files/net.onnx"
    server.redirects["/away/net.onnx"] = "ftp://127.0.0.1/net.onnx"
    assert locate(at(server, "/old/net.onnx"), None).sha256
    Path(locate(at(server), None).file("net.onnx")).unlink()
    assert "only https" in refusal(at(server, "/away/net.onnx"))
    asked = len(server.asked)
    monkeypatch.setattr(address, "SCHEMES", ("https",))
    assert "only https" in refusal(at(server))
    assert "only https" in refusal(replace(at(server), address="file:///etc/net.onnx"))
    assert len(server.asked) == asked


def test_endless_redirects_and_endless_files_end(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.redirects.update({f"/{i}/net.onnx": f"/{i + 1}/net.onnx" for i in range(50)})
    assert "answered 302" in refusal(at(server, "/0/net.onnx"))
    assert len(server.asked) <= address.MAX_REDIRECTS + 2
    monkeypatch.setattr(address, "MAX_BYTES", 4)
    assert "is longer than" in refusal(at(server))
    assert not left(tmp_path)


def test_a_refusal_is_final_and_silence_is_asked_again(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    server.plain.clear()
    assert "answered 404" in refusal(at(server))
    assert len(server.asked) == 1
    monkeypatch.setattr(address, "SILENCE_S", 0.2)
    server.silent = True
    start = time.monotonic()
    assert "could not be reached" in refusal(at(server))
    assert len(server.asked) == 4 and time.monotonic() - start < 5


def test_no_network(server: StandIn) -> None:
    start = time.monotonic()
    nowhere = replace(at(server), address="http://127.0.0.1:9/net.onnx")
    message = refusal(nowhere)
    assert "could not be reached" in message and "--weights FOLDER" in message
    assert time.monotonic() - start < 5


def test_what_is_cut_off_is_tried_again_and_leaves_nothing(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(weights: Weights, answer: Any, file: Any, stated: int) -> None:
        file.write(answer.read(3))
        raise ConnectionError("3 bytes came")

    monkeypatch.setattr(address, "_pour", short)
    assert "was cut off" in refusal(at(server))
    assert len(server.asked) == 3
    assert not left(tmp_path)


def test_a_full_disk_is_told_and_leaves_nothing(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(address, "_pour", full)
    assert "disk is full: o/tool needs 176 MB in" in refusal(at(server))
    assert not left(tmp_path)


def test_a_cache_that_cannot_be_written(server: StandIn, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file, not a folder")
    assert "cannot be kept in" in refusal(at(server))


def test_a_part_that_another_process_puts_in_place_meanwhile_is_no_error(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone between the listing and the look at its age."""
    folder = tmp_path / "own" / "o" / "tool"
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*listed(self, pattern), folder / ".net.onnx.gone.part"])
    assert locate(at(server), None).sha256


def test_what_killed_processes_left_is_swept_and_a_live_download_is_not(server: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "o" / "tool"
    folder.mkdir(parents=True)
    for name, age_s in (("old", 2 * 86_400), ("live", 5)):
        part = folder / f".net.onnx.{name}.part"
        part.write_bytes(b"half")
        os.utime(part, (time.time() - age_s,) * 2)
    locate(at(server), None)
    assert sorted(left(tmp_path)) == [".net.onnx.live.part", "net.onnx"]
