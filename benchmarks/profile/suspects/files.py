"""Files that cannot be used as they are: unreadable pictures and masks, missing masks, values that mean nothing."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.profile.mask_files import MaskFileLook
from benchmarks.profile.suspects import KINDS, Suspect
from benchmarks.profile.table import Table

OFTEN = 0.5
"""What so many masks of a dataset have in common is its way, and no fault of one of them."""

MOST_MISSING = 0.5


def find(table: Table, class_names: tuple[str, ...]) -> Iterator[Suspect]:
    """Suspects among the files of samples.

    Args:
        table: of all samples.
        class_names: of the dataset; where there are some, masks hold more than two values.
    """
    yield from _of_faults(table)
    yield from _missing(table)
    yield from _values(table, bool(class_names))


def _of_faults(table: Table) -> Iterator[Suspect]:
    for row, faults in table.faults.items():
        for fault in faults:
            kind, file = fault.kind, table.mask_files[row]
            if kind == "mask_unreadable":
                kind = "image_unreadable" if file is None else unread_kind(file)
            if kind in KINDS:
                yield Suspect(
                    kind, table.ids[row], _sentence(fault.reason), suggestion=_sentence(fault.cure), exclude=True
                )


def _sentence(text: str) -> str:
    first = text.partition(" ")[0]
    return text if {"/", "."} & set(first.rstrip(".")) else text[:1].upper() + text[1:]  # a path is written as it is


def unread_kind(file: MaskFileLook) -> str:
    """The kind of a mask that can be decoded and still is not taken for one."""
    if file.lossy or file.noisy:
        return "mask_jpeg_noise"
    return "mask_palette" if file.form in ("palette", "colour", "alpha") else "mask_not_binary"


def _missing(table: Table) -> Iterator[Suspect]:
    """Samples without masks, where most have some."""
    read = [row for row in range(len(table)) if table.read[row]]
    lacking = [row for row in read if not table.has_truth[row]]
    if lacking and len(lacking) < MOST_MISSING * len(read):
        for row in lacking:
            yield Suspect("mask_missing", table.ids[row], f"It has no mask, while {len(read) - len(lacking)} of "
                          f"{len(read)} samples have one.")  # fmt: skip


def _values(table: Table, classes: bool) -> Iterator[Suspect]:
    """Masks that can be read, and are saved otherwise than most."""
    files = [file for file in table.mask_files if file is not None]
    plain = sum(file.form == "grey" for file in files) > OFTEN * len(files)
    clean = sum(not file.lossy for file in files) > OFTEN * len(files)
    two = not classes and sum(file.two_valued for file in files) > OFTEN * len(files)
    for row, file in enumerate(table.mask_files):
        if file is None or any(fault.kind == "mask_unreadable" for fault in table.faults.get(row, ())):
            continue
        if clean and (file.lossy or (two and file.noisy)):
            yield Suspect("mask_jpeg_noise", table.ids[row], f"It is {file.format} with {_number(file)} values, and "
                          f"{file.between:.1%} of its pixels are neither the lowest nor the highest of them.",
                          figure={"values": file.values, "between": file.between})  # fmt: skip
        elif plain and file.form in ("palette", "colour", "alpha"):
            yield Suspect("mask_palette", table.ids[row], f"It is saved with {_WORDS[file.form]}, while most masks of "
                          "this dataset are grey.", figure={"values": file.values})  # fmt: skip
        elif two and not file.two_valued:
            yield Suspect("mask_not_binary", table.ids[row], f"It holds {_number(file)} values, while most masks of "
                          f"this dataset hold two; {file.between:.1%} of its pixels lie between.",
                          figure={"values": file.values, "between": file.between})  # fmt: skip
        elif two and file.values == 2 and not file.black:
            yield Suspect("mask_not_binary", table.ids[row], "It holds two values and no 0, so that everything is "
                          "foreground.", figure={"values": 2})  # fmt: skip


_WORDS = {"palette": "a palette", "colour": "colours", "alpha": "transparency"}


def _number(file: MaskFileLook) -> str:
    return str(file.values) if file.values < 256 else "256 or more"
