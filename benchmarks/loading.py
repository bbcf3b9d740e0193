"""A configuration's pipeline, loaded, or the one that takes its place, and what it really runs with."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from benchmarks.records import Configuration, Loaded, RunManifest, WeightsRecord
from benchmarks.store import write_whole
from pipelines import create
from pipelines.base import Pipeline
from pipelines.errors import ContractError, UnavailableError
from pipelines.registry import pipeline_class
from pipelines.types import Weights
from pipelines.weights import DamagedWeightsError, stamp

FILE = "loaded.json"


def load(configuration: Configuration) -> tuple[Pipeline, Loaded]:
    """The pipeline with exactly the parameters of the manifest; whatever keeps it from loading makes it unavailable.

    Where its weights cannot be had and the pipeline names a substitute of its own, that is loaded, and said. Weights
    that are there and damaged are not replaced: somebody has to know.

    Raises:
        UnavailableError: neither can be loaded.
    """
    pipeline = _create(configuration, configuration.params)
    try:
        _load(pipeline)
        return pipeline, loaded(pipeline, configuration.substitute_for, configuration.substitute_why)
    except DamagedWeightsError:
        raise
    except UnavailableError as error:
        substitute = pipeline.info.substitute(pipeline.params)
        if substitute is None:
            raise
        wanted, first = pipeline.info.weights_for(pipeline.params)[0].repository, error
    pipeline = _create(configuration, substitute.model_dump())
    try:
        _load(pipeline)
    except UnavailableError as error:
        raise UnavailableError(f"{first.message} Nor can its substitute be had: {error.message}", first.cure) from error
    return pipeline, loaded(pipeline, wanted, str(first))


def _create(configuration: Configuration, params: dict[str, object]) -> Pipeline:
    return create(
        configuration.pipeline, device=configuration.device, weights=configuration.weights_from, params=params
    )


def _load(pipeline: Pipeline) -> None:
    try:
        pipeline.load()
    except (ImportError, OSError) as error:
        raise UnavailableError(
            f"{pipeline.info.name} cannot be loaded: {error}.", "Install or fetch what is missing."
        ) from error


def loaded(pipeline: Pipeline, substitute_for: str | None = None, substitute_why: str | None = None) -> Loaded:
    """What a loaded pipeline runs with.

    Args:
        pipeline: loaded.
        substitute_for: the checkpoint that its own stands in for, or None.
        substitute_why: the reason of that, or None.
    """
    folders = [(located.folder, located.weights.files) for located in pipeline.loaded]
    bytes_ = sum((folder / name).stat().st_size for folder, names in folders if folder for name in names
                 if (folder / name).is_file())  # fmt: skip
    weights = tuple(WeightsRecord.of(located.weights, located) for located in pipeline.loaded)
    pairs = ((one.weights.repository, stamp(one.weights, pipeline.weights)) for one in pipeline.loaded)
    return Loaded(
        weights=weights,
        substitute_for=substitute_for,
        substitute_why=substitute_why,
        dtype=pipeline.dtype,
        size_mb=bytes_ / 1e6 or None,
        stamps={name: now for name, now in pairs if now},
    )


def settle(folder: Path, now: Loaded, *, begun: bool) -> None:
    """Note what a configuration runs with; one that was begun with something else is not gone on with.

    Args:
        folder: of the configuration.
        now: what is loaded.
        begun: whether there are records.

    Raises:
        ContractError: other weights than those of the records that are there.
    """
    path = folder / FILE
    before = _read(path)
    if begun and (before is None or before.model_copy(update={"substitute_why": now.substitute_why}) != now):
        was = ", ".join(f"{w.repo} {w.revision or 'unpinned'}" for w in before.weights) if before else "something else"
        raise ContractError(
            f"Its weights changed since the run began with {was}.", "Run again with --fresh; the old run stays."
        )
    write_whole(path, now.model_dump_json(indent=1))


def outdated(folder: Path, manifest: RunManifest) -> list[str]:
    """Labels of the configurations whose weights are no longer those that a run in this folder was made with.

    What is not there any more says nothing: stored rows stay true. Weights that could not be had then, and can be now,
    do.
    """
    return [one.label for one in manifest.configurations
            if (ran := _read(folder / one.id / FILE)) and one.unavailable is None and _differs(one, ran)]  # fmt: skip


def _differs(configuration: Configuration, ran: Loaded) -> bool:
    kind = pipeline_class(configuration.pipeline)
    params = kind.Params.model_validate(configuration.params)
    first, other = kind.info.forms(params), kind.info.substitute(params)
    now = {form: _stamps(kind.info.weights_for(form), configuration.weights_from)
           for form in (*first, *(kind.info.forms(other) if other else ()))}  # fmt: skip
    if ran.substitute_for and not configuration.substitute_for and any(all(now[form].values()) for form in first):
        return True
    there = {(name, stamp) for stamps in now.values() for name, stamp in stamps.items() if stamp}
    return any((name, then) not in there and name in dict(there) for name, then in ran.stamps.items())


def _stamps(weights: tuple[Weights, ...], where: str | None) -> dict[str, str | None]:
    return {one.repository: stamp(one, where) for one in weights}


def _read(path: Path) -> Loaded | None:
    try:
        return Loaded.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # not there, or of another version: then nothing is known of it
        return None
