"""How many planted faults a profile finds, and what it suspects wrongly: a table in Markdown.

    python docs/measurements/profile_planted.py FOLDER [--seeds 5] [--times 2]

FOLDER is a dataset that `open_dataset` reads, with masks. It is copied, and in the copy faults of all kinds are
planted, in several ways and strengths (`tests/benchmarks/faults.py`); then the copy is profiled. Of each seed other
samples are taken. A fault is found where a suspect of its kind names its sample. A suspect is *wrong* where nothing was
planted at the samples that it names, and *also* where something else was planted there, as when a copy has a
conflicting mask because that was shifted. First the untouched dataset is profiled.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2

from benchmarks.datasets import open_dataset
from benchmarks.profile.profiling import profile
from benchmarks.profile.suspects import KINDS
from tests.benchmarks.faults import ADDS, CHANGES, LEAKS
from tests.benchmarks.planting import Item, Planted, items_of, plant, write


def profiled(folder: Path | str) -> list[dict[str, Any]]:
    """The suspects of a dataset."""
    suspects: list[dict[str, Any]] = profile(open_dataset(folder, strict=False)).document["suspects"]
    return suspects


def divided(items: list[Item]) -> list[Item]:
    """The same in two splits, groups whole."""
    names = sorted({item.group for item in items})
    return [replace(item, split="test" if names.index(item.group) % 3 == 0 else "train") for item in items]


def tallied(suspects: list[dict[str, Any]], planted: list[Planted], found: Counter[tuple[str, str]]) -> list[str]:
    """Count what was found, wrong and also said; faults that were missed, in words."""
    where = {(fault.kind, name) for fault in planted for name in fault.samples}
    touched = {name for _, name in where}
    named = {(one["kind"], name) for one in suspects for name in (one["sample"], *one["related"])}
    for one in suspects:
        names = (one["sample"], *one["related"])
        right = any((one["kind"], name) in where for name in names)
        found[one["kind"], "right" if right else "also" if any(name in touched for name in names) else "wrong"] += 1
    missed = []
    for fault in planted:
        hit = (fault.kind, fault.samples[0]) in named
        found[fault.kind, "planted"] += 1
        found[fault.kind, "found"] += hit
        missed += [] if hit else [f"{fault.kind}: {fault.samples[0]}, {fault.how}"]
    return missed


def table(found: Counter[tuple[str, str]]) -> str:
    """Rows by kind, and the sum."""
    lines = [
        "| kind | planted | found | recall | suspects | also | wrong | precision |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in (*KINDS, "all"):
        kinds = KINDS if kind == "all" else (kind,)
        count = {
            name: sum(found[one, name] for one in kinds) for name in ("planted", "found", "right", "also", "wrong")
        }
        said = count["right"] + count["also"] + count["wrong"]
        recall = f"{count['found'] / count['planted']:.0%}" if count["planted"] else ""
        precision = f"{(said - count['wrong']) / said:.0%}" if said else ""
        lines.append(f"| {kind} | {count['planted']} | {count['found']} | {recall} | {said} | {count['also']} | "
                     f"{count['wrong']} | {precision} |")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Plant, profile, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--times", type=int, default=2, help="faults a kind and seed")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    clean, found, missed = profiled(asked.folder), Counter[tuple[str, str]](), list[str]()
    named = (f"- {one['kind']}: {one['sample']}, {one['reason']}" for one in clean)
    print(f"Untouched: {len(clean)} suspects", *named, "", sep="\n")
    items, began, faults = items_of(open_dataset(asked.folder)), time.perf_counter(), 0
    for seed in range(asked.seeds):
        with tempfile.TemporaryDirectory() as folder:
            changed, planted = plant(divided(items), CHANGES, ADDS | LEAKS, seed, asked.times)
            missed += [f"seed {seed}, {one}" for one in tallied(profiled(write(changed, Path(folder))), planted, found)]
            faults += len(planted)
    print(f"{faults} faults in {asked.seeds} copies, {time.perf_counter() - began:.0f} s\n", table(found), "\nMissed:",
          *(f"- {one}" for one in missed), sep="\n")  # fmt: skip


if __name__ == "__main__":
    main()
