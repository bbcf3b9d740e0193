"""Gates of a comparison, such as ``miou<-0.01``: violated where a difference is beyond the limit and counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.statistics.paired import Difference
from benchmarks.statistics.pairs import verdict
from pipelines.errors import UnknownNameError, UsageError

LATENCY_RATIO = "latency_ratio"
_GATE = re.compile(r"(?P<name>[^<>\s]+)\s*(?P<side>[<>])\s*(?P<limit>[-+]?(\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


@dataclass(frozen=True)
class Gate:
    """One value of ``--fail-if``.

    Attributes:
        text: as it was written.
        name: of a metric, whose difference is judged, or "latency_ratio".
        side: on which side of the limit it is violated.
        limit: beyond which it is violated.
    """

    text: str
    name: str
    side: Literal["<", ">"]
    limit: float

    @property
    def even(self) -> float:
        """The value where nothing differs."""
        return 1.0 if self.name == LATENCY_RATIO else 0.0


def parse_gates(texts: Iterable[str], metrics: Iterable[str]) -> list[Gate]:
    """Read ``NAME<LIMIT`` and ``NAME>LIMIT``; several may stand in one text, with commas between.

    Args:
        texts: values of the option.
        metrics: names that may be judged, beside "latency_ratio".

    Raises:
        UsageError: a text is not of that form, or its limit lies where nothing has become worse or better.
        UnknownNameError: no such metric.
    """
    names = [*metrics, LATENCY_RATIO]
    return [_gate(part.strip(), names) for text in texts for part in text.split(",")]


def _gate(text: str, names: Sequence[str]) -> Gate:
    match = _GATE.fullmatch(text)
    if not match:
        raise UsageError(f"--fail-if cannot be {text!r}.", "Write METRIC<LIMIT or METRIC>LIMIT, such as miou<-0.01.")
    if match["name"] not in names:
        raise UnknownNameError("metric", match["name"], names)
    gate = Gate(text, match["name"], "<" if match["side"] == "<" else ">", float(match["limit"]))
    if gate.limit > gate.even if gate.side == "<" else gate.limit < gate.even:
        raise UsageError(
            f"--fail-if {text!r} would fail where nothing differs.",
            f"It judges {'the times of A over those of B' if gate.even else 'the figure of A less that of B'}: "
            f"write {'a limit up to' if gate.side == '<' else 'a limit from'} {gate.even:g}.",
        )
    return gate


def judge(gate: Gate, found: Difference) -> dict[str, Any]:
    """Whether a gate is violated, as it is printed.

    Violated is what lies beyond the limit and counts by the rule of the verdict: what it calls a tie violates nothing.

    Args:
        gate: what is asked for.
        found: the difference, or the ratio of times.

    Raises:
        UsageError: there is no figure to judge: to pass would say that it was checked.
    """
    if found.value is None:
        raise UsageError(f"--fail-if {gate.text!r} cannot be judged: {found.reason or 'the figure is not defined'}.",
                         "Choose another figure, or compare rows that have it.")  # fmt: skip
    beyond = found.value < gate.limit if gate.side == "<" else found.value > gate.limit
    sure = verdict(found, even=gate.even) != "tie"
    return {
        "gate": gate.text,
        "value": found.value,
        "ci": found.ci,
        "method": found.method,
        "limit": gate.limit,
        "violated": beyond and sure,
        "why": _why(beyond, sure, found),
    }


def _why(beyond: bool, sure: bool, found: Difference) -> str:
    if not beyond:
        return "within the limit"
    if sure:
        return "beyond the limit, and the difference counts"
    groups = "1 group" if found.n_groups == 1 else f"{found.n_groups} groups"
    return f"beyond the limit, but {groups} cannot show it{f': {found.reason}' if found.reason else ''}"


def judged(gates: Iterable[Gate], differences: Mapping[str, Difference]) -> list[dict[str, Any]]:
    """All gates.

    Args:
        gates: what is asked for.
        differences: by metric, and "latency_ratio".
    """
    return [judge(gate, differences[gate.name]) for gate in gates]
