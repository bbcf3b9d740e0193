"""A stand-in for the hub: a real server on this machine that speaks the three requests that weights need."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import save

TENSORS = save({"w": np.arange(6, dtype=np.float32)})
ONNX = b"\x08\x09" + b"\x3a\x04" + b"\x12\x02ab"
PICKLE = b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."
COMMIT = "c0ffee" + "0" * 34


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Repository:
    """What the server has, and how it misbehaves.

    Attributes:
        files: by name; weights count as large files, whose hash the hub states.
        refuse: status and X-Error-Code of every answer.
        refuse_files: the same, of files alone.
        corrupt: files that come with other bytes of the same length.
        cut: files that end early.
    """

    files: dict[str, bytes]
    commit: str = COMMIT
    gated: bool | str = False
    licence: dict[str, Any] = field(default_factory=lambda: {"license": "mit"})
    refuse: tuple[int, str] | None = None
    refuse_files: tuple[int, str] | None = None
    corrupt: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()

    def about(self) -> dict[str, Any]:
        return {"id": "o/n", "sha": self.commit, "gated": self.gated, "cardData": self.licence,
                "siblings": [self._sibling(name, content) for name, content in self.files.items()]}  # fmt: skip

    @staticmethod
    def _sibling(name: str, content: bytes) -> dict[str, Any]:
        large = {"lfs": {"sha256": sha256(content), "size": len(content), "pointerSize": 130}}
        return {"rfilename": name, "size": len(content), "blobId": hashlib.sha1(content).hexdigest(),
                **(large if name.endswith((".safetensors", ".onnx", ".bin")) else {})}  # fmt: skip


class StandIn(ThreadingHTTPServer):
    """Keeps what it was asked for in `asked`; `silent` accepts and never answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.plain: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.agents: list[str] = []
        self.silent = False
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    timeout = 5

    def log_message(self, *_: object) -> None:
        return

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, path))
        self.server.agents.append(self.headers.get("User-Agent", ""))
        if self.server.silent:
            self.server.closing.wait(20)
            return
        if path in self.server.redirects:
            self._answer(302, b"", {"Location": self.server.redirects[path]})
        elif path in self.server.plain:
            self._answer(200, self.server.plain[path], {})
        else:
            self._of_hub(path.strip("/").split("/"))

    def _of_hub(self, parts: list[str]) -> None:
        is_api = parts[:2] == ["api", "models"]
        owner, name, *rest = parts[2:] if is_api else parts
        repository = self.server.repositories.get(f"{owner}/{name}")
        refusal = (404, "RepoNotFound") if repository is None else repository.refuse
        if repository is not None and not is_api:
            refusal = refusal or repository.refuse_files
        if refusal:
            self._answer(refusal[0], b"{}", {"X-Error-Code": refusal[1]} if refusal[1] else {})
        elif repository is not None and is_api:
            self._answer(200, json.dumps(repository.about()).encode(), {"Content-Type": "application/json"})
        elif repository is not None:
            self._file(repository, "/".join(rest[2:]))

    def _file(self, repository: Repository, name: str) -> None:
        content = repository.files.get(name)
        if content is None:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repository.commit})
            return
        large = name.endswith((".safetensors", ".onnx"))
        headers = {"X-Repo-Commit": repository.commit, "X-Linked-Size": str(len(content)),
                   "ETag": f'"{sha256(content) if large else hashlib.sha1(content).hexdigest()}"'}  # fmt: skip
        sent = bytes(len(content)) if name in repository.corrupt else content
        self._answer(200, sent[: len(sent) // 2] if name in repository.cut else sent, headers)

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def standing_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The server, which is the hub as long as the block lasts; every cache lies in the folder."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
    monkeypatch.setenv("HF_HOME", str(folder / "home"))
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_CACHE", str(folder / "own"))
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_LOCK", "")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    try:
        yield server
    finally:
        huggingface_hub.close_session()
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
