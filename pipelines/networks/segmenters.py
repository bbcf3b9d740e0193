"""SAM and SAM 2.1 behind one interface: an image is embedded once, then boxes and points are decoded to mask logits.

Sources: Kirillov et al., Segment Anything, ICCV 2023; Ravi et al., SAM 2, 2024; the networks are those of transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Sam2Model, SamModel

from pipelines.checkpoints import Checkpoint
from pipelines.networks.batches import in_batches
from pipelines.networks.pretrained import load_network
from pipelines.networks.segmenters_framing import Framing, framing
from pipelines.types import Image
from pipelines.weights import Located

KINDS = {"sam": SamModel, "sam2": Sam2Model}
MOST_OBJECTS = {"cpu": 128, "cuda": 1024}
"""Of one call of the mask decoder: each holds some 40 MB of activations in float32. A device that runs out of memory
says so, and fewer are tried; a machine that does is lost."""

Decoded = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Embedding:
    """What the decoder needs to know of one image.

    Attributes:
        size: ``(H, W)`` of the image.
        covered: ``(h, w)`` of the network's input that the image covers.
        canvas: to which mask logits are brought up before `window` is cut out, or None; as in `Evidence`.
        window: ``(x0, y0, x1, y1)`` of the canvas, or None; as in `Evidence`.
        features: ``(1, C, h, w)`` each, from fine to coarse; SAM has one, SAM 2 three.
    """

    size: tuple[int, int]
    covered: tuple[int, int]
    canvas: tuple[int, int] | None
    window: tuple[int, int, int, int] | None
    features: tuple[torch.Tensor, ...]

    @property
    def nbytes(self) -> int:
        """Memory of the features."""
        return sum(level.nbytes for level in self.features)


@dataclass(frozen=True)
class Inputs:
    """Pictures as the network takes them.

    Attributes:
        pixels: ``(N, 3, h, w)``, normalised.
        sizes: ``(H, W)`` of each image.
    """

    pixels: torch.Tensor
    sizes: tuple[tuple[int, int], ...]


class Segmenter:
    """A promptable segmenter.

    What turns prompts into vectors stays in float32: a coordinate in bfloat16 is wrong by pixels.

    Args:
        network: ``SamModel`` or ``Sam2Model``, in float32, on the device.
        frame: how a picture becomes its input.
        dtype: of the image encoder and the mask decoder.

    Attributes:
        flags: what a reader of the figures has to know; a pipeline puts its own here.
    """

    def __init__(self, network: Any, frame: Framing, dtype: torch.dtype) -> None:
        self.network, self.frame, self.dtype = network, frame, dtype
        self.flags: set[str] = set()
        with torch.inference_mode():
            self.positions = network.get_image_wide_positional_embeddings().to(dtype)
        network.vision_encoder.to(dtype)
        network.mask_decoder.to(dtype)
        if hasattr(network, "no_memory_embedding"):
            network.no_memory_embedding.data = network.no_memory_embedding.data.to(dtype)

    @classmethod
    def load(cls, checkpoint: Checkpoint, located: Located, *, device: str, dtype: torch.dtype) -> Segmenter:
        """From files, or with random weights.

        Args:
            checkpoint: of `pipelines.checkpoints.segmenters`.
            located: its files, or random.
            device: "cpu" or "cuda".
            dtype: of the image encoder and the mask decoder.

        Raises:
            UnavailableError: the files are damaged, or do not hold exactly the weights of this network.
        """
        settings = checkpoint.settings
        frame = framing(located, settings["pixels"], padded=settings["kind"] == "sam")
        network = load_network(KINDS[settings["kind"]], located, settings["config"], device=device, dtype=torch.float32)
        return cls(network, frame, dtype)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return torch.device(self.positions.device)

    def preprocess(self, images: Sequence[Image]) -> Inputs:
        """Pictures of any sizes as one batch."""
        pixels = self.frame.to_batch(images, str(self.device), self.dtype)
        return Inputs(pixels, tuple((image.shape[0], image.shape[1]) for image in images))

    @torch.inference_mode()
    def encode(self, inputs: Inputs) -> list[Embedding]:
        """One pass of the image encoder over the batch."""
        found = self.network.get_image_embeddings(inputs.pixels)
        levels = [found] if isinstance(found, torch.Tensor) else found
        return [self._embedding(size, tuple(own(level, i) for level in levels)) for i, size in enumerate(inputs.sizes)]

    def embed(self, images: Sequence[Image]) -> list[Embedding]:
        """`preprocess`, then `encode`."""
        return self.encode(self.preprocess(images))

    def _embedding(self, size: tuple[int, int], features: tuple[torch.Tensor, ...]) -> Embedding:
        height, width = covered = self.frame.covered(size)
        if not self.frame.padded:
            return Embedding(size, covered, None, None, features)
        return Embedding(size, covered, self.frame.size, (0, 0, width, height), features)

    def decode_boxes(self, embedding: Embedding, boxes: Any) -> Decoded:
        """One object a box, all in one call of the mask decoder (up to `MOST_OBJECTS` boxes a call).

        Args:
            embedding: of the image.
            boxes: ``(K, 4)`` xyxy in pixels of the image; K may be 0.

        Returns:
            Mask logits ``(K, h, w)`` at low resolution and predicted IoU ``(K,)``, float32 on the device.
        """
        return self.decode(embedding, boxes=boxes, ambiguous=False)

    def decode_points(self, embedding: Embedding, points: Any, box: Any = None) -> Decoded:
        """One object from positive and negative points, and a box if there is one.

        Args:
            embedding: of the image.
            points: ``(P, 3)`` x, y, label (1 inside, 0 outside) in pixels of the image.
            box: ``(4,)`` xyxy in pixels, or None.

        Returns:
            As `decode_boxes`, with K = 1.
        """
        boxes = None if box is None else self._tensor(box).reshape(1, 4)
        return self.decode(embedding, points=self._tensor(points).reshape(1, -1, 3), boxes=boxes,
                           ambiguous=box is None and len(points) == 1)  # fmt: skip

    @torch.inference_mode()
    def decode(self, embedding: Embedding, *, points: Any = None, boxes: Any = None, ambiguous: bool) -> Decoded:
        """K objects of an image in one call of the mask decoder (up to `MOST_OBJECTS` a call).

        Args:
            embedding: of the image.
            points: ``(K, P, 3)`` x, y, label in pixels of the image, or None.
            boxes: ``(K, 4)`` xyxy in pixels of the image, or None; not both None.
            ambiguous: whether the decoder proposes several masks an object, of which the best by predicted IoU is
                kept: what its authors advise for a single point. A box is decoded to one mask.

        Returns:
            As `decode_boxes`.
        """
        points, boxes = (None if values is None else self._tensor(values) for values in (points, boxes))
        n = len(points) if points is not None else len(boxes)
        if not n:
            return self._nothing()

        def run(some: Sequence[int]) -> list[Decoded]:
            logits, ious = self._decode(embedding, _some(points, some), _some(boxes, some), ambiguous)
            return list(zip(logits, ious, strict=True))

        most = MOST_OBJECTS[self.device.type]
        slices = (range(start, min(start + most, n)) for start in range(0, n, most))
        parts = [part for one in slices for part in in_batches(run, one, self.flags, "boxes")]
        return torch.stack([logits for logits, _ in parts]), torch.stack([iou for _, iou in parts])

    def _nothing(self) -> Decoded:
        side = self.frame.size[0] // 4
        return torch.zeros(0, side, side, device=self.device), torch.zeros(0, device=self.device)

    def _decode(
        self, embedding: Embedding, points: torch.Tensor | None, boxes: torch.Tensor | None, ambiguous: bool
    ) -> Decoded:
        sparse, dense = self._prompt(embedding, points, boxes)
        *fine, coarse = embedding.features
        extra = {"high_resolution_features": fine} if fine else {}
        logits, ious = self.network.mask_decoder(
            image_embeddings=coarse,
            image_positional_embeddings=self.positions,
            sparse_prompt_embeddings=sparse.to(self.dtype),
            dense_prompt_embeddings=dense.to(self.dtype),
            multimask_output=ambiguous,
            **extra,
        )[:2]
        return _best(logits[0].float(), ious[0].float())

    def _prompt(
        self, embedding: Embedding, points: torch.Tensor | None, boxes: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        (height, width), covered = embedding.size, embedding.covered
        scale = torch.tensor([covered[1] / width, covered[0] / height], device=self.device)
        encoder = self.network.prompt_encoder
        return encoder(  # type: ignore[no-any-return]
            input_points=None if points is None else points[None, ..., :2] * scale,
            input_labels=None if points is None else points[None, ..., 2].int(),
            input_boxes=None if boxes is None else boxes[None] * scale.repeat(2),
            input_masks=None,
        )

    def _tensor(self, values: Any) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)


def own(batch: torch.Tensor, i: int) -> torch.Tensor:
    """One of a batch ``(1, ...)``, in memory of its own: else one that is remembered holds all of them."""
    return batch if len(batch) == 1 else batch[i : i + 1].clone()


def _best(logits: torch.Tensor, ious: torch.Tensor) -> Decoded:
    """Of the masks ``(K, M, h, w)`` of each object the one with the highest predicted IoU ``(K, M)``."""
    chosen = ious.argmax(dim=1)
    rows = torch.arange(len(ious), device=ious.device)
    return logits[rows, chosen], ious[rows, chosen]


def _some(values: torch.Tensor | None, rows: Sequence[int]) -> torch.Tensor | None:
    return None if values is None else values[rows[0] : rows[-1] + 1]
