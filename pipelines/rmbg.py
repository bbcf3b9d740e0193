"""Background removal: the foreground as a soft alpha, with no prompt, by a network chosen from a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from pipelines.base import Pipeline
from pipelines.checkpoints import Checkpoint
from pipelines.checkpoints.rmbg import CHECKPOINTS, SMALLEST
from pipelines.classical.regions import Binary, cut, filled, kept
from pipelines.errors import UnavailableError
from pipelines.layers import Layers, of_soft
from pipelines.maps import full_size
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt, Weights
from pipelines.weights import RANDOM, locate, missing

if TYPE_CHECKING:
    from pipelines.networks.saliency import Saliency

AUTO, SUBSTITUTE = next(iter(CHECKPOINTS)), "birefnet"
Engine = Literal["onnx", "torch"]


class RmbgParams(Params):
    """What to load, at which size, and how its alpha becomes a mask."""

    checkpoint: str = knob(
        "auto", help="Network; auto is RMBG-2.0, or BiRefNet where that cannot be had or may not be used.",
        reads="load", choices=("auto", *CHECKPOINTS), group="network",
    )  # fmt: skip
    engine: Literal["auto", "onnx", "torch"] = knob(
        "auto", help="What runs it; auto is ONNX Runtime on a CPU where the publisher gives such a file, else torch.",
        reads="load", group="network",
    )  # fmt: skip
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob(
        "auto", help="Arithmetic of torch; auto is bfloat16 on CUDA and float32 on a CPU. An ONNX file has its own.",
        reads="load", group="network",
    )  # fmt: skip
    size: int = knob(
        0, help="Side of the square that the network sees, in pixels; 0 = what the checkpoint was trained with.",
        reads="infer", ge=0, le=4096, step=32, search=False, group="network",
    )  # fmt: skip
    threshold: float = knob(
        0.5, help="Probability from which a pixel is foreground.", reads="decide", ge=0, le=1, group="mask",
    )  # fmt: skip
    max_hole: float = knob(
        0.0, help="Holes up to this share of the picture are filled; 0 = none.", reads="decide", ge=0, le=1,
        search=False, group="mask",
    )  # fmt: skip
    min_area: float = knob(
        0.0, help="Regions below this share of the picture are dropped; 0 = none.", reads="decide", ge=0, le=1,
        search=False, group="mask",
    )  # fmt: skip


def chosen(params: RmbgParams, weights: object = None) -> Checkpoint:
    """The checkpoint that parameters name.

    Args:
        params: of the pipeline.
        weights: "random" builds a small architecture where none is named.
    """
    if params.checkpoint != "auto":
        return CHECKPOINTS[params.checkpoint]
    return CHECKPOINTS[SMALLEST if str(weights) == RANDOM else AUTO]


def _weights_for(params: RmbgParams) -> tuple[Weights, ...]:
    checkpoint = chosen(params)
    return (checkpoint.settings["forms"].get(params.engine, checkpoint.weights),)


def _forms(params: RmbgParams) -> tuple[RmbgParams, ...]:
    if params.engine != "auto":
        return (params,)
    return tuple(params.model_copy(update={"engine": form}) for form in chosen(params).settings["forms"])


def _substitute(params: RmbgParams) -> RmbgParams | None:
    return params.model_copy(update={"checkpoint": SUBSTITUTE}) if params.checkpoint == "auto" else None


class Rmbg(Pipeline):
    """One of many networks for background removal, each at its own size and with its own normalisation."""

    info = PipelineInfo(
        name="rmbg",
        title="Background removal",
        devices=("cpu", "cuda"),
        reference="BiRefNet, arXiv 2401.03407; U²-Net, arXiv 2005.09007; IS-Net, arXiv 2203.03041",
        weights_for=_weights_for,
        forms=_forms,
        substitute=_substitute,
    )
    Params = RmbgParams
    network: Saliency | None = None

    def _load(self) -> None:
        checkpoint = chosen(self.params, self.weights)
        engine = self._engine(checkpoint)
        located = locate(_published(checkpoint, engine, self.weights), self.weights)
        from pipelines.networks.pretrained import precision
        from pipelines.networks.saliency import open_network

        dtype = precision(self.params.dtype, self.device)
        self.network = open_network(located, checkpoint, engine, self.device, dtype)
        self.loaded = (located,)
        self.dtype = str(self.network.dtype).removeprefix("torch.")
        self.flags.add(f"engine:{engine}")
        if located.random:
            self.flags.add(f"random:{checkpoint.name}")

    def _engine(self, checkpoint: Checkpoint) -> Engine:
        """What runs a checkpoint: what was asked for; else the first whose files are there, in the device's order."""
        forms, random = list(checkpoint.settings["forms"]), str(self.weights) == RANDOM
        if random:
            forms = ["torch", "onnx"] if checkpoint.settings["architecture"] else []
        elif self.device == "cuda":
            forms.sort(reverse=True)  # torch first: ONNX Runtime is the slower one there
        if self.params.engine != "auto":
            forms = [form for form in forms if form == self.params.engine]
        if not forms:
            raise UnavailableError(
                f"{checkpoint.name} has no architecture of ours, so that torch cannot run it, nor build it at random.",
                "Use engine=onnx with its file, or another checkpoint.",
            )
        there = [form for form in forms if _problem(checkpoint, form, self.weights) is None]
        return (there or forms)[0]  # type: ignore[no-any-return]

    def _infer(self, images: list[Image], prompts: list[Prompt], params: RmbgParams) -> list[Evidence]:
        from pipelines.networks.batches import in_batches

        network = self.network
        assert network is not None
        if network.fixed_batch:
            self.flags.add(f"batch_fixed:{network.fixed_batch}")

        def run(batch: Any) -> list[Any]:
            with self.clock.stage("preprocess"):
                pixels = network.preprocess(batch, params.size)
            with self.clock.stage("network"):
                return list(network.probabilities(pixels))

        maps = in_batches(run, images, self.flags)
        return [Evidence(i.shape[:2], soft=_stored(m)) for i, m in zip(images, maps, strict=True)]

    def _decide(self, evidence: Evidence, params: RmbgParams) -> Prediction:
        mask, score = _cut(evidence, params.threshold)
        if params.max_hole:
            mask = filled(mask, params.max_hole * mask.size)
        if params.min_area:
            mask = kept(mask, params.min_area * mask.size, 0)
        if not mask.any():
            return Prediction.empty(*evidence.size)
        return Prediction.of((mask > 0)[np.newaxis], np.array([score], np.float32))

    def _layers(self, evidence: Evidence, params: RmbgParams) -> Layers | None:
        return None if params.max_hole or params.min_area else of_soft(evidence)

    def _close(self) -> None:
        self.network = None


def _cut(evidence: Evidence, threshold: float) -> tuple[Binary, float]:
    """What reaches a threshold, cut where the map lies, and its mean probability."""
    if isinstance(evidence.soft, np.ndarray):
        soft = full_size(evidence)[0]
        mask = cut(soft, threshold)
        return mask, cv2.mean(soft, mask)[0]
    from pipelines.networks.device_maps import cut_on_device

    found = cut_on_device(evidence, threshold)
    if not len(found.masks):
        return np.zeros(evidence.size, np.uint8), 0.0
    return cut(found.masks[0], 1), float(found.scores[0])


def _stored(values: Any) -> Any:
    """A map as an array that shares its memory; on CUDA it stays on the device."""
    return values.numpy() if values.device.type == "cpu" else values


def _problem(checkpoint: Checkpoint, engine: str, where: Any) -> UnavailableError | None:
    """Why the files of a form cannot be had, as far as can be told at once."""
    if str(where) == RANDOM:
        return None
    weights = checkpoint.settings["forms"][engine]
    if where is None and weights.source == "url" and not weights.address.endswith(weights.files):
        return UnavailableError(
            f"{weights.page} publishes no safetensors file of {checkpoint.name}.",
            f"Convert its weights into FOLDER/{weights.repository}/{weights.files[0]} and give --weights FOLDER, or "
            "use engine=onnx.",
        )
    return missing(weights, where)


def _published(checkpoint: Checkpoint, engine: str, where: Any) -> Weights:
    """Weights of a form; for random ones those of the checkpoint.

    Raises:
        UnavailableError: they cannot be had.
    """
    problem = _problem(checkpoint, engine, where)
    if problem is not None:
        raise problem
    found: Weights = checkpoint.settings["forms"].get(engine, checkpoint.weights)
    return checkpoint.weights if str(where) == RANDOM else found
