"""All that came of a batch in one ZIP, written to the disk piece by piece however many pictures there are."""

from __future__ import annotations

import csv
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from benchmarks.export.format import plain
from benchmarks.export.pictures import cell
from benchmarks.file_names import folder_name
from workbench.batches.contact_sheet import pages, sheet
from workbench.batches.folder import RESULTS, BatchFolder, Row, Rows
from workbench.batches.run import COCO
from workbench.files.downloads import FILES, as_json

EACH = 25
"""Pictures of a page of the contact sheet."""

FOLDERS = {"mask": "masks", "cut_out": "cut_outs", "soft": "soft"}
COLUMNS = ("picture", "sha256", "pipeline", "status", "reason", "seconds", "load_ms", "infer_ms", "decide_ms", "height",
           "width", "found", "share", "flags", "mask", "mask_sha256")  # fmt: skip


def results(batch: BatchFolder) -> Path:
    """The ZIP of what is there now; one that is there and holds all of it is taken as it is.

    ``facts.csv`` has a line for each picture and pipeline; ``masks/``, ``cut_outs/`` and ``soft/`` hold a folder for
    each pipeline with files named after the pictures; ``coco/`` one document for each pipeline; ``contact_sheets/``
    its pages; ``about.json`` what produced all that, with the sha256 of each picture, and what is missing.

    Args:
        batch: of any state.
    """
    path, changed_ns = batch.path / RESULTS, _changed_ns(batch)
    rows = dict(batch.rows())
    if is_current(batch):
        return path
    with TemporaryDirectory(prefix=".results-", dir=batch.path) as scratch:
        partial = Path(scratch) / RESULTS
        with partial.open("wb") as out, zipfile.ZipFile(out, "w") as archive:
            for name, source in _files(batch, rows):
                archive.write(source, name)
            _write(batch, rows, archive, Path(scratch))
        os.utime(partial, ns=(changed_ns, changed_ns))  # rows that came meanwhile are not in it
        partial.replace(path)
    return path


def is_current(batch: BatchFolder) -> bool:
    """Whether the ZIP is there and holds all that came.

    Args:
        batch: of any state.
    """
    path = batch.path / RESULTS
    return path.is_file() and path.stat().st_mtime_ns == _changed_ns(batch)


def file_name_of(batch: BatchFolder) -> str:
    """What a browser saves the ZIP as; the number of the batch, which opens it, is not in it."""
    return f"batch_{datetime.fromisoformat(batch.ticket.created):%Y-%m-%d_%H%M}.zip"


def facts_csv(batch: BatchFolder, rows: Rows) -> str:
    """A line for each row, in the order of pictures and pipelines; no cell is a formula.

    Args:
        batch: whose rows they are.
        rows: to write.
    """
    out, names = StringIO(newline=""), batch.out_names()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for place in sorted(rows):
        table.writerow(cell(value) if isinstance(value, str) else value for value in _line(batch, rows[place], names))
    return out.getvalue()


def _line(batch: BatchFolder, row: Row, names: list[str]) -> Iterator[Any]:
    yield from (row.name, row.sha256, row.pipeline, row.status, row.reason or "", row.seconds)
    yield from (row.ms.get(step) for step in ("load", "infer", "decide"))
    yield from (row.size or (None, None))
    yield from (row.found, None if row.share is None else round(row.share, 6), "; ".join(row.flags))
    yield from ((_name(batch, "mask", row, names), row.files["mask"]) if "mask" in row.files else ("", ""))


def _name(batch: BatchFolder, kind: str, row: Row, names: list[str]) -> str:
    label = batch.ticket.labels[row.order]
    return f"{FOLDERS[kind]}/{folder_name(label)}/{names[row.picture]}{Path(FILES[kind].name).suffix}"


def _files(batch: BatchFolder, rows: Rows) -> Iterator[tuple[str, Path]]:
    """Name in the ZIP and file, of all that pipelines gave."""
    names = batch.out_names()
    for place in sorted(rows):
        row = rows[place]
        for kind in row.files:
            if kind in FOLDERS:
                yield _name(batch, kind, row, names), batch.file(kind, row.order, row.picture)


def _write(batch: BatchFolder, rows: Rows, archive: zipfile.ZipFile, scratch: Path) -> None:
    """What is made of all rows together."""
    compressed: dict[str, Any] = {"compress_type": zipfile.ZIP_DEFLATED}
    archive.writestr("facts.csv", facts_csv(batch, rows), **compressed)
    for number, places in enumerate(pages(len(batch.ticket.pictures), EACH), 1):
        archive.writestr(f"contact_sheets/contact_sheet_{number:02d}.jpg", sheet(batch, rows, places))
    produced = {}
    for order, label in enumerate(batch.ticket.labels):
        document = scratch / f"{order}.json"
        produced[label] = _coco(batch, rows, order, document)
        if produced[label] is not None:
            archive.write(document, f"coco/{folder_name(label)}.json", **compressed)
        document.unlink()
    archive.writestr("about.json", as_json(about(batch, rows, produced)), **compressed)


def about(batch: BatchFolder, rows: Rows, produced: dict[str, Any]) -> dict[str, Any]:
    """What ``about.json`` says.

    Args:
        batch: that it is about.
        rows: that are there.
        produced: by label, what made the first result of a pipeline: parameters, weights, machine and versions; None
            where there is no result.
    """
    ticket = batch.ticket
    pictures = [{"name": plain(one.name), "sha256": one.sha256, "bytes": one.bytes} for one in ticket.pictures]
    holds = {FOLDERS[kind]: FILES[kind].holds for kind in ticket.keeps}
    return {"created": ticket.created, "complete": len(rows) >= ticket.looks, "rows": len(rows), "of": ticket.looks,
            "without_result": sum(row.status != "ok" for row in rows.values()), "texts": list(ticket.texts),
            "pipelines": [{"label": label, **asked.model_dump(mode="json")}
                          for label, asked in zip(ticket.labels, ticket.asked, strict=True)],
            "holds": holds, "produced": produced, "pictures": pictures,
            "skipped": {plain(name): why for name, why in ticket.skipped.items()}}  # fmt: skip


def _coco(batch: BatchFolder, rows: Rows, order: int, path: Path) -> dict[str, Any] | None:
    """Join the documents of all pictures, one after another, into one of all; what made them, or None for nothing."""
    numbers: dict[str, int] = {}
    info: dict[str, Any] | None = None
    annotations = path.with_suffix(".annotations")
    with path.open("w+", encoding="utf-8") as out, annotations.open("w+", encoding="utf-8") as beside:
        images, found = _Array(out, "images"), _Array(beside, "annotations")
        out.write("{")
        for picture, document in _documents(batch, rows, order):
            info = info or {key: value for key, value in document["info"].items() if key != "ms"}
            name = plain(batch.ticket.pictures[picture].name)
            image = images.add({**document["images"][0], "file_name": name})
            for one in document["annotations"]:
                category = _numbered(numbers, document, one["category_id"])
                found.add({**one, "image_id": image, "category_id": category})
        images.close(",\n")
        found.close(",\n")
        beside.seek(0)
        shutil.copyfileobj(beside, out)
        categories = [{"id": number, "name": name, "supercategory": "object"} for name, number in numbers.items()]
        out.write(f'"categories": {json.dumps(categories)},\n"licenses": [],\n"info": {json.dumps(info or {})}}}\n')
    return info


def _documents(batch: BatchFolder, rows: Rows, order: int) -> Iterator[tuple[int, dict[str, Any]]]:
    for place in sorted(rows):
        if place[1] == order and COCO in rows[place].files:
            yield place[0], json.loads(batch.file(COCO, order, place[0]).read_bytes())


def _numbered(numbers: dict[str, int], document: dict[str, Any], category: int) -> int:
    name = next(one["name"] for one in document["categories"] if one["id"] == category)
    return numbers.setdefault(name, len(numbers) + 1)


class _Array:
    """A JSON array under a key, written object by object with numbers from 1."""

    def __init__(self, file: IO[str], key: str) -> None:
        self.file, self.key, self.last = file, key, 0

    def add(self, value: dict[str, Any]) -> int:
        self.file.write(f"{',' if self.last else f'{json.dumps(self.key)}: ['}\n")
        self.last += 1
        json.dump({**value, "id": self.last}, self.file, allow_nan=False)
        return self.last

    def close(self, after: str) -> None:
        self.file.write(f"{'' if self.last else f'{json.dumps(self.key)}: ['}]{after}")


def _changed_ns(batch: BatchFolder) -> int:
    return batch.journal.stat().st_mtime_ns if batch.journal.exists() else 0
