"""GroundedSAM by plain calls of transformers, as its documentation shows them: box after box, and label after label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.types import Image, Mask

Array = npt.NDArray[np.float32]
Masks = npt.NDArray[np.bool_]


class Plain:
    """A detector and a segmenter of transformers with their own processors.

    Args:
        detector: folder of a GroundingDINO checkpoint.
        segmenter: folder of a SAM or SAM 2.1 checkpoint.
    """

    def __init__(self, detector: Path, segmenter: Path) -> None:
        from transformers import (
            GroundingDinoForObjectDetection,
            GroundingDinoProcessor,
            Sam2Model,
            Sam2Processor,
            SamModel,
            SamProcessor,
        )

        newer = "sam2" in json.loads((segmenter / "config.json").read_text(encoding="utf-8"))["model_type"]
        self.read: Any = GroundingDinoProcessor.from_pretrained(detector, local_files_only=True)
        self.detector: Any = _network(GroundingDinoForObjectDetection, detector)
        self.prompt: Any = (Sam2Processor if newer else SamProcessor).from_pretrained(segmenter, local_files_only=True)
        self.segmenter: Any = _network(Sam2Model if newer else SamModel, segmenter)

    def detect(self, image: Image, labels: Sequence[str], threshold: float) -> tuple[Array, Array]:
        """Boxes ``(K, 4)`` xyxy in pixels and scores ``(K,)``, all labels in one caption."""
        import torch

        inputs = self.read(images=image, text=[list(labels)], return_tensors="pt")
        with torch.inference_mode():
            seen = self.detector(**inputs)
        found = self.read.post_process_grounded_object_detection(
            seen, inputs.input_ids, threshold=threshold, text_threshold=threshold, target_sizes=[image.shape[:2]]
        )[0]
        return found["boxes"].numpy(), found["scores"].numpy()

    def detect_each(self, image: Image, labels: Sequence[str], threshold: float) -> list[tuple[Array, Array]]:
        """A pass of the detector for each label."""
        return [self.detect(image, [label], threshold) for label in labels]

    def masks(self, image: Image, boxes: Array) -> list[Mask]:
        """The image is embedded once, and its boxes are decoded one after the other."""
        import torch

        inputs = self.prompt(image, input_boxes=[boxes.tolist()], return_tensors="pt")
        with torch.inference_mode():
            embedding = self.segmenter.get_image_embeddings(inputs["pixel_values"])
            return [self._mask(embedding, inputs, index) for index in range(len(boxes))]

    def _mask(self, embedding: Any, inputs: Any, index: int) -> Mask:
        asked = inputs["input_boxes"][:, index : index + 1]
        logits = self.segmenter(image_embeddings=embedding, input_boxes=asked, multimask_output=False).pred_masks
        sizes = [inputs[name] for name in ("original_sizes", "reshaped_input_sizes") if name in inputs]
        processor = self.prompt.image_processor if len(sizes) == 2 else self.prompt
        return np.asarray(processor.post_process_masks(logits, *sizes)[0][0, 0].numpy(), np.bool_)

    def segment(self, image: Image, labels: Sequence[str], threshold: float) -> Masks:
        """From an image to the mask of each box, the highest score first, ``bool (K, H, W)``."""
        boxes, scores = self.detect(image, labels, threshold)
        return np.stack(self.masks(image, boxes[np.argsort(-scores, kind="stable")]))


def _network(kind: Any, folder: Path) -> Any:
    return kind.from_pretrained(folder, local_files_only=True).eval()
