"""The app in a process of its own, to be measured: with a tiny random network and a pipeline that acts as told."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
POINTS = "[segmentation_workbench.pipelines]\nacting = tests.workbench.acting:Acting\n"
ENDS_S = 60


@dataclass(frozen=True)
class Served:
    """An app that is served.

    Attributes:
        url: of it, with a stroke at its end.
        process: of it; pipelines live in its children.
        temp: its folder of temporary files.
    """

    url: str
    process: psutil.Process
    temp: Path

    def memory_mb(self) -> tuple[float, float]:
        """Resident, in 10**6 bytes: of the app, and of its children together."""
        children = sum(_resident(child) for child in self.process.children(recursive=True))
        return _resident(self.process) / 1e6, children / 1e6

    def temp_mb(self) -> float:
        """What its temporary files take on the disk, in 10**6 bytes."""
        total = 0
        for path in self.temp.rglob("*"):
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            total += found.st_blocks * 512 if not path.is_dir() else 0
        return total / 1e6


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


@contextmanager
def served(*options: str) -> Iterator[Served]:
    """The app on a free port, until the block ends.

    Args:
        options: of ``python -m workbench``.
    """
    with tempfile.TemporaryDirectory(prefix="app-") as name:
        folder = Path(name)
        (folder / "temp").mkdir()
        plugin(folder / "site")
        weights(folder / "weights")
        command = [sys.executable, "-m", "workbench", "--port", "0", "--device", "cpu",
                   "--weights", str(folder / "weights"), *options]  # fmt: skip
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, env=variables(folder), stdout=subprocess.PIPE, stderr=log,
                                       text=True)  # fmt: skip
            try:
                assert process.stdout is not None
                said = re.search(r"http://\S+", process.stdout.readline())
                if said is None:
                    raise RuntimeError((folder / "log").read_text())
                (temp,) = (folder / "temp").glob("workbench-*")
                yield Served(said[0], psutil.Process(process.pid), temp)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(ENDS_S)
                sys.stderr.write((folder / "log").read_text()[-4000:])


def plugin(site: Path) -> None:
    """Install the pipeline that acts, as an installer would."""
    about = site / "acting-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acting\nVersion: 1\n")
    (about / "entry_points.txt").write_text(POINTS)


def weights(folder: Path) -> None:
    """Tiny random networks of CLIPSeg, as a folder of weights."""
    importlib.import_module("tests.tiny.clipseg").save(folder)


def variables(folder: Path) -> dict[str, str]:
    """Of the environment that the app runs in."""
    path = os.pathsep.join([str(folder / "site"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "TMPDIR": str(folder / "temp"),
            "SEGMENTATION_WORKBENCH_PRESETS": os.devnull}  # fmt: skip
