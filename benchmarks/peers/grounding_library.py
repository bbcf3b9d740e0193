"""The seed's own library, run on networks of random weights: its constructor would fetch others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import UnavailableError
from pipelines.types import Image

SAM = "vit_b"
"""The smallest of its registry; the library itself takes ViT-H, whose encoder needs most of a minute on a CPU."""


@dataclass(frozen=True)
class Library:
    """Networks of the library.

    Attributes:
        detector: GroundingDINO, Swin-T.
        predictor: `SamPredictor`.
        device: "cpu" or "cuda".
    """

    detector: Any
    predictor: Any
    device: str = "cpu"

    @classmethod
    def random(cls, words: Iterable[str], device: str = "cpu", sam: str = SAM) -> Library:
        """Real size, random weights, and a tokenizer that knows these words as one token each.

        Args:
            words: of the prompts.
            device: "cpu" or "cuda".
            sam: key of segment-anything's registry of networks.

        Raises:
            UnavailableError: the extra `autodistill` is not installed.
        """
        from pipelines.checkpoints.autodistill import DETECTOR, SEGMENTER, TEXT
        from pipelines.networks.autodistill_networks import detector, predictor, spelling
        from pipelines.weights import Located

        boxes, masks, text = (Located(checkpoint.weights, None) for checkpoint in (DETECTOR, SEGMENTER, TEXT))
        network = detector(boxes, text, device=device)
        network.tokenizer = spelling(words)
        return cls(network, predictor(masks, device=device, size=sam), device)

    def masks(self, image: Image, label: str, threshold: float) -> npt.NDArray[np.bool_]:
        """What its `predict` returns for one label, ``bool (N, H, W)``, with the swap of colours undone."""
        from pipelines.networks.autodistill_library import quiet

        with quiet():
            found = self._around(label, threshold).predict(np.ascontiguousarray(image[..., ::-1]))
        return np.asarray(found.mask[np.argsort(-found.confidence, kind="stable")], np.bool_)

    def _around(self, label: str, threshold: float) -> Any:
        from pipelines.networks.autodistill_library import seed_library

        seed: Any = seed_library().grounded_sam
        model, made = object.__new__(seed.Model), object.__new__(seed.GroundedSAM)
        model.model, model.device = self.detector, self.device
        made.ontology, made.box_threshold, made.text_threshold = seed.CaptionOntology({label: label}), threshold, 0.25
        made.grounding_dino_model, made.sam_predictor = model, _Unswapped(self.predictor)
        return made


class _Unswapped:
    """A predictor that is told what it is given: the library hands it BGR as if it were RGB."""

    def __init__(self, predictor: Any) -> None:
        self.predict = predictor.predict
        self._set_image = predictor.set_image

    def set_image(self, image: Image) -> None:
        """Embed a BGR picture."""
        self._set_image(image, image_format="BGR")


def library_or_reason(words: Iterable[str]) -> Library | str:
    """The library, or why it cannot be run here."""
    try:
        from pipelines.networks.autodistill_library import seed_library

        seed_library()
        return Library.random(words)
    except UnavailableError as error:
        return str(error)
