"""The key of evidence: a hash of all that decides it, and of nothing that is decided after it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.environment import NETWORK_PACKAGES, PACKAGES, source_hashes, versions
from pipelines.base import Pipeline
from pipelines.errors import ContractError
from pipelines.params import Params, knobs
from pipelines.types import Prompt, PromptKind
from pipelines.weights import Located
from pipelines.weights.formats import gather

ENGINE_PACKAGES = ("rf-groundingdino", "rf-segment-anything", "timm", "tokenizers")
"""What the engine `autodistill` runs, beside what all networks do."""


@dataclass(frozen=True)
class Origin:
    """What decides the evidence of a loaded pipeline beside parameters, picture and prompt. Made once, after `load`.

    Attributes:
        digest: sha256 of it, as hexadecimal digits.
        prompts: kinds of prompt that the pipeline can use.
    """

    digest: str
    prompts: frozenset[PromptKind]

    @classmethod
    def of(cls, pipeline: Pipeline) -> Origin:
        """Of a pipeline as it was loaded.

        Hashed are its name, its weights by the content of their files, wherever these lie, the arithmetic, the kind of
        device, the sources of ours and of the pipeline's own package, and the versions of the libraries that compute.

        Args:
            pipeline: loaded.

        Raises:
            ContractError: it is not loaded, so that its weights are not known.
        """
        if pipeline.load_s is None:
            raise ContractError(f"{pipeline.info.name} is not loaded, so its weights are not known.", "Load it first.")
        decides = {
            "pipeline": pipeline.info.name,
            "weights": [_content(located) for located in pipeline.loaded] or str(pipeline.weights),
            "dtype": pipeline.dtype,
            "device": pipeline.device,
            "sources": source_hashes([type(pipeline).__module__]),
            "versions": versions((*PACKAGES, *NETWORK_PACKAGES, *ENGINE_PACKAGES)),
        }
        return cls(_hash(decides), pipeline.info.prompts)


def evidence_key(origin: Origin, params: Params, image_hash: str, prompt: Prompt) -> str:
    """sha256, as 64 hexadecimal digits, over everything that decides what `infer` returns of a picture.

    Fields that the pipeline reads while deciding are left out: that is what a store of evidence is for. So are kinds of
    prompt that it cannot use.

    Args:
        origin: of the loaded pipeline.
        params: of the call.
        image_hash: of the sample.
        prompt: of the sample.
    """
    fields = params.model_dump(mode="json", include=_before_decision(type(params)))
    given = prompt.to_json()
    asked = {"text": given["texts"], "box": given["boxes"], "point": given["points"]}
    used = {kind: value for kind, value in asked.items() if kind in origin.prompts}
    return _hash([origin.digest, fields, image_hash, used])


def _hash(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _before_decision(params: type[Params]) -> set[str]:
    return {knob.name for knob in knobs(params) if knob.reads != "decide"}


def _content(located: Located) -> list[Any]:
    """Repository, commit, and a hash of each file that is read; random weights have neither commit nor files."""
    if located.folder is None:
        return [located.weights.repository, "random"]
    hashes = dict(located.sha256)
    for name in gather(located.folder, located.weights.files)[0]:
        if name not in hashes:  # configurations and vocabularies: small
            hashes[name] = hashlib.sha256((located.folder / name).read_bytes()).hexdigest()
    return [located.weights.repository, located.revision, hashes]
