"""The commands of `benchmarks`, run for a visitor: in processes of their own, within limits, ended when called off."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import workbench
from pipelines.errors import ContractError, ResourceError, UsageError, WorkbenchError
from workbench.looks.process import CancelledError

POLL_S, ENDING_S = 0.05, 1.0
ANSWER, LOG = "answer.json", "log.txt"
LOG_END = 1 << 14
WIDE = {"TTY_COMPATIBLE": "1", "NO_COLOR": "1", "COLUMNS": "120", "LINES": "40", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""The bars of a command are drawn for terminals alone; here they are read from its log."""

OPTIONS = {
    "--exclude": "the list of images to leave out", "--limit": "the number of images", "--budget-s": "the seconds",
    "--pipelines": "the pipelines", "--prompt-from": "what SAM is shown,", "--prompt": "the labels",
    "--fresh": "another number of images", "--timeout-s": "more time",
}  # fmt: skip
"""What somebody who has no command line before him knows an option as."""

_DRAWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COUNT = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Allowed:
    """What a command may take.

    Attributes:
        within_s: seconds; then it is ended.
        room_mb: of data in memory for each of its processes, in 10**6 bytes; 0 = no limit.
    """

    within_s: float
    room_mb: int = 0


def run(module: str, arguments: Sequence[str], folder: Path, allowed: Allowed, off: Event) -> dict[str, Any]:
    """Run a command to its end. To be called from a thread that lives at least as long, for Linux ends it with that.

    Args:
        module: of the command, which knows ``--json``.
        arguments: of it; paths in them are relative to `folder`.
        folder: that it runs in; what it says is kept there.
        allowed: what it may take.
        off: set by whoever calls it off.

    Returns:
        The document that it printed, also where single pipelines failed.

    Raises:
        CancelledError: it was called off.
        ResourceError: it took too long, or the system ended it.
        WorkbenchError: the command's own error, in its words.
    """
    command = [sys.executable, "-m", "workbench.studies.tied", str(allowed.room_mb), module, *arguments, "--json"]
    with (folder / ANSWER).open("wb") as said, (folder / LOG).open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=said,
                                   stderr=log, start_new_session=True)  # fmt: skip
        try:
            code = _watched(process, allowed, off)
        finally:
            end(process)
    return _document(folder, code)


def _environment() -> dict[str, str]:
    """Where the packages are found from any folder; the app's own limits of pictures go with no command."""
    here = str(Path(workbench.__file__).parent.parent)
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), here])
    return {**os.environ, **WIDE, "PYTHONPATH": path}


def _watched(process: subprocess.Popen[bytes], allowed: Allowed, off: Event) -> int:
    until = monotonic() + allowed.within_s
    while (code := process.poll()) is None:
        if off.wait(POLL_S):
            raise CancelledError("It was called off.", "Start it again.")
        if monotonic() > until:
            raise ResourceError(
                f"It was still at work after {allowed.within_s:g} s, and was ended.", "Take fewer images or pipelines."
            )
    return code


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started: asked first, so that it can put on the disk what it has."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):  # it is killed below
            process.wait(ENDING_S)
    with suppress(ProcessLookupError):  # nothing of it is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _document(folder: Path, code: int) -> dict[str, Any]:
    try:
        document = json.loads((folder / ANSWER).read_bytes())
    except ValueError as error:
        raise _without_words(folder, code) from error
    if "error" in document and "rows" not in document:
        raise _again(document["error"], folder)
    return dict(document)


def _without_words(folder: Path, code: int) -> WorkbenchError:
    if code == -signal.SIGKILL:
        return ResourceError("It was killed, as the system does where memory ends.", "Take fewer or smaller images.")
    last = next((line for line in reversed(log_of(folder).splitlines()) if line.strip()), "it said nothing")
    return ContractError(f"It ended with {code}: {plain(last, folder)}", "Try again, or take other images.")


def _again(error: dict[str, str], folder: Path) -> WorkbenchError:
    message, cure = plain(error["message"], folder), plain(error["cure"], folder)
    kind = ResourceError if error["code"] == ResourceError.code else UsageError
    return kind(message, cure)


def plain(text: str, folder: Path) -> str:
    """Words of a command without paths of this machine and without options.

    Args:
        text: that it said.
        folder: that it ran in.
    """
    for path in (folder.resolve(), folder):
        text = text.replace(f"{path}/", "").replace(str(path), "the study")
    for option, known in OPTIONS.items():
        text = re.sub(rf"{option}(?![\w-])(?: FILE)?", known, text)
    return text.replace("Run the same command again", "Start it again")


def log_of(folder: Path) -> str:
    """The end of what a command said, without what draws bars."""
    try:
        with (folder / LOG).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_END))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return _DRAWN.sub("", text).replace("\r", "\n")


def counted(folder: Path) -> tuple[int, int] | None:
    """How far the bar of a command is, and of how many; None where it draws none yet."""
    found = _COUNT.findall(log_of(folder))
    return (int(found[-1][0]), int(found[-1][1])) if found else None
