"""Hugging Face datasets: folders that ``save_to_disk`` wrote, ``hf:OWNER/NAME[:SPLIT]``, and ``hf-stream:...``.

``hf:`` and ``hf-stream:`` take a name of the hub, or a folder of what ``datasets.load_dataset`` reads, such as parquet
files. Rows are memory-mapped, or with ``hf-stream:`` read one after another, and pictures and masks are decoded by our
own loader from their bytes. Columns: ``image`` (or img, picture, photo, pixel_values, or the only one of pictures);
``mask`` (or one other with a name of masks), or several, one a label; ``id`` or ``file_name``, ``group``, ``split``,
``prompt``, ``absent``, ``points``, ``boxes`` and ``mask_threshold`` as in an imagefolder; other texts and numbers are
tags. Rows are counted from 0, as by ``dataset[i]``. A ``dataset.yaml`` in a folder counts.
Reference: https://huggingface.co/docs/datasets
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.datasets.dataset import Dataset, Problem, Stream
from benchmarks.datasets.hub_bytes import Cell, Homes, RowRefusedError
from benchmarks.datasets.hub_load import Wanted, explained, features_of, load_splits, parse_spec, quiet, saved_folder
from benchmarks.datasets.hub_rows import Columns, columns_of, named, sample_of
from benchmarks.datasets.imagefolder import class_names
from benchmarks.datasets.paths import shown
from benchmarks.datasets.sample import Sample
from benchmarks.datasets.settings import Settings, read_settings
from pipelines.errors import DatasetError, ImageError

LISTED, STREAMED = "Hugging Face dataset", "Hugging Face stream"
VALUES_AT_ONCE = 1000


@dataclass(frozen=True)
class Table:
    """One split, as ``datasets`` gives it, with what is needed to read its rows.

    Attributes:
        data: ``datasets.Dataset`` or ``IterableDataset``, its pictures not decoded.
        columns: what they are for.
        settings: of ``dataset.yaml``.
        homes: where a path in a cell may lead.
        split: what a row's split is if it names none; None = none.
        where: what messages call a row, before its number.
    """

    data: Any
    columns: Columns
    settings: Settings
    homes: Homes
    split: str | None
    where: str


def open_hub(spec: str) -> Dataset | None:
    """The dataset of an ``hf:`` spec or of a folder that ``save_to_disk`` wrote; None if the spec is neither.

    Raises:
        DatasetError: it cannot be found, reached or read, or no column holds pictures.
    """
    wanted = parse_spec(spec)
    if wanted is None:
        root = Path(spec)
        if not (root.is_dir() and saved_folder(root)):
            return None
        wanted = Wanted(spec, root)
    settings = read_settings(wanted.folder) if wanted.folder else Settings(wanted.name)
    splits, several = load_splits(wanted)
    features = features_of(splits, wanted.name)
    columns = columns_of(features)
    with quiet():
        tables = [_table(data, name, columns, settings, wanted, several) for name, data in splits.items()]
    notes = (f"Columns that are not read: {', '.join(columns.unread)}.",) if columns.unread else ()
    names = class_names(set(columns.masks.values()), settings)
    if wanted.streamed:
        if len(tables) > 1:
            raise DatasetError(f"{shown(spec)} has the splits {', '.join(splits)}, and a stream is one of them.",
                               f"Write {spec}:{next(iter(splits))}.")  # fmt: skip
        return Dataset(settings.name, STREAMED, Stream(partial(_stream, tables[0])), tuple(names), notes=notes)
    samples, problems = _listed(tables)
    if not samples and not problems:
        raise DatasetError(f"{shown(spec)} has no rows.", "Save it again with rows in it.")
    return Dataset(settings.name, LISTED, tuple(samples), tuple(names), problems=tuple(problems), notes=notes)


def _table(data: Any, name: str, columns: Columns, settings: Settings, wanted: Wanted, several: bool) -> Table:
    """A split whose pictures stay bytes; it is named where there are others, or where it was asked for."""
    import datasets
    from huggingface_hub import constants

    for column in columns.pictures:
        data = data.cast_column(column, datasets.Image(decode=False))
    caches = Path(datasets.config.HF_DATASETS_CACHE), Path(constants.HF_HUB_CACHE)
    homes = Homes((wanted.folder.resolve(), *caches)) if wanted.folder else Homes(caches, wanted.name)
    split = name if name and (several or wanted.split) else None
    return Table(data, columns, settings, homes, split, f"split {name} row" if split and several else "row")


def _listed(tables: list[Table]) -> tuple[list[Sample], list[Problem]]:
    """Samples of all rows, sorted by id, and the rows that have a problem."""
    samples: list[Sample] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for table, ids in zip(tables, _ids(tables), strict=True):
        for (where, values, cells), name in zip(_rows(table), ids, strict=True):
            try:
                if name in seen:
                    raise RowRefusedError(f"it has the id {shown(name)} of {seen[name]}", "Give each row its own id.")
                sample = _sample(table, values, cells, where, name)
                if not samples and sample.read_truth:  # where one mask is soft or lossy, all usually are
                    sample.read_truth()
                samples.append(sample)
                seen[name] = where
            except RowRefusedError as refused:
                problems.append(Problem(where, f"{refused.reason}.", refused.cure))
            except ImageError as error:
                problems.append(Problem(where, error.message, error.cure))
    return sorted(samples, key=lambda sample: sample.id), problems


def _ids(tables: list[Table]) -> list[list[str]]:
    """Ids of the rows of each split; where two splits have one in common, all begin with the split's name."""
    found = [_ids_of_rows(table) for table in tables]
    together = len(set().union(*map(set, found)))
    if together == sum(len(set(ids)) for ids in found):
        return found
    return [[f"{table.split}/{name}" for name in ids] for table, ids in zip(tables, found, strict=True)]


def _ids_of_rows(table: Table) -> list[str]:
    """Ids that rows give themselves; those by paths only where they differ, else the number of the row."""
    paths = _paths(table.data.select_columns([table.columns.image]), table)
    names = [(named(row, None), named(row, path)) for row, path in zip(_values(table), paths, strict=True)]
    count = Counter(name for _, name in names)
    return [own or (name if name and count[name] == 1 else f"{i:06}") for i, (own, name) in enumerate(names)]


def _sample(table: Table, values: Mapping[str, Any], cells: Mapping[str, Cell], where: str, name: str) -> Sample:
    return sample_of(values, cells, table.columns, table.settings, table.homes, where, name, table.split)


def _rows(table: Table) -> Iterator[tuple[str, dict[str, Any], dict[str, Cell]]]:
    """Where, values and cells of each row; the values are read in batches, and a cell only when it is used."""
    views = {column: table.data.select_columns([column]) for column in table.columns.pictures}
    for i, values in enumerate(_values(table)):
        cells: dict[str, Cell] = {column: partial(_cell, view, i, column) for column, view in views.items()}
        yield f"{table.where} {i}", values, cells


def _values(table: Table) -> Iterator[dict[str, Any]]:
    if not table.columns.values:
        yield from ({} for _ in range(len(table.data)))
        return
    for batch in table.data.select_columns(list(table.columns.values)).iter(batch_size=VALUES_AT_ONCE):
        for row in zip(*batch.values(), strict=True):
            yield dict(zip(batch, row, strict=True))


def _cell(view: Any, i: int, column: str) -> Any:
    return view[i][column]


def _paths(view: Any, table: Table) -> list[str | None]:
    """Path of each picture, without touching its bytes."""
    from pyarrow import compute

    batches = view.with_format("arrow").iter(batch_size=VALUES_AT_ONCE)
    found = (compute.struct_field(batch[table.columns.image], "path").to_pylist() for batch in batches)
    return [table.homes.below(path) for batch in found for path in batch]


def _stream(table: Table) -> Iterator[Sample]:
    """Samples of one pass; a row that has a problem ends it.

    Raises:
        DatasetError: a row has a problem, or cannot be read; the message names it.
    """
    rows = enumerate(table.data)
    while True:
        try:
            with quiet():
                i, row = next(rows)
        except StopIteration:
            return
        except Exception as error:  # whatever the reader of the files raises
            raise explained(error, Wanted(table.settings.name, table.homes.folders[0])) from error
        yield _streamed(table, i, row)


def _streamed(table: Table, i: int, row: Mapping[str, Any]) -> Sample:
    where, values = f"row {i}", {column: row[column] for column in table.columns.values}
    path = table.homes.below((row[table.columns.image] or {}).get("path"))
    cells = {column: partial(_held, row[column]) for column in table.columns.pictures}
    try:
        return _sample(table, values, cells, where, named(values, path) or f"{i:06}")
    except RowRefusedError as refused:
        raise DatasetError(f"{table.settings.name}: {where}: {refused.reason}.", refused.cure) from refused


def _held(cell: Any) -> Any:
    return cell
