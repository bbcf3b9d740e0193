"""Texts to the ids that the text encoders of CLIP's kind read, so many at most, cut behind that."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import CLIPTokenizer

from pipelines.networks.pretrained import load_tokenizer
from pipelines.weights import Located

START, END = 49406, 49407
"""Of CLIP's own vocabulary, in which everything else is below."""


@dataclass(frozen=True)
class Tokens:
    """One prompt.

    Attributes:
        ids: ``int64 (L, T)``, T = the longest text, or always the most that the network reads.
        attention: ``int64 (L, T)``, 0 where a text is padded.
        truncated: whether a text was cut.
    """

    ids: torch.Tensor
    attention: torch.Tensor
    truncated: bool


Tokenize = Callable[[Sequence[str]], Tokens]


def tokenizer(located: Located, most: int, *, whole: bool = False, filler: int = END) -> Tokenize:
    """How a checkpoint's texts become ids.

    Args:
        located: its files, or random.
        most: ids that the network reads of a text.
        whole: whether every text is padded up to that, not to the longest.
        filler: id that pads, for random weights; a checkpoint's files say their own.

    Raises:
        UnavailableError: its files are damaged.
    """
    if located.random:
        return lambda texts: _stand_in(texts, most, whole, filler)
    made = load_tokenizer(CLIPTokenizer, located)

    def tokenize(texts: Sequence[str]) -> Tokens:
        uncut = made(list(texts), verbose=False)["input_ids"]
        cut = made(list(texts), padding="max_length" if whole else True, truncation=True, max_length=most,
                   return_tensors="pt")  # fmt: skip
        return Tokens(cut["input_ids"], cut["attention_mask"], max(map(len, uncut)) > most)

    return tokenize


def _stand_in(texts: Sequence[str], most: int, whole: bool, filler: int) -> Tokens:
    """One id a word: random weights come without a vocabulary, and know no words anyway."""
    words = [[zlib.crc32(word.encode()) % START for word in text.split()] for text in texts]
    rows = [[START, *row[: most - 2], END] for row in words]
    length = most if whole else max(map(len, rows))
    ids = torch.tensor([row + [filler] * (length - len(row)) for row in rows])
    attention = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return Tokens(ids, attention, max(map(len, words)) > most - 2)
