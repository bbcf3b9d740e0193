"""Problems of a dataset that no suspect stands for, though a run refuses to start as long as they are there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.datasets import Dataset, Problem
from benchmarks.datasets.dataset import named_by
from benchmarks.profile.suspects import Suspect
from benchmarks.profile.table import Table

SAFE = re.compile(
    "without a picture|in its extension alone|has two masks|link that leaves|link to a folder or to nothing|"
    "cannot be printed|the same picture as|the header has|is not JSON|is not a JSON object|it has no file_name"
)
"""Reasons of rows that can go and leave the meaning of the others as it is; a line of a label map, say, cannot."""


def problems(dataset: Dataset, table: Table, suspects: Sequence[Suspect]) -> list[dict[str, Any]]:
    """The problems of a dataset as they stand in the document.

    Args:
        dataset: opened with ``strict=False``.
        table: of its samples, and of the rows that its reader refuses.
        suspects: that were found.

    Returns:
        Keys row, reason, cure, blocks (no suspect that is to be left out stands for it) and exclude (the list of images
        to leave out may hold its row, which then leaves out nothing else).
    """
    read = {name for name, known in zip(table.ids, table.read, strict=True) if known}
    listed = {one.sample for one in suspects if one.as_row()["exclude"]}
    pairs = {name for one in suspects if one.kind == "split_leak" for name in (one.sample, *one.related)}
    return [_row(one, read, listed - read, pairs) for one in dataset.problems]


def _row(one: Problem, read: set[str], refused: set[str], pairs: set[str]) -> dict[str, Any]:
    blocks = not named_by(one, refused) and one.row not in pairs
    return {"row": one.row, "reason": one.reason, "cure": one.cure, "blocks": blocks,
            "exclude": blocks and one.row not in read and may_go(one)}  # fmt: skip


def elsewhere_row(one: Problem) -> dict[str, Any]:
    """A problem of a split that is not looked at, as it stands in the document."""
    return {"row": one.row, "reason": one.reason, "cure": one.cure, "blocks": True, "exclude": may_go(one)}


def may_go(one: Problem) -> bool:
    """Whether a run without the row of a problem judges all other rows as they are meant."""
    return one.image is not None or SAFE.search(one.reason) is not None


def of_sample(problem: Problem) -> bool:
    """Whether a problem is of something that would be a sample, and not of a folder without any."""
    return not problem.reason.endswith("holds no pictures.")


def of_splits(dataset: Dataset, split: str | None) -> tuple[list[Problem], list[Problem]]:
    """The problems that may be of a split, and those that are of others.

    Only the path of a file tells, and only where every sample lies in a folder that is called as its split.

    Args:
        dataset: with all its splits.
        split: that is looked at; None = all.
    """
    paths = [(one.split, one.path) for one in dataset if one.split is not None and one.path is not None]
    if split is None or split not in dataset.splits or not all(name in path.parent.parts for name, path in paths):
        return list(dataset.problems), []
    common = set.intersection(*(set(path.parent.parts) for _, path in paths))
    others = set(dataset.splits) - {split} - common
    elsewhere = [one for one in dataset.problems if (parts := _folders(one)) & others and split not in parts]
    return [one for one in dataset.problems if one not in elsewhere], elsewhere


def _folders(problem: Problem) -> set[str]:
    path = problem.image or problem.mask or Path(problem.row)
    return set(path.parent.parts)


def blocking(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Problems that keep a run from starting and are no suspect."""
    return [one for one in document["dataset"].get("problems", ()) if one.get("blocks")]


def told(problem: Mapping[str, Any]) -> str:
    """A problem with its cure, in one line."""
    return f"{problem['row']}: {problem['reason']} {problem['cure']}"
