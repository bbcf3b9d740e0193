"""Splits by group and by content: what shares a group or is the same picture is never on two sides."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from benchmarks.datasets.dataset import Problem
from benchmarks.datasets.sample import Sample
from pipelines.errors import DatasetError, UnknownNameError, UsageError

DERIVED: Mapping[str, float] = {"tune": 0.5, "test": 0.5}
"""Splits of a dataset that declares none, with their share of the groups."""

SHOWN = 10
"""Pairs that are named."""


def clusters(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Samples that must stay together: one group, or one and the same picture, however often linked.

    Returns:
        Clusters in the order of their first sample.
    """
    parent = list(range(len(samples)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, sample in enumerate(samples):
        for key in (("group", sample.group), ("image", sample.image_hash)):
            a, b = root(i), root(first.setdefault(key, i))
            parent[max(a, b)] = min(a, b)
    members: dict[int, list[Sample]] = defaultdict(list)
    for i, sample in enumerate(samples):
        members[root(i)].append(sample)
    return list(members.values())


def _dealt(samples: Sequence[Sample], shares: Sequence[float], seed: int) -> list[list[Sample]]:
    """Deal clusters out by share of their number: large ones first, equal ones in an order that the seed decides.

    By number of clusters and not of samples, because the cluster is what a score is resampled over.
    """

    def order(cluster: list[Sample]) -> tuple[int, str]:
        lowest = min(sample.image_hash for sample in cluster)
        return -len(cluster), hashlib.sha256(f"{seed}:{lowest}".encode()).hexdigest()

    found = sorted(clusters(samples), key=order)
    if len(found) < len(shares):
        raise DatasetError(
            f"{len(samples)} samples in {len(found)} independent group{'s' * (len(found) != 1)} "
            f"cannot be dealt out to {len(shares)} parts.",
            "Add pictures of other scenes, ask for fewer parts, or correct the column 'group'.",
        )
    quotas = _quotas(len(found), shares)
    parts: list[list[list[Sample]]] = [[] for _ in shares]

    def fullness(i: int) -> tuple[float, int, int]:
        return len(parts[i]) / quotas[i], sum(map(len, parts[i])), i

    for cluster in found:
        parts[min(range(len(parts)), key=fullness)].append(cluster)
    return [sorted((s for cluster in part for s in cluster), key=lambda s: s.id) for part in parts]


def _quotas(n: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers by share that add up to n, none below 1."""
    quotas = [max(1, round(n * share)) for share in shares]
    while over := sum(quotas) - n:
        quotas[quotas.index(max(quotas))] -= 1 if over > 0 else -1
    return quotas


def folds(samples: Sequence[Sample], k: int, seed: int = 0) -> list[list[Sample]]:
    """Split samples into k parts for cross-validation; each sample is in exactly one.

    Args:
        samples: of one dataset, in any order.
        k: number of parts, from 2 up.
        seed: decides which clusters go where.

    Raises:
        DatasetError: there are fewer independent groups than parts.
        UsageError: k is below 2.
    """
    if k < 2:
        raise UsageError(f"{k} folds were asked for.", "Give 2 or more.")
    return _dealt(samples, [1 / k] * k, seed)


def derive_split(
    samples: Sequence[Sample], fractions: Mapping[str, float] = DERIVED, seed: int = 0
) -> dict[str, list[Sample]]:
    """Make splits where the dataset declares none; depends on the pictures and the seed, not on names or order.

    Args:
        samples: of one dataset.
        fractions: name of a split → its share of the groups; shares add up to 1.
        seed: decides which clusters go where.

    Returns:
        Name → its samples, with ``split`` set.

    Raises:
        DatasetError: there are fewer independent groups than splits.
        UsageError: the shares are not positive or do not add up to 1.
    """
    if abs(sum(fractions.values()) - 1) > 1e-9 or min(fractions.values()) <= 0:
        raise UsageError(f"The shares of the splits are {dict(fractions)}.", "Give positive shares that add up to 1.")
    parts = _dealt(samples, list(fractions.values()), seed)
    return {name: [replace(s, split=name) for s in part] for name, part in zip(fractions, parts, strict=True)}


def choose_split(samples: Sequence[Sample], name: str) -> list[Sample]:
    """Samples of one split: a declared one, or ``tune`` and ``test`` derived where none is declared.

    Raises:
        UnknownNameError: there is no such split.
        DatasetError: it would have to be derived from too few groups.
    """
    declared = {sample.split for sample in samples if sample.split is not None}
    if name not in (declared or DERIVED):
        raise UnknownNameError("split", name, declared or DERIVED)
    if not declared:
        return derive_split(samples)[name]
    return [sample for sample in samples if sample.split == name]


def check_leaks(samples: Iterable[Sample]) -> tuple[Problem, ...]:
    """Declared splits that share groups or pictures, one problem for each pair of splits and kind, naming the pairs."""
    rows = [sample for sample in samples if sample.split is not None]
    if len({sample.split for sample in rows}) < 2:
        return ()
    by_group = _leaks([(s.group, s) for s in rows], "shares the group {key!r} with",
                      "Give them one split, or groups of their own if the pictures are independent.")  # fmt: skip
    by_image = _leaks([(s.image_hash, s) for s in rows], "is the same picture, byte for byte, as",
                      "Remove one of the two, leave it out with --exclude, or give them one split.")  # fmt: skip
    return (*by_group, *by_image)


def _leaks(keyed: Iterable[tuple[str, Sample]], what: str, cure: str) -> list[Problem]:
    first: dict[str, Sample] = {}
    found: dict[frozenset[str | None], list[tuple[str, Sample, Sample]]] = defaultdict(list)
    for key, sample in keyed:
        other = first.setdefault(key, sample)
        pair = frozenset((sample.split, other.split))
        if len(pair) == 2:
            found[pair].append((key, other, sample))
    return [_leak(pairs, what, cure) for pairs in found.values()]


def _leak(pairs: Sequence[tuple[str, Sample, Sample]], what: str, cure: str) -> Problem:
    key, other, sample = pairs[0]
    named = [f"{one.id} and {two.id}" for _, one, two in pairs[1:SHOWN]]
    more = len(pairs) - SHOWN
    others = f"; so it is with {', '.join(named)}" if named else ""
    others += f" and {more} more pair{'s' * (more > 1)}" if more > 0 else ""
    reason = f"it is in split {other.split} and {what.format(key=key)} {sample.id} of split {sample.split}{others}."
    return Problem(other.id, reason, cure)
