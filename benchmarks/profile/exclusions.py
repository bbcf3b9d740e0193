"""The list of images to leave out, with the reason of each, as ``--exclude`` of the other commands reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.profile.blocking import blocking
from benchmarks.profile.readings import selection
from benchmarks.report.figures import count
from benchmarks.selection import excluded_by
from benchmarks.store import write_whole

HEAD = "# Images to leave out: run and tune read this file with --exclude. An id and its reason a line."


def excluded(document: Mapping[str, Any]) -> dict[str, str]:
    """The images of a profile that are to be left out, each with its reasons, worst first.

    Args:
        document: of the profile.

    Returns:
        Id → reasons, in the order of the suspects. Of a pair of copies the profile marks one alone.
    """
    found: dict[str, dict[str, None]] = {}
    for suspect in document["suspects"]:
        if suspect["exclude"]:
            found.setdefault(suspect["sample"], {})[f"{suspect['kind']}: {suspect['reason']}"] = None
    return {sample: "; ".join(reasons) for sample, reasons in found.items()}


def refused(document: Mapping[str, Any]) -> dict[str, str]:
    """Rows that are no image and keep a run from starting, each with its reason, where the list may hold them."""
    return {one["row"]: f"refused: {one['reason']}" for one in blocking(document) if one["exclude"]}


def exclusions(document: Mapping[str, Any]) -> str:
    """The whole file: a line an image; what looks like a comment is one."""
    about = document["dataset"]
    left_out, rows = excluded(document), refused(document)
    part = f", {' '.join(selection(document))}" if selection(document) else ""
    files = f", and {count(len(rows), 'other row')} that {'is' if len(rows) == 1 else 'are'} refused" if rows else ""
    title = f"# {len(left_out)} of {document['n']} images of {about['name']}{part}{files}, dataset hash {about['hash']}"
    listed = {**rows, **left_out}
    lines = [HEAD, _one_line(title), *(line(name, reason) for name, reason in listed.items())]
    return "".join(f"{text}\n" for text in lines)


def line(sample: str, reason: str) -> str:
    """One line of the file, which gives the id back whatever it holds.

    Args:
        sample: id; it is quoted where a comma, a # or a line break in it would be misread.
        reason: in a sentence; its line breaks become spaces.
    """
    said = _one_line(reason)
    plain = f"{sample}, {said}"
    if sample.isprintable() and excluded_by(plain) == (sample, said):
        return plain
    return f"{json.dumps(sample)}, {said}"


def write_exclusions(document: Mapping[str, Any], path: Path) -> int:
    """Write the file, whole or not at all.

    Args:
        document: of the profile.
        path: of the file.

    Returns:
        How many images and other rows it names.
    """
    write_whole(path, exclusions(document))
    return len({**refused(document), **excluded(document)})


def _one_line(text: str) -> str:
    """Without line breaks, and in UTF-8."""
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode("utf-8")
