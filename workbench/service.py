"""All that the app does, and no Gradio: pictures in, cards out, one pipeline's failure never another's."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from time import perf_counter
from typing import Any, Literal

import numpy as np

from benchmarks.evaluate import soft_map
from benchmarks.metrics import METRICS
from benchmarks.metrics.region import Region
from benchmarks.records import Configuration, WeightsRecord
from benchmarks.tracking.scrubbed import scrubbed
from pipelines.base import check_prompt
from pipelines.errors import PromptError, UnavailableError, UsageError, WorkbenchError
from pipelines.registry import pipeline_class
from pipelines.types import Evidence, Image, Mask, Prediction, Prompt
from workbench.catalogue import Offer, Order, Place, check_seen, configuration, fallback, looking, offers, params_of
from workbench.closing import Closing
from workbench.looks.child import Failed, Ready, Seen
from workbench.looks.inside import Inside
from workbench.looks.kept import KeptEvidence, Key
from workbench.looks.pool import Limits, Pool
from workbench.looks.process import CancelledError, check

logger = logging.getLogger(__name__)
Status = Literal["ok", "failed", "unavailable", "cancelled"]
SCORES = ("miou", "dice", "boundary_iou", "boundary_f", "precision", "recall")
"""Metrics that one picture and its mask give, by their names; of one picture the mean is its own figure."""

MS_IN_S = 1e3


@dataclass(frozen=True)
class Card:
    """What a pipeline made of a picture.

    Attributes:
        configuration: exact parameters, device and weights that were asked for.
        status: whether there is a prediction, and if not, why.
        reason: in words and with what to do, where there is none.
        prompt: what was looked for.
        prediction: masks, or None.
        soft: foreground probability ``float32 (H, W)``, or None where the pipeline gives none.
        weights: that were loaded.
        load_ms: of loading, None where it was loaded before.
        infer_ms: of the look; None where it was kept from before.
        decide_ms: of the decision.
        stages_ms: parts of the look by name.
        flags: what a reader of its figures has to know.
        environment: machine, versions and GPU of the process that looked; empty where none did.
        key: of the evidence, by which it is decided again.
    """

    configuration: Configuration
    status: Status
    reason: str | None = None
    prompt: Prompt = Prompt()
    prediction: Prediction | None = None
    soft: Any = None
    weights: tuple[WeightsRecord, ...] = ()
    load_ms: float | None = None
    infer_ms: float | None = None
    decide_ms: float | None = None
    stages_ms: Mapping[str, float] | None = None
    flags: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    key: Key | None = None

    @property
    def foreground(self) -> Mask | None:
        """Union of the masks, ``bool (H, W)``, as `benchmarks.run` scores it."""
        return None if self.prediction is None else self.prediction.foreground()


@dataclass(frozen=True)
class _Kept:
    """Evidence with what has to be said of it again."""

    card: Card
    evidence: Evidence


class Service(Closing):
    """Looks at pictures for visitors. May be used from many threads.

    Args:
        place: where pipelines run.
        limits: of looks and of processes.
        room_mb: for evidence of all visitors, in 10**6 bytes.
        pool: what runs them; processes of their own, if not given.
    """

    def __init__(self, place: Place | None = None, limits: Limits | None = None, room_mb: float = 1500,
                 pool: Pool | Inside | None = None) -> None:  # fmt: skip
        self.place, self.limits = place or Place(), limits or Limits()
        self.pool = pool or Pool(self.limits)
        self.kept = KeptEvidence(room_mb)

    def offers(self) -> list[Offer]:
        """Every pipeline, those that can run here first."""
        return offers(self.place)

    def compare(self, visitor: str, image: Image, prompt: Prompt, orders: Sequence[Order],
                off: Event | None = None) -> Iterator[Card]:  # fmt: skip
        """A card for each order, as soon as it is there, in the order of the orders; none keeps another from coming.

        Args:
            visitor: whose picture it is.
            image: ``uint8 (H, W, 3)``.
            prompt: what to look for.
            orders: pipelines, presets and fields.
            off: set by whoever calls it off; what is not done then comes as cancelled.
        """
        called = off or Event()
        for order in orders:
            yield self.look(visitor, image, prompt, order, called)

    def look(self, visitor: str, image: Image, prompt: Prompt, order: Order, off: Event | None = None) -> Card:
        """One card; what goes wrong is on it. What the visitor's picture showed before is not looked at again.

        Args:
            visitor: whose picture it is.
            image: ``uint8 (H, W, 3)``.
            prompt: what to look for; where it has no text, that of the preset.
            order: pipeline, preset and fields.
            off: set by whoever calls it off.
        """
        return _for_strangers(self._card(visitor, image, prompt, order, off or Event()))

    def _card(self, visitor: str, image: Image, prompt: Prompt, order: Order, off: Event) -> Card:
        try:
            wanted = configuration(order, self.place)
        except Exception as error:
            return Card(_nothing(order), "failed", _words(error))
        asked = prompt if prompt.texts or not wanted.prompt else replace(prompt, texts=wanted.prompt)
        if wanted.unavailable is not None:
            return Card(wanted, "unavailable", wanted.unavailable, asked)
        try:
            check_prompt(pipeline_class(wanted.pipeline).info, asked)
        except PromptError:
            kinds = " or ".join(sorted(pipeline_class(wanted.pipeline).info.prompts))
            return Card(wanted, "unavailable", f"It needs a {kinds} to know what to look for. Give one.", asked)
        try:
            return self._looked(visitor, image, asked, wanted, off)
        except CancelledError as error:
            return Card(wanted, "cancelled", str(error), asked)
        except UnavailableError as error:
            return Card(wanted, "unavailable", str(error), asked)
        except Exception as error:  # also what nobody foresaw: the other pipelines have to get their turn
            return Card(wanted, "failed", _words(error), asked)

    def _looked(self, visitor: str, image: Image, prompt: Prompt, wanted: Configuration, off: Event) -> Card:
        params = looking(params_of(wanted))
        key = Key(visitor, picture_hash(image), _look_hash(wanted, params.model_dump(mode="json"), prompt))
        kept = self.kept.get(key)
        if kept is not None:
            ran = _standing_in(wanted, kept.card.configuration)
            before = replace(kept.card, configuration=ran, load_ms=None, infer_ms=None, stages_ms=None)
            return _decided(before, kept.evidence)
        ready, seen, fresh = self.pool.look(wanted, image, prompt, params.model_dump(mode="json"), off)
        check(off)  # a GPU that is lent cannot be stopped: what it saw is nobody's any more
        if isinstance(seen, Failed):
            return Card(wanted, "failed", f"{seen.message} {seen.cure}", prompt)
        card = _seen_card(wanted, prompt, ready, seen, key, fresh)
        card = replace(card, flags=(*card.flags, *fallback(wanted, self.place)))
        self.kept.put(key, _Kept(card, seen.evidence), seen.evidence)
        return _decided(card, seen.evidence)

    def decide(self, card: Card, fields: Mapping[str, Any], *, soft: bool = True) -> Card:
        """The card with other values of fields that a decision reads; nothing is looked at.

        Args:
            card: that was made before.
            fields: values by name.
            soft: whether the soft map is wanted too.

        Raises:
            UsageError: one of them needs another look, or what was seen is no longer kept.
            ParameterError: a value out of its bounds.
        """
        kept = self.kept.get(card.key) if card.key else None
        if kept is None:
            raise UsageError("What this pipeline saw in your picture is no longer kept.", "Run it again.")
        ran = card.configuration
        order = Order(ran.pipeline, ran.preset, {**ran.params, **fields})
        now = _standing_in(configuration(order, self.place), ran)
        check_seen(now, ran, kept.card.configuration, fields)
        return _for_strangers(_decided(replace(card, configuration=now), kept.evidence, soft=soft))

    def forget(self, visitor: str) -> None:
        """Drop what was seen in a visitor's pictures."""
        self.kept.forget(visitor)

    def close(self) -> None:
        """End all processes."""
        self.pool.close()


def scores(card: Card, target: Mask, ignore: Mask | None = None) -> dict[str, float | None]:
    """Figures of one picture against its true mask, by name; None where one is not defined.

    Args:
        card: with a prediction.
        target: ``bool (H, W)``.
        ignore: ``bool (H, W)`` pixels that do not count, or None.
    """
    region = Region.of(target, ignore)
    return {name: METRICS[name].value(METRICS[name].per_image(card.foreground, region)) for name in SCORES}


def _seen_card(wanted: Configuration, prompt: Prompt, ready: Ready, seen: Seen, key: Key, fresh: bool) -> Card:
    loaded = ready.loaded
    ran = wanted.model_copy(update={"substitute_for": loaded.substitute_for, "substitute_why": loaded.substitute_why})
    return Card(ran if loaded.substitute_for else wanted, "ok", prompt=prompt, weights=loaded.weights,
                load_ms=ready.load_ms if fresh else None, infer_ms=seen.infer_ms, stages_ms=seen.stages_ms,
                flags=seen.flags, environment=ready.environment, key=key)  # fmt: skip


def _standing_in(now: Configuration, before: Configuration) -> Configuration:
    """What is decided now, with what its checkpoint stands in for: parameters that ran name the substitute alone."""
    if now.substitute_for or not before.substitute_for:
        return now
    stands_in = {"substitute_for": before.substitute_for, "substitute_why": before.substitute_why}
    return now.model_copy(update=stands_in)


def _decided(card: Card, evidence: Evidence, *, soft: bool = True) -> Card:
    """The masks of evidence at a card's parameters; whatever the pipeline does wrong is on the card."""
    kind, params = pipeline_class(card.configuration.pipeline), params_of(card.configuration)
    start = perf_counter()
    try:
        prediction = kind(params).decide(evidence)
        decide_ms = (perf_counter() - start) * MS_IN_S
        shown = (card.soft if card.soft is not None else soft_map(evidence)) if soft else None
    except Exception as error:
        return replace(card, status="failed", reason=_words(error), prediction=None, soft=None)
    return replace(card, status="ok", reason=None, prediction=prediction, soft=shown, decide_ms=decide_ms)


def _words(error: Exception) -> str:
    """What a card says of an error; one that nobody foresaw is in the log too."""
    if not isinstance(error, WorkbenchError):
        logger.error("A pipeline failed", exc_info=error)
    failed = Failed.of(error)
    return f"{failed.message} {failed.cure}"


def _for_strangers(card: Card) -> Card:
    """The card without folders of this machine in its reason, as that of weights which are not there has them."""
    return card if card.reason is None else replace(card, reason=str(scrubbed(card.reason)))


def _nothing(order: Order) -> Configuration:
    return Configuration(
        id="0", label=order.label, pipeline=order.pipeline, preset=order.preset, params={}, device="cpu"
    )


def picture_hash(image: Image) -> str:
    """Of its pixels and its size."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _look_hash(wanted: Configuration, params: Mapping[str, Any], prompt: Prompt) -> str:
    """Over all that decides what is seen; fields that only a decision reads are left out."""
    from pipelines.params import knobs

    read = [knob.name for knob in knobs(pipeline_class(wanted.pipeline).Params) if knob.reads != "decide"]
    said = [
        wanted.pipeline,
        wanted.device,
        wanted.weights_from,
        {name: params[name] for name in read},
        prompt.to_json(),
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
