"""Texts to the ids that SAM 3 reads: always 32 of them, cut behind that, padded up to that."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import CLIPTokenizer

from pipelines.networks.pretrained import load_tokenizer
from pipelines.weights import Located

TOKENS = 32
START, END = 49406, 49407
"""Of CLIP's own vocabulary, in which everything else is below."""


@dataclass(frozen=True)
class Tokens:
    """One prompt.

    Attributes:
        ids: ``int64 (L, 32)``.
        attention: ``int64 (L, 32)``, 0 where a text is padded.
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
    return _stand_in if located.folder is None else _from_files(located)


def _from_files(located: Located) -> Tokenize:
    made = load_tokenizer(CLIPTokenizer, located)

    def tokenize(texts: tuple[str, ...]) -> Tokens:
        whole = made(list(texts), verbose=False)["input_ids"]
        cut = made(list(texts), padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        return Tokens(cut["input_ids"], cut["attention_mask"], max(map(len, whole)) > TOKENS)

    return tokenize


def _stand_in(texts: tuple[str, ...]) -> Tokens:
    """One id a word: random weights come without a vocabulary, and know no words anyway."""
    words = [[zlib.crc32(word.encode()) % START for word in text.split()] for text in texts]
    rows = [[START, *row[: TOKENS - 2], END] for row in words]
    ids = torch.tensor([row + [END] * (TOKENS - len(row)) for row in rows])
    attention = torch.tensor([[1] * len(row) + [0] * (TOKENS - len(row)) for row in rows])
    return Tokens(ids, attention, max(map(len, words)) > TOKENS - 2)
