"""BiRefNet, and RMBG-2.0 which has its layers, from safetensors and with none of the code of their repositories.

Source: Zheng et al., Bilateral Reference for High-Resolution Dichotomous Image Segmentation, 2024, arXiv 2401.03407;
published weights: github.com/ZhengPeng7/BiRefNet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipelines.errors import ContractError
from pipelines.networks.birefnet_decoder import GRADIENT, Block, Decoder, PatchOrder, resized, resized_like
from pipelines.networks.configurations import CONFIG, damaged, read_object
from pipelines.networks.pretrained import SEED, check_keys
from pipelines.networks.swin import SIZES, Swin, SwinSize
from pipelines.weights import Located

MULTIPLE = 32
"""Sides of the input in pixels are multiples of this."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class BiRefNetSize:
    """Sizes of a BiRefNet; the defaults are those of every published one.

    Attributes:
        backbone: of the Swin transformer.
        width: channels inside a block of the decoder.
        branch: channels of each branch of the attention of a block.
        order: of the channels of the image's patches in the decoder.
    """

    backbone: SwinSize
    width: int = 64
    branch: int = 256
    order: PatchOrder = "colour"

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the features that reach the decoder, the coarsest first: those of the image and of its half."""
        return tuple(2 * width for width in reversed(self.backbone.channels))


class BiRefNet(nn.Module):
    """A Swin transformer at two scales and a decoder that looks back at the image; for inference alone."""

    def __init__(self, size: BiRefNetSize) -> None:
        super().__init__()
        coarsest = size.channels[0]
        self.bb = Swin(size.backbone)
        self.squeeze_module = nn.Sequential(Block(sum(size.channels), coarsest, size.width, size.branch))
        self.decoder = Decoder(size.channels, size.width, size.branch, size.order)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of the foreground.

        Args:
            pixels: ``(N, 3, h, w)``, normalised; h and w are multiples of 32.

        Returns:
            ``(N, 1, h, w)``, before the sigmoid.

        Raises:
            ContractError: a side is not a multiple of 32.
        """
        height, width = pixels.shape[-2:]
        if height % MULTIPLE or width % MULTIPLE or not height * width:
            raise ContractError(
                f"BiRefNet was given {height}x{width} pixels.", f"Resize both sides to a multiple of {MULTIPLE} first."
            )
        *fine, coarsest = self._encoded(pixels)
        seen = torch.cat([*(resized_like(level, coarsest) for level in fine), coarsest], 1)
        logits: torch.Tensor = self.decoder(pixels, [self.squeeze_module(seen), *reversed(fine)])
        return logits

    def _encoded(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Features of the image and of its half, side by side, the finest first."""
        halved = self.bb(resized(pixels, pixels.shape[-2] // 2, pixels.shape[-1] // 2))
        pairs = zip(self.bb(pixels), halved, strict=True)
        return [torch.cat((whole, resized_like(half, whole)), 1) for whole, half in pairs]


def load_birefnet(located: Located, settings: Mapping[str, Any], *, device: str, dtype: torch.dtype) -> nn.Module:
    """A BiRefNet or RMBG-2.0, ready for inference.

    Args:
        located: ``model.safetensors`` and ``config.json``, or random.
        settings: of the checkpoint: "backbone", such as "swin_v1_l", and "patch_order", where it is not "colour".
        device: "cpu" or "cuda".
        dtype: of its weights.

    Raises:
        UnavailableError: the file is damaged, or does not hold exactly the weights of this network.
    """
    size = size_of(located, settings)
    network = _random(size) if located.random else _from_file(located, size)
    return network.to(device=device, dtype=dtype).eval().requires_grad_(False)


def size_of(located: Located, settings: Mapping[str, Any]) -> BiRefNetSize:
    """The sizes: those of the checkpoint's settings, unless "sizes" of the ``config.json`` beside the weights says
    otherwise, as no published one does."""
    order: PatchOrder = settings.get("patch_order", "colour")
    own = {} if located.random else read_object(located, CONFIG).get("sizes", {})
    if not own:
        return BiRefNetSize(SIZES[settings["backbone"]], order=order)
    try:
        backbone = SwinSize(own["embed_dim"], tuple(own["depths"]), tuple(own["num_heads"]), own["window_size"])
        return BiRefNetSize(backbone, own["width"], own["branch"], order)
    except (KeyError, TypeError) as error:
        raise damaged(located, f"{CONFIG} does not say its sizes ({error!r})") from error


def _random(size: BiRefNetSize) -> BiRefNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return BiRefNet(size)


def _from_file(located: Located, size: BiRefNetSize) -> BiRefNet:
    """Only safetensors; no second copy of the weights is made."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(located.file("model.safetensors"))
    except (OSError, SafetensorError) as error:
        raise damaged(located, str(error)) from error
    network = _empty(located, size)
    _check(located, {name: tuple(tensor.shape) for name, tensor in state.items()}, network, size)
    for name in training_only(size):
        state.pop(name, None)
    network.load_state_dict(state, strict=True, assign=True)
    return network


def _empty(located: Located, size: BiRefNetSize) -> BiRefNet:
    """The network with no memory for its weights."""
    try:
        with torch.device("meta"):
            return BiRefNet(size)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:  # as torch takes odd sizes
        raise damaged(located, f"no network has the sizes of its {CONFIG} ({error})") from error


def _check(located: Located, held: Shapes, network: BiRefNet, size: BiRefNetSize) -> None:
    wanted, unused = shapes(network), training_only(size)
    known = wanted | unused
    check_keys(located, {
        "missing_keys": wanted.keys() - held.keys(),
        "unexpected_keys": held.keys() - known.keys(),
        "mismatched_keys": {name for name in held.keys() & known.keys() if held[name] != known[name]},
    })  # fmt: skip


def shapes(network: nn.Module) -> Shapes:
    """Name → shape of all that a network keeps."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def training_only(size: BiRefNetSize) -> Shapes:
    """Name → shape of the published weights that no inference reads: the side outputs that serve training."""
    found: Shapes = {}
    for level, channels in zip((4, 3, 2), size.channels[1:], strict=True):
        for name, width in ((f"conv_ms_spvn_{level}", channels), (f"gdt_convs_pred_{level}.0", GRADIENT)):
            found |= {f"decoder.{name}.weight": (1, width, 1, 1), f"decoder.{name}.bias": (1,)}
    return found
