"""CLIPSeg without waste: the picture is seen once for all texts, no layer runs whose output nobody reads.

Source: Lüddecke and Ecker, Image Segmentation Using Text and Image Prompts, CVPR 2022; the layers are those of
transformers' ``CLIPSegForImageSegmentation``, whose logits these are, bit for bit in float32.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import CLIPSegForImageSegmentation

from pipelines.checkpoints import Checkpoint
from pipelines.errors import UnavailableError
from pipelines.networks.clip_text import Tokens, tokenizer
from pipelines.networks.clipseg_layers import Decoder, Seen, Vision, lean
from pipelines.networks.pixels import preprocessing, to_batch
from pipelines.networks.pretrained import load_network
from pipelines.types import Image
from pipelines.weights import Located

MOST_TOKENS = 77
"""Of a text; longer ones are cut."""

KEPT_PROMPTS = 256
"""How many prompts' features are remembered; the one that was used longest ago is dropped first."""

ROWS = {"cpu": 4, "cuda": 64}
"""Pairs of picture and text in one decoder call: on a CPU so few that they stay in its cache."""
MOST_COMPILED = 64
"""Pictures in one compiled call: torch keeps eight compiled shapes and refuses a ninth, and sizes are powers of two."""


@dataclass(frozen=True)
class Condition:
    """What the decoder reads of a prompt.

    Attributes:
        factor: ``(L, 1, reduce_dim)``, on the device.
        summand: ``(L, 1, reduce_dim)``.
        truncated: whether a text was longer than the network reads.
    """

    factor: torch.Tensor
    summand: torch.Tensor
    truncated: bool


class ClipSegNetwork:
    """Loaded CLIPSeg.

    Args:
        located: its files, or random.
        checkpoint: its architecture and preprocessing, for random weights.
        device: "cpu" or "cuda".
        dtype: of the arithmetic; probabilities are float32 all the same.
        compiled: whether to run the vision and the decoder layers through ``torch.compile``.

    Raises:
        UnavailableError: the files are damaged or not this network's, or it cannot be compiled here.
    """

    def __init__(
        self, located: Located, checkpoint: Checkpoint, device: str, dtype: torch.dtype, *, compiled: bool = False
    ) -> None:
        self.device, self.dtype, self.compiled = device, dtype, compiled
        self.tokenize = tokenizer(located, MOST_TOKENS)
        self.wanted = preprocessing(located, checkpoint.settings["pixels"])
        network: Any = load_network(
            CLIPSegForImageSegmentation, located, checkpoint.settings["config"], device=device, dtype=dtype
        )
        self._clip, self._decoder = network.clip, network.decoder
        self._vision: Any = Vision(network, self.wanted.size)
        self._decode: Any = Decoder(network.decoder)
        self._conditions: OrderedDict[tuple[str, ...], Condition] = OrderedDict()
        if compiled:
            self._compile()
        elif device == "cpu":
            lean(self._vision.layers, [])
            lean(self._decode.layers, [])

    @torch.inference_mode()
    def condition(self, texts: tuple[str, ...]) -> Condition:
        """Features of a prompt, remembered by its texts.

        The texts of one prompt are encoded as one batch, padded to its longest, as the documented call does it: the
        same text in another company may differ in the last bit, so that what is remembered is the whole prompt.
        """
        if texts in self._conditions:
            self._conditions.move_to_end(texts)
            return self._conditions[texts]
        made = self._conditions[texts] = self._encoded(self.tokenize(texts))
        if len(self._conditions) > KEPT_PROMPTS:
            self._conditions.popitem(last=False)
        return made

    def _encoded(self, tokens: Tokens) -> Condition:
        ids, attention = (values.to(self.device) for values in (tokens.ids, tokens.attention))
        features = self._clip.get_text_features(ids, attention_mask=attention).pooler_output
        factor, summand = self._decoder.film_mul(features), self._decoder.film_add(features)
        return Condition(factor[:, None], summand[:, None], tokens.truncated)

    @torch.inference_mode()
    def preprocess(self, images: Sequence[Image]) -> torch.Tensor:
        """``(N, 3, h, w)`` on the device, as the checkpoint's own processor makes it."""
        return to_batch(images, self.wanted, self.device, self.dtype)

    @torch.inference_mode()
    def see(self, pixels: torch.Tensor) -> Seen:
        """Run the vision layers over a batch of pictures, once for all texts."""
        if not self.compiled:
            return self._vision(pixels)  # type: ignore[no-any-return]
        parts = torch.split(pixels, MOST_COMPILED)
        seen = [self._vision(_filled_up(part, _next_power_of_two(len(part)))) for part in parts]
        return tuple(torch.cat(values)[: len(pixels)] for values in zip(*seen, strict=True))

    @torch.inference_mode()
    def logits(self, seen: Seen, conditions: Sequence[Condition]) -> list[torch.Tensor]:
        """Run the decoder for every pair of picture and text.

        On a CPU the texts of each picture are decoded by themselves, as the documented call does it, so that a picture
        gives the same bits in any company.

        Args:
            seen: of N pictures.
            conditions: one for each picture, of any numbers of texts.

        Returns:
            Logits ``float32 (L, h, w)`` for each picture, at the size of the network's input.
        """
        if self.device != "cpu":
            return self._rows(seen, conditions)
        one_by_one = [tuple(values[i : i + 1] for values in seen) for i in range(len(conditions))]
        return [self._rows(one, [its])[0] for one, its in zip(one_by_one, conditions, strict=True)]

    def _rows(self, seen: Seen, conditions: Sequence[Condition]) -> list[torch.Tensor]:
        counts = [len(condition.factor) for condition in conditions]
        pairs = tuple(_repeated(values, counts) for values in seen)
        factor = torch.cat([condition.factor for condition in conditions])
        summand = torch.cat([condition.summand for condition in conditions])
        found = [
            self._decoded(tuple(values[rows] for values in pairs), factor[rows], summand[rows])
            for rows in _slices(len(factor), ROWS[self.device])
        ]
        return list(torch.split(torch.cat(found), counts))

    def _decoded(self, pairs: Seen, factor: torch.Tensor, summand: torch.Tensor) -> torch.Tensor:
        n = len(factor)
        if self.compiled:
            size = _next_power_of_two(n)
            pairs = tuple(_filled_up(values, size) for values in pairs)
            factor, summand = _filled_up(factor, size), _filled_up(summand, size)
        return self._decode(pairs, factor, summand)[:n].float()  # type: ignore[no-any-return]

    def _compile(self) -> None:
        """Compile with fixed shapes, and once for one picture and one text now, so that what fails does so loudly.

        Batches are filled up to a power of two, so that few shapes are compiled.
        """
        self._vision = torch.compile(self._vision, dynamic=False, fullgraph=True)
        self._decode = torch.compile(self._decode, dynamic=False, fullgraph=True)
        try:
            blank = torch.zeros(1, 3, *self.wanted.size, device=self.device, dtype=self.dtype)
            self.logits(self.see(blank), [self.condition(("warm-up",))])
        except Exception as error:  # its backends raise anything, from a missing compiler to an assertion
            first = (str(error).strip().splitlines() or [""])[0]
            raise UnavailableError(
                f"torch.compile fails here: {type(error).__name__}: {first}.",
                "Set compile=false, or install what it names, such as a C++ compiler.",
            ) from error


def _repeated(values: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """Each picture as often as it has texts; by views, since a table of indices would have to travel to the device."""
    views = (one.expand(count, -1, -1) for one, count in zip(torch.split(values, 1), counts, strict=True))
    return torch.cat(list(views))


def _slices(n: int, size: int) -> Iterator[slice]:
    """Slices of a size, the last one longer by one rather than a single row: one row alone gives other last bits."""
    starts = range(0, max(n - 1, 1), size)
    return (slice(start, n if start == starts[-1] else start + size) for start in starts)


def _next_power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _filled_up(values: torch.Tensor, n: int) -> torch.Tensor:
    """The batch with its first item repeated up to n items."""
    return torch.cat([values, values[:1].expand(n - len(values), *values.shape[1:])]) if len(values) < n else values
