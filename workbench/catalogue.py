"""What there is to choose from: each pipeline with its presets, knobs, licences, and why it cannot run here if so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.available import choose
from benchmarks.records import Configuration, WeightsRecord
from pipelines.device import device_for
from pipelines.errors import UnavailableError, WorkbenchError
from pipelines.params import Knob, Params, knobs, make_params
from pipelines.presets import preset, preset_names, preset_prompt
from pipelines.registry import names, pipeline_class
from pipelines.types import PipelineInfo

FLOOR = 0.05
"""Weakest candidates that still get a mask, so that a slider can bring them in at no further look."""


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
        return Offer(name, name, reason=str(error))
    presets = ("default", *(one for one in known if one != "default"))
    return Offer(name, kind.info.title, frozenset(kind.info.prompts), presets, knobs(type(values)), kind.info, reason)


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
        values = make_params(kind.Params, {**values.model_dump(), **order.fields}, where=order.label)
    choice = choose(kind.info, values, place.weights, commercial=place.commercial)
    try:
        device, reason = device_for(kind.info, place.device), choice.reason
    except UnavailableError as error:
        device, reason = place.device, str(error)
    stands_in = choice.substitute_for is not None
    return Configuration(
        id="0", label=order.label, pipeline=order.pipeline, preset=order.preset,
        params=choice.params.model_dump(mode="json"), device=device,
        weights=tuple(map(WeightsRecord.of, kind.info.weights_for(choice.params))), weights_from=place.weights,
        substitute_for=choice.substitute_for, substitute_why=reason if stands_in else None,
        prompt=preset_prompt(kind, order.preset), unavailable=None if stands_in else reason,
    )  # fmt: skip


def params_of(configuration: Configuration) -> Params:
    """Its parameters, checked."""
    return make_params(pipeline_class(configuration.pipeline).Params, configuration.params)


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
