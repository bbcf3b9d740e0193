"""The app in a process of its own, as a server runs it, with a made web around it: ``python -m ... FOLDER [WEIGHTS]``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.conftest import ROOT
from tests.workbench.apps import running
from tests.workbench.hostile.calls import Caller
from tests.workbench.hostile.pictures import saved
from tests.workbench.web_server import HOST, OTHER, PUBLIC, Answer, Network, raw, said, serving

SECOND = "second.example.com"
START_S = 60


@dataclass(frozen=True)
class Served:
    """A server that was started.

    Attributes:
        url: of it, with a slash behind it.
        process: that it is.
        folder: in which it may write.
    """

    url: str
    process: subprocess.Popen[str]
    folder: Path

    def caller(self, session: str = "attacker0001") -> Caller:
        return Caller(self.url, session)

    def told(self, **asked: Any) -> Any:
        """What only tests may ask: ``web`` for what was looked up and spoken to, ``decoder`` to change how is read."""
        return httpx.post(f"{self.url}told", json=asked, timeout=30, trust_env=False).json()

    def forget_peak(self) -> None:
        """Count the most memory from now on (proc(5), clear_refs)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def memory_mb(self) -> tuple[float, float]:
        """Memory of the process now, and the most that it ever had, in 10**6 bytes; its children are not counted."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
        return int(found["VmRSS"]) * 1024 / 1e6, int(found["VmHWM"]) * 1024 / 1e6


@contextmanager
def served(folder: Path, weights: Path | None = None, **variables: str) -> Iterator[Served]:
    """A server, until the block ends; nothing of this process changes."""
    given = [str(folder), *([str(weights)] if weights else [])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", __name__, *given], cwd=ROOT, env=environment, text=True,
                                   stdout=subprocess.PIPE, stderr=log)  # fmt: skip
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), (folder / "log.txt").read_text()[-3000:]
            yield Served(url, process, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            process.stdout.close()  # type: ignore[union-attr]


def crash(asked: Mapping[str, Any], data: bytes) -> Any:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(asked: Mapping[str, Any], data: bytes) -> Any:
    time.sleep(600)


def spin(asked: Mapping[str, Any], data: bytes) -> Any:
    while True:
        sum(range(10**6))


def eat(asked: Mapping[str, Any], data: bytes) -> Any:
    return np.ones((100_000, 100_000), np.float64)


def lie(asked: Mapping[str, Any], data: bytes) -> Any:
    return np.zeros((9000, 9000, 3), np.uint8)


def answers() -> dict[str, Answer]:
    """What the made web answers, by path."""
    picture = saved("PNG")
    found = {
        "/a.png": said(body=picture, content_type="image/png"),
        "/private": said("302 Found", location="https://inner.example.com/secret"),
        "/number": said("302 Found", location="https://169.254.169.254/latest/meta-data"),
        "/plain": said("301 Moved", location=f"http://{HOST}/a.png"),
        "/file": said("302 Found", location="file:///etc/passwd"),
        "/loop": said("302 Found", location="/loop"),
        "/long": said("302 Found", location=f"https://{HOST}/{'a' * 5000}"),
        "/port": said("302 Found", location=f"https://{HOST}:22/a.png"),
        "/page": said(body=b"<html>secret words</html>", content_type="text/html"),
        "/text": said(body=b"secret words", content_type="image/png"),
        "/huge": said(body=picture, content_length="50000000000"),
        "/endless": raw(b"HTTP/1.1 200 OK\r\n\r\n", *[bytes(1_000_000)] * 12),
        "/gzip": said(body=picture, content_encoding="gzip"),
        "/slow": raw(*[b"H"] * 100, pause_s=0.1),
        "/svg": said(body=b"<svg onload='alert(1)'/>", content_type="image/svg+xml"),
        "/ssh": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    }
    return found | {f"/{number}": said("302 Found", location=f"/{number + 1}") for number in range(7)}


def main(folder: Path, weights: str | None) -> None:
    """Serve until somebody ends it."""
    from workbench.given import addresses
    from workbench.given.decoding import Bounds, decoders, read

    addresses.MAX_S = 2.0
    (folder / "web").mkdir()
    with serving(folder / "web") as server:
        server.answers.update(answers())
        inner = {"inner.example.com": [["10.0.0.5"]], "mixed.example.com": [[PUBLIC, "127.0.0.1"]],
                 "mapped.example.com": [["::ffff:127.0.0.1"]], "tunnel.example.com": [["2002:7f00:1::"]],
                 "nat64.example.com": [["64:ff9b::7f00:1"]], "zero.example.com": [["0.0.0.0"]],
                 "azure.example.com": [["168.63.129.16"]], "rebound.example.com": [[PUBLIC], ["127.0.0.1"]]}  # fmt: skip
        network = Network(server, {HOST: [[PUBLIC]], SECOND: [[PUBLIC]], OTHER: [[PUBLIC]], **inner})  # type: ignore[dict-item]
        addresses.fetch = partial(addresses.fetch, web=network.web)  # type: ignore[assignment]
        reads = {"crash": crash, "hang": hang, "spin": spin, "eat": eat, "lie": lie, "read": read}

        def told(asked: dict[str, Any]) -> Any:
            if "decoder" in asked:
                made = decoders()
                made.bounds, made.how = Bounds(wall_s=4.0, cpu_s=2) if asked["decoder"] != "read" else Bounds(), reads[
                    asked["decoder"]]  # fmt: skip
                made.close()
            return {"looked_up": network.looked_up, "connected": network.connected, "asked": server.requests}

        with running(folder, **({"weights": weights} if weights else {})) as app:
            _listen(app.app, told)
            print(app.url, flush=True)
            signal.sigwait({signal.SIGTERM, signal.SIGINT})


def _listen(app: Any, told: Any) -> None:
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def route(request: Any) -> JSONResponse:
        return JSONResponse(told(await request.json()))

    app.demo.app.router.routes.insert(0, Route("/told", route, methods=["POST"]))


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
