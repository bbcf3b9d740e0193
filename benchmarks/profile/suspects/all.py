"""All suspects of a dataset, the gravest first, with one for each cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.datasets import Dataset
from benchmarks.profile.suspects import KINDS, Suspect, disagreement, duplicates, files, images, masks
from benchmarks.profile.table import Table

CAUSES = (
    ("image_unreadable", "mask_missing", "mask_size_mismatch"),
    ("mask_jpeg_noise", "mask_palette", "mask_not_binary", "mask_specks"),
    ("mask_empty", "mask_full", "mask_inverted", "mask_specks", "area_outlier", "mask_shifted"),
    ("image_tiny", "image_odd_size", "image_low_information", "image_dark", "image_light", "image_blurry"),
    ("image_low_information", "mask_shifted"),
    ("mask_not_binary", "area_outlier"),
    ("image_tiny", "image_odd_size", "mask_inverted", "mask_shifted", "area_outlier"),
)
"""Kinds that one cause brings about: of each row a sample keeps the first. An empty mask, say, has an unusual area."""


def find_suspects(dataset: Dataset, table: Table, *, run: Path | None = None, verify: bool = True) -> list[Suspect]:
    """All suspects, in the order of `KINDS`, then of their samples."""
    single = [*files.find(table, dataset.class_names), *images.find(table), *masks.find(table)]
    single = one_a_cause([*single, *(disagreement.find(dataset, table, run) if run is not None else ())])
    doubtful = {suspect.sample for suspect in single if suspect.kind.startswith("mask_")}
    found = [*single, *duplicates.find(dataset, table, verify=verify, doubtful=doubtful)]
    order = list(KINDS)
    return sorted(found, key=lambda one: (order.index(one.kind), one.sample))


def one_a_cause(suspects: Iterable[Suspect]) -> list[Suspect]:
    """Of what one cause brings about in one sample the first, by `CAUSES`."""
    by_sample: dict[str, dict[str, Suspect]] = defaultdict(dict)
    for suspect in suspects:
        by_sample[suspect.sample].setdefault(suspect.kind, suspect)
    for found in by_sample.values():
        for row in CAUSES:
            for kind in [kind for kind in row if kind in found][1:]:
                del found[kind]
    return [suspect for found in by_sample.values() for suspect in found.values()]
