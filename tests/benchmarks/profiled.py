"""A small dataset with faults, its profile, and the same with hostile names, for the tests of what is made of a profile."""

from __future__ import annotations

import copy
import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.datasets import Dataset, open_dataset
from benchmarks.profile.advice import advise
from benchmarks.profile.points import points
from benchmarks.profile.profiling import Profile, profile
from benchmarks.profile.suspects import KINDS
from tests.benchmarks.copies import made_folder, mask, picture
from tests.benchmarks.test_report_injection import SAFE


def made_photographs(folder: Path, n: int = 14) -> Path:
    """Pictures of a disc in two splits, of which one is a copy, one has no mask to read and one has an empty mask."""
    names = [f"p{index:02d}" for index in range(n)]
    made = {name: picture(index, (96, 128) if index % 3 else (128, 96)) for index, name in enumerate(names)}
    made["p05"] = made["p01"]
    made_folder(folder, made, {name: "train" if index < n // 2 else "test" for index, name in enumerate(names)})
    size = made["p03"].shape[:2]
    cv2.imwrite(str(folder / "masks" / "p03.png"), np.zeros(size, np.uint8))
    cv2.imwrite(str(folder / "masks" / "p04.png"), mask((40, 40)).astype(np.uint8) * 255)
    (folder / "images" / "p06.png").write_bytes(b"no picture")
    return folder


def profiled(folder: Path) -> tuple[Profile, Dataset]:
    """The profile of a folder, and the dataset as the command opens it."""
    dataset = open_dataset(str(folder), strict=False)
    return profile(dataset), dataset


def finished_document(folder: Path) -> tuple[dict[str, Any], Dataset]:
    """With advice and points."""
    found, dataset = profiled(folder)
    document = {**found.document, "spec": folder.name}
    document["advice"] = advise(document)
    document["points"] = points(found.table, document)
    return document, dataset


def suspect(kind: str, sample: str, related: tuple[str, ...] = (), **about: Any) -> dict[str, Any]:
    row = {"kind": kind, "sample": sample, "related": list(related), "severity": KINDS[kind].severity, "reason": "It is so.",
           "suggestion": "Look at it.", "exclude": KINDS[kind].exclude, "figure": {"share": 0.5}}  # fmt: skip
    return {**row, **about}


def with_suspects(document: dict[str, Any], *rows: dict[str, Any]) -> dict[str, Any]:
    """The same document with these suspects alone."""
    kinds = {
        kind: sum(row["kind"] == kind for row in rows) for kind in KINDS if any(row["kind"] == kind for row in rows)
    }
    excluded = len({row["sample"] for row in rows if row["exclude"]})
    return {**document, "suspects": list(rows), "kinds": kinds, "excluded": excluded}


def named_by(words: str, folder: Path) -> tuple[dict[str, Any], Dataset]:
    """A profile in which everything that has a name is called by some words.

    Args:
        words: for what may hold anything; names of files get a safe part of it.
        folder: empty; the dataset is written there.
    """
    name = "\"><img src=x onerror=alert(1)>'&lt;=1+1" if words == SAFE else words
    made = made_folder(folder / "data", {f"{name}{index}": picture(index) for index in range(6)})
    ids = [f"{name}{index}" for index in range(6)]
    with (made / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "mask_file_name", "group", "split"])
        rows.writerows(
            [f"images/{one}.png", f"masks/{one}.png", f"{words} {n}", f"{words} {n % 2}"] for n, one in enumerate(ids)
        )
    document, dataset = finished_document(made)
    known = [sample.id for sample in dataset]
    rows = [
        suspect("exact_duplicate", known[0], (known[1], known[2]), reason=words, suggestion=words, figure={words: 1.0}),
        suspect("mask_empty", known[3], reason=words, suggestion=words),
        suspect("image_dark", words, reason=words),
    ]
    document = copy.deepcopy(with_suspects(document, *rows))
    blocks = {"row": words, "reason": words, "cure": words, "blocks": True, "exclude": True}
    document["dataset"] |= {"name": words, "format": words, "notes": [words], "split": words, "problems": [blocks]}
    document |= {"concerns": [{"title": words, "reason": words}], "notes": [words]}
    document["spec"] = words
    document["masks"]["classes"] = [
        {"name": f"{words} {n}", "images": 2, "objects": 3, "pixel_share": 0.1} for n in range(2)
    ]
    document["masks"]["co_occurrence"] = [[2, 1], [1, 2]]
    document["images"] |= {
        "formats": {words: 6},
        "modes": {words: 6},
        "exif": {"with": 1, "turned": 1, "cameras": {words: 1}},
    }
    document["versions"] = {words: words}
    document["advice"] = [{"title": words, "reason": words, "severity": "care", "figures": {}}]
    return document, dataset
