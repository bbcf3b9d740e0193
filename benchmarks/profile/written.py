"""A profile with all that is said of it, and its files: page, JSON, Markdown and the list of images to leave out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.datasets import Dataset, Problem
from benchmarks.profile.advice import advise
from benchmarks.profile.blocking import elsewhere_row
from benchmarks.profile.comparison import compare
from benchmarks.profile.exclusions import write_exclusions
from benchmarks.profile.markdown import markdown
from benchmarks.profile.page import write_page
from benchmarks.profile.points import points
from benchmarks.profile.profiling import Profile
from benchmarks.store import write_whole
from benchmarks.tracking.scrubbed import last_part

JSON_FILE, MARKDOWN_FILE = "profile.json", "profile.md"


def finished(
    found: Profile,
    spec: str,
    *,
    run: Path | None = None,
    before: Mapping[str, Any] | None = None,
    split: str | None = None,
    limit: int | None = None,
    elsewhere: Sequence[Problem] = (),
) -> dict[str, Any]:
    """The document of a profile with its advice, its points and what changed.

    Args:
        found: the profile.
        spec: how the dataset was named; of an absolute path the last part is kept.
        run: folder of a run on it, for the advice.
        before: document of an earlier profile.
        split: that was looked at; None = all.
        limit: how many images were asked for; None = all.
        elsewhere: problems of other splits, which keep a run from starting all the same.
    """
    document = {**found.document, "spec": last_part(spec)}
    data = document["dataset"]
    others = [elsewhere_row(problem) for problem in elsewhere]
    document["dataset"] = {**data, "split": split, "limit": limit, "problems": [*data["problems"], *others]}
    if "advice" not in document:
        document["advice"] = advise(document, run=run)
    document["points"] = points(found.table, document)
    return document if before is None else {**document, "comparison": compare(before, document)}


def write(document: Mapping[str, Any], dataset: Dataset, folder: Path, *, html: bool = True, md: bool = False,
          exclude_to: Path | None = None) -> list[Path]:  # fmt: skip
    """Write the files, each whole or not at all.

    Args:
        document: as `finished` gives it.
        dataset: from which the pictures of suspects are read.
        folder: made where it is missing.
        html: whether the page is wanted.
        md: whether the summary is wanted.
        exclude_to: file of the images to leave out, or None.

    Returns:
        The files, the page first.
    """
    done = [write_page(document, dataset, folder)] if html else []
    write_whole(folder / JSON_FILE, to_json(document))
    done.append(folder / JSON_FILE)
    if md:
        write_whole(folder / MARKDOWN_FILE, markdown(document))
        done.append(folder / MARKDOWN_FILE)
    if exclude_to is not None:
        write_exclusions(document, exclude_to)
        done.append(exclude_to)
    return done


def to_json(document: Mapping[str, Any]) -> str:
    """The document as text; NaN is refused, and names may hold anything."""
    return json.dumps(document, allow_nan=False, ensure_ascii=True, indent=1) + "\n"
