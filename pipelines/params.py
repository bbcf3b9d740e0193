"""Typed parameters of a pipeline: written once, read by the command line, tuner, record, app and README."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, TypeVar

import annotated_types
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from pipelines.errors import ParameterError, UnknownNameError

Reads = Literal["load", "infer", "decide"]
STEPS: tuple[Reads, ...] = ("load", "infer", "decide")


class Params(BaseModel):
    """Base of every pipeline's parameters: frozen, typed, nothing beyond the declared fields.

    Attributes:
        floor: the "infer" field below which no candidate gets a mask, and the "decide" field that is swept above it, or
            None. A tuner lowers the first while it searches, and raises it to the second in what it saves.
    """

    floor: ClassVar[tuple[str, str] | None] = None
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @field_validator("*")
    @classmethod
    def _is_a_choice(cls, value: Any, info: ValidationInfo) -> Any:
        extra = cls.model_fields[str(info.field_name)].json_schema_extra
        choices = extra.get("choices") if isinstance(extra, dict) else None
        if isinstance(choices, list) and choices and value not in choices:
            raise ValueError(f"not one of {', '.join(map(str, choices))}")
        return value


AnyParams = TypeVar("AnyParams", bound=Params)


def knob(default: Any, *, help: str, reads: Reads, ge: float | None = None, le: float | None = None,
         step: float | None = None, odd: bool = False, log: bool = False, group: str = "",
         choices: Iterable[str] = (), search: bool | None = None) -> Any:  # fmt: skip
    """Declare one parameter.

    Args:
        default: its value where nothing else is said.
        help: one sentence for a person, with the unit.
        reads: the step that reads it: a change of a "load" field needs a new load, of an "infer" field a new pass, of
            a "decide" field nothing but a new decision.
        ge: smallest value allowed.
        le: largest value allowed.
        step: grid of the slider and of the search.
        odd: whether whole numbers must be odd, as kernel sizes are.
        log: whether to search on a logarithmic scale.
        group: heading under which a form shows it.
        choices: the closed set of a text field, where it is data, such as the names of checkpoints; else write Literal.
        search: whether a tuner moves it without being told to; if not given, unless a load reads it.
    """
    if odd:
        step = 2
    extra: dict[str, Any] = {"reads": reads, "step": step, "odd": odd, "log": log, "group": group,
                             "choices": list(choices),
                             "search": reads != "load" if search is None else search}  # fmt: skip
    return Field(default, description=help, ge=ge, le=le, json_schema_extra=extra)


@dataclass(frozen=True)
class Knob:
    """One parameter as its readers see it.

    Attributes:
        name: of the field.
        kind: of the value; "choice" has `choices`.
        default: value where nothing else is said.
        help: one sentence.
        reads: the step that reads it.
        low: smallest value, or None.
        high: largest value, or None.
        step: grid, or None.
        odd: only odd whole numbers.
        log: logarithmic scale.
        group: heading of a form.
        choices: the closed set of values of a "choice".
        search: whether a tuner moves it without being told to.
    """

    name: str
    kind: Literal["bool", "int", "float", "choice", "text"]
    default: Any
    help: str
    reads: Reads
    low: float | None = None
    high: float | None = None
    step: float | None = None
    odd: bool = False
    log: bool = False
    group: str = ""
    choices: tuple[Any, ...] = ()
    search: bool = True

    @property
    def bounds(self) -> str:
        """The allowed values in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(map(str, self.choices))
        if self.low is None and self.high is None:
            return {"bool": "true or false", "text": "text"}.get(self.kind, "any number")
        return f"{'odd, ' if self.odd else ''}{self.low:g} to {self.high:g}"


_KINDS: dict[Any, Literal["bool", "int", "float", "text"]] = {bool: "bool", int: "int", float: "float", str: "text"}


@cache
def knobs(params: type[Params]) -> tuple[Knob, ...]:
    """Every parameter of a class, in the order of its declaration."""
    return tuple(_knob(name, params) for name in params.model_fields)


def _knob(name: str, params: type[Params]) -> Knob:
    field = params.model_fields[name]
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or extra.get("reads") not in STEPS:
        raise ParameterError(
            f"{params.__name__}.{name} does not say which step reads it.", "Declare it with knob(...)."
        )
    literal = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is Literal else ()
    choices = literal or tuple(extra["choices"])  # type: ignore[arg-type]
    low = next((float(str(m.ge)) for m in field.metadata if isinstance(m, annotated_types.Ge)), None)
    high = next((float(str(m.le)) for m in field.metadata if isinstance(m, annotated_types.Le)), None)
    return Knob(name, "choice" if choices else _KINDS[field.annotation], field.default, field.description or "",
                low=low, high=high, **{**extra, "choices": choices})  # type: ignore[arg-type]  # fmt: skip


def make_params(params: type[AnyParams], values: Mapping[str, Any], where: str = "") -> AnyParams:
    """Validated parameters.

    Args:
        params: the class.
        values: by field name; strings are read as the field's type, as they come from a command line.
        where: what to name in an error, such as the file that the values come from.

    Raises:
        UnknownNameError: a field that does not exist, with the nearest one.
        ParameterError: a value out of its bounds, with the bounds.
    """
    known = {k.name: k for k in knobs(params)}
    for name in values:
        if name not in known:
            raise UnknownNameError("parameter" + (f" of {where}" if where else ""), name, known)
    for name, value in values.items():
        if known[name].odd and str(value).lstrip("-").isdigit() and int(value) % 2 == 0:
            raise _out_of_bounds(known[name], value, where)
    try:
        return params.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # a rule between fields, not a bound of one
            raise ParameterError(
                f"{first['msg']}{' in ' + where if where else ''}.", "Change one of the fields named."
            ) from error
        raise _out_of_bounds(known[str(first["loc"][0])], first["input"], where) from error


def _out_of_bounds(k: Knob, value: object, where: str) -> ParameterError:
    place = f" of {where}" if where else ""
    return ParameterError(f"Parameter {k.name}{place} cannot be {value!r}.", f"Give {k.bounds}.")


def first_step(changed: Iterable[str], params: type[Params]) -> Reads | None:
    """The earliest step that has to run again when these fields change; None when none changed."""
    read = {k.name: k.reads for k in knobs(params)}
    return min((read[name] for name in changed), key=STEPS.index, default=None)
