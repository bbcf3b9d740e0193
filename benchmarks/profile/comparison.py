"""Two profiles compared: which features moved and by how much, which suspects came and went, classes, sizes, splits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from benchmarks.profile.readable import Readable
from benchmarks.profile.summaries import PERCENTILES
from pipelines.errors import UsageError

PARTS = ("images", "masks")
MOVED = 0.5
"""Of the middle half of the values: so far has the median to go to be called moved."""

Floats = npt.NDArray[np.float64]
KEYS = frozenset(("schema_version", "dataset", "n", "images", "masks", "suspects", "kinds"))


def read_profile(path: Path) -> dict[str, Any]:
    """The document of a profile, as ``--json`` prints it.

    Raises:
        UsageError: the file cannot be read, or is no profile of this version.
    """
    cure = "Give a profile.json that benchmarks.profile wrote, or what its --json printed."
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"--against {path} cannot be read: {error}.", cure) from error
    if not isinstance(found, dict) or not found.keys() >= KEYS:
        raise UsageError(f"--against {path} is no profile.", cure)
    if found["schema_version"] != 1:
        raise UsageError(f"--against {path} is of version {found['schema_version']}.", "Make the profile again.")
    try:
        Readable.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise UsageError(f"--against {path} is damaged at {place}: {first['msg']}.", cure) from error
    return dict(found)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """What changed from one profile to another.

    Args:
        first: document of the earlier.
        second: document of the later.

    Returns:
        Keys before and now (name, hash, n, n_groups, excluded), same (whether the hashes are equal), features (the
        farthest moved first: medians, their difference, ``moved`` = that in units of the earlier interquartile range,
        and ``distance``, the largest difference of the cumulative histograms), kinds, suspects (new, gone, same),
        classes, sizes and splits (new, gone).
    """
    hashes = [one["dataset"]["hash"] for one in (first, second)]
    return {
        "before": _about(first),
        "now": _about(second),
        "same": hashes[0] == hashes[1] if None not in hashes else None,
        "features": sorted(_features(first, second), key=_place),
        "kinds": {kind: {"before": first["kinds"].get(kind, 0), "now": second["kinds"].get(kind, 0)}
                  for kind in dict.fromkeys((*second["kinds"], *first["kinds"]))},
        "suspects": _suspects(first, second),
        "classes": _names(*map(_classes, (first, second))),
        "sizes": _names(*map(_sizes, (first, second))),
        "splits": _names(*(list(one["dataset"]["splits"]) for one in (first, second))),
    }  # fmt: skip


def moved(comparison: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Features whose median went by half of the middle half or more, or off a value that nearly all had."""
    return [
        one
        for one in comparison["features"]
        if one["difference"] and (one["moved"] is None or abs(one["moved"]) >= MOVED)
    ]


def _classes(document: Mapping[str, Any]) -> list[str]:
    return [one["name"] for one in document["masks"]["classes"]]


def _sizes(document: Mapping[str, Any]) -> list[str]:
    return [f"{one['width']} x {one['height']}" for one in document["images"]["sizes"]]


def _about(document: Mapping[str, Any]) -> dict[str, Any]:
    data = document["dataset"]
    return {"name": data["name"], "hash": data["hash"], "n": document["n"], "n_groups": data["n_groups"],
            "excluded": document.get("excluded", 0), "created": document.get("created")}  # fmt: skip


def _features(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Those that both have over at least one sample."""
    for part in PARTS:
        old = {one["name"]: one["all"] for one in first[part]["features"]}
        for feature in second[part]["features"]:
            before, now = old.get(feature["name"]), feature["all"]
            if before and now:
                gap = now["p50"] - before["p50"]
                spread = before["p75"] - before["p25"] or now["p75"] - now["p25"]
                yield {
                    "name": feature["name"], "title": feature["title"], "unit": feature["unit"],
                    "before": before["p50"], "now": now["p50"], "difference": _short(gap),
                    "moved": _short(gap / spread) if spread else None if gap else 0.0,
                    "distance": _short(distance(before, now)),
                }  # fmt: skip


def _place(one: Mapping[str, Any]) -> tuple[float, float]:
    return (-np.inf if one["moved"] is None else -abs(one["moved"])), -one["distance"]


def distance(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """Largest difference of two cumulative shares that is certain: 0 alike or not to be told, 1 apart.

    Histograms and percentiles leave bounds of the share below a value. The largest difference of these is at most that
    of Kolmogorov and Smirnov, and is that where both have the same bins and no value lies within one.
    """
    known = np.concatenate([_places(one) for one in (first, second)])
    at = np.unique(np.concatenate([known, np.nextafter(known, np.inf)]))
    (low, high), (least, most) = _bounds(first, at), _bounds(second, at)
    return float(max(0.0, (low - most).max(), (least - high).max()))


def _places(summary: Mapping[str, Any]) -> Floats:
    """Values at which something is known."""
    names = ("min", "max", *(f"p{p}" for p in PERCENTILES))
    return np.array([*summary["histogram"]["edges"], *(summary[name] for name in names)])


def _bounds(summary: Mapping[str, Any], at: Floats) -> tuple[Floats, Floats]:
    """Least and largest share of the samples below each value ``(K,)``, as the summary leaves them."""
    n, edges = summary["n"], summary["histogram"]["edges"]
    sums = np.cumsum([0, *summary["histogram"]["counts"]]) / n
    low, high = np.zeros(len(at)), np.ones(len(at))
    for edge, share in zip(edges[:-1], sums[:-1], strict=True):
        low[at >= edge] = share
        high[at <= edge] = np.minimum(high[at <= edge], share)
    for p in PERCENTILES:
        place, value = (n - 1) * p / 100, summary[f"p{p}"]
        low[at > value] = np.maximum(low[at > value], (np.floor(place) + 1) / n)
        high[at <= value] = np.minimum(high[at <= value], np.ceil(place) / n)
    low[at > summary["max"]], high[at <= summary["min"]] = 1.0, 0.0
    return low, high


def _suspects(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    old, new = ({(one["kind"], one["sample"]): one for one in doc["suspects"]} for doc in (first, second))
    return {
        "new": [_named(one) for key, one in new.items() if key not in old],
        "gone": [_named(one) for key, one in old.items() if key not in new],
        "same": len(old.keys() & new.keys()),
    }


def _named(suspect: Mapping[str, Any]) -> dict[str, Any]:
    return {key: suspect[key] for key in ("kind", "sample", "severity", "reason")}


def _names(before: list[str], now: list[str]) -> dict[str, list[str]]:
    return {
        "new": [name for name in now if name not in set(before)],
        "gone": [name for name in before if name not in set(now)],
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}")
