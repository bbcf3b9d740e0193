"""Figures of a profile's document by the name of their feature, and shares of the samples below a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PARTS = ("images", "masks")


def features(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every feature that at least one sample has, those of the pictures first."""
    for part in PARTS:
        yield from (feature for feature in document[part]["features"] if feature["all"] is not None)


def reading(document: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The summary of a feature over all samples; None where no sample has it."""
    return next((feature["all"] for feature in features(document) if feature["name"] == name), None)


def below(document: Mapping[str, Any], name: str, value: float) -> float | None:
    """Which share of the samples that have a feature lies below a value, as it was counted.

    Args:
        document: of the profile.
        name: of the feature.
        value: in its unit, one of those that the document has a share of; None of any other.
    """
    found = next((one for one in features(document) if one["name"] == name), {})
    return next((share for at, share in found.get("below", ()) if at == value), None)


def selection(document: Mapping[str, Any]) -> tuple[str, ...]:
    """What of the dataset was looked at, as options of a command; nothing where it was all of it."""
    data = document["dataset"]
    options = (("--split", data.get("split")), ("--limit", data.get("limit")))
    return tuple(word for name, given in options if given is not None for word in (name, str(given)))
