"""What a profile's document must hold to be compared with another: checked as it is read, before any work."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Count = Annotated[int, Field(ge=0, strict=True)]


class Histogram(BaseModel):
    """Edges and what lies between them."""

    edges: Annotated[list[Number], Field(min_length=2)]
    counts: list[Count]

    @model_validator(mode="after")
    def check(self) -> Self:
        """One count between two edges."""
        if len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"{len(self.counts)} counts for {len(self.edges)} edges")
        return self


class Summary(BaseModel):
    """A feature over samples."""

    n: Annotated[int, Field(ge=1, strict=True)]
    min: Number
    p5: Number
    p25: Number
    p50: Number
    p75: Number
    p95: Number
    max: Number
    histogram: Histogram


class Feature(BaseModel):
    """A feature by its name."""

    name: str
    all: Summary | None


class Class(BaseModel):
    """A class of the masks."""

    name: str


class Size(BaseModel):
    """A size in pixels."""

    width: Count
    height: Count


class Suspect(BaseModel):
    """What is said of a sample."""

    kind: str
    sample: str
    severity: str
    reason: str


class Images(BaseModel):
    """Of the pictures."""

    features: list[Feature]
    sizes: list[Size]


class Masks(BaseModel):
    """Of the masks."""

    features: list[Feature]
    classes: list[Class]


class About(BaseModel):
    """Of the dataset."""

    name: str
    hash: str | None
    n_groups: Count
    splits: dict[str, Count]


class Readable(BaseModel):
    """The document; what is not compared may be anything."""

    created: str | None = None
    n: Count
    excluded: Count = 0
    dataset: About
    images: Images
    masks: Masks
    kinds: dict[str, Count]
    suspects: list[Suspect]
