"""The command: help at once, wrong values in words, a port in use, and an end that leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.conftest import ROOT, Run, python_path
from tests.workbench import acting

OPTIONS = ("--host", "--port", "--weights", "--device", "--commercial", "--room-mb", "--temp-mb", "--look-s", "--most",
           "--at-once")  # fmt: skip


def test_help_names_every_option(command: Run) -> None:
    done = command("workbench", "--help")
    assert done.returncode == 0 and all(option in done.stdout for option in OPTIONS)
    assert len(done.stdout.splitlines()) < 40


@pytest.mark.alone
def test_help_answers_at_once(command: Run) -> None:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        command("workbench", "--help")
        took.append(time.perf_counter() - start)
    assert min(took) <= 0.3


@pytest.mark.parametrize(("arguments", "words"), [
    (("--device", "gpu"), "There is no device 'gpu'. Choose auto, cpu or cuda."),
    (("--weights", "nowhere"), "There is no folder nowhere. Give one that holds"),
    (("--port", "99999"), "'--port': Input should be less than or equal to 65535"),
    (("--look-s", "soon"), "'--look-s': Input should be a valid number"),
    (("--room-mb", "-1"), "'--room-mb'"), (("--most", "0"), "'--most'"), (("--nonsense",), "No such option: --nonsense"),
])  # fmt: skip
def test_a_wrong_value_is_refused_with_a_cure(command: Run, arguments: tuple[str, ...], words: str) -> None:
    done = command("workbench", *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert words in done.stderr and "Traceback" not in done.stderr and done.stderr.rstrip().endswith(".")


def test_a_port_in_use_is_said_and_another_asked_for(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([sys.executable, "-m", "workbench", "--port", str(port), "--device", "cpu"], cwd=tmp_path,
                              env={**os.environ, "PYTHONPATH": python_path()}, capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"at 127.0.0.1:{port}: the port is in use" in done.stderr and "0 for any that is free" in done.stderr


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[subprocess.Popen[str], str]]:
    acting.installed(monkeypatch, tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    arguments = [sys.executable, "-m", "workbench", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": python_path()}, start_new_session=True) as process:  # fmt: skip
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("The app is at http://"), process.communicate()[1]
        yield process, said.split()[-1]
        process.kill()


def children(process: int) -> list[int]:
    """Of all its threads."""
    found = [path.read_text().split() for path in Path(f"/proc/{process}/task").glob("*/children")]
    return [int(number) for numbers in found for number in numbers]


def gone(processes: list[int]) -> bool:
    """Whether none of them is left, a moment after the one that they belong to."""
    until = time.monotonic() + 5
    while any(map(alive, processes)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, processes))


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are counted as Linux lists them")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_130_and_leaves_no_process_and_no_file(
    served: tuple[subprocess.Popen[str], str], tmp_path: Path, sent: signal.Signals
) -> None:
    """Even while a pipeline hangs."""
    process, url = served
    left = hanging(process, url)
    process.send_signal(sent)
    _, words = process.communicate(timeout=30)
    assert process.returncode == 130, words
    assert "Interrupted." in words and "Traceback" not in words
    assert gone(left) and not list(tmp_path.glob("workbench-*"))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are counted as Linux lists them")
def test_a_space_that_is_ended_leaves_no_process_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acting.installed(monkeypatch, tmp_path)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = str(one.getsockname()[1])
    said = {"PYTHONPATH": python_path(), "TMPDIR": str(tmp_path), "GRADIO_SERVER_PORT": port, "WORKBENCH_DEVICE": "cpu",
            "PYTHONUNBUFFERED": "1"}  # fmt: skip
    with subprocess.Popen([sys.executable, str(ROOT / "spaces_app.py")], cwd=tmp_path, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env={**os.environ, **said},
                          start_new_session=True) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("The app is at http://")
            left = hanging(process, f"http://127.0.0.1:{port}/")
            process.send_signal(signal.SIGTERM)
            _, words = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 143 and "Traceback" not in words, words
    assert gone(left) and not list(tmp_path.glob("workbench-*"))


def hanging(process: subprocess.Popen[str], url: str) -> list[int]:
    """Processes of an app in which a pipeline hangs."""
    with urlopen(f"{url}healthz") as answer:
        assert json.load(answer)["status"] == "ok"
    asked = {"image": PIXEL, "pipeline": "acting", "fields": {"act": "hang"}}
    call = Request(f"{url}gradio_api/call/v2/segment", json.dumps(asked).encode(), {"Content-Type": "application/json"})
    with urlopen(call) as answer:
        assert json.load(answer)["event_id"]
    until = time.monotonic() + 60
    while not (left := children(process.pid)) and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)
    left = children(process.pid)
    assert left and all(map(alive, left))
    return left


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
