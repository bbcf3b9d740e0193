"""What produced an export, in one file beside its folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmarks.records import Configuration, Record, RunManifest, WeightsRecord
from benchmarks.store import write_whole
from pipelines.errors import UsageError

FILE = "manifest.json"
SCHEMA_VERSION = 1


class FormatEntry(Record):
    """One folder of the export.

    Attributes:
        run_id: whose predictions it holds; an earlier export may have written it.
        created: when it was written.
        files: number of files.
        images: number of images that have a prediction.
        holds: what it holds, in sentences.
        tolerance_px: how far outlines may lie from the masks; None where there are none.
        categories: names by number, where masks are told apart by category; numbers begin as the format says.
        notes: what is special this time, in sentences.
    """

    run_id: str
    created: str
    files: int
    images: int
    holds: str
    tolerance_px: float | None = None
    categories: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class ExportManifest(Record):
    """What produced the files: the run, the pipeline with all its parameters, weights with licences, and the dataset.

    Attributes:
        sources_hash: sha256 over the hashes of our own sources.
        run_created: when the run began.
        failed: id of each image without a prediction → what went wrong; these are not exported.
        missing: number of images that the run has no record of.
        renamed: id → name below a folder, for ids that cannot be file names.
        renamed_categories: text → name, for texts that cannot be names of categories.
        formats: by name.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    label: str
    pipeline: str
    preset: str
    params: dict[str, Any]
    weights: tuple[WeightsRecord, ...]
    weights_from: str | None
    device: str
    dataset: dict[str, Any]
    sources_hash: str
    run_created: str
    created: str
    failed: dict[str, str]
    missing: int
    renamed: dict[str, str]
    renamed_categories: dict[str, str]
    formats: dict[str, FormatEntry]


def provenance(configuration: Configuration, manifest: RunManifest) -> dict[str, Any]:
    """Where predictions come from, JSON-ready, as it goes into every manifest."""
    chosen = configuration.model_dump(
        mode="json", include={"label", "pipeline", "preset", "params", "weights", "weights_from", "device"}
    )
    dataset = manifest.dataset.model_dump(
        mode="json", include={"name", "format", "hash", "n", "split", "limit", "class_names", "prompt"}
    )
    sources = hashlib.sha256(json.dumps(manifest.sources, sort_keys=True).encode()).hexdigest()
    return {"run_id": manifest.run_id, "run_created": manifest.created, **chosen, "dataset": dataset,
            "sources_hash": sources}  # fmt: skip


def read_manifest(folder: Path) -> ExportManifest | None:
    """The manifest of an earlier export, or None where there is none.

    Raises:
        UsageError: there is a file of that name which is none.
    """
    path = folder / FILE
    try:
        return ExportManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise UsageError(
            f"{path} is no manifest of an export that this version reads.",
            "Move it away, or name another folder behind --export.",
        ) from error


def write_manifest(folder: Path, manifest: ExportManifest) -> Path:
    """Write it whole or not at all."""
    write_whole(folder / FILE, json.dumps(manifest.model_dump(mode="json"), indent=1, allow_nan=False) + "\n")
    return folder / FILE
