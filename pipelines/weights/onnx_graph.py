"""Whether an ONNX file is one, is whole and holds all of its numbers itself, told without the package onnx."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from typing import BinaryIO

ONNX_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
"""Numbers of the fields of ModelProto (onnx/onnx.proto of github.com/onnx/onnx)."""
GRAPH = 7
DATA_LOCATION = 14
"""Of TensorProto: 0 or left out where its numbers are in the file itself."""
INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "tensor": {},
}
"""Message → number of a field → message, for all that lead to tensors."""
OUTSIDE = "it keeps numbers of its network in other files"
FIXED_BYTES = {1: 8, 5: 4}
Field = tuple[int, int, int, int]
"""Number, wire type, where its content begins (of a varint: its value), and where it ends."""


def onnx_problem(file: BinaryIO) -> str | None:
    """Walk over a protobuf message: known outermost fields up to the last byte, with a graph, all tensors inside.

    Numbers are stepped over, so that a file of any size takes a fraction of a second.

    Args:
        file: open for reading, at its start.

    Returns:
        What is wrong; `OUTSIDE` for numbers in other files; None = nothing.
    """
    size = os.fstat(file.fileno()).st_size
    if not size:
        return "it holds no graph"
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _outermost(content, size) or _deeper(content, size)


def _outermost(content: mmap.mmap, size: int) -> str | None:
    seen, end = set(), 0
    try:
        for number, wire, _, stop in _fields(content, 0, size):
            if number not in ONNX_FIELDS or wire not in (0, 2):
                return "it is no ONNX model"
            seen.add(number)
            end = stop
    except EOFError:
        return "it is cut off"
    except ValueError:
        return "it is no ONNX model"
    if end != size:
        return f"it should have {end} bytes and has {size}"
    return None if GRAPH in seen else "it holds no graph"


def _deeper(content: mmap.mmap, size: int) -> str | None:
    """Not by recursion: a file can nest graphs as deep as it likes."""
    waiting = [("model", 0, size)]
    try:
        while waiting:
            kind, start, end = waiting.pop()
            for number, wire, begin, stop in _fields(content, start, end):
                if kind == "tensor" and number == DATA_LOCATION and wire == 0 and begin:
                    return OUTSIDE
                if stop > end:
                    raise EOFError
                if wire == 2 and number in INSIDE[kind]:
                    waiting.append((INSIDE[kind][number], begin, stop))
    except (EOFError, ValueError):
        return "its graph cannot be read"
    return None


def _fields(content: mmap.mmap, at: int, end: int) -> Iterator[Field]:
    """Fields of a message; the last one may claim to end behind it.

    Raises:
        EOFError: it ends within a field's head.
        ValueError: a wire type that no field of ONNX has.
    """
    while at < end:
        head, at = _varint(content, at, end)
        number, wire = divmod(head, 8)
        if wire == 0:
            value, at = _varint(content, at, end)
            yield number, wire, value, at
            continue
        if wire == 2:
            length, at = _varint(content, at, end)
        elif wire in FIXED_BYTES:
            length = FIXED_BYTES[wire]
        else:
            raise ValueError(f"wire type {wire}")
        yield number, wire, at, at + length
        at += length


def _varint(content: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise EOFError
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")
