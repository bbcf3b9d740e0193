"""How a picture becomes the square input of SAM (long side, then padded) or SAM 2 (stretched)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional

from pipelines.networks.configurations import damaged, read_object
from pipelines.networks.pixels import INTERPOLATIONS, RESCALE, Preprocessing, preprocessing, to_batch
from pipelines.types import Image
from pipelines.weights import Located


@dataclass(frozen=True)
class Framing:
    """What happens to a picture before the network.

    Attributes:
        wanted: normalisation, and the ``(h, w)`` of the network's input.
        padded: whether the picture keeps its shape and is padded at the right and the bottom, as for SAM, or is
            stretched, as for SAM 2.
    """

    wanted: Preprocessing
    padded: bool

    @property
    def size(self) -> tuple[int, int]:
        """``(h, w)`` of the network's input."""
        return self.wanted.size

    def covered(self, size: tuple[int, int]) -> tuple[int, int]:
        """``(h, w)`` of the input that a picture of size ``(H, W)`` covers."""
        if not self.padded:
            return self.size
        scale = max(self.size) / max(size)
        # a line of 1 x 3000 pixels would be rounded to no pixel at all
        return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))

    def to_batch(self, images: Sequence[Image], device: str, dtype: torch.dtype) -> torch.Tensor:
        """``(N, 3, h, w)``, as transformers' image processor makes it; zeros are padded after normalisation."""
        if not self.padded:
            return to_batch(images, self.wanted, device, dtype)
        return torch.cat([self._padded(image, device, dtype) for image in images])

    def _padded(self, image: Image, device: str, dtype: torch.dtype) -> torch.Tensor:
        height, width = covered = self.covered((image.shape[0], image.shape[1]))
        pixels = to_batch([image], replace(self.wanted, size=covered), device, dtype)
        return functional.pad(pixels, (0, self.size[1] - width, 0, self.size[0] - height))


def framing(located: Located, settings: Mapping[str, Any], *, padded: bool) -> Framing:
    """What the checkpoint's ``preprocessor_config.json`` says; for random weights, what is known of it.

    Args:
        located: the files, or random.
        settings: ``size``, ``mean`` and ``std``, for random weights.
        padded: whether the picture is padded rather than stretched.

    Raises:
        UnavailableError: the file is damaged, or asks for something else.
    """
    if located.random or not padded:
        return Framing(preprocessing(located, settings), padded)
    return Framing(_from_file(located, "preprocessor_config.json", _padding), padded)


def stretching(located: Located, settings: Mapping[str, Any]) -> Preprocessing:
    """What a checkpoint's ``processor_config.json`` says under "image_processor", as that of SAM 3 does.

    Args:
        located: the files, or random.
        settings: ``size``, ``mean`` and ``std``, for random weights.

    Raises:
        UnavailableError: the file is damaged, or asks for something else.
    """
    if located.random:
        return Preprocessing(**settings)
    return _from_file(located, "processor_config.json", lambda told: _stretching(told["image_processor"]))


def _from_file(located: Located, name: str, read: Callable[[Mapping[str, Any]], Preprocessing]) -> Preprocessing:
    told = read_object(located, name)
    try:
        return read(told)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise damaged(located, f"{name} does not say how to prepare a picture ({error!r})") from error


def _padding(told: Mapping[str, Any]) -> Preprocessing:
    size = _size(told["pad_size"])
    if told["size"]["longest_edge"] != max(size):
        raise ValueError("its long side is not that of the padded picture")
    return _normalised(size, told)


def _stretching(told: Mapping[str, Any]) -> Preprocessing:
    return _normalised(_size(told["size"]), told)


def _size(told: Mapping[str, Any]) -> tuple[int, int]:
    return int(told["height"]), int(told["width"])


def _normalised(size: tuple[int, int], told: Mapping[str, Any]) -> Preprocessing:
    if not all(told.get(step, True) for step in ("do_resize", "do_rescale", "do_normalize")):
        raise ValueError("one of its steps is switched off")
    return Preprocessing(
        size,
        tuple(map(float, told["image_mean"])),
        tuple(map(float, told["image_std"])),
        float(told.get("rescale_factor", RESCALE)),
        INTERPOLATIONS[told.get("resample", 2)],
    )
