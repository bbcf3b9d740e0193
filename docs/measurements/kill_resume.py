"""Kills runs at random moments and compares what the resumed one says with an uninterrupted one.

    python docs/measurements/kill_resume.py DATASET KILLS

Each kill is SIGKILL of the command alone, spread over the length of a whole run; its worker has to end by itself.
After every few kills the run is let through and compared: quality fields equal, every image recorded once.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.rows import TIMES

KILLS_A_RUN = 5


def command(dataset: str, out: Path) -> list[str]:
    """The run that is killed."""
    options = ["--pipelines", "classical,classical@coin-seed", "--budget-s", "2", "--json", "--quiet"]
    return [sys.executable, "-m", "benchmarks.run", "--dataset", dataset, "--out", str(out), *options]


def finish(dataset: str, out: Path) -> list[dict[str, Any]]:
    """Quality fields of every row of a run that is let through."""
    done = subprocess.run(command(dataset, out), check=True, capture_output=True, text=True)
    return [{k: v for k, v in row.items() if k not in TIMES} for row in json.loads(done.stdout)["rows"]]


def repeated(out: Path) -> int:
    """Records of images that had one already."""
    files = [[json.loads(line)["id"] for line in path.open()] for path in out.rglob("samples.jsonl")]
    return sum(len(ids) - len(set(ids)) for ids in files)


def torn(out: Path) -> int:
    """Files whose last line a kill has cut."""
    return sum(not path.read_bytes().endswith(b"\n") for path in out.rglob("samples.jsonl") if path.stat().st_size)


def main(dataset: str, kills: int) -> None:
    """Kill, resume, compare, and print the counts."""
    moments, root = random.Random(0), Path(tempfile.mkdtemp())
    start = time.perf_counter()
    whole = finish(dataset, root / "whole")
    length_s = time.perf_counter() - start
    different = again = cut = 0
    for number in range(kills):
        out = root / f"run{number // KILLS_A_RUN}"
        process = subprocess.Popen(command(dataset, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0, length_s))
        process.send_signal(signal.SIGKILL)
        process.wait()
        cut += torn(out)
        if number % KILLS_A_RUN == KILLS_A_RUN - 1 or number == kills - 1:
            different += finish(dataset, out) != whole
            again += repeated(out)
    print(f"{kills} kills; runs that differ {different}; images recorded twice {again}; torn lines met {cut}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
