"""What a file of presets says of each: values, texts that go with them, and where they come from."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from pipelines.errors import PromptError
from pipelines.types import Prompt


class Provenance(BaseModel):
    """Where the values of a preset come from, and what they were seen to give.

    Attributes:
        source: who or what chose the values, in words.
        dataset: name of the images that they were chosen on, with their revision.
        dataset_hash: hash that the dataset module gives it.
        split: of the dataset, or None where all of it was used.
        protocol: how they were chosen and judged.
        objective: what was made as large as could be, or as small.
        metric: name of the metric of `value`.
        value: as judged by the protocol; cross-validated where there are folds.
        interval: 95 % interval of `value`.
        n: images.
        n_groups: groups that were resampled.
        folds: of the cross-validation.
        trials: sets of values that were tried.
        seed: of the search and of the folds.
        searched: fields whose values were searched; all others are as they were.
        date: ISO date.
        details: further figures, such as one a background, or that on the images of the search themselves.
        images: file beside this one that lists the images that the values were chosen on.
        images_sha256: of that file.
        study: key of the search, by which the same search may save it again.
        copies: what counted as a copy of an image: what looks the same too, or the same bytes alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    dataset: str | None = None
    dataset_hash: str | None = None
    split: str | None = None
    protocol: str | None = None
    objective: str | None = None
    metric: str | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    n_groups: int | None = None
    folds: int | None = None
    trials: int | None = None
    seed: int | None = None
    searched: tuple[str, ...] = ()
    date: str | None = None
    details: dict[str, float | str] = {}
    images: str | None = None
    images_sha256: str | None = None
    study: str | None = None
    copies: Literal["near", "exact"] = "near"


class Preset(BaseModel):
    """A named parameter set; fields that it does not name keep their defaults.

    Attributes:
        params: by field name.
        prompt: texts to look for that go with them, where the wording was chosen too; a user's own texts win.
        provenance: where they come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: dict[str, Any] = {}
    prompt: tuple[str, ...] = ()
    provenance: Provenance = Provenance(source="defaults of the fields")

    @field_validator("prompt")
    @classmethod
    def _is_a_prompt(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return Prompt(texts).texts
        except PromptError as error:
            raise ValueError(str(error)) from error
