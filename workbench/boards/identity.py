"""Which files a run is made of, by name, time and size: what was read of them holds as long as these stay."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.run_folder import MANIFEST, SUMMARY

FILES = (MANIFEST, SUMMARY, "samples.jsonl", "timing.json")
Identity = tuple[tuple[str, int, int], ...]


def run_folders(root: Path) -> list[Path]:
    """Folders in a folder that hold a manifest, the one written last first."""
    try:
        manifests = [(path.stat().st_mtime_ns, path.parent) for path in root.glob(f"*/{MANIFEST}")]
    except OSError:  # it went while it was gone through; what is there the next time is shown then
        return []
    return [folder for _, folder in sorted(manifests, key=lambda item: (-item[0], item[1].name))]


def identity(folder: Path) -> Identity:
    """Names, times and sizes of the files that a row depends on; empty where they cannot be seen."""
    found = []
    try:
        with os.scandir(folder) as inside:
            parts = sorted((one for one in inside if one.is_dir()), key=lambda one: one.name)
        for place in (str(folder), *(one.path for one in parts)):
            with os.scandir(place) as files:
                seen = [(one.name, one.stat()) for one in files if one.name in FILES]
            found += [
                (f"{place}/{name}", now.st_mtime_ns, now.st_size) for name, now in sorted(seen, key=lambda s: s[0])
            ]
    except OSError:  # it went meanwhile; reading it says so in words
        return ()
    return tuple(found)
