"""What there is to choose from: each pipeline with its presets, knobs, licences, and why it cannot run here if so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.available import choose
from benchmarks.records import Configuration, WeightsRecord
from benchmarks.tracking.scrubbed import scrubbed
from pipelines.device import device_for
from pipelines.errors import UsageError, WorkbenchError
from pipelines.params import Knob, Params, first_step, knobs, make_params
from pipelines.presets import preset, preset_names, preset_prompt
from pipelines.registry import names, pipeline_class
from pipelines.types import PipelineInfo
from workbench.looks.child import Failed

FLOOR = 0.05
"""Weakest candidates that still get a mask, so that a slider can bring them in at no further look."""

UNKNOWN_MB = 1000.0
"""Weights of which nobody said how large they are."""


@dataclass(frozen=True)
class Place:
    """Where pipelines run.

    Attributes:
        weights: folder that holds ``owner/name/`` as the hub does, "random", or None for the usual place.
        device: "auto", "cpu" or "cuda".
        commercial: whether weights that may not be used commercially are left out.
    """

    weights: str | None = None
    device: str = "auto"
    commercial: bool = False


@dataclass(frozen=True)
class Offer:
    """One pipeline as a visitor meets it.

    Attributes:
        name: id.
        title: for people.
        prompts: kinds that it can use; empty = it needs none.
        presets: names, "default" first.
        knobs: of its parameters, in their order.
        info: all that is declared, or None where its module cannot be imported.
        reason: why it cannot run here with its default parameters, and what to do; None where it can.
    """

    name: str
    title: str
    prompts: frozenset[str] = frozenset()
    presets: tuple[str, ...] = ("default",)
    knobs: tuple[Knob, ...] = ()
    info: PipelineInfo | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Order:
    """What somebody wants a pipeline to do.

    Attributes:
        pipeline: name.
        preset: name of the parameter set to start from.
        fields: values that differ from it, by name.
    """

    pipeline: str
    preset: str = "default"
    fields: Mapping[str, Any] | None = None

    @property
    def label(self) -> str:
        """How it is called beside others."""
        return self.pipeline if self.preset == "default" else f"{self.pipeline}@{self.preset}"


def offers(place: Place) -> list[Offer]:
    """Every pipeline, those that can run here first; one that cannot says why, and keeps no other from being offered.

    Args:
        place: where they would run.
    """
    found = [_offer(name, place) for name in names()]
    return sorted(found, key=lambda one: one.reason is not None)


def _offer(name: str, place: Place) -> Offer:
    try:
        kind = pipeline_class(name)
        known = preset_names(kind)
        values, _ = preset(kind)
        reason = configuration(Order(name), place).unavailable
    except WorkbenchError as error:
        return Offer(name, name, reason=str(scrubbed(str(error))))
    except Exception as error:  # a plugin may raise whatever it likes, and the app starts all the same
        said = f"{Failed.of(error).message} Tell whoever made this pipeline."
        return Offer(name, name, reason=str(scrubbed(said)))
    presets = ("default", *(one for one in known if one != "default"))
    return Offer(
        name, kind.info.title, frozenset(kind.info.prompts), presets, knobs(type(values)), kind.info, scrubbed(reason)
    )


def configuration(order: Order, place: Place) -> Configuration:
    """What an order comes to: exact parameters, device and weights, or the reason why it cannot be done here.

    Args:
        order: what is wanted.
        place: where.

    Raises:
        WorkbenchError: no such pipeline, preset or field, or a value out of its bounds.
    """
    kind = pipeline_class(order.pipeline)
    values, _ = preset(kind, order.preset)
    if order.fields:
        values = make_params(kind.Params, _floored(kind.Params, {**values.model_dump(), **order.fields}),
                             where=order.label)  # fmt: skip
    choice = choose(kind.info, values, place.weights, commercial=place.commercial)
    device, lacking = _device(kind.info, place.device)
    reason = lacking or choice.reason
    stands_in = choice.substitute_for is not None
    return Configuration(
        id="0", label=order.label, pipeline=order.pipeline, preset=order.preset,
        params=choice.params.model_dump(mode="json"), device=device,
        weights=tuple(map(WeightsRecord.of, kind.info.weights_for(choice.params))), weights_from=place.weights,
        substitute_for=choice.substitute_for, substitute_why=choice.reason if stands_in else None,
        prompt=preset_prompt(kind, order.preset), unavailable=lacking if stands_in else reason,
    )  # fmt: skip


def _floored(kind: type[Params], values: dict[str, Any]) -> dict[str, Any]:
    """Values whose floor of candidates follows a threshold below it; the app looks at weaker candidates anyway."""
    if kind.floor is None:
        return values
    field, threshold = kind.floor
    low, cut = values.get(field), values.get(threshold)
    follows = isinstance(low, int | float) and isinstance(cut, int | float) and cut < low
    return {**values, field: cut} if follows else values


def _device(info: PipelineInfo, choice: str) -> tuple[str, str | None]:
    """The device of a pipeline, and why it cannot be had; what runs on the CPU alone does so whatever is chosen."""
    if "cuda" not in info.devices:
        return "cpu", None
    try:
        return device_for(info, choice), None
    except WorkbenchError as error:
        return choice, str(error)


def fallback(configuration: Configuration, place: Place) -> tuple[str, ...]:
    """A flag where it runs on the CPU although it could use a GPU, and nobody asked for the CPU.

    Args:
        configuration: that ran.
        place: where.
    """
    could = "cuda" in pipeline_class(configuration.pipeline).info.devices
    return (
        ("cpu_fallback: no GPU was found",) if could and (place.device, configuration.device) == ("auto", "cpu") else ()
    )


def params_of(configuration: Configuration) -> Params:
    """Its parameters, checked."""
    return make_params(pipeline_class(configuration.pipeline).Params, configuration.params)


def load_key(configuration: Configuration) -> str:
    """The same for configurations that load the same."""
    read = [knob.name for knob in knobs(pipeline_class(configuration.pipeline).Params) if knob.reads == "load"]
    fields = [(name, configuration.params.get(name)) for name in read]
    return repr((configuration.pipeline, configuration.device, configuration.weights_from, fields))


def looking(params: Params) -> Params:
    """The same with weaker candidates decoded, so that thresholds can be moved without looking again.

    Args:
        params: that are decided with.
    """
    if params.floor is None:
        return params
    field, threshold = params.floor
    low = min(FLOOR, getattr(params, field), getattr(params, threshold))
    return make_params(type(params), {**params.model_dump(), field: low})


def check_seen(now: Configuration, ran: Configuration, looked: Configuration, fields: Mapping[str, Any]) -> None:
    """Refuse what cannot be decided from what was seen; a floor of candidates may follow a threshold, down to that.

    Args:
        now: what is to be decided.
        ran: what was decided before.
        looked: what was looked with.
        fields: that are changed.

    Raises:
        UsageError: one of them needs another look.
    """
    params = pipeline_class(now.pipeline).Params
    follows = {params.floor[0]} - set(fields) if params.floor else set()
    changed = [name for name, value in now.params.items() if ran.params.get(name) != value and name not in follows]
    if first_step(changed, params) not in (None, "decide"):
        names = ", ".join(sorted(set(changed) & set(fields)))
        raise UsageError(f"A change of {names} needs another look.", "Run it again.")
    wanted, seen = _looked_from(params_of(now)), _looked_from(params_of(looked))
    if wanted is not None and seen is not None and wanted < seen:
        raise UsageError(f"What scores below {seen:g} was not looked at.", "Run it again.")


def _looked_from(params: Params) -> float | None:
    """Score from which candidates got a mask, or None where there is no such floor."""
    return None if params.floor is None else float(getattr(looking(params), params.floor[0]))


def begins(offers: Sequence[Offer]) -> list[Offer]:
    """What is chosen at first: what runs with nothing to fetch and nothing to point at."""
    able = [offer for offer in offers if offer.reason is None and offer.info]
    return [offer for offer in able if not offer.prompts and not weight_mb(offer)] or able[:1]


def weight_mb(offer: Offer) -> float:
    """Of the default weights of a pipeline, in 10**6 bytes; nothing where it has none.

    Args:
        offer: that can run here.
    """
    weights = offer.info.weights_for(pipeline_class(offer.name).Params()) if offer.info else ()
    return sum(one.size_mb or UNKNOWN_MB for one in weights)
