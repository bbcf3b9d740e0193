"""Parameters: one declaration, its bounds, and what a change costs."""

from __future__ import annotations

from typing import Literal

import pytest

from pipelines.errors import ParameterError, UnknownNameError
from pipelines.params import Params, first_step, knob, knobs, make_params


class Example(Params):
    model: Literal["small", "large"] = knob("small", help="Checkpoint.", reads="load")
    kernel: int = knob(5, help="Side of the kernel in pixels.", reads="infer", ge=1, le=31, odd=True)
    gain: float = knob(1.0, help="Factor.", reads="infer", ge=0.1, le=10, log=True)
    threshold: float = knob(0.5, help="Cut.", reads="decide", ge=0, le=1, step=0.01)
    invert: bool = knob(False, help="Swap.", reads="decide")


def test_knobs_are_what_was_declared() -> None:
    model, kernel, gain, threshold, invert = knobs(Example)
    assert (model.kind, model.choices, model.reads) == ("choice", ("small", "large"), "load")
    assert (kernel.kind, kernel.low, kernel.high, kernel.step, kernel.odd) == ("int", 1, 31, 2, True)
    assert (gain.kind, gain.log, gain.bounds) == ("float", True, "0.1 to 10")
    assert (threshold.step, threshold.bounds) == (0.01, "0 to 1")
    assert (invert.kind, invert.bounds) == ("bool", "true or false")


def test_text_of_a_command_line_is_read_as_the_type_of_the_field() -> None:
    params = make_params(Example, {"kernel": "7", "gain": "0.25", "invert": "true", "model": "large"})
    assert params == Example(kernel=7, gain=0.25, invert=True, model="large")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kernel": 99}, r"kernel of here cannot be 99\. Give odd, 1 to 31"),
        ({"kernel": 4}, r"kernel of here cannot be 4\. Give odd"),
        ({"kernel": "many"}, r"cannot be 'many'"),
        ({"gain": float("nan")}, r"gain of here cannot be nan"),
        ({"gain": float("inf")}, r"gain of here cannot be inf"),
        ({"model": "huge"}, r"Give one of small, large"),
        ({"invert": "perhaps"}, r"true or false"),
    ],
)
def test_a_value_out_of_bounds_names_the_bounds(values: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make_params(Example, values, where="here")


def test_an_unknown_field_names_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'threshold'"):
        make_params(Example, {"treshold": 0.4})


def test_a_field_without_knob_is_found() -> None:
    class Forgotten(Params):
        size: int = 3

    with pytest.raises(ParameterError, match="Forgotten.size does not say which step reads it"):
        knobs(Forgotten)


@pytest.mark.parametrize(
    ("changed", "step"),
    [((), None), (("threshold",), "decide"), (("threshold", "gain"), "infer"), (("gain", "model"), "load")],
)
def test_the_earliest_step_that_reads_a_changed_field(changed: tuple[str, ...], step: str | None) -> None:
    assert first_step(changed, Example) == step
