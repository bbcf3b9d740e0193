"""Labels to the captions that GroundingDINO reads, and back: which tokens are of which label."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from transformers import AutoTokenizer

from pipelines.errors import PromptError
from pipelines.networks.pretrained import load_tokenizer
from pipelines.weights import Located

MOST_TOKENS = 256
UNKNOWN, START, END, DOT = 100, 101, 102, 1012
"""Of BERT's uncased vocabulary. The network has these ids in its code: what lies between two dots sees itself alone."""

FREE, WORDS = 2000, 28000
"""Where the ids of words begin, and how many a stand-in uses."""

Spell = Callable[[str], list[int]]


@dataclass(frozen=True)
class Caption:
    """Several labels as one text.

    Attributes:
        ids: of its tokens: start, then each label and a dot, then the end.
        labels: positions of the labels in the prompt.
        spans: for each of these, the first of its tokens and one past the last; the dot is not among them.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def speller(located: Located) -> Spell:
    """How a checkpoint's words become ids.

    Raises:
        UnavailableError: its files are damaged.
    """
    if located.random:
        return _stand_in
    made = load_tokenizer(AutoTokenizer, located)
    return lambda text: list(made(text, add_special_tokens=False, verbose=False)["input_ids"])


def captions(texts: Sequence[str], spell: Spell, flags: set[str]) -> list[Caption]:
    """As few captions as hold all labels, each of at most 256 tokens.

    Args:
        texts: the labels. Upper case counts for nothing, and a dot or question mark, which would part a label in
            two, is read as a space.
        spell: words → ids.
        flags: "text_truncated" is added where a label alone is too long and cut, "caption_chunks:N" where one caption
            does not do, "text_unknown" where the vocabulary lacks a word.

    Raises:
        PromptError: a label of dots and question marks alone, of which nothing is left to look for.
    """
    spelled = [spell(_plain(text)) for text in texts]
    if not all(spelled):
        raise PromptError(f"The label {texts[spelled.index([])]!r} has no word.", "Give it a letter or a digit.")
    if any(UNKNOWN in ids for ids in spelled):
        flags.add("text_unknown")
    if any(len(ids) > MOST_TOKENS - 3 for ids in spelled):
        flags.add("text_truncated")
    cut = [ids[: MOST_TOKENS - 3] for ids in spelled]
    groups: list[list[int]] = [[]]
    room = MOST_TOKENS - 2
    for index, ids in enumerate(cut):
        if len(ids) + 1 > room:
            groups.append([])
            room = MOST_TOKENS - 2
        groups[-1].append(index)
        room -= len(ids) + 1
    if len(groups) > 1:
        flags.add(f"caption_chunks:{len(groups)}")
    return [_caption(group, cut) for group in groups]


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[.?]", " ", text).lower().split())


def _caption(group: Iterable[int], spelled: Sequence[list[int]]) -> Caption:
    ids, labels, spans = [START], [], []
    for index in group:
        labels.append(index)
        spans.append((len(ids), len(ids) + len(spelled[index])))
        ids += [*spelled[index], DOT]
    return Caption((*ids, END), tuple(labels), tuple(spans))


def _stand_in(text: str) -> list[int]:
    """One id a word: random weights come without a vocabulary, and know no words anyway."""
    return [FREE + zlib.crc32(word.encode()) % WORDS for word in text.split()]
