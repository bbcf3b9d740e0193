"""From nothing to a page: quick, with no network and no weights, and not one request to anywhere else."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.workbench import marked
from tests.workbench.visiting import Visitor

STARTS_S, OF_GRADIO = 6.0, 2.0
"""Seconds to the page; on a slow machine the app takes at most so many times what Gradio alone takes to be imported."""

WATCH = '''
"""Writes down whom this process speaks to, where that is not this machine."""
import os, sys

HERE = ("127.", "localhost", "::1", "0.0.0.0", "::")


def watch(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event.startswith("socket.gethostby"):
        host = arguments[0]
    else:
        return
    if host not in (None, "", b"") and not str(host).startswith(HERE):
        with open(os.environ["SPOKEN_TO"], "a") as file:
            file.write(f"{event} {arguments}\\n")
        raise OSError("there is no network in this test")


sys.addaudithook(watch)
'''


@dataclass(frozen=True)
class Started:
    """An app in a process of its own.

    Attributes:
        url: of it.
        took_s: until its page was there.
        cpu_s: of it until then, which others on the machine do not change much.
    """

    url: str
    took_s: float
    cpu_s: float


@contextmanager
def started(folder: Path, *command: str, **variables: str) -> Iterator[Started]:
    (folder / "sitecustomize.py").write_text(WATCH)
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "SPOKEN_TO": str(folder / "spoken"), "HF_HOME": str(folder / "hub"),
                   "HF_HUB_OFFLINE": "0", **variables}  # fmt: skip
    start = time.monotonic()
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.PIPE,
                                   stderr=errors, text=True)  # fmt: skip
        try:
            assert process.stdout is not None
            url = re.search(r"http://\S+", process.stdout.readline())
            assert url, (folder / "errors").read_text()
            Visitor(url[0].replace("0.0.0.0", "127.0.0.1"), "first")._get("/")
            took_s, stat = time.monotonic() - start, Path(f"/proc/{process.pid}/stat").read_text()
            cpu_s = sum(map(int, stat.rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
            yield Started(url[0].replace("0.0.0.0", "127.0.0.1"), took_s, cpu_s)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            process.stdout.close()


def used(url: str) -> None:
    """What a newcomer does first: an example, and Compare; then a knob, and a program."""
    visitor = Visitor(url, "newcomer")
    visitor.open()
    example = next(str(one["props"]["elem_id"]) for one in visitor.page.components.values()
                   if str(one["props"].get("elem_id")).startswith("example-"))  # fmt: skip
    taken = visitor.press(example)
    visitor.values |= {visitor.page.named("picture"): taken.data[visitor.page.named("picture")]}
    answer = visitor.press("run")
    assert marked.decoded(visitor.file(answer.data[visitor.page.named("result-classical")])).ndim == 3
    assert marked.decoded(visitor.slide("classical", "threshold", 0.4)).ndim == 3
    assert {one["name"] for one in visitor.call("pipelines")} >= {"classical", "clipseg"}
    visitor.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def allowed_s() -> float:
    """Six seconds, or more where a machine is slow."""
    before = os.times()
    subprocess.run([sys.executable, "-c", "import gradio"], check=True)
    after = os.times()
    took_s = after.children_user + after.children_system - before.children_user - before.children_system
    return max(STARTS_S, OF_GRADIO * took_s)


@pytest.mark.alone
@pytest.mark.parametrize("command", [("-m", "workbench", "--port"), (str(ROOT / "spaces_app.py"),)])
def test_the_app_is_there_within_seconds_and_speaks_to_nobody(tmp_path: Path, command: tuple[str, ...],
                                                              allowed_s: float) -> None:  # fmt: skip
    port = str(free_port())
    arguments = (*command, port) if command[-1] == "--port" else command
    before = os.getloadavg()[0]
    with started(tmp_path, *arguments, GRADIO_SERVER_PORT=port) as app:
        used(app.url)
    assert not (tmp_path / "spoken").exists(), (tmp_path / "spoken").read_text()
    idle = before < (os.cpu_count() or 1)
    assert app.cpu_s <= allowed_s, f"{app.cpu_s:.1f} s of a core, of {allowed_s:.1f}"
    assert app.took_s <= allowed_s or not idle, f"{app.took_s:.1f} s, of {allowed_s:.1f}"
    assert {path.name for path in tmp_path.iterdir()} <= {"sitecustomize.py", "errors", "__pycache__", "hub"}
    assert "Traceback" not in (tmp_path / "errors").read_text()


def test_whoever_is_spoken_to_is_found_out(tmp_path: Path) -> None:
    """So that silence means something."""
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    code = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 0.1)\nexcept OSError: pass"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SPOKEN_TO": str(tmp_path / "spoken")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert "192.0.2.1" in (tmp_path / "spoken").read_text()
