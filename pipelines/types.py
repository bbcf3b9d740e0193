"""The values that flow through the workbench: image and prompt in, evidence and prediction out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipelines.errors import ContractError, PromptError

Image = npt.NDArray[np.uint8]
"""RGB picture, ``uint8 (H, W, 3)``, decoded and turned upright once, by :mod:`pipelines.images`."""

Mask = npt.NDArray[np.bool_]
"""Binary mask, ``bool (H, W)``."""

Floats = npt.NDArray[np.floating[Any]]
PromptKind = Literal["text", "box", "point"]
EvidenceKind = Literal["probability", "logit", "score"]

MAX_TEXT = 1000


def _broken(what: str, expected: str, got: object) -> ContractError:
    return ContractError(f"{what} must be {expected}, got {got}.", "Correct what the pipeline returns.")


@dataclass(frozen=True)
class Prompt:
    """What to look for. Hashable, and JSON-ready through :meth:`to_json`.

    Attributes:
        texts: one phrase per label.
        boxes: ``(x0, y0, x1, y1)`` in pixels of the upright image.
        points: ``(x, y, label)`` in pixels; label 1 is inside the object, 0 outside.
    """

    texts: tuple[str, ...] = ()
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    points: tuple[tuple[float, float, int], ...] = ()

    def __post_init__(self) -> None:
        for text in self.texts:
            if not text.strip() or len(text) > MAX_TEXT:
                raise PromptError(
                    f"A text prompt has {len(text)} characters.",
                    f"Give 1 to {MAX_TEXT} characters that are not all blank.",
                )
        for x0, y0, x1, y1 in self.boxes:
            if not (x0 < x1 and y0 < y1):
                raise PromptError(f"The box {(x0, y0, x1, y1)} is empty.", "Give x0 y0 x1 y1 with x0 < x1 and y0 < y1.")

    @property
    def kinds(self) -> frozenset[PromptKind]:
        """The kinds of prompt that are given."""
        given: dict[PromptKind, Any] = {"text": self.texts, "box": self.boxes, "point": self.points}
        return frozenset(kind for kind, values in given.items() if values)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and strings, for a record."""
        return {
            "texts": list(self.texts),
            "boxes": [list(b) for b in self.boxes],
            "points": [list(p) for p in self.points],
        }


@dataclass(frozen=True)
class Evidence:
    """What a pipeline saw in one image, before any threshold.

    Attributes:
        size: ``(H, W)`` of the image.
        kind: whether the maps hold probabilities in [0, 1], logits, or scores in [0, 1] that are only good for a cut.
        soft: dense map ``(L, h, w)``, one per text (one where there is no text), or None.
        boxes: candidate boxes ``(K, 4)`` xyxy in pixels, or None.
        scores: ``(K, L)`` in [0, 1], how well each text fits a candidate, or None.
        box_scores: ``(K,)`` in [0, 1], how sure a candidate is whatever it is called, or None = the best of its texts.
        prompt_index: ``(K,)`` the text that each candidate belongs to, or None.
        mask_maps: ``(K, h, w)`` one map per candidate, or None.
        presence: ``(L,)`` probability that the text is in the picture at all, or None.
        canvas: ``(h, w)`` to which the maps are brought up before the window is cut out of them; None = as they are.
        window: ``(x0, y0, x1, y1)`` the rectangle of the canvas, else of the maps, that the image covers, where a
            network pads; None = all.
    """

    size: tuple[int, int]
    kind: EvidenceKind = "probability"
    soft: Any = None
    boxes: Any = None
    scores: Any = None
    box_scores: Any = None
    prompt_index: Any = None
    mask_maps: Any = None
    presence: Any = None
    canvas: tuple[int, int] | None = None
    window: tuple[int, int, int, int] | None = None

    def to_host(self) -> Evidence:
        """The same evidence as numpy arrays in host memory, which can be stored."""
        names = ("soft", "boxes", "scores", "box_scores", "prompt_index", "mask_maps", "presence")
        on_host: dict[str, Any] = {name: _to_numpy(getattr(self, name)) for name in names}
        return replace(self, **on_host)


def _to_numpy(value: Any) -> npt.NDArray[Any] | None:
    if value is None or isinstance(value, np.ndarray):
        return value
    return np.asarray(value.detach().cpu().float().numpy())  # a torch tensor; bfloat16 has no numpy type


@dataclass(frozen=True)
class Prediction:
    """What a pipeline decided for one image. Masks of different labels may overlap.

    Attributes:
        masks: ``bool (N, H, W)`` at the image's own size.
        scores: ``float (N,)``.
        labels: ``int (N,)`` index of the text, 0 where there is none.
        boxes: ``float (N, 4)`` xyxy in pixels; x1 and y1 lie one past the last pixel.
    """

    masks: npt.NDArray[np.bool_]
    scores: Floats
    labels: npt.NDArray[np.integer[Any]]
    boxes: Floats

    def __post_init__(self) -> None:
        if self.masks.ndim != 3 or self.masks.dtype != np.bool_:
            raise _broken("masks", "bool (N, H, W)", f"{self.masks.dtype} {self.masks.shape}")
        n = len(self.masks)
        for name, shape in (("scores", (n,)), ("labels", (n,)), ("boxes", (n, 4))):
            if getattr(self, name).shape != shape:
                raise _broken(name, f"of shape {shape}", getattr(self, name).shape)
        if not np.isfinite(self.scores).all():
            raise _broken("scores", "finite", self.scores.tolist())

    @property
    def size(self) -> tuple[int, int]:
        """``(H, W)``."""
        return self.masks.shape[1], self.masks.shape[2]

    def foreground(self, label: int | None = None) -> Mask:
        """Union of all masks, or of those of one label, ``bool (H, W)``."""
        masks = self.masks if label is None else self.masks[self.labels == label]
        if len(masks) == 1:  # one mask is its own union; a copy of a large picture is worth saving
            return np.asarray(masks[0])
        return np.asarray(masks.any(axis=0))

    @classmethod
    def empty(cls, height: int, width: int) -> Prediction:
        """Nothing found: a normal value."""
        return cls.of(np.zeros((0, height, width), np.bool_))

    @classmethod
    def of(cls, masks: npt.NDArray[np.bool_], scores: Floats | None = None,
           labels: npt.NDArray[np.integer[Any]] | None = None) -> Prediction:  # fmt: skip
        """Masks with the tightest box around each.

        Args:
            masks: ``bool (N, H, W)``.
            scores: ``(N,)``; ones if not given.
            labels: ``(N,)``; zeros if not given.
        """
        n = len(masks)
        scores = np.ones(n, np.float32) if scores is None else scores
        labels = np.zeros(n, np.int64) if labels is None else labels
        boxes = np.array([tight_box(mask) for mask in masks], np.float32).reshape(n, 4)
        return cls(masks, scores, labels, boxes)


def tight_box(mask: Mask) -> tuple[int, int, int, int]:
    """Tightest ``(x0, y0, x1, y1)`` around the true pixels of a mask, x1 and y1 exclusive; zeros for an empty mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@dataclass(frozen=True)
class Weights:
    """Where a checkpoint comes from and what may be done with it.

    Attributes:
        source: a repository of the hub, or an address.
        repository: ``owner/name``: of the hub, or of the project whose release holds the file.
        licence: SPDX identifier, or the name of a custom licence.
        files: the files that are needed, by their names in the repository.
        address: where the one file of a "url" source lies.
        checksum: "md5:..." or "sha256:..." of that file as its publisher states it, or None.
        revision: 40 hexadecimal digits, or None where none was resolved ("unpinned").
        gated: whether a licence has to be accepted first; None = unclear.
        commercial: whether commercial use is allowed; None = unclear, and shown as such.
        size_mb: of the files, in 10**6 bytes; None = not known.
        note: what a reader of the licence has to know beside its name.
        substitute: ``owner/name`` of the nearest checkpoint that is free and not gated, or empty.
    """

    source: Literal["hub", "url"]
    repository: str
    licence: str
    files: tuple[str, ...] = ()
    address: str = ""
    checksum: str | None = None
    revision: str | None = None
    gated: bool | None = False
    commercial: bool | None = None
    size_mb: float | None = None
    note: str = ""
    substitute: str = ""

    @property
    def page(self) -> str:
        """Where a person reads about it, and accepts its licence."""
        return self.address or f"https://huggingface.co/{self.repository}"


def _no_weights(params: Any) -> tuple[Weights, ...]:
    return ()


def _one_form(params: Any) -> tuple[Any, ...]:
    return (params,)


def _no_substitute(params: Any) -> Any | None:
    return None


@dataclass(frozen=True)
class PipelineInfo:
    """What a pipeline is, readable with nothing heavy imported.

    Attributes:
        name: the id, written once, by hand.
        title: what a stakeholder reads.
        prompts: kinds of prompt that it can use; empty = needs none.
        devices: what it can run on.
        licence: SPDX identifier of the code.
        reference: paper or repository of the method.
        extra: the extra of this distribution that it needs, or None.
        weights_for: parameters → the weights that they choose.
        forms: parameters → those that ask for the same weights in each form they are published in, the preferred first;
            one of them must be there.
        substitute: parameters → those that take their place where their weights cannot be had or may not be used, or
            None.
    """

    name: str
    title: str
    prompts: frozenset[PromptKind] = frozenset()
    devices: tuple[str, ...] = ("cpu",)
    licence: str = "Apache-2.0"
    reference: str = ""
    extra: str | None = None
    weights_for: Callable[[Any], tuple[Weights, ...]] = field(default=_no_weights, repr=False)
    forms: Callable[[Any], tuple[Any, ...]] = field(default=_one_form, repr=False)
    substitute: Callable[[Any], Any | None] = field(default=_no_substitute, repr=False)

    def to_json(self) -> Mapping[str, Any]:
        """What a record keeps."""
        return {"name": self.name, "title": self.title, "prompts": sorted(self.prompts), "licence": self.licence,
                "reference": self.reference, "extra": self.extra}  # fmt: skip
