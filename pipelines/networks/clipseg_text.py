"""Texts to the ids that CLIP reads, at most 77 of them, cut behind that."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import CLIPTokenizer

from pipelines.networks.pretrained import load_tokenizer
from pipelines.weights import Located

MOST_TOKENS = 77
START, END = 49406, 49407
"""Of CLIP's own vocabulary, in which everything else is below."""


@dataclass(frozen=True)
class Tokens:
    """One prompt.

    Attributes:
        ids: ``int64 (L, T)``, T = the longest text.
        attention: ``int64 (L, T)``, 0 where a text is padded.
        truncated: whether a text was cut.
    """

    ids: torch.Tensor
    attention: torch.Tensor
    truncated: bool


Tokenize = Callable[[tuple[str, ...]], Tokens]


def tokenizer(located: Located) -> Tokenize:
    """How a checkpoint's texts become ids.

    Raises:
        UnavailableError: its files are damaged.
    """
    return _stand_in if located.random else _from_files(located)


def _from_files(located: Located) -> Tokenize:
    made = load_tokenizer(CLIPTokenizer, located)

    def tokenize(texts: tuple[str, ...]) -> Tokens:
        whole = made(list(texts), verbose=False)["input_ids"]
        cut = made(list(texts), padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt")
        return Tokens(cut["input_ids"], cut["attention_mask"], max(map(len, whole)) > MOST_TOKENS)

    return tokenize


def _stand_in(texts: tuple[str, ...]) -> Tokens:
    """One id a word: random weights come without a vocabulary, and know no words anyway."""
    words = [[zlib.crc32(word.encode()) % START for word in text.split()] for text in texts]
    rows = [[START, *row[: MOST_TOKENS - 2], END] for row in words]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [END] * (longest - len(row)) for row in rows])
    attention = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return Tokens(ids, attention, max(map(len, words)) > MOST_TOKENS - 2)
