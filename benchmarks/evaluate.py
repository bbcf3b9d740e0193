"""Send samples through a pipeline: a generator loop, so that one image at a time is in memory."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Sample
from benchmarks.selection import PromptOf
from pipelines.base import Pipeline
from pipelines.errors import ContractError
from pipelines.maps import full_size
from pipelines.types import Evidence, Image, Mask, Prediction, Prompt

Soft = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """What a pipeline found in one image, live or read from a record.

    Attributes:
        masks: label and mask of each instance.
        foreground: their union, ``bool (H, W)``.
        soft: foreground probability ``(H, W)``, or None.
        absent: for each text that is said not to be in the picture, whether something was found.
    """

    masks: Sequence[tuple[int, Mask]]
    foreground: Mask
    soft: Soft | None
    absent: tuple[bool, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of one image.

    Attributes:
        sample: which one.
        prediction: the masks, or None where the pipeline failed.
        foreground: union of the masks, or None.
        soft: foreground probability ``(H, W)``, or None where the pipeline gives masks only.
        error: what went wrong, or None.
        ms: milliseconds of `decode` and, where the pipeline was called, `latency`.
        stages_ms: parts of the latency by name.
        texts: what was asked for; empty where the pipeline reads no text.
        absent: for each text that is said not to be in the picture, whether something was found.
        absent_error: what went wrong while asking for these, or None.
        brightness: mean of the picture, from 0 to 1, or None.
    """

    sample: Sample
    prediction: Prediction | None
    foreground: Mask | None
    soft: Soft | None
    error: str | None
    ms: dict[str, float]
    stages_ms: dict[str, float]
    texts: tuple[str, ...] = ()
    absent: tuple[bool, ...] = ()
    absent_error: str | None = None
    brightness: float | None = None

    def found(self) -> Found | None:
        """What is measured against the target; None where the pipeline failed."""
        if self.prediction is None or self.foreground is None:
            return None
        masks = [(int(n), mask) for n, mask in zip(self.prediction.labels, self.prediction.masks, strict=True)]
        return Found(masks, self.foreground, self.soft, self.absent)


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
    reads_text = "text" in pipeline.info.prompts
    for sample in samples:
        prompt, start = prompt_of(sample), perf_counter()
        image = sample.image
        ms = {"decode": (perf_counter() - start) * 1e3}
        brightness = brightness_of(image)
        texts = prompt.texts if reads_text else ()
        if nothing_to_show(pipeline, sample, prompt):
            nothing = Prediction.empty(*sample.size)
            yield Outcome(sample, nothing, nothing.foreground(), None, None, ms, {}, brightness=brightness)
            continue
        try:
            call = timed_call(pipeline, image, prompt)
            stages = {name: seconds * 1e3 for name, seconds in pipeline.clock.seconds.items()}
            soft = soft_map(call.evidence)
            _check_labels(call.prediction, texts)
        except MemoryError:
            raise  # says nothing of the image: it is to be tried again where there is more memory
        except Exception as error:  # whatever a pipeline does wrong is a record of that image, never the end of the run
            raise_if_full(error)
            words = f"{type(error).__name__}: {error}"
            yield Outcome(sample, None, None, None, words, ms, {}, texts, brightness=brightness)
            continue
        ms["latency"] = call.latency_ms
        alarms = false_alarms(pipeline, image, sample.absent if texts else ())
        yield Outcome(sample, call.prediction, call.foreground, soft, None, ms, stages, texts, *alarms, brightness)


def brightness_of(image: Image) -> float:
    """Mean of a picture from 0 to 1, of every eighth row and column, which tells dark from bright well enough."""
    return round(float(image[::8, ::8].mean()) / 255, 4)


def raise_if_full(error: Exception) -> None:
    """Raise the error of a full disk again: it says nothing of the image, which is to be tried where there is room."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise error


def nothing_to_show(pipeline: Pipeline, sample: Sample, prompt: Prompt) -> bool:
    """Whether a pipeline that works by points or boxes is shown none because the picture has no object to show.

    Then nobody would click, and nothing is predicted: no failure, and no time either.
    """
    wanted = pipeline.info.prompts
    if not wanted or "text" in wanted or wanted & prompt.kinds:
        return False
    target = sample.target()
    return target is not None and not target.any()


def false_alarms(pipeline: Pipeline, image: Image, absent: tuple[str, ...]) -> tuple[tuple[bool, ...], str | None]:
    """Whether a pipeline finds what is not in the picture, text by text, in a call that no clock sees.

    Returns:
        The finds, and what went wrong, or None. A call that fails answers each question wrongly; what was found of
        that which is in the picture stays.
    """
    if not absent:
        return (), None
    try:
        prediction = pipeline.predict([image], [Prompt(absent)])[0]
        _check_labels(prediction, absent)
        return tuple(bool(prediction.foreground(label).any()) for label in range(len(absent))), None
    except MemoryError:
        raise
    except Exception as error:  # as of the call that counts
        raise_if_full(error)
        return (True,) * len(absent), f"{type(error).__name__}: {error}"


def _check_labels(prediction: Prediction, texts: Sequence[str]) -> None:
    outside = [int(label) for label in prediction.labels if not 0 <= label < max(1, len(texts))]
    if outside and texts:
        raise ContractError(
            f"A mask has the label {outside[0]}, and {len(texts)} texts were asked for.",
            "Labels are the positions of the texts, from 0.",
        )


def soft_map(evidence: Evidence) -> Soft | None:
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
