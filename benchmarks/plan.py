"""From what the command line says to the manifest of a run."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import leaks, selection, specs
from benchmarks.available import choose
from benchmarks.datasets import Dataset
from benchmarks.datasets.hub_load import parse_spec
from benchmarks.environment import environment, source_hashes
from benchmarks.metrics import METRICS
from benchmarks.records import Configuration, DatasetRecord, PromptSource, Protocol, RunManifest, WeightsRecord
from pipelines import names
from pipelines.base import check_prompt
from pipelines.device import device_for, resolve
from pipelines.errors import PromptError, UnavailableError, UsageError
from pipelines.params import Params, make_params
from pipelines.presets import preset, preset_prompt, tuned_images
from pipelines.registry import pipeline_class
from pipelines.types import PipelineInfo
from pipelines.weights import RANDOM, check_lock


@dataclass(frozen=True)
class Request:
    """What the command line says, read but not yet looked up."""

    dataset: str = "coins"
    pipelines: str | None = None
    prompts: tuple[str, ...] = ()
    split: str | None = None
    exclude: Path | None = None
    limit: int | None = None
    device: str = "auto"
    weights: str | None = None
    commercial: bool = False
    prompt_from: PromptSource | None = None
    protocol: Protocol = Protocol()
    allow_tuned: bool = False


def plan(request: Request) -> tuple[RunManifest, Dataset]:
    """Look everything up and fix it in a manifest.

    Raises:
        UsageError: a name, a value or an option is wrong, or the lock of the weights cannot be read.
        DatasetError: the dataset cannot be read.
        LeakError: a preset was tuned on images of the run.
    """
    entries = _entries(request.pipelines)
    if request.device != "auto":
        resolve(request.device)
    if request.weights not in (None, "random") and not Path(str(request.weights)).is_dir():
        raise UsageError(
            f"--weights {request.weights} is not a folder.", "Give a folder that holds OWNER/NAME/, or random."
        )
    check_lock()
    exclude = selection.read_exclusions(request.exclude)
    dataset = selection.select(request.dataset, request.split, request.limit, exclude)
    about = _dataset_record(request, dataset, exclude)
    configurations = tuple(_configuration(i, entry, request, about, dataset) for i, entry in enumerate(entries))
    return _manifest(request, about, configurations), dataset


def _entries(pipelines: str | None) -> list[specs.PipelineSpec]:
    if pipelines is None:
        return [specs.PipelineSpec(name, name, asked=False) for name in names()]
    return specs.parse_pipelines(pipelines)


def _dataset_record(request: Request, dataset: Dataset, exclude: tuple[str, ...]) -> DatasetRecord:
    prompt = specs.parse_prompts(request.prompts, dataset.class_names)
    return DatasetRecord(
        spec=_lasting(request.dataset, dataset),
        name=dataset.name,
        format=dataset.format,
        n=len(dataset),
        n_groups=dataset.n_groups,
        hash=dataset.hash,
        split=request.split,
        limit=request.limit if request.limit and len(dataset) == request.limit else None,
        class_names=dataset.class_names,
        prompt=prompt.texts if prompt else None,
        prompt_classes=prompt.classes if prompt else None,
        prompt_from=request.prompt_from,
        exclude=exclude,
    )


def _lasting(spec: str, dataset: Dataset) -> str:
    """How the dataset opens again from whatever folder a command is called in."""
    wanted = parse_spec(spec)
    if dataset.format == "embedded" or (wanted and not wanted.folder):
        return spec
    if not wanted or not wanted.folder:
        return str(specs.user_path(spec, "--dataset").absolute())
    return ":".join([spec.partition(":")[0], str(wanted.folder.absolute()), *([wanted.split] if wanted.split else [])])


def _configuration(index: int, entry: specs.PipelineSpec, request: Request, about: DatasetRecord,
                   dataset: Dataset) -> Configuration:  # fmt: skip
    slug = re.sub(r"[^A-Za-z0-9]+", "-", entry.label).strip("-").lower()[:60]
    base: dict[str, Any] = {"id": f"{index:02d}-{slug}", "label": entry.label, "pipeline": entry.name,
                            "preset": entry.preset, "asked": entry.asked, "weights_from": request.weights}  # fmt: skip
    try:
        found = pipeline_class(entry.name)
        values, _ = preset(found, entry.preset)
        if entry.fields:
            values = make_params(found.Params, {**values.model_dump(), **dict(entry.fields)}, where=entry.label)
        device = device_for(found.info, request.device)
    except UnavailableError as error:
        return Configuration(**base, params={}, device=request.device, unavailable=str(error))
    choice = choose(found.info, values, request.weights, commercial=request.commercial)
    values = choice.params
    words = () if about.prompt or "text" not in found.info.prompts else preset_prompt(found, entry.preset)
    problem, is_oracle = _prompt_problem(found.info, about, dataset, words)
    return Configuration(
        **base,
        params=values.model_dump(mode="json"),
        device=device,
        weights=tuple(map(WeightsRecord.of, found.info.weights_for(values))),
        substitute_for=choice.substitute_for,
        substitute_why=choice.reason if choice.substitute_for else None,
        oracle=is_oracle,
        tuned_here=_tuned_here(entry, values, request, dataset),
        prompt=words,
        unavailable=(None if choice.substitute_for else choice.reason) or problem,
    )


def _tuned_here(entry: specs.PipelineSpec, values: Params, request: Request, dataset: Dataset) -> int:
    """How many images of the run its preset was tuned on; 0 where nothing is judged, and nothing is looked at then.

    Raises:
        LeakError: there are such images, and that is not allowed.
    """
    found = pipeline_class(entry.name)
    listed = tuned_images(found, entry.preset)
    unjudged = not dataset.has_truth or (request.weights == RANDOM and bool(found.info.weights_for(values)))
    if not listed or unjudged:
        return 0
    near = preset(found, entry.preset)[1].copies == "near"
    overlap = leaks.tuned_overlap(listed, dataset, near=near)
    if overlap and not request.allow_tuned:
        raise leaks.refused(f"{entry.name}@{entry.preset}", overlap, dataset)
    return len(overlap)


def _prompt_problem(info: PipelineInfo, about: DatasetRecord, dataset: Dataset,
                    words: tuple[str, ...]) -> tuple[str | None, bool]:  # fmt: skip
    """Why no sample could be asked for; single samples without a prompt are errors of these samples.

    Returns:
        The reason or None, and whether the places of the prompts are taken from the masks.
    """
    if not info.prompts:
        return None, False
    ask = selection.prompt_of(about, dataset, info.prompts, words)
    problem: str | None = None
    for sample in dataset:
        try:
            check_prompt(info, ask(sample))
            return None, selection.is_oracle(ask(sample), sample)
        except PromptError as error:
            problem = str(error)
    return problem, False


def _manifest(request: Request, about: DatasetRecord, configurations: tuple[Configuration, ...]) -> RunManifest:
    usable = [c for c in configurations if c.unavailable is None]
    device = "cuda" if any(c.device == "cuda" for c in usable) else "cpu"
    modules = [pipeline_class(c.pipeline).__module__ for c in usable]
    manifest = RunManifest(
        run_id="",
        dataset=about,
        configurations=configurations,
        metrics={name: metric.version for name, metric in METRICS.items()},
        protocol=request.protocol,
        sources=source_hashes(modules),
        environment=environment(device),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return manifest.model_copy(update={"run_id": run_key(manifest)})


def run_key(manifest: RunManifest) -> str:
    """12 hexadecimal digits over everything that decides the results; where the dataset lies is not part of it."""
    decides = manifest.model_dump(mode="json", exclude={"run_id": True, "created": True, "dataset": {"spec"}})
    for configuration in decides["configurations"]:
        for passing in ("unavailable", "substitute_why", "asked"):  # what is missing today may be there tomorrow
            del configuration[passing]
        for plain in ("tuned_here", "prompt"):  # so that plain runs keep the key that they have
            if not configuration[plain]:
                del configuration[plain]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]
