"""Compact evidence as the bytes of one file, and back; what is not whole, or not such a file, is told from it.

``magic | checksum of all that follows | length of the header | header in JSON | tables and codes of each array``, every
part filled up to 64 bytes, so that arrays are read where they lie, with no copy.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from benchmarks.evidence.coding import CODES, EXACT_BITS, MOST_BITS, PALETTE, TYPES, Array, Coding, Packed
from benchmarks.evidence.compact import FIELDS, MAPS, Compact
from benchmarks.records import Record
from pipelines.types import EvidenceKind

MAGIC = b"SEGEVID\x01"
"""Its last byte is the version of the layout and of the codes."""

DIGEST = 32
START = struct.Struct(f"<8s{DIGEST}sQ")
ALIGN = 64

Length = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=1)]
Name = Literal["soft", "mask_maps", "boxes", "scores", "box_scores", "prompt_index", "presence"]
Type = Literal["float16", "float32", "float64", "int32", "int64", "uint8", "bool", "uint16"]


class ArrayHeader(Record):
    """One array.

    Attributes:
        name: field of the evidence.
        coding: as of `Packed`.
        type: of the codes.
        shape: of the codes.
        table: rows of the table.
    """

    name: Name
    coding: Coding
    type: Type
    shape: tuple[Length, ...] = Field(max_length=3)
    table: Length

    def checked(self) -> bool:
        """Whether type, shape and table go together."""
        if len(self.shape) != FIELDS[self.name]:
            return False
        if self.coding == "exact":
            return self.type in TYPES and not self.table
        types = {"palette": "uint8", "fixed": "uint16", "half": "float16"}
        rows = {"palette": range(1, PALETTE + 1), "fixed": self.shape[:1], "half": (0,)}
        fits = self.type == types[self.coding] and self.table in rows[self.coding]
        return fits and self.name in MAPS

    def parts(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Types and shapes of what lies in the file: a table where there is one, then the codes."""
        if self.coding == "fixed":
            yield "int32", (self.table, 2)
        if self.coding == "palette":
            yield "float32", (self.table,)
        yield self.type, self.shape


class Header(Record):
    """What stands before the arrays.

    Attributes:
        key: under which it was put away.
        size: as of the evidence, as are `kind`, `canvas` and `window`.
        arrays: in the order in which they lie in the file.
    """

    key: str
    size: tuple[Side, Side]
    kind: EvidenceKind
    canvas: tuple[Side, Side] | None
    window: tuple[Length, Length, Side, Side] | None
    arrays: tuple[ArrayHeader, ...] = Field(max_length=len(FIELDS))


def to_bytes(key: str, held: Compact) -> bytes:
    """The content of a file."""
    arrays = [_array_header(name, packed) for name, packed in held.arrays.items()]
    header = Header.model_validate({"key": key, "size": held.size, "kind": held.kind, "canvas": held.canvas,
                                    "window": held.window, "arrays": arrays}).model_dump_json().encode()  # fmt: skip
    parts: list[Any] = [struct.pack("<Q", len(header)), header, bytes(-(START.size + len(header)) % ALIGN)]
    for packed in held.arrays.values():
        for values in (packed.table, packed.codes) if len(packed.table) else (packed.codes,):
            parts += [values.data.cast("B") if values.size else b"", bytes(-values.nbytes % ALIGN)]
    return b"".join([MAGIC, _digest(parts), *parts])


def _array_header(name: str, packed: Packed) -> dict[str, Any]:
    return {"name": name, "coding": packed.coding, "type": packed.codes.dtype.name, "shape": packed.codes.shape,
            "table": len(packed.table)}  # fmt: skip


def _digest(parts: list[Any]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def from_bytes(key: str, data: bytes) -> Compact | None:
    """What a file holds, as views into its bytes; None where it is not whole, of another version, or of another key.

    Nothing is taken on trust: lengths are compared with what is there before anything is made of them.
    """
    if len(data) < START.size or data[: len(MAGIC)] != MAGIC:
        return None
    _, digest, length = START.unpack_from(data)
    body = memoryview(data)[len(MAGIC) + DIGEST :]
    if length > len(data) - START.size or _digest([body]) != digest:
        return None
    try:
        header = Header.model_validate_json(data[START.size : START.size + length])
        arrays = _arrays(header, data, START.size + length) if header.key == key else None
    except ValueError:  # no such header, or a shape that no array can have
        return None
    return None if arrays is None else Compact(header.size, header.kind, header.canvas, header.window, arrays)


def _arrays(header: Header, data: bytes, place: int) -> dict[str, Packed] | None:
    arrays: dict[str, Packed] = {}
    for one in header.arrays:
        read: list[Array] = []
        for type_, shape in one.parts():
            place += -place % ALIGN
            count = math.prod(shape)
            if not one.checked() or count * np.dtype(type_).itemsize > len(data) - place:
                return None
            read.append(np.frombuffer(data, type_, count, place).reshape(shape))
            place += read[-1].nbytes
        packed = Packed(one.coding, read[-1], *read[:-1])
        if not _in_bounds(packed):
            return None
        arrays[one.name] = packed
    return arrays if place + -place % ALIGN == len(data) and len(arrays) == len(header.arrays) else None


def _in_bounds(packed: Packed) -> bool:
    """Whether every code means a value."""
    if packed.coding == "palette":
        return int(packed.codes.max(initial=0)) < len(packed.table)
    if packed.coding == "fixed":
        base, bits = packed.table.astype(np.int64).T
        return bool((bits >= 0).all() and (bits <= MOST_BITS).all() and (abs(base) <= 2**EXACT_BITS + CODES).all())
    return True
