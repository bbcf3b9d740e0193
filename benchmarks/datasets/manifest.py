"""Rows of ``metadata.csv`` and ``metadata.jsonl``, read strictly: whatever is not well formed is named by its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.datasets.dataset import Problem
from pipelines.errors import DatasetError

FILES = ("metadata.csv", "metadata.jsonl")
FILE_NAME = "file_name"
_QUOTES = "Quote cells that hold commas, quotes or line breaks, and double the quotes in them."


@dataclass(frozen=True)
class Row:
    """One line of a manifest.

    Attributes:
        where: file and line, for messages.
        values: column → cell; text from CSV, any JSON value from JSONL.
    """

    where: str
    values: Mapping[str, Any]


def read_manifest(path: Path, problems: list[Problem]) -> list[Row]:
    """All rows that are well formed; the others are noted as problems.

    Args:
        path: a ``.csv`` with commas, or a ``.jsonl``; UTF-8, with or without a byte order mark, any line ends.
        problems: where malformed lines are noted.

    Raises:
        DatasetError: nothing in it can be read: encoding, header, no rows.
    """
    text = _text(path)
    rows = _csv_rows(text, path.name, problems) if path.suffix == ".csv" else _json_rows(text, path.name, problems)
    if not rows and not problems:
        raise DatasetError(f"{path.name} has no rows.", f"Write one line per picture, with the column {FILE_NAME}.")
    return rows


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror}).", "Correct its permissions.") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DatasetError(f"{path.name} is encoded as UTF-16.", "Save it as UTF-8.")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise DatasetError(
            f"{path.name} line {line} holds a NUL byte.", "It is damaged or not a text; save it as UTF-8 text."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DatasetError(f"{path.name} line {line} is not UTF-8.", "Save it as UTF-8.") from error
    if not text.strip():
        raise DatasetError(
            f"{path.name} is empty.", f"Write a header with the column {FILE_NAME} and one line per picture."
        )
    return text


def _csv_rows(text: str, name: str, problems: list[Problem]) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return rows
        except csv.Error as error:
            raise DatasetError(f"{name} line {line} is not well-formed CSV ({error}).", _QUOTES) from error
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = _checked_header([cell.strip() for cell in cells], name)
        elif len(cells) != len(header):
            problems.append(
                Problem(f"{name} line {line}", f"{len(cells)} cells, but the header has {len(header)}.", _QUOTES)
            )
        else:
            rows.append(Row(f"{name} line {line}", dict(zip(header, cells, strict=True))))


def _checked_header(header: list[str], name: str) -> list[str]:
    if FILE_NAME not in header:
        joined = ", ".join(header)[:200]
        other = next((c for c in ";\t|" if c in header[0]), None)
        cure = f"It seems to be separated by {other!r}: save it with commas." if other else (
            f"Name the column of the picture's path {FILE_NAME}.")  # fmt: skip
        raise DatasetError(f"{name} has no column {FILE_NAME}; it has: {joined}.", cure)
    for column in header:
        if not column:
            raise DatasetError(f"{name} line 1 has a column without a name.", "Name it, or remove the extra comma.")
        if header.count(column) > 1:
            raise DatasetError(f"{name} line 1 has the column {column!r} twice.", "Rename or remove one.")
    return header


def _json_rows(text: str, name: str, problems: list[Problem]) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):  # splitlines would also cut at U+2028 within a text
        if not line.strip():
            continue
        where = f"{name} line {number}"
        try:
            values = json.loads(line)
            json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair is JSON, and no text
        except (ValueError, RecursionError) as error:
            problems.append(Problem(where, f"it is not JSON ({error}).", "Write one JSON object a line."))
            continue
        if not isinstance(values, dict):
            problems.append(
                Problem(where, "it is not a JSON object.", 'Write one object a line: {"file_name": "images/a.jpg"}.')
            )
        elif FILE_NAME not in values:
            problems.append(Problem(where, f"it has no {FILE_NAME}.", "Add the path of the picture under that key."))
        else:
            rows.append(Row(where, values))
    return rows
