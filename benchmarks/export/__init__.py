"""Predictions as files, in the forms that other programs read, made from the records of a run with no model."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.datasets import Dataset, Sample
from benchmarks.export.coco import COCO
from benchmarks.export.format import Categories, Format, Item, Plan, Writer, category, foreground
from benchmarks.export.manifest import (
    FILE,
    ExportManifest,
    check_index,
    provenance,
    read_manifest,
    write_index,
)
from benchmarks.export.originals import Originals
from benchmarks.export.pictures import CROP, PNG, RGBA, SOFT
from benchmarks.export.staging import ELSEWHERE, Staging, check_ours, locked
from benchmarks.export.voc import VOC
from benchmarks.export.yolo import YOLO
from benchmarks.file_names import file_name, folder_name
from benchmarks.records import Configuration, RunManifest, SampleRecord
from benchmarks.store import RecordIndex, RunStore
from pipelines.errors import DatasetError, ResourceError, UsageError, WorkbenchError

__all__ = ["FORMATS", "Exported", "check", "export", "foreground"]

FORMATS: dict[str, Format] = {
    "png": PNG, "soft": SOFT, "rgba": RGBA, "crop": CROP, "coco": COCO, "yolo": YOLO, "voc": VOC,
}  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """What was written for one configuration.

    Attributes:
        home: the folder of its export, ``FOLDER/PIPELINE``.
        files: number of files by format; empty where the run has no record of any image.
        failed: number of images without a prediction.
        missing: number of images that the run has no record of.
        notes: what is special this time, by format; where a format has no file, why.
        replaced: earlier exports that these took the place of, as ``run X, 8 images``.
    """

    home: Path
    files: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    missing: int = 0
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    replaced: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.files:
            return "nothing to export: the run has no record of any image."
        sentences = [
            ", ".join(self._count(name, n) for name, n in self.files.items()) + ".",
            f"Replaces that of {' and that of '.join(self.replaced)}." if self.replaced else "",
            f"{_images(self.failed)} failed, not exported." if self.failed else "",
            f"{_images(self.missing)} without a record." if self.missing else "",
        ]
        return " ".join(sentence for sentence in sentences if sentence)

    def _count(self, name: str, n: int) -> str:
        if n:
            return f"{name} {n} file{'s' * (n > 1)}"
        return "; ".join(self.notes[name]) or f"no {name}"


def _images(n: int) -> str:
    return f"{n} image{'s' * (n != 1)}"


@dataclass
class _Tally:
    """What became of the images."""

    done: int = 0
    missing: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)


def check(folder: Path, formats: Sequence[str], configurations: Sequence[Configuration], source: Path | None) -> None:
    """Make sure that an export will find its folders free, before hours are spent on the run; nothing is made.

    Args:
        folder: of the export.
        formats: of `FORMATS`.
        configurations: those that will be exported.
        source: the folder that the pictures are in, or None where they are in none.

    Raises:
        UsageError: a folder holds files that no export wrote, cannot be used, or the pictures are in it.
        RunLockedError: another process writes there.
    """
    for configuration in configurations:
        home = folder / folder_name(configuration.label)
        for name in formats:
            if source and source.resolve().is_relative_to((home / name).resolve()):
                raise UsageError(f"The dataset {source} lies in {home / name}, which the export would replace.",
                                 "Name another folder behind --export.")  # fmt: skip
        if home.is_symlink() or home.exists():
            with _explained(home), locked(home, FORMATS):
                _check_free(home, formats)


def export(folder: Path, formats: Sequence[str], configuration: Configuration, manifest: RunManifest, store: RunStore,
           dataset: Dataset, report: Callable[[], None] = lambda: None) -> Exported:  # fmt: skip
    """Write ``folder/<label>/<format>/…``, a manifest in each, and ``folder/<label>/manifest.json``, their index.

    A format's folder is written aside and takes its place when it is complete, with its manifest, so that files of an
    earlier export are never mixed with these. An end in the middle leaves each format whole, as it was or as it is
    now; the index is made anew by the next export. Between two moves a folder may be hidden, see `Staging.commit`.
    One image is in memory at a time.

    Args:
        folder: made where it is missing.
        formats: of `FORMATS`.
        configuration: whose predictions they are.
        manifest: of the run.
        store: of the run.
        dataset: where the pictures come from; gone through once, so a stream will do.
        report: called for each image.

    Raises:
        UsageError: a folder holds files that no export wrote, a file cannot be written, or a format cannot hold this
            many categories.
        DatasetError: the pictures are not those of the run.
        RunLockedError: another process writes there.
        ResourceError: the disk is full.
    """
    home, records = folder / folder_name(configuration.label), store.index(configuration.id)
    if not records.places:
        return Exported(home)
    configuration = configuration.as_ran(store.timing(configuration.id))
    plan = Plan(configuration, manifest, store.folder / configuration.id, Categories(manifest.dataset.class_names))
    with _explained(home), locked(home, FORMATS):
        _check_free(home, formats)
        with _stagings(home, formats) as stagings:
            tally, originals = _Tally(), Originals()
            writers = {name: FORMATS[name].open(staging, originals, plan) for name, staging in stagings.items()}
            for item in _items(dataset, records, plan, tally):
                for writer in writers.values():
                    writer.add(item)
                report()
            return _finish(home, plan, stagings, writers, tally)


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    """What the system says of a file or a disk, as an error that names it."""
    try:
        yield
    except OSError as error:
        raise _explanation(error, home) from error


def _explanation(error: OSError, home: Path) -> WorkbenchError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"The disk of {home} is full; no folder there is left half written.",
                             f"Make room, {ELSEWHERE} Then run the same command again.")  # fmt: skip
    place = home if error.filename is None else error.filename
    return UsageError(f"{place} cannot be used: {error.strerror}.", f"Change its rights, {ELSEWHERE}")


def _check_free(home: Path, formats: Sequence[str]) -> None:
    check_index(home)
    for name in formats:
        check_ours(home / name)


@contextmanager
def _stagings(home: Path, formats: Sequence[str]) -> Iterator[dict[str, Staging]]:
    with ExitStack() as stack:
        stagings = {}
        for name in formats:
            stagings[name] = Staging(home / name)
            stack.callback(stagings[name].discard)
        yield stagings


def _items(dataset: Dataset, records: RecordIndex, plan: Plan, tally: _Tally) -> Iterator[Item]:
    for sample in dataset:
        record = records.get(sample.id)
        if record is None:
            tally.missing += 1
        elif record.error is not None:
            tally.failed[sample.id] = record.error
        else:
            item = _item(sample, record, plan)
            tally.done += 1
            if item.name != sample.id:
                tally.renamed[sample.id] = item.name
            yield item


def _item(sample: Sample, record: SampleRecord, plan: Plan) -> Item:
    if sample.size != record.size:
        raise DatasetError(f"{sample.id} is not the picture that the run saw.", "Run again.")
    asked = plan.manifest.dataset.prompt or plan.configuration.prompt
    for text in asked if record.texts == asked and not record.classes else ():
        plan.categories.number(text)  # in the order asked for, whatever is found first
    numbers = tuple(plan.categories.number(category(record, instance)) for instance in record.instances)
    return Item(sample, record, file_name(sample.id), numbers)


def _finish(home: Path, plan: Plan, stagings: Mapping[str, Staging], writers: Mapping[str, Writer],
            tally: _Tally) -> Exported:  # fmt: skip
    """Complete the folders, then let them take their places, and say what was done."""
    if not (tally.done or tally.failed):
        return Exported(home)
    earlier = {name: found for name in stagings if (found := read_manifest(home / name))}
    files = {}
    for name, staging in stagings.items():
        if tally.done:
            writers[name].close()
        files[name] = staging.count
        if staging.count:
            staging.write(FILE, _manifest(name, plan, staging, writers[name], tally).to_bytes())
        staging.seal()
    try:
        for staging in stagings.values():
            staging.commit()
    finally:
        write_index(home, FORMATS)
    replaced = dict.fromkeys(f"run {found.run_id}, {_images(found.images)}" for found in earlier.values())
    notes = {name: writer.notes for name, writer in writers.items()}
    return Exported(home, files, len(tally.failed), tally.missing, notes, tuple(replaced))


def _manifest(name: str, plan: Plan, staging: Staging, writer: Writer, tally: _Tally) -> ExportManifest:
    apart = FORMATS[name].categories
    return ExportManifest(
        format=name, holds=FORMATS[name].holds, notes=tuple(writer.notes),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files=staging.count, images=tally.done, failed=tally.failed, missing=tally.missing, renamed=tally.renamed,
        names=tuple(plan.categories.names) if apart else (), renamed_names=plan.categories.changed if apart else {},
        **provenance(plan.configuration, plan.manifest),
    )  # fmt: skip
