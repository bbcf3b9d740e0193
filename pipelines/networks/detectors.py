"""Detectors that find boxes by text, behind one interface: an image is seen once for all labels of a caption.

Sources: Liu et al., Grounding DINO, ECCV 2024; Zhao et al., MM-Grounding-DINO, 2024; Fu et al., LLMDet, CVPR 2025;
Minderer et al., Scaling Open-Vocabulary Object Detection, NeurIPS 2023. The networks are those of transformers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipelines.finite import check_finite
from pipelines.networks.batches import in_batches
from pipelines.types import Image

Floats = npt.NDArray[np.float32]
Found = tuple[Floats, Floats, Floats]
"""Of one image: boxes ``(K, 4)`` xyxy in pixels, box scores ``(K,)`` and scores by label ``(K, L)``."""


@dataclass(frozen=True)
class Batch:
    """Images that go through the network together.

    Attributes:
        pixels: ``(N, 3, h, w)``, normalised, on the device.
        sizes: ``(H, W)`` of each image.
    """

    pixels: torch.Tensor
    sizes: tuple[tuple[int, int], ...]


class Detector(ABC):
    """A loaded detector.

    Args:
        network: of transformers, on the device.
        processor: the checkpoint's own image processor of transformers.
        dtype: of the arithmetic; weights stay in float32.
    """

    def __init__(self, network: Any, processor: Any, dtype: torch.dtype) -> None:
        self.network, self.processor, self.dtype = network, processor, dtype

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return torch.device(next(self.network.parameters()).device)

    def detect(self, images: Sequence[Image], texts: Sequence[str], flags: set[str]) -> list[Found]:
        """Every candidate in each image, however weak; the caller cuts.

        Only images that come to the same size are stacked: padding would change what the network sees.

        Args:
            images: ``uint8 (H, W, 3)`` each.
            texts: the labels.
            flags: what a reader of the figures has to know is added.
        """
        return in_batches(lambda some: self._detect(some, texts, flags), images, flags)

    def _detect(self, images: Sequence[Image], texts: Sequence[str], flags: set[str]) -> list[Found]:
        prepared = [self.pixels(image) for image in images]
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, pixels in enumerate(prepared):
            groups.setdefault(tuple(pixels.shape), []).append(index)
        found: dict[int, Found] = {}
        for group in groups.values():
            sizes = tuple((images[index].shape[0], images[index].shape[1]) for index in group)
            batch = Batch(torch.stack([prepared[index] for index in group]), sizes)
            found.update(zip(group, self._answers(batch, texts, flags), strict=True))
        return [found[index] for index in range(len(images))]

    def _answers(self, batch: Batch, texts: Sequence[str], flags: set[str]) -> list[Found]:
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            answers = self.answers(batch, texts, flags)
        for answer in answers:  # before a floor cuts them: what is no number would be below every floor
            check_finite(*answer)
        return answers

    def pixels(self, image: Image) -> torch.Tensor:
        """``(3, h, w)`` on the device, as the checkpoint's own processor makes it."""
        values = torch.tensor(image).permute(2, 0, 1).contiguous()  # a copy: the picture may be read-only
        made = self.processor(values, return_tensors="pt", input_data_format="channels_first", device=str(self.device),
                              **self.resizing((image.shape[0], image.shape[1])))  # fmt: skip
        return made["pixel_values"][0].to(self.device)  # type: ignore[no-any-return]

    def resizing(self, size: tuple[int, int]) -> dict[str, Any]:
        """What the processor is told beyond its own rule for a picture of ``(H, W)``."""
        return {}

    @abstractmethod
    def answers(self, batch: Batch, texts: Sequence[str], flags: set[str]) -> list[Found]:
        """Candidates of each image of a batch."""


def corners(boxes: torch.Tensor, width: float, height: float) -> Floats:
    """From centre and extent as shares of the picture to xyxy in pixels.

    Args:
        boxes: ``(K, 4)``.
        width: that 1 stands for, in pixels.
        height: that 1 stands for, in pixels.
    """
    centre, extent = boxes[:, :2].float(), boxes[:, 2:].float()
    scale = torch.tensor([width, height] * 2, device=boxes.device)
    return np.asarray((torch.cat([centre - 0.5 * extent, centre + 0.5 * extent], dim=1) * scale).cpu().numpy())
