"""Predictions as files, in the forms that other programs read, made from the records of a run with no model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.datasets import Dataset, Sample
from benchmarks.export.coco import COCO
from benchmarks.export.format import Categories, Format, Item, Plan, Writer, category, category_names, foreground
from benchmarks.export.manifest import ExportManifest, FormatEntry, provenance, read_manifest, write_manifest
from benchmarks.export.originals import Originals
from benchmarks.export.pictures import CROP, PNG, RGBA, SOFT
from benchmarks.export.staging import Staging, check_ours, recover
from benchmarks.export.voc import VOC
from benchmarks.export.yolo import YOLO
from benchmarks.file_names import file_name
from benchmarks.records import Configuration, RunManifest, SampleRecord
from benchmarks.store import Lock, RecordIndex, RunStore
from pipelines.errors import DatasetError

__all__ = ["FORMATS", "Exported", "export", "foreground"]

FORMATS: dict[str, Format] = {
    "png": PNG, "soft": SOFT, "rgba": RGBA, "crop": CROP, "coco": COCO, "yolo": YOLO, "voc": VOC,
}  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """What was written for one configuration.

    Attributes:
        files: number of files by format.
        failed: number of images without a prediction.
        missing: number of images that the run has no record of.
        notes: what is missing in a format, by format.
        manifest: the file that says what produced them, or None where the run has no record of any image.
    """

    files: Mapping[str, int]
    failed: int = 0
    missing: int = 0
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    manifest: Path | None = None

    def __str__(self) -> str:
        if self.manifest is None:
            return "nothing to export, for the run has no record of any image."
        failed = f" {self.failed} image{'s' * (self.failed > 1)} failed, not exported." * bool(self.failed)
        failed += f" {self.missing} without a record." * bool(self.missing)
        notes = "".join(f" {name}: {' '.join(notes)}" for name, notes in self.notes.items() if notes)
        counts = ", ".join(f"{name} {count} files" for name, count in self.files.items())
        return f"{counts}; {self.manifest} says what they are.{failed}{notes}"


@dataclass
class _Tally:
    """What became of the images."""

    done: int = 0
    missing: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)


def export(folder: Path, formats: Sequence[str], configuration: Configuration, manifest: RunManifest, store: RunStore,
           dataset: Dataset, tolerance_px: float = 0) -> Exported:  # fmt: skip
    """Write ``folder/<configuration>/<format>/…`` and ``folder/<configuration>/manifest.json``.

    A format's folder is written aside and takes its place when it is complete, so that files of an earlier export are
    never mixed with these, and an end in the middle leaves what was there. One image is in memory at a time.

    Args:
        folder: made where it is missing.
        formats: of `FORMATS`.
        configuration: whose predictions they are.
        manifest: of the run.
        store: of the run.
        dataset: where the pictures come from; gone through once, so a stream will do.
        tolerance_px: how far the outlines of ``yolo`` may lie from the masks; 0 = exact.

    Raises:
        UsageError: a folder holds files that no export wrote, or a format cannot hold this many categories.
        DatasetError: the pictures are not those of the run.
        OSError: a file cannot be written, as on a full disk.
    """
    records = store.index(configuration.id)
    if not any(records.get(sample.id) for sample in dataset):
        return Exported(dict.fromkeys(formats, 0))
    categories = Categories(manifest.dataset.class_names)
    home, tally = folder / configuration.id, _Tally()
    plan = Plan(configuration, manifest, home, store.folder / configuration.id, categories, tolerance_px)
    with Lock(home / ".lock"):
        earlier = read_manifest(home)
        for name in formats:
            recover(home / name)
            check_ours(home / name)
        with _stagings(home, formats) as stagings:
            originals = Originals()
            writers = {name: FORMATS[name].open(staging, originals, plan) for name, staging in stagings.items()}
            for item in _items(dataset, records, categories, tally):
                for writer in writers.values():
                    writer.add(item)
            _commit(stagings, writers, tally)
            about = _manifest(plan, stagings, writers, tally, earlier)
            path = write_manifest(home, about)
    counts = {name: staging.count for name, staging in stagings.items()}
    return Exported(
        counts, len(tally.failed), tally.missing, {name: writer.notes for name, writer in writers.items()}, path
    )


@contextmanager
def _stagings(home: Path, formats: Sequence[str]) -> Iterator[dict[str, Staging]]:
    with ExitStack() as stack:
        stagings = {}
        for name in formats:
            stagings[name] = Staging(home / name)
            stack.callback(stagings[name].discard)
        yield stagings


def _items(dataset: Dataset, records: RecordIndex, categories: Categories, tally: _Tally) -> Iterator[Item]:
    for sample in dataset:
        record = records.get(sample.id)
        if record is None:
            tally.missing += 1
        elif record.error is not None:
            tally.failed[sample.id] = record.error
        else:
            item = _item(sample, record, categories)
            tally.done += 1
            if item.name != sample.id:
                tally.renamed[sample.id] = item.name
            yield item


def _item(sample: Sample, record: SampleRecord, categories: Categories) -> Item:
    if sample.size != record.size:
        raise DatasetError(f"{sample.id} is not the picture that the run saw.", "Run again.")
    for name in category_names(record):  # also those that nothing was found of
        categories.number(name)
    numbers = tuple(categories.number(category(record, instance)) for instance in record.instances)
    return Item(sample, record, file_name(sample.id), numbers)


def _commit(stagings: Mapping[str, Staging], writers: Mapping[str, Writer], tally: _Tally) -> None:
    if tally.done:
        for writer in writers.values():
            writer.close()
    for staging in stagings.values():
        staging.seal()
    for staging in stagings.values():
        staging.commit()


def _manifest(plan: Plan, stagings: Mapping[str, Staging], writers: Mapping[str, Writer], tally: _Tally,
              earlier: ExportManifest | None) -> ExportManifest:  # fmt: skip
    now = datetime.now(UTC).isoformat(timespec="seconds")
    kept = earlier.formats.items() if earlier else ()
    formats = {name: entry for name, entry in kept if (plan.home / name).is_dir()}
    for name, staging in stagings.items():
        formats[name] = FormatEntry(
            run_id=plan.manifest.run_id, created=now, files=staging.count, images=tally.done,
            holds=FORMATS[name].holds, tolerance_px=plan.tolerance_px if FORMATS[name].outlines else None,
            categories=tuple(plan.categories.names) if FORMATS[name].categories else (),
            notes=tuple(writers[name].notes),
        )  # fmt: skip
    return ExportManifest(**provenance(plan.configuration, plan.manifest), created=now, failed=tally.failed,
                          missing=tally.missing, renamed=tally.renamed,
                          renamed_categories=plan.categories.changed, formats=formats)  # fmt: skip
