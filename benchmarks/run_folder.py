"""Which run a command means by a folder, that run or of a folder of runs the newest; and the rows of its summary."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from benchmarks.rows import Row
from pipelines.errors import UsageError

MANIFEST, SUMMARY = "manifest.json", "summary.json"


def find_run(path: Path) -> Path:
    """The folder of a run, or the newest run of a folder of runs.

    Args:
        path: as the command line names it.

    Raises:
        UsageError: there is neither.
    """
    runs = _runs(path)
    if not runs:
        raise UsageError(
            f"{path} {'holds no run' if path.is_dir() else 'is not a folder'}.",
            "Name a folder that benchmarks.run wrote, such as runs or runs/RUN_ID.",
        )
    return max(runs, key=_begun)


def holds_run(path: Path) -> bool:
    """Whether `find_run` finds one."""
    return bool(_runs(path))


def newest_note(path: Path, found: Path) -> str | None:
    """What has to be said where a folder of runs was named; None where it was a run.

    Args:
        path: as the command line names it.
        found: what `find_run` made of it.
    """
    return None if found == path else f"{path} holds runs: the newest, {found.name}, is taken"


def _runs(path: Path) -> list[Path]:
    """The folder itself where it is a run, else those in it that are."""
    if (path / MANIFEST).is_file():
        return [path]
    return [file.parent for file in path.glob(f"*/{MANIFEST}")] if path.is_dir() else []


def _begun(folder: Path) -> tuple[str, int]:
    """When a run began, and when its manifest was last written, in ns: two may have begun in one second."""
    path = folder / MANIFEST
    try:
        created = str(json.loads(path.read_bytes())["created"])
    except (ValueError, KeyError, TypeError):  # of another version, which is no reason not to find the others
        created = ""
    return created, path.stat().st_mtime_ns


def rows_of(folder: Path) -> list[Row]:
    """The rows that a finished run printed.

    Args:
        folder: of the run.

    Raises:
        UsageError: the run did not finish, or its summary is of another version.
    """
    path = folder / SUMMARY
    try:
        return [Row.model_validate(row) for row in json.loads(path.read_bytes())["rows"]]
    except FileNotFoundError as error:
        raise UsageError(f"{folder} is of a run that did not finish.", "Run its command again first.") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise UsageError(
            f"{path} holds no rows that this version reads.", "Run its command again, with --fresh if need be."
        ) from error
