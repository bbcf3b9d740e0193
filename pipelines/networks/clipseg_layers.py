"""The layers of CLIPSeg whose output is read, taken out of transformers' network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

Seen = tuple[torch.Tensor, ...]
"""What the decoder reads of pictures, one ``(N, tokens, reduce_dim)`` for each of its layers."""


class Vision(nn.Module):
    """The vision layers up to the last that the decoder reads, and the decoder's reduction of each output it reads."""

    def __init__(self, network: Any, size: tuple[int, int]) -> None:
        super().__init__()
        vision = network.clip.vision_model
        self.outputs = tuple(network.extract_layers)
        self.patch_embedding, self.class_embedding = (
            vision.embeddings.patch_embedding,
            vision.embeddings.class_embedding,
        )
        self.norm = vision.pre_layrnorm
        self.layers = vision.encoder.layers[: max(self.outputs) + 1]
        self.reduces = network.decoder.reduces
        self.positions = nn.Buffer(_positions(vision.embeddings, size))
        del vision.encoder.layers[len(self.layers) :]  # their memory, and the time to look at them

    def forward(self, pixels: torch.Tensor) -> Seen:
        """Reduced outputs, the deepest layer's first, of ``(N, 3, h, w)``."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        hidden = torch.cat([self.class_embedding.expand(len(pixels), 1, -1), patches], dim=1) + self.positions
        hidden = self.norm(hidden)
        outputs = []
        for index, layer in enumerate(self.layers):
            hidden = layer(hidden, attention_mask=None)
            if index in self.outputs:
                outputs.append(hidden)
        return tuple(reduce(output) for reduce, output in zip(self.reduces, reversed(outputs), strict=True))


class Decoder(nn.Module):
    """The decoder after its reductions: FiLM by the text, transformer layers, transposed convolution."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.layers, self.upsample = decoder.layers, decoder.transposed_convolution
        self.conditioned = decoder.conditional_layer

    def forward(self, pairs: Seen, factor: torch.Tensor, summand: torch.Tensor) -> torch.Tensor:
        """Logits ``(R, h, w)`` of R pairs of picture and text."""
        hidden: Any = None
        for index, (values, layer) in enumerate(zip(pairs, self.layers, strict=True)):
            hidden = values if hidden is None else values + hidden
            if index == self.conditioned:
                hidden = factor * hidden + summand
            hidden = layer(hidden, attention_mask=None)
        patches = hidden[:, 1:].transpose(1, 2)  # without the class token
        side = int(patches.shape[2] ** 0.5)
        return self.upsample(patches.reshape(*patches.shape[:2], side, side))[:, 0]  # type: ignore[no-any-return]


class LeanMlp(nn.Module):
    """A layer's MLP on a CPU, picture by picture in memory that is used again: the same bits, and no fresh pages.

    Fresh pages for its wide tensors, which the system hands out filled with zeros, can cost a tenth of the whole pass.

    Args:
        mlp: whose weights these are.
        scratch: two ``(tokens, width)`` tensors, made when first needed and shared by the layers.
    """

    def __init__(self, mlp: Any, scratch: list[torch.Tensor]) -> None:
        super().__init__()
        self.fc1, self.fc2, self.scratch = mlp.fc1, mlp.fc2, scratch
        self.activate = ACTIVATIONS[mlp.config.hidden_act]

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """``(N, tokens, channels)`` to the same shape."""
        shape = (hidden.shape[1], self.fc1.out_features)
        if not self.scratch or self.scratch[0].shape != shape:
            self.scratch[:] = (hidden.new_empty(shape), hidden.new_empty(shape))
        inner, spare = self.scratch
        found = torch.empty_like(hidden)
        for values, into in zip(hidden, found, strict=True):
            torch.addmm(self.fc1.bias, values, self.fc1.weight.t(), out=inner)
            torch.addmm(self.fc2.bias, self.activate(inner, spare), self.fc2.weight.t(), out=into)
        return found


def _quick_gelu(values: torch.Tensor, spare: torch.Tensor) -> torch.Tensor:
    """x sigmoid(1.702 x), written over `spare`."""
    return torch.mul(values, 1.702, out=spare).sigmoid_().mul_(values)


def _relu(values: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """max(x, 0), written over x."""
    return values.relu_()


ACTIVATIONS = {"quick_gelu": _quick_gelu, "relu": _relu}


def lean(layers: Iterable[Any], scratch: list[torch.Tensor]) -> None:
    """Give layers of one width a `LeanMlp` that shares its scratch; those with another activation stay as they are."""
    for layer in layers:
        if layer.mlp.config.hidden_act in ACTIVATIONS:
            layer.mlp = LeanMlp(layer.mlp, scratch)


def _positions(embeddings: Any, size: tuple[int, int]) -> torch.Tensor:
    """Position embeddings for an input of this size, made once; bicubic in float32 where they have to be stretched."""
    dtype = embeddings.position_embedding.weight.dtype
    embeddings.position_embedding.float()
    with torch.inference_mode():
        patches = (size[0] // embeddings.patch_size) * (size[1] // embeddings.patch_size)
        blank = torch.empty(1, patches + 1, embeddings.embed_dim)
        made = embeddings.interpolate_pos_encoding(blank, *size)
    embeddings.position_embedding.to(dtype)
    return made.to(dtype).clone()  # type: ignore[no-any-return]
