"""Copies of pictures: the same bytes, or the same picture otherwise saved; across splits; with unlike masks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator

from benchmarks.datasets import Dataset
from benchmarks.profile.suspects import Suspect
from benchmarks.profile.table import Table
from benchmarks.profile.twins import Copy, copies


def find(dataset: Dataset, table: Table, *, verify: bool, doubtful: Collection[str] = ()) -> Iterator[Suspect]:
    """Suspects among copies, and groups that two splits share.

    Args:
        dataset: to look at pictures and masks once more; a stream is not.
        table: of its samples.
        verify: whether to look once more; otherwise small copies of 32 x 32 decide alone.
        doubtful: samples whose masks are suspect by themselves; of several copies another one is to stay.
    """
    leaks = set[int]()
    rows = {row for row, name in enumerate(table.ids) if name in set(doubtful)}
    for found in copies(dataset, table, verify=verify and not dataset.streamed, doubtful=rows):
        suspect = _suspect(table, found)
        leaks |= {found.copy} if suspect.kind == "split_leak" else set()
        yield suspect
    yield from _shared_groups(table, leaks)


def _suspect(table: Table, found: Copy) -> Suspect:
    first, second = table.ids[found.original], table.ids[found.copy]
    splits = table.splits[found.original], table.splits[found.copy]
    how = "byte for byte" if found.exact else f"with a likeness of {found.likeness:.2f}"
    same = f"It is the same picture as {first}, {how}"
    figure = {"likeness": found.likeness} | ({} if found.masks is None else {"mask_iou": found.masks})
    if found.conflict:
        reason = f"{same}, but the IoU of their masks is {found.masks:.2f}."
        return Suspect("conflicting_masks", second, reason, (first,), figure=figure)
    if None not in splits and splits[0] != splits[1]:
        reason = f"{same}, which is in split {splits[0]}, while this one is in {splits[1]}."
        return Suspect("split_leak", second, reason, (first,), figure=figure)
    return Suspect("exact_duplicate" if found.exact else "near_duplicate", second, f"{same}.", (first,), figure=figure)


def _shared_groups(table: Table, known: set[int]) -> Iterator[Suspect]:
    """Samples whose group is mostly in another split."""
    splits: dict[str, Counter[str]] = defaultdict(Counter)
    first: dict[tuple[str, str], str] = {}
    for name, group, split in zip(table.ids, table.groups, table.splits, strict=True):
        if split is not None:
            splits[group][split] += 1
            first.setdefault((group, split), name)
    for row, (group, split) in enumerate(zip(table.groups, table.splits, strict=True)):
        if split is None or row in known or len(splits[group]) < 2:
            continue
        home = max(splits[group].items(), key=lambda item: (item[1], item[0]))[0]
        if split != home:
            other = first[group, home]
            reason = f"Its group {group!r} is in split {home} too, as {other}, while this one is in {split}."
            yield Suspect("split_leak", table.ids[row], reason, (other,))
