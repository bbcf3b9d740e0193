"""CLIPSeg: a text and a picture to a map of probabilities, one for each text.

The evidence is that map at the size of the network's input (352 px), or joined from tiles; the decision brings it up to
the size of the picture, cuts it and cleans the mask. Texts beyond 77 tokens are cut, which the flag "text_truncated"
says; features of the last prompts are remembered, so that a prompt costs its text encoder only once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.base import Pipeline
from pipelines.checkpoints.clipseg import CHECKPOINTS
from pipelines.classical.regions import filled, kept
from pipelines.layers import Layers, of_soft
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, Mask, PipelineInfo, Prediction, Prompt
from pipelines.weights import locate

if TYPE_CHECKING:
    import torch

    from pipelines.networks.clipseg import ClipSegNetwork, Condition

LEAST_VIEWS = 8
"""Tiles that are looked at together even where one picture is asked for alone."""


class ClipSegParams(Params):
    """Parameters of `ClipSeg`."""

    checkpoint: str = knob("rd64-refined", choices=CHECKPOINTS, reads="load", group="network",
        help="Published weights: width of the decoder, and refined = a finer transposed convolution.")  # fmt: skip
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob("auto", reads="load", group="network",
        help="Arithmetic; auto = bfloat16 on CUDA and float32 on a CPU.")  # fmt: skip
    compile: bool = knob(False, reads="load", group="network",
        help="Run the layers through torch.compile; the first call takes a minute.")  # fmt: skip

    tile_size: int = knob(0, reads="infer", ge=0, le=4096, step=32, search=False, group="tiles",
        help="Side in pixels of the tiles of a large picture, at least the network's input; 0 = the whole "
             "picture at once.")  # fmt: skip
    overlap: float = knob(0.25, reads="infer", ge=0, le=0.5, step=0.05, search=False, group="tiles",
        help="Least share of a tile that its neighbour covers too.")  # fmt: skip

    threshold: float = knob(0.3, reads="decide", ge=0, le=1, group="mask",
        help="Probability from which a pixel is foreground; its authors report PhraseCut at 0.3.")  # fmt: skip
    max_hole: float = knob(0.0, reads="decide", ge=0, le=1, search=False, group="mask",
        help="Holes up to this share of the picture are filled; 0 = none.")  # fmt: skip
    min_area: float = knob(0.0, reads="decide", ge=0, le=1, search=False, group="mask",
        help="Regions below this share of the picture are dropped; 0 = none.")  # fmt: skip


Cut = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Masks ``(N, H, W)`` of the labels that have a pixel above the threshold, the mean probability there, the labels."""


@dataclass(frozen=True)
class View:
    """What the network looks at in one go: a picture or a tile, and the features of its prompt."""

    pixels: Image
    condition: Condition


class ClipSeg(Pipeline):
    """Text-prompted segmentation by CLIPSeg; the picture is seen once for all texts."""

    info = PipelineInfo(
        name="clipseg",
        title="CLIPSeg",
        prompts=frozenset({"text"}),
        devices=("cpu", "cuda"),
        reference="Lüddecke and Ecker, Image Segmentation Using Text and Image Prompts, CVPR 2022; "
        "https://github.com/timojl/clipseg",
        weights_for=lambda params: (CHECKPOINTS[params.checkpoint].weights,),
    )
    Params = ClipSegParams
    _network: ClipSegNetwork | None = None

    def _load(self) -> None:
        checkpoint = CHECKPOINTS[self.params.checkpoint]
        located = locate(checkpoint.weights, self.weights)
        from pipelines.networks.clipseg import ClipSegNetwork
        from pipelines.networks.pretrained import precision

        dtype = precision(self.params.dtype, self.device)
        self._network = ClipSegNetwork(located, checkpoint, self.device, dtype, compiled=self.params.compile)
        self.loaded, self.dtype = (located,), str(dtype).removeprefix("torch.")
        if self.params.compile:
            self.flags.add("compiled")

    def _infer(self, images: list[Image], prompts: list[Prompt], params: ClipSegParams) -> list[Evidence]:
        from pipelines.networks.clipseg_tiles import grid, joined

        network = self._loaded_network()
        with self.clock.stage("text"):
            conditions = [network.condition(prompt.texts) for prompt in prompts]
        if any(condition.truncated for condition in conditions):
            self.flags.add("text_truncated")
        grids = [
            grid((image.shape[0], image.shape[1]), params.tile_size, params.overlap, network.wanted.size)
            for image in images
        ]
        views = [
            View(image[slice(*tile.rows), slice(*tile.columns)], condition)
            for image, condition, cut in zip(images, conditions, grids, strict=True)
            for tile in cut.tiles
        ]
        maps = self._maps(views, max(len(images), LEAST_VIEWS))
        found = []
        for image, cut in zip(images, grids, strict=True):
            soft = joined([next(maps) for _ in cut.tiles], cut, params.overlap)
            found.append(Evidence(image.shape[:2], soft=soft.numpy() if self.device == "cpu" else soft))
        return found

    def _maps(self, views: Sequence[View], at_once: int) -> Iterator[torch.Tensor]:
        """Probabilities ``float32 (L, h, w)`` of each view."""
        from pipelines.networks.batches import in_batches

        for start in range(0, len(views), at_once):
            yield from in_batches(self._looked_at, views[start : start + at_once], self.flags, "views")

    def _looked_at(self, views: Sequence[View]) -> list[torch.Tensor]:
        network = self._loaded_network()
        with self.clock.stage("preprocess"):
            pixels = network.preprocess([view.pixels for view in views])
        with self.clock.stage("vision"):
            seen = network.see(pixels)
        with self.clock.stage("decoder"):
            return [logits.sigmoid() for logits in network.logits(seen, [view.condition for view in views])]

    def _decide(self, evidence: Evidence, params: ClipSegParams) -> Prediction:
        cut = _cut_on_host if isinstance(evidence.soft, np.ndarray) else _cut_on_device
        masks, scores, labels = cut(evidence, params.threshold)
        if params.max_hole or params.min_area:
            masks = np.array([_cleaned(mask, params) for mask in masks], np.bool_).reshape(masks.shape)
            left = np.flatnonzero(masks.any(axis=(1, 2)))
            masks, scores, labels = masks[left], scores[left], labels[left]
        return Prediction.of(masks, scores, labels)

    def _layers(self, evidence: Evidence, params: ClipSegParams) -> Layers | None:
        return None if params.max_hole or params.min_area else of_soft(evidence)

    def _loaded_network(self) -> ClipSegNetwork:
        assert self._network is not None, "infer loads first"
        return self._network

    def _close(self) -> None:
        self._network = None
        if self.device == "cuda":
            import torch

            torch.cuda.empty_cache()


def _cut_on_host(evidence: Evidence, threshold: float) -> Cut:
    """One label after the other in the same memory: fresh pages for a large picture cost more than its resize.

    The values are those of `pipelines.maps.full_size`.
    """
    height, width = evidence.size
    full = np.empty((height, width), np.float32)
    masks = np.empty((len(evidence.soft), height, width), np.bool_)
    counts, sums = np.zeros((2, len(masks)))
    below = float(np.nextafter(np.float32(threshold), np.float32(-1)))
    for label, (soft, mask) in enumerate(zip(evidence.soft, masks, strict=True)):
        cv2.resize(np.asarray(soft, np.float32), (width, height), dst=full, interpolation=cv2.INTER_LINEAR)
        np.greater_equal(full, threshold, out=mask)
        counts[label] = np.count_nonzero(mask)
        if counts[label]:  # zeros in place of the rest, then a plain sum: twice as fast as a masked mean
            sums[label] = cv2.sumElems(cv2.threshold(full, below, 0, cv2.THRESH_TOZERO, dst=full)[1])[0]
    labels = np.flatnonzero(counts)
    if len(labels) < len(masks):
        masks = masks[labels]
    return masks, (sums[labels] / counts[labels]).astype(np.float32), labels


def _cut_on_device(evidence: Evidence, threshold: float) -> Cut:
    from pipelines.networks.device_maps import cut_on_device

    cut = cut_on_device(evidence, threshold)
    return cut.masks, cut.scores, cut.labels


def _cleaned(mask: Mask, params: ClipSegParams) -> Mask:
    """Holes filled, then small regions dropped, as the classical pipeline does both."""
    found = mask * np.uint8(255)
    if params.max_hole:
        found = filled(found, params.max_hole * mask.size)
    if params.min_area:
        found = kept(found, params.min_area * mask.size, 0)
    return np.asarray(found != 0)
