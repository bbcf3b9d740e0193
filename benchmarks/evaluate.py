"""Predict, then score: two generator loops, so that one image at a time is in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import rle
from benchmarks.datasets import Sample
from benchmarks.metrics import Metric, measure_all, measure_failed
from benchmarks.records import Configuration, Instance, SampleRecord
from benchmarks.selection import PromptOf
from pipelines.base import Pipeline
from pipelines.errors import ContractError
from pipelines.maps import full_size
from pipelines.types import Evidence, Image, Mask, Prediction, Prompt


@dataclass(frozen=True)
class Outcome:
    """What came of one image.

    Attributes:
        sample: which one.
        prediction: the masks, or None where the pipeline failed.
        foreground: union of the masks, or None.
        soft: foreground probability ``(H, W)``, or None where the pipeline gives masks only.
        error: what went wrong, or None.
        ms: milliseconds of `decode` and `latency`.
        stages_ms: parts of the latency by name.
    """

    sample: Sample
    prediction: Prediction | None
    foreground: Mask | None
    soft: npt.NDArray[np.float32] | None
    error: str | None
    ms: dict[str, float]
    stages_ms: dict[str, float]


@dataclass(frozen=True)
class Call:
    """One timed call, from the decoded array in host memory to the union mask in host memory."""

    evidence: Evidence
    prediction: Prediction
    foreground: Mask
    latency_ms: float


def timed_call(pipeline: Pipeline, image: Image, prompt: Prompt) -> Call:
    """Run one image alone, with the device synchronised before the clock starts and before it stops."""
    pipeline.clock.reset()
    pipeline.clock.synchronise()
    start = perf_counter()
    evidence = pipeline.infer([image], [prompt])[0]
    prediction = pipeline.decide(evidence)
    foreground = prediction.foreground()
    pipeline.clock.synchronise()
    return Call(evidence, prediction, foreground, (perf_counter() - start) * 1e3)


def predict(pipeline: Pipeline, samples: Iterable[Sample], prompt_of: PromptOf) -> Iterator[Outcome]:
    """Send samples through a loaded pipeline. An exception of the pipeline is an outcome; one of the dataset is raised.

    Args:
        pipeline: loaded and warm.
        samples: decoded one by one.
        prompt_of: the prompt of a sample.
    """
    for sample in samples:
        start = perf_counter()
        image = sample.image
        ms = {"decode": (perf_counter() - start) * 1e3}
        try:
            call = timed_call(pipeline, image, prompt_of(sample))
            soft = soft_map(call.evidence)
        except MemoryError:
            raise  # says nothing of the image: it is to be tried again where there is more memory
        except Exception as error:  # whatever a pipeline does wrong is a record of that image, never the end of the run
            yield Outcome(sample, None, None, None, f"{type(error).__name__}: {error}", ms, {})
            continue
        stages = {name: seconds * 1e3 for name, seconds in pipeline.clock.seconds.items()}
        ms["latency"] = call.latency_ms
        yield Outcome(sample, call.prediction, call.foreground, soft, None, ms, stages)


def soft_map(evidence: Evidence) -> npt.NDArray[np.float32] | None:
    """The largest probability over all labels at each pixel, at the image's size; None without a map of probabilities.

    Raises:
        ContractError: the map holds NaN or leaves [0, 1].
    """
    if evidence.soft is None or evidence.kind == "score":
        return None
    soft = full_size(evidence.to_host()).max(axis=0)
    if not (soft.min() >= 0 and soft.max() <= 1):  # so written, NaN is caught too
        raise ContractError(
            f"The map of the pipeline holds values from {soft.min()} to {soft.max()}.", "It must hold probabilities."
        )
    return np.asarray(soft)


def score(
    outcomes: Iterable[Outcome], metrics: Sequence[Metric], key_of: Callable[[Sample], str]
) -> Iterator[SampleRecord]:
    """Turn outcomes into records, measured against the targets where there are any."""
    for outcome in outcomes:
        start = perf_counter()
        components = _components(outcome, metrics)
        ms = outcome.ms | {"metric": (perf_counter() - start) * 1e3}
        yield SampleRecord(
            key=key_of(outcome.sample),
            id=outcome.sample.id,
            group=outcome.sample.group,
            size=outcome.sample.size,
            error=outcome.error,
            components=components,
            soft=outcome.soft is not None,
            instances=_instances(outcome.prediction),
            mask_sha256=_mask_hash(outcome.foreground),
            ms=_rounded(ms),
            stages_ms=_rounded(outcome.stages_ms),
        )


def _rounded(ms: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in ms.items()}


def _components(outcome: Outcome, metrics: Sequence[Metric]) -> dict[str, dict[str, float]] | None:
    truth = outcome.sample.truth()
    if truth is None:
        return None
    if outcome.foreground is None:
        return measure_failed(metrics, truth.union(), truth.ignore)
    return measure_all(metrics, outcome.foreground, truth.union(), truth.ignore, outcome.soft)


def _instances(prediction: Prediction | None) -> tuple[Instance, ...]:
    if prediction is None:
        return ()
    found = zip(prediction.masks, prediction.scores, prediction.labels, strict=True)
    return tuple(Instance(label=int(label), score=float(s), mask=rle.encode(mask)) for mask, s, label in found)


def _mask_hash(mask: Mask | None) -> str | None:
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest() if mask is not None else None


def sample_key(sample: Sample, prompt: Prompt, configuration: Configuration, sources: Mapping[str, str]) -> str:
    """Hash of everything that decides the quality of one record: a known key is never done again."""
    parts: list[Any] = [sample.id, sample.group, sample.image_hash, sample.target_hash, prompt.to_json()]
    parts += [configuration.pipeline, configuration.params, configuration.device]
    parts += [configuration.weights_from, dict(sources)]
    parts += [weights.model_dump() for weights in configuration.weights]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
