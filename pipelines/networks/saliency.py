"""Networks that tell foreground from background, whichever engine runs them: pictures in, probabilities out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pipelines.checkpoints import Checkpoint
from pipelines.errors import ParameterError
from pipelines.networks.birefnet import load_birefnet
from pipelines.networks.isnet import ISNet
from pipelines.networks.onnx_engine import OnnxNetwork, export_onnx
from pipelines.networks.pixels import Preprocessing, to_batch
from pipelines.networks.pretrained import SEED, check_keys, damaged
from pipelines.networks.u2net import FULL, SMALL, Convolution, U2Net, widths_of
from pipelines.types import Image
from pipelines.weights import Located

Engine = Literal["onnx", "torch"]
MULTIPLE = 32
"""Of the sides of what the networks see, since they halve them five times."""

WIDTHS = {"full": FULL, "small": SMALL}


class Saliency:
    """A loaded network with the input and output of its checkpoint.

    Args:
        run: ``(N, 3, h, w)`` → ``(N, 1, h, w)``.
        checkpoint: says what it is given.
        output: what it gives, "logits" or "probability".
        device: "cpu" or "cuda".
        dtype: of its input.

    Attributes:
        wanted: size and normalisation of its input.
    """

    def __init__(self, run: Callable[[torch.Tensor], torch.Tensor], checkpoint: Checkpoint, output: str, device: str,
                 dtype: torch.dtype) -> None:  # fmt: skip
        self._run, self._output = run, output
        self.device, self.dtype = device, dtype
        self.wanted = Preprocessing(**checkpoint.settings["pixels"])
        self.fixed_batch: int | None = None
        if isinstance(run, OnnxNetwork):
            self.fixed_batch = run.batch
            self.wanted = replace(self.wanted, size=run.size or self.wanted.size)

    @torch.inference_mode()
    def preprocess(self, images: Sequence[Image], side: int = 0) -> torch.Tensor:
        """``(N, 3, h, w)`` on the device.

        Args:
            images: of any sizes.
            side: of a square input in pixels; 0 = the checkpoint's own size.

        Raises:
            ParameterError: the file of the network fixes another size, or the side is no multiple of 32.
        """
        if side % MULTIPLE:
            raise ParameterError(f"The networks cannot take a size of {side}.", f"Give a multiple of {MULTIPLE}.")
        wanted = replace(self.wanted, size=(side, side)) if side else self.wanted
        if isinstance(self._run, OnnxNetwork) and self._run.size not in (None, wanted.size):
            height, width = self.wanted.size
            raise ParameterError(
                f"The ONNX file takes pictures of {height}x{width}, not {side}x{side}.",
                "Set size=0, or use engine=torch.",
            )
        return to_batch(images, wanted, self.device, self.dtype)

    @torch.inference_mode()
    def probabilities(self, pixels: torch.Tensor) -> torch.Tensor:
        """Foreground probability ``float32 (N, 1, h, w)`` as the network gives it, neither stretched nor shifted."""
        found = self._run(pixels).float()
        return found.sigmoid() if self._output == "logits" else found.clamp(0, 1)


def open_network(located: Located, checkpoint: Checkpoint, engine: Engine, device: str, dtype: torch.dtype) -> Saliency:
    """Load a checkpoint.

    Args:
        located: its files for this engine, or random.
        checkpoint: what it is.
        engine: "onnx" or "torch".
        device: "cpu" or "cuda".
        dtype: of the arithmetic of torch; an ONNX file has its own.

    Raises:
        UnavailableError: damaged, incomplete or unexpected files; a provider that is not there.
    """
    if engine == "torch":
        network = load_torch(located, checkpoint, device, dtype)
        return Saliency(network, checkpoint, "logits", device, dtype)
    if located.random:
        return _random_onnx(located, checkpoint, device)
    graph = OnnxNetwork(located, located.file(located.weights.files[0]), device)
    return Saliency(graph, checkpoint, checkpoint.settings["onnx_output"], device, graph.dtype)


def _random_onnx(located: Located, checkpoint: Checkpoint, device: str) -> Saliency:
    """The real architecture with random weights, through a file that is gone when the session has read it."""
    network = load_torch(located, checkpoint, "cpu", torch.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.onnx"
        export_onnx(network, path, checkpoint.settings["pixels"]["size"])
        graph = OnnxNetwork(located, path, device)
    return Saliency(graph, checkpoint, "probability", device, graph.dtype)


def load_torch(located: Located, checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> nn.Module:
    """A network of ours, ready for inference, which gives logits.

    Args:
        located: a folder with its safetensors file, or random.
        checkpoint: its settings name the architecture.
        device: "cpu" or "cuda".
        dtype: of its weights.
    """
    settings = checkpoint.settings
    if settings["architecture"] == "birefnet":
        return load_birefnet(located, settings, device=device, dtype=dtype)
    kind: Any = {"u2net": U2Net, "isnet": ISNet}[settings["architecture"]]
    network: nn.Module = _random(kind, settings) if located.random else _from_file(kind, located)
    channels_last: Any = torch.channels_last  # what a CPU and tensor cores convolve fastest
    return lean(network.eval()).to(device=device, dtype=dtype).to(memory_format=channels_last).requires_grad_(False)


def lean(network: nn.Module) -> nn.Module:
    """The same function with fewer steps: batch normalisation goes into the convolution before it.

    Args:
        network: a U²-Net or IS-Net in evaluation mode, float32; it is changed, and can no longer be trained.
    """
    for layer in network.modules():
        if isinstance(layer, Convolution):
            layer.conv_s1 = fuse_conv_bn_eval(layer.conv_s1, layer.bn_s1)
            layer.bn_s1 = nn.Identity()  # type: ignore[assignment]
    return network


def _random(kind: Callable[..., nn.Module], settings: Mapping[str, Any]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return kind(WIDTHS[settings["widths"]])


def _from_file(kind: type[nn.Module], located: Located) -> nn.Module:
    name = next(name for name in located.weights.files if name.endswith(".safetensors"))
    try:
        state = load_file(located.file(name))
    except (OSError, SafetensorError) as error:
        raise damaged(located, f"{name}: {error}") from error
    sizes: dict[str, Any] = {"widths": widths_of(state) or FULL}
    if kind is ISNet and "conv_in.weight" in state:
        sizes["stem"] = state["conv_in.weight"].shape[0]
    network = kind(**sizes)
    check_keys(located, _differences(network.state_dict(), state))
    network.load_state_dict(state)
    return network


def _differences(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> dict[str, set[str]]:
    both = wanted.keys() & given.keys()
    return {
        "missing_keys": wanted.keys() - given.keys(),
        "unexpected_keys": given.keys() - wanted.keys(),
        "mismatched_keys": {key for key in both if wanted[key].shape != given[key].shape},
    }
