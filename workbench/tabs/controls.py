"""Gradio components: a picture that only our own loader opens, and knobs made of what parameters declare."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gradio as gr

from pipelines.params import Knob
from pipelines.presets import preset
from pipelines.registry import pipeline_class
from workbench.catalogue import Offer

STEPS = (1, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0005, 0.0001, 0.00005, 0.00001)
LEAST_STEPS = 50
WIDEST = 1e4
"""Of two bounds more than this far apart no slider can be moved with any care."""


def _unopened(component: gr.Image, payload: Any) -> str | None:
    """Path of the upload, which Gradio has found to lie in its folder, or None."""
    return None if payload is None else str(payload.path)


# Made without Gradio's metaclass, which would write a file of types beside this one.
Picture: Any = ABCMeta.__new__(
    type(gr.Image), "Picture", (gr.Image,), {"__module__": __name__, "is_template": True, "preprocess": _unopened}
)
"""An upload that stays closed: Gradio would open whatever comes, and change its pixels, before a callback does.

It is shown as its parent, `gradio.Image`.
"""


def values_of(offer: Offer, name: str) -> dict[str, Any]:
    """Every field of a preset.

    Args:
        offer: whose preset it is.
        name: of it.
    """
    return preset(pipeline_class(offer.name), name)[0].model_dump(mode="json")


def control(knob: Knob, values: Iterable[Any]) -> gr.components.Component:
    """What a knob is moved with.

    Args:
        knob: as the parameters declare it.
        values: that presets give it, which must lie on the grid of a slider.
    """
    said: dict[str, Any] = {"value": knob.default, "label": knob.name.replace("_", " "), "info": knob.help}
    if knob.kind == "bool":
        return gr.Checkbox(**said)
    if knob.kind == "choice":
        return gr.Dropdown(list(knob.choices), **said)
    if knob.kind == "text":
        return gr.Textbox(**said)
    if knob.low is None or knob.high is None or knob.log or knob.high - knob.low > WIDEST:
        return gr.Number(minimum=knob.low, maximum=knob.high, precision=0 if knob.kind == "int" else None, **said)
    return gr.Slider(knob.low, knob.high, step=step_of(knob, values), buttons=[], **said)


def step_of(knob: Knob, values: Iterable[Any]) -> float:
    """The widest step that gives at least fifty of them and meets every value; a browser moves others to the grid.

    Args:
        knob: with both bounds.
        values: that have to be met.
    """
    low, high = knob.low or 0.0, knob.high or 0.0
    if knob.kind == "int":
        return int(knob.step or 1)
    wide = [step for step in (knob.step, *STEPS) if step and (high - low) / step >= LEAST_STEPS]
    met = (step for step in wide if all(_meets(value - low, step) for value in (knob.default, *values)))
    return next(met, STEPS[-1])


def _meets(way: float, step: float) -> bool:
    return abs(way / step - round(way / step)) < 1e-6


def fields(offer: Offer, preset_name: str, given: Sequence[Any]) -> dict[str, Any]:
    """Fields that differ from a preset, by name, as the form gives them.

    Args:
        offer: whose knobs they are.
        preset_name: of it.
        given: a value for each knob; None, as an emptied number gives it, leaves the field as it is.
    """
    usual = values_of(offer, preset_name)
    told = {knob.name: typed(knob, value) for knob, value in zip(offer.knobs, given, strict=True) if value is not None}
    return {name: value for name, value in told.items() if value != usual[name]}


def typed(knob: Knob, value: Any) -> Any:
    """A value of a form as its parameter takes it: sliders give 5.0 for 5."""
    return round(value) if knob.kind == "int" and isinstance(value, float) else value


def by_group(knobs: Iterable[Knob]) -> Mapping[str, list[Knob]]:
    """Knobs under their headings, in the order of their declaration."""
    found: dict[str, list[Knob]] = {}
    for knob in knobs:
        found.setdefault(knob.group or "other", []).append(knob)
    return found
