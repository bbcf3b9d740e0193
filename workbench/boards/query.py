"""What a page asks of the leaderboard, as an address says it; anybody may write one, so each part is checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from benchmarks.metrics import METRICS
from pipelines.errors import UsageError
from workbench.boards import table
from workbench.boards.table import Wanted

NAMES = ("images", "run", "metric", "search", "device", "use", "size_mb", "sort", "columns", "most")
"""Of the parts of the form that say it."""

NUMBERS = {"size_mb": "The weights in MB", "most": "The number of rows"}

CURE = "Reload the page."


@dataclass(frozen=True)
class Query:
    """A question.

    Attributes:
        page: whose own runs are shown beside those that all see.
        images: hash of the dataset; None = the app chooses.
        run: that is chosen under "What should I ship?", if there is one.
        wanted: which rows.
        ties: whether what the images can tell apart is worked out where it is not known yet.
        anew: whether no run is trusted to be as it was.
    """

    page: str = ""
    images: str | None = None
    run: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    ties: bool = False
    anew: bool = False


def understood(said: Mapping[str, str]) -> Query:
    """The question that an address asks; what it leaves out is as it is at first.

    Args:
        said: by name, of `NAMES`, ``page``, ``ties`` and ``anew``.

    Raises:
        UsageError: there is no such metric, device, use or order, or a number is none.
    """
    usual = Wanted()
    columns = said["columns"].split(",") if said.get("columns") else []
    wanted = Wanted(
        metric=_one(said, "metric", METRICS, usual.metric),
        search=said.get("search", "")[: table.LONGEST],
        device=_one(said, "device", table.DEVICES, usual.device),
        use=_one(said, "use", table.USES, usual.use),
        size_mb=_number(said, "size_mb", 0) or None,
        sort=_one(said, "sort", table.SORTS, usual.sort),
        columns=tuple(name for name in table.COLUMNS if name in columns) if "columns" in said else usual.columns,
        most=max(1, min(int(_number(said, "most", usual.most)), table.MOST)),
    )
    images, run = said.get("images") or None, said.get("run") or None
    return Query(said.get("page", ""), images, run, wanted, "ties" in said, "anew" in said)


def _one(said: Mapping[str, str], name: str, known: Collection[str], usual: str) -> str:
    value = said.get(name) or usual
    if value not in known:
        raise UsageError(f"{value[: table.LONGEST]!r} is nothing that rows can be asked for by {name}.", CURE)
    return value


def _number(said: Mapping[str, str], name: str, usual: float) -> float:
    text = said.get(name) or str(usual)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"{NUMBERS[name]} cannot be {text[: table.LONGEST]!r}.",
                         "Give a number from 0 up; 0 is no limit.")  # fmt: skip
    return value
