"""What a checkpoint's JSON files may say: sizes and numbers, but nothing of what else is fetched or run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from transformers import CONFIG_MAPPING

from pipelines.weights import DamagedWeightsError, Located

CONFIG = "config.json"
OURS = ("attn_implementation", "experts_implementation", "auto_map", "fusion_config")
"""Parts of keys that say how a network is run, or with whose code; that is decided here, so they are taken out."""
REFUSED = {
    "use_pretrained_backbone": "would fetch a network by its name",
    "use_timm_backbone": "would fetch a network by its name",
    "backbone": "would fetch a network by its name",
    "quantization_config": "would read the weights by code of another library",
    "transformers_weights": "would read weights that are not listed",
}
"""Keys that no published configuration of ours sets: they are there as null or false, or not at all."""


def read_object(located: Located, name: str) -> dict[str, Any]:
    """One of the JSON files of a checkpoint.

    Args:
        located: its files.
        name: of the file.

    Raises:
        DamagedWeightsError: it is no JSON object in UTF-8.
    """
    try:
        told = json.loads(located.file(name).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(located, f"{name} is not JSON in UTF-8 ({error})") from error
    if not isinstance(told, dict):
        raise damaged(located, f"{name} holds no JSON object")
    return told


def plain_config(located: Located, kind: Any) -> dict[str, Any]:
    """The ``config.json`` of a network of transformers without what is decided here.

    Args:
        located: its files.
        kind: the class of its configuration; parts of other kinds than its own are refused.

    Raises:
        DamagedWeightsError: it is no configuration, or asks for what is not in its files.
    """
    told = read_object(located, CONFIG)
    own = {part["model_type"] for part in _parts(kind().to_dict()) if part.get("model_type")}
    try:
        for part in _parts(told):
            _check(located, part, own, kind.model_type)
        return dict(_plain(told))
    except RecursionError as error:
        raise damaged(located, f"{CONFIG} is too deep") from error


def _check(located: Located, part: Mapping[str, Any], own: set[str], family: str) -> None:
    for key, why in REFUSED.items():
        if part.get(key) not in (None, False):
            raise damaged(located, f"{CONFIG} sets {key} to {part[key]!r:.60}, which {why}")
    said = part.get("model_type")
    if said in (None, "", *own) or not isinstance(said, str) or said.startswith(family):
        return
    if said in CONFIG_MAPPING:  # transformers would build what it names; other words name nothing
        raise damaged(located, f"{CONFIG} has a part of the kind {said!r:.60}, which no {family} has")


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every object in a JSON value, at any depth."""
    if isinstance(value, Mapping):
        yield value
    for inner in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _parts(inner)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, Mapping):
        return value
    return {key: _plain(inner) for key, inner in value.items() if not any(part in key for part in OURS)}


def damaged(located: Located, why: str) -> DamagedWeightsError:
    """The error for files that are there and cannot be used."""
    first = (why.splitlines() or ["damaged"])[0].rstrip(".")
    return DamagedWeightsError(
        f"{located.weights.repository} cannot be loaded from {located.folder}: {first}.",
        "Delete that folder and fetch it again, or check that it holds this repository.",
    )
