"""What is tried beside each other, since each one costs a load or a pass over all images: checkpoints and wordings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from benchmarks.available import choose
from benchmarks.records import RunManifest
from benchmarks.tune.task import Variant
from pipelines.errors import UsageError
from pipelines.params import Params, knobs, make_params
from pipelines.registry import pipeline_class
from pipelines.weights import stamp


def variants_of(names: Sequence[str], wordings: Sequence[str], manifest: RunManifest, *,
                as_it_stands: bool) -> tuple[tuple[Variant, ...], list[str]]:  # fmt: skip
    """Every combination of what a load reads and of what the pipeline is asked for, what the search begins with first.

    Args:
        names: fields that are searched.
        wordings: that are tried.
        manifest: of what the search begins with.
        as_it_stands: whether what it is asked for anyway is tried too, before the wordings.

    Returns:
        The variants, and what was left out because it cannot be had, in sentences.

    Raises:
        UsageError: a field that a load reads is no choice.
    """
    only = manifest.configurations[0]
    base = make_params(pipeline_class(only.pipeline).Params, only.params)
    asked = [*([()] if as_it_stands or not wordings else []), *((words,) for words in wordings)]
    loads, left_out = list[tuple[dict[str, Any], tuple[str, ...]]](), list[str]()
    several = _loads(base, names)
    for load in several:
        problem, stamps = _had(only.pipeline, base, load, only.weights_from) if len(several) > 1 else (None, ())
        if problem is not None and load != several[0]:
            left_out.append(f"{Variant(load).label} is left out: {problem}")
        else:
            loads.append((load, stamps))
    return tuple(Variant(load, words, stamps) for (load, stamps), words in product(loads, asked)), left_out


def _loads(base: Params, names: Sequence[str]) -> list[dict[str, Any]]:
    """Every combination of the choices of fields that a load reads, what the search begins with first."""
    chosen = [knob for knob in knobs(type(base)) if knob.name in names and knob.reads == "load"]
    for knob in chosen:
        if knob.kind not in ("choice", "bool"):
            raise UsageError(f"{knob.name} is read while loading, and is no choice.", "Leave it out of --fields.")
    start = [getattr(base, knob.name) for knob in chosen]
    options = [knob.choices or (False, True) for knob in chosen]
    ordered = [[first, *(one for one in some if one != first)] for first, some in zip(start, options, strict=True)]
    return [dict(zip((knob.name for knob in chosen), values, strict=True)) for values in product(*ordered)]


def _had(pipeline: str, base: Params, load: dict[str, Any], where: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Why its own weights cannot be had, or None, and which files they are read from; no other takes their place."""
    info = pipeline_class(pipeline).info
    params = make_params(type(base), {**base.model_dump(), **load})
    choice = choose(info, params, where)
    found = [stamp(weights, where) for form in info.forms(params) for weights in info.weights_for(form)]
    return choice.reason, tuple(one for one in found if one)


def check_wordings(wordings: Sequence[str]) -> None:
    """Refuse wordings that are meant for a class, as a prompt may be.

    Raises:
        UsageError: one has an equals sign.
    """
    for words in wordings:
        if "=" in words:
            raise UsageError(f"The wording {words!r} has an equals sign.",
                             "Write the words alone; --prompt class=words is for classes.")  # fmt: skip
