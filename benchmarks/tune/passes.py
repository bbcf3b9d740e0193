"""Evidence of some images for any setting: made once, held while there is room, and stored for the next search."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import loading
from benchmarks.datasets import Sample
from benchmarks.evidence import Compact, EvidenceStore, Origin, compact, evidence_key, expand
from benchmarks.selection import PromptOf
from benchmarks.tune.task import Setting, Task
from pipelines.base import Pipeline
from pipelines.errors import ContractError, UnavailableError
from pipelines.params import Params, first_step
from pipelines.types import Evidence, Image, Prompt

HELD_MB = 1000
"""Of decoded pictures, of stages, and of evidence: each of the three, in each worker."""

TIMED, ROUNDS = 6, 3
"""Pictures whose latency is measured, and how often each."""

Held = Compact | Evidence | None
"""Of a network in 16 bits, as it is stored; of other pipelines as it is; None where the pipeline failed."""


class Passes:
    """Looks at images when it must.

    Args:
        task: what is searched.
        samples: the images.
        ask: the prompt of a sample.
        ready: the pipeline, where it is loaded already; closed with the rest.
    """

    def __init__(self, task: Task, samples: Sequence[Sample], ask: PromptOf, ready: Pipeline | None = None) -> None:
        self.task, self.samples, self.ask = task, samples, ask
        self.store = EvidenceStore(task.evidence, task.evidence_mb) if task.evidence else None
        self.pipeline: Pipeline | None = None
        self.origin: Origin | None = None
        self.held: OrderedDict[Any, dict[str, Held]] = OrderedDict()
        self.held_bytes = 0
        self.images: dict[str, Image] = {}
        self.image_bytes = 0
        self.infer_ms: dict[Any, float] = {}
        self.looks, self.infer_s = 0, 0.0
        if ready is not None:
            self._take(ready)

    def loaded(self, params: Params) -> Pipeline:
        """The pipeline, loaded anew where a field that a load reads differs."""
        kind = type(params)
        if self.pipeline is not None:
            before = self.pipeline.params
            changed = [name for name in kind.model_fields if getattr(params, name) != getattr(before, name)]
            if first_step(changed, kind) != "load":
                return self.pipeline
            self.pipeline.close()
        configuration = self.task.configuration.model_copy(update={"params": params.model_dump(mode="json")})
        pipeline, loaded = loading.load(configuration)
        if loaded.substitute_for != configuration.substitute_for:
            pipeline.close()
            raise UnavailableError(
                f"{loaded.substitute_for} cannot be had, and another would take its place: {loaded.substitute_why}",
                "Fetch its weights, or take it out of --fields.",
            )
        return self._take(pipeline)

    def _take(self, pipeline: Pipeline) -> Pipeline:
        self.pipeline, self.origin = pipeline, Origin.of(pipeline)
        pipeline.cache.max_bytes = int(HELD_MB * 1e6)
        return pipeline

    def first(self, setting: Setting) -> tuple[Pipeline, Evidence | None]:
        """The pipeline, and the evidence of the first image on which it does not fail; None where it fails on all."""
        found = next((one for one in (self.evidence(setting, sample) for sample in self.samples) if one), None)
        return self.loaded(setting.params), found

    def evidence(self, setting: Setting, sample: Sample) -> Evidence | None:
        """The evidence of an image, or None where the pipeline fails on it; `looks` and `infer_s` tell what it cost."""
        pipeline, held = self.loaded(setting.params), self.held.setdefault(setting.infer_key, {})
        self.held.move_to_end(setting.infer_key)
        if sample.id not in held:
            found = self._evidence(pipeline, sample, setting)
            self._hold(held, sample.id, found)
            return _whole(found)
        return _whole(held[sample.id])

    def _hold(self, held: dict[str, Held], name: str, found: Held) -> None:
        """Keep evidence while there is room, if need be in place of that of other settings.

        What is there of the same setting stays: images are gone through in one order again and again, so that
        whatever took the place of another would be dropped before it is asked for.
        """
        size = _size(found)
        while self.held_bytes + size > HELD_MB * 1e6 and len(self.held) > 1:
            _, dropped = self.held.popitem(last=False)
            self.held_bytes -= sum(map(_size, dropped.values()))
        if self.held_bytes + size <= HELD_MB * 1e6:
            held[name] = found
            self.held_bytes += size

    def latency_ms(self, setting: Setting) -> float:
        """Milliseconds of one image from decoded pixels to masks, of a few images, with nothing remembered.

        A search repeats this while its other workers wait; it is good enough to sort by, and no more: `benchmarks.run`
        says what a pipeline takes.
        """
        pipeline, step = self.loaded(setting.params), max(1, len(self.samples) // TIMED)
        spread = sorted(range(len(self.samples)), key=lambda place: place % step)  # evenly first, then the others
        found = ((self.samples[place], self.evidence(setting, self.samples[place])) for place in spread)
        chosen = list(islice(((sample, one) for sample, one in found if one is not None), TIMED))
        if not chosen:
            return float("inf")
        if setting.infer_key not in self.infer_ms:
            kept, pipeline.cache.max_bytes = pipeline.cache.max_bytes, 0
            looks = [_ms(pipeline.infer, [self._image(sample)], [self._prompt(sample, setting)], setting.params)
                     for sample, _ in chosen]  # fmt: skip
            pipeline.cache.max_bytes = kept
            self.infer_ms[setting.infer_key] = float(np.mean(looks))
        decisions = [_ms(pipeline.decide, one, setting.params) for _, one in chosen]
        return self.infer_ms[setting.infer_key] + float(np.mean(decisions))

    def close(self) -> None:
        """Give the pipeline's memory back."""
        if self.pipeline is not None:
            self.pipeline.close()

    def _evidence(self, pipeline: Pipeline, sample: Sample, setting: Setting) -> Held:
        """Stored or new evidence, the same bit for bit; only what a network made is compact, and stored."""
        assert self.origin is not None
        if not pipeline.loaded:
            return self._look(pipeline, sample, setting)
        key = evidence_key(self.origin, setting.params, sample.image_hash, self._prompt(sample, setting))
        stored = self.store.get_compact(key) if self.store else None
        if stored is not None:
            return stored
        found = self._look(pipeline, sample, setting)
        held = None if found is None else _compacted(found)
        if held is not None and self.store is not None:
            self.store.put(key, held)
        return held

    def _look(self, pipeline: Pipeline, sample: Sample, setting: Setting) -> Evidence | None:
        start = perf_counter()
        image, prompt = self._image(sample), self._prompt(sample, setting)
        try:
            return pipeline.infer([image], [prompt], setting.params)[0].to_host()
        except MemoryError:
            raise
        except Exception:  # a pipeline's own: it counts as a failed image, as in a run
            return None
        finally:
            self.looks += 1
            self.infer_s += perf_counter() - start

    def _prompt(self, sample: Sample, setting: Setting) -> Prompt:
        asked = self.ask(sample)
        return replace(asked, texts=setting.words) if setting.words else asked

    def _image(self, sample: Sample) -> Image:
        if sample.id in self.images:
            return self.images[sample.id]
        image = sample.image
        if self.image_bytes + image.nbytes <= HELD_MB * 1e6:
            self.images[sample.id] = image
            self.image_bytes += image.nbytes
        return image


def _compacted(found: Evidence) -> Compact | None:
    """None where a pipeline's evidence is not what it should be: that is a failed image."""
    try:
        return compact(found)
    except ContractError:
        return None


def _ms(call: Any, *given: Any) -> float:
    """The shortest of a few calls, in milliseconds: what disturbs only ever adds."""
    took = []
    for _ in range(ROUNDS):
        start = perf_counter()
        call(*given)
        took.append(perf_counter() - start)
    return min(took) * 1e3


def _whole(held: Held) -> Evidence | None:
    return expand(held) if isinstance(held, Compact) else held


def _size(held: Held) -> int:
    if held is None:
        return 0
    return held.nbytes if isinstance(held, Compact) else sum(array.nbytes for array in _arrays(held))


def _arrays(evidence: Evidence) -> Iterator[Any]:
    for name in ("soft", "boxes", "scores", "mask_maps"):
        value = getattr(evidence, name)
        if value is not None:
            yield value
