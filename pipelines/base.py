"""The interface that every pipeline shares: public methods check and time, a subclass writes the underscored ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from pipelines import device as devices
from pipelines.errors import ContractError, ParameterError, PromptError
from pipelines.finite import check_evidence
from pipelines.layers import Layers, of_soft
from pipelines.params import Params as BaseParams
from pipelines.params import first_step
from pipelines.stages import StageCache, StageClock
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt

if TYPE_CHECKING:
    from pipelines.weights import Located


class Pipeline(ABC):
    """A segmentation pipeline.

    A subclass sets `info` and `Params` and writes `_load`, `_infer` and, where a threshold is not enough, `_decide`.

    Args:
        params: of the subclass's own `Params`; its defaults if not given.
        device: "cpu" or "cuda".
        weights: folder that holds ``owner/name/`` as the hub does, "random", or None for the usual place.

    Attributes:
        clock: seconds by stage of the last call of `predict`, or of `infer` and `decide` since it was reset.
        cache: results of stages, for sweeps; off by default, so that no timing is flattered by it.
        load_s: seconds that `load` took, or None before it.
        locate_s: seconds that finding, fetching and hashing the weights took before that; not part of `load_s`.
        loaded: the weights that `_load` brought in, with the revision found; empty where there are none.
        dtype: of the network's arithmetic, such as "float32"; None where there is no network.
        flags: what a reader of its figures has to know, such as "oom_backoff:2 images"; `_load` and `_infer` add to it.
    """

    info: ClassVar[PipelineInfo]
    Params: ClassVar[type[BaseParams]]

    def __init__(
        self, params: BaseParams | None = None, *, device: str = "cpu", weights: Path | str | None = None
    ) -> None:
        self.params: Any = self._own(params) if params is not None else self.Params()
        self.device = device
        self.weights = weights
        self.clock = StageClock()
        self.cache = StageCache()
        self.load_s: float | None = None
        self.locate_s = 0.0
        self.loaded: tuple[Located, ...] = ()
        self.dtype: str | None = None
        self.flags: set[str] = set()

    def load(self) -> None:
        """Bring everything into memory that `infer` needs. A second call does nothing.

        Raises:
            UnavailableError: something is missing; the message says what to do.
        """
        if self.load_s is not None:
            return
        synchronise = devices.synchroniser(self.device)
        if synchronise is not None:
            self.clock = StageClock(synchronise)
        start = perf_counter()
        self._load()
        self.clock.synchronise()
        self.locate_s = sum(located.seconds for located in self.loaded)
        self.load_s = perf_counter() - start - self.locate_s

    def infer(
        self, images: Sequence[Image], prompts: Sequence[Prompt], params: BaseParams | None = None
    ) -> list[Evidence]:
        """Look at a batch of images: the expensive step.

        Args:
            images: ``uint8 (H, W, 3)`` RGB each, of any sizes.
            prompts: one for each image.
            params: other infer and decide fields than those the pipeline was made with.

        Returns:
            Evidence, one for each image, in order.

        Raises:
            PromptError: a prompt of a kind that this pipeline cannot use.
            ParameterError: a "load" field differs from what is loaded.
            ContractError: a wrong argument, a subclass that returned something wrong, or a network whose numbers are
                not finite.
        """
        self.load()
        chosen = self._for_call(params)
        self._check_inputs(images, prompts)
        found = self._infer(list(images), list(prompts), chosen)
        if len(found) != len(images):
            raise _broken(self, f"{len(images)} pieces of evidence", len(found))
        for image, evidence in zip(images, found, strict=True):
            if evidence.size != image.shape[:2]:
                raise _broken(self, f"evidence of size {image.shape[:2]}", evidence.size)
            if self.dtype is not None:
                check_evidence(evidence)
        return found

    def decide(self, evidence: Evidence, params: BaseParams | None = None) -> Prediction:
        """Turn evidence into masks: the cheap step, which sees no pixels.

        Args:
            evidence: of one image.
            params: other decide fields than those the pipeline was made with.

        Returns:
            Masks at the size of the image.
        """
        with self.clock.stage("decide"):
            prediction = self._decide(evidence, self._for_call(params))
        if prediction.size != evidence.size:
            raise _broken(self, f"masks of size {evidence.size}", prediction.size)
        return prediction

    def layers(self, evidence: Evidence, params: BaseParams | None = None) -> Layers | None:
        """What `decide` does with evidence as a function of its thresholds, for exact sweeps over all of them.

        Args:
            evidence: of one image.
            params: other decide fields than those the pipeline was made with; the two fields that the answer names as
                its thresholds are not read.

        Returns:
            None where these fields do more than cut, such as cleaning up the mask, so that only `decide` can tell.
        """
        return self._layers(evidence, self._for_call(params))

    def predict(
        self, images: Sequence[Image], prompts: Sequence[Prompt], params: BaseParams | None = None
    ) -> list[Prediction]:
        """`infer`, then `decide` on each; `clock` afterwards holds the seconds by stage of this call."""
        self.clock.reset()
        return [self.decide(evidence, params) for evidence in self.infer(images, prompts, params)]

    def close(self) -> None:
        """Give memory back. A later call loads again."""
        self.cache.clear()
        self._close()
        self.load_s = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @classmethod
    def relevant(cls, params: Any) -> frozenset[str]:
        """Fields that can change the foreground, given the choices among methods that these parameters make."""
        return frozenset(cls.Params.model_fields)

    @abstractmethod
    def _load(self) -> None:
        """Import what is heavy and load weights."""

    @abstractmethod
    def _infer(self, images: list[Image], prompts: list[Prompt], params: Any) -> list[Evidence]:
        """Evidence for each image; stages inside ``with self.clock.stage(name):`` are timed."""

    def _decide(self, evidence: Evidence, params: Any) -> Prediction:
        """Dense maps, brought up to the image's size and cut at the field `threshold`: one mask a label."""
        from pipelines.maps import full_size

        maps = full_size(evidence.to_host())
        masks = maps >= params.threshold
        kept = np.flatnonzero(masks.any(axis=(1, 2)))
        scores = np.array([maps[i][masks[i]].mean() for i in kept], np.float32)
        return Prediction.of(masks[kept], scores, kept)

    def _layers(self, evidence: Evidence, params: Any) -> Layers | None:
        """What `_decide` does with thresholds; a subclass that writes that one writes this one, or has none."""
        return of_soft(evidence.to_host()) if type(self)._decide is Pipeline._decide else None

    def _close(self) -> None:
        """Drop what `_load` made."""
        return

    def _own(self, params: BaseParams) -> BaseParams:
        if not isinstance(params, self.Params):
            raise ParameterError(
                f"{self.info.name} was given {type(params).__name__}.",
                f"Give {self.Params.__module__}.{self.Params.__name__}.",
            )
        return params

    def _for_call(self, params: BaseParams | None) -> BaseParams:
        if params is None or params is self.params:
            return self.params  # type: ignore[no-any-return]
        own = self._own(params)
        changed = [name for name in self.Params.model_fields if getattr(own, name) != getattr(self.params, name)]
        if first_step(changed, self.Params) == "load":
            raise ParameterError(
                f"A field that {self.info.name} reads while loading differs from what is loaded.",
                "Create a pipeline with it.",
            )
        return own

    def _check_inputs(self, images: Sequence[Image], prompts: Sequence[Prompt]) -> None:
        if len(images) != len(prompts):
            raise ContractError(
                f"{len(images)} images came with {len(prompts)} prompts.", "Give one prompt for each image."
            )
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
                raise ContractError(
                    f"An image must be uint8 (H, W, 3), got {image.dtype} {image.shape}.",
                    "Read it with pipelines.images.load_image.",
                )
        for prompt in prompts:
            check_prompt(self.info, prompt)


def check_prompt(info: PipelineInfo, prompt: Prompt) -> None:
    """Raise where a pipeline that needs a prompt is given none that it can use.

    Raises:
        PromptError: with the kinds that would do.
    """
    if info.prompts and not info.prompts & prompt.kinds:
        kinds = " or ".join(sorted(info.prompts))
        raise PromptError(f"{info.name} needs a {kinds} prompt and the sample has none.", _where_from(info))


def _where_from(info: PipelineInfo) -> str:
    if "text" in info.prompts:
        return "Give one with --prompt or in the dataset."
    return "Give points or boxes in the dataset's metadata, or masks, of which --prompt-from points takes them."


def _broken(pipeline: Pipeline, expected: str, got: object) -> ContractError:
    return ContractError(f"{pipeline.info.name} must return {expected}, got {got}.", "Correct the pipeline.")
