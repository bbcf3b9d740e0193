"""Whether the weights of a choice may be used and can be had, and what takes their place where not."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.errors import UnavailableError
from pipelines.params import Params
from pipelines.types import PipelineInfo
from pipelines.weights import DamagedWeightsError, missing


@dataclass(frozen=True)
class Choice:
    """What will run.

    Attributes:
        params: those that were asked for, or those of the substitute.
        substitute_for: the repository that this stands in for, or None.
        reason: why what was asked for will not do, or None.
    """

    params: Params
    substitute_for: str | None = None
    reason: str | None = None


def choose(info: PipelineInfo, values: Params, weights: str | None = None, *, commercial: bool = False) -> Choice:
    """Parameters whose weights may be used and can be had, as far as can be told with no network.

    What is there and damaged is not replaced: somebody has to know.

    Args:
        info: of the pipeline.
        values: that were asked for.
        weights: folder that holds them, "random", or None for the usual place.
        commercial: whether those that may not be used commercially are left out.
    """
    problem = _problem(info, values, weights, commercial)
    substitute = info.substitute(values) if problem and not isinstance(problem, DamagedWeightsError) else None
    if substitute is None:
        return Choice(values, reason=str(problem) if problem else None)
    if further := _problem(info, substitute, weights, commercial):
        return Choice(values, reason=f"{problem} As for what could take its place: {further}")
    return Choice(substitute, info.weights_for(values)[0].repository, str(problem))


def _problem(info: PipelineInfo, values: Params, where: str | None, commercial: bool) -> UnavailableError | None:
    barred = [w for w in info.weights_for(values) if commercial and not w.commercial]
    if barred:
        doubt = "forbids" if barred[0].commercial is False else "does not clearly allow"
        return UnavailableError(
            f"--commercial leaves it out: {barred[0].licence} of {barred[0].repository} {doubt} commercial use.",
            f"Read {barred[0].page} and run without --commercial, or choose another checkpoint.",
        )
    lacking = [next((error for w in info.weights_for(form) if (error := missing(w, where))), None)
               for form in info.forms(values)]  # fmt: skip
    return lacking[0] if all(lacking) else None
