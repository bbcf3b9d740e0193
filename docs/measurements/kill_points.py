"""Kills a run at twelve named points of its protocol and compares what the resumed one says with an uninterrupted one.

    python docs/measurements/kill_points.py DATASET

A point is before or after a file takes its name, or around a sync of the records. Whoever reaches it first, the command
or one of its workers, is ended by SIGKILL there. Then the run is let through: quality fields equal, no image twice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from kill_resume import command, finish, repeated

POINTS = [f"{when} {name}" for name in ("manifest.json", "loaded.json", "timing.json", "summary.json")
          for when in ("before", "after")]  # fmt: skip
POINTS += ["before samples.jsonl", "after samples.jsonl", "half a line of samples.jsonl", "second samples.jsonl"]

SITE = """
import os, pathlib, signal

point, marker = os.environ.get("KILL_POINT", ""), os.environ.get("KILL_MARKER", "")
seen = []

def end(name):
    if name == point:
        pathlib.Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)

replace, fsync = pathlib.Path.replace, os.fsync

def killed_replace(self, target):
    name = pathlib.Path(target).name
    end("before " + name)
    found = replace(self, target)
    end("after " + name)
    return found

def killed_fsync(descriptor):
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    if path.endswith("samples.jsonl"):
        seen.append(path)
        end("before samples.jsonl")
        if point == "half a line of samples.jsonl":
            os.ftruncate(descriptor, max(0, os.fstat(descriptor).st_size - 25))
            end(point)
        fsync(descriptor)
        end("after samples.jsonl")
        if "01-" in path:
            end("second samples.jsonl")
        return
    fsync(descriptor)

pathlib.Path.replace, os.fsync = killed_replace, killed_fsync
"""


def main(dataset: str) -> int:
    """Kill at each point, resume, compare; 1 where a run differs or a point was never reached."""
    root = Path(tempfile.mkdtemp())
    (root / "site").mkdir()
    (root / "site" / "sitecustomize.py").write_text(SITE)
    whole, failed = finish(dataset, root / "whole"), 0
    for number, point in enumerate(POINTS):
        out, marker = root / f"run{number}", root / f"reached{number}"
        paths = os.pathsep.join(filter(None, [str(root / "site"), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": paths, "KILL_POINT": point, "KILL_MARKER": str(marker)}
        subprocess.run(command(dataset, out), env=environment, capture_output=True)
        same, twice = finish(dataset, out) == whole, repeated(out)
        failed += not (same and marker.exists()) or twice > 0
        reached = "reached" if marker.exists() else "never reached"
        print(f"{point}: {reached}; {'same' if same else 'DIFFERENT'}; recorded twice {twice}", flush=True)
    print(f"{len(POINTS)} points; failed {failed}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
