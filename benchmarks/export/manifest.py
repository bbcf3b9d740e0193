"""What produced an export: a manifest in the folder of each format, and beside the folders an index made from these."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmarks.export.staging import ELSEWHERE
from benchmarks.records import Configuration, Record, RunManifest, WeightsRecord
from benchmarks.store import write_whole
from pipelines.errors import UsageError

FILE = "manifest.json"
SCHEMA_VERSION = 1
_CHOSEN = {"label", "pipeline", "preset", "params", "weights", "weights_from", "substitute_for", "device"}


class ExportManifest(Record):
    """What produced the files of one folder: the run, the pipeline with all its parameters, and the dataset.

    Attributes:
        format: name of the format.
        holds: what the folder holds, in sentences.
        notes: what is special this time, in sentences.
        created: when it was written.
        files: number of files beside this one.
        images: number of images that have a prediction.
        failed: id of each image without a prediction → what went wrong; these are not exported.
        missing: number of images that the run has no record of.
        renamed: id → name below a folder, for ids that cannot be file names.
        names: of the categories by number, where masks are told apart by them; numbers begin as the format says.
        renamed_names: text → name, for texts that cannot be names of categories.
        run_id: whose predictions they are.
        run_created: when the run began.
        dataset: as the run has it, but for where it lay: hash, split, limit, what was left out, what was asked.
        sources: hashes of our own sources.
        environment: machine and versions.
    """

    schema_version: int = SCHEMA_VERSION
    format: str
    holds: str
    notes: tuple[str, ...]
    created: str
    files: int
    images: int
    failed: dict[str, str]
    missing: int
    renamed: dict[str, str]
    names: tuple[str, ...]
    renamed_names: dict[str, str]
    run_id: str
    run_created: str
    label: str
    pipeline: str
    preset: str
    params: dict[str, Any]
    weights: tuple[WeightsRecord, ...]
    weights_from: str | None
    substitute_for: str | None = None
    device: str
    dataset: dict[str, Any]
    sources: dict[str, str]
    environment: dict[str, Any]

    def to_bytes(self) -> bytes:
        """As the text of its file."""
        return _text(self.model_dump(mode="json")).encode()


def provenance(configuration: Configuration, manifest: RunManifest) -> dict[str, Any]:
    """Where predictions come from, JSON-ready: the last fields of an `ExportManifest`.

    Args:
        configuration: with the weights that it really ran with.
        manifest: of the run.
    """
    return {"run_id": manifest.run_id, "run_created": manifest.created,
            **configuration.model_dump(mode="json", include=_CHOSEN),
            "dataset": manifest.dataset.model_dump(mode="json", exclude={"spec"}),
            "sources": manifest.sources, "environment": manifest.environment}  # fmt: skip


def read_manifest(folder: Path) -> ExportManifest | None:
    """The manifest of one format's folder, or None where there is none that this version reads."""
    try:
        return ExportManifest.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def check_index(home: Path) -> None:
    """Make sure that the index may be written anew.

    Raises:
        UsageError: there is a file of its name which is none.
    """
    path = home / FILE
    try:
        found = json.loads(path.read_bytes())
        ours = found.keys() == {"schema_version", "formats"} and found["schema_version"] == SCHEMA_VERSION
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError):
        ours = False
    if not ours:
        raise UsageError(f"{path} is no manifest of an export that this version reads.", f"Move it away, {ELSEWHERE}")


def write_index(home: Path, names: Iterable[str]) -> None:
    """Make the index anew from what lies in the folders of the formats."""
    found = {name: manifest for name in names if (manifest := read_manifest(home / name))}
    formats = {name: manifest.model_dump(mode="json") for name, manifest in found.items()}
    write_whole(home / FILE, _text({"schema_version": SCHEMA_VERSION, "formats": formats}))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
