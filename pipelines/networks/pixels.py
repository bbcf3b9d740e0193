"""From pictures to the tensor that a network takes: resized, scaled to [0, 1] and normalised, on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from pipelines.networks.configurations import damaged, read_object
from pipelines.types import Image
from pipelines.weights import Located

RESCALE = 1 / 255
INTERPOLATIONS = {0: InterpolationMode.NEAREST_EXACT, 2: InterpolationMode.BILINEAR, 3: InterpolationMode.BICUBIC}
"""By the number that a processor's configuration gives, which is Pillow's."""


@dataclass(frozen=True)
class Preprocessing:
    """How a checkpoint wants its pictures: stretched to one size, then (value x rescale - mean) / std.

    Attributes:
        size: ``(h, w)`` of the network's input.
        mean: by channel, of values in [0, 1].
        std: by channel.
        rescale: factor that brings 0 to 255 into [0, 1].
        interpolation: of the resize, which is antialiased.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rescale: float = RESCALE
    interpolation: InterpolationMode = InterpolationMode.BILINEAR


def preprocessing(located: Located, settings: Mapping[str, Any]) -> Preprocessing:
    """What the checkpoint's own ``preprocessor_config.json`` says; for random weights, what is known of it.

    Args:
        located: the files, or random.
        settings: ``size``, ``mean`` and ``std``, for random weights.

    Raises:
        UnavailableError: the file is damaged, or asks for what is not a stretch to one size.
    """
    if located.random:
        return Preprocessing(**settings)
    name = "preprocessor_config.json"
    told = read_object(located, name)
    try:
        return _read(told)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise damaged(located, f"{name} does not say how to stretch and normalise a picture ({error!r})") from error


def _read(told: Mapping[str, Any]) -> Preprocessing:
    if not all(told.get(step, True) for step in ("do_resize", "do_rescale", "do_normalize")):
        raise ValueError("one of its steps is switched off")
    size = (int(told["size"]["height"]), int(told["size"]["width"]))
    return Preprocessing(
        size,
        tuple(map(float, told["image_mean"])),
        tuple(map(float, told["image_std"])),
        float(told.get("rescale_factor", RESCALE)),
        INTERPOLATIONS[told.get("resample", 2)],
    )


def to_batch(
    images: Sequence[Image], wanted: Preprocessing, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Pictures as one normalised batch.

    On a CPU the numbers are those of transformers' default image processor, bit for bit: torchvision's antialiased
    resize of whole numbers, then normalisation in float32. On CUDA only the bytes of the picture travel and the same
    steps run there; its resize works in float32 and may differ by one level of 255.

    Args:
        images: ``uint8 (H, W, 3)`` each, of any sizes; never divided by their own maximum.
        wanted: of the checkpoint.
        device: "cpu" or "cuda".
        dtype: of the result.

    Returns:
        ``(N, 3, h, w)`` on the device.
    """
    resized = [_resized(_on_device(image, device), wanted) for image in images]
    batch = torch.stack(resized).to(torch.float32)
    mean, std = _scale(wanted.mean, wanted.std, wanted.rescale, device)
    return batch.sub_(mean).div_(std).to(dtype)


@cache
def _scale(
    mean: tuple[float, ...], std: tuple[float, ...], rescale: float, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and std ``(3, 1, 1)`` in units of the pixels, kept on the device: sending them would wait for it."""
    centre, spread = torch.tensor((mean, std)).mul_(1.0 / rescale).to(device)[..., None, None]
    return centre, spread


def _on_device(image: Image, device: str) -> torch.Tensor:
    """``uint8 (3, H, W)``, a view that keeps the channels last."""
    pixels = torch.from_numpy(np.require(image, requirements=["C", "W"]))  # torch warns of what is read-only
    if device != "cpu":  # from pinned memory the copy waits for nobody
        pixels = pixels.pin_memory().to(device, non_blocking=True)
    return pixels.permute(2, 0, 1)


def _resized(pixels: torch.Tensor, wanted: Preprocessing) -> torch.Tensor:
    return resize(pixels, list(wanted.size), wanted.interpolation, antialias=True)  # type: ignore[no-any-return]
