"""Labels to captions and back."""

from __future__ import annotations

import re

import pytest
from transformers import GroundingDinoImageProcessor, GroundingDinoProcessor

from pipelines.errors import PromptError
from pipelines.networks.captions import DOT, END, MOST_TOKENS, START, Spell, captions
from tests.tiny.detectors import bert_words

LABELS = ("Coin", "a red coin", "coin", "a  cat", "Münze", "coin-op, slot")


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return bert_words()


@pytest.fixture(scope="module")
def spell(tokenizer: object) -> Spell:
    return lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"])  # type: ignore[operator]


def test_ids_are_those_of_the_processor(tokenizer: object, spell: Spell) -> None:
    processor = GroundingDinoProcessor(GroundingDinoImageProcessor(), tokenizer)
    (made,) = captions(LABELS, spell, set())
    wanted = processor(text=[list(LABELS)], return_tensors="pt")["input_ids"][0].tolist()
    assert list(made.ids) == wanted


def test_every_label_finds_its_own_tokens(spell: Spell) -> None:
    (made,) = captions(LABELS, spell, set())
    assert made.ids[0] == START and made.ids[-1] == END
    for label, (start, end) in zip(made.labels, made.spans, strict=True):
        assert list(made.ids[start:end]) == spell(LABELS[label].lower()) and made.ids[end] == DOT


def test_a_dot_or_question_mark_does_not_part_a_label(spell: Spell) -> None:
    (made,) = captions(("a coin. a cat?", "dog"), spell, set())
    assert list(made.ids).count(DOT) == 2
    assert list(made.ids[slice(*made.spans[0])]) == spell("a coin a cat")


@pytest.mark.parametrize("text", ["...", "?", ". ?"])
def test_a_label_without_a_word_is_refused(spell: Spell, text: str) -> None:
    with pytest.raises(PromptError, match=f"label {re.escape(repr(text))} has no word"):
        captions(("cat", text), spell, set())


def test_words_that_the_vocabulary_lacks_are_said(spell: Spell) -> None:
    flags = set[str]()
    captions(("cat", "🙂"), spell, flags)
    assert flags == {"text_unknown"}


def test_many_labels_take_several_captions_and_none_is_lost(spell: Spell) -> None:
    texts, flags = tuple("a red coin " * (1 + i % 7) for i in range(40)), set[str]()
    made = captions(texts, spell, flags)
    assert len(made) > 1 and flags == {f"caption_chunks:{len(made)}"}
    assert [label for caption in made for label in caption.labels] == list(range(40))
    assert all(len(caption.ids) <= MOST_TOKENS for caption in made)
    for caption in made:
        for label, (start, end) in zip(caption.labels, caption.spans, strict=True):
            assert list(caption.ids[start:end]) == spell(" ".join(texts[label].split()))


def test_a_label_that_is_too_long_is_cut_and_that_is_said(spell: Spell) -> None:
    flags = set[str]()
    made = captions(("cat " * 250 + "dog dog dog dog dog", "coin"), spell, flags)
    assert "text_truncated" in flags
    assert all(len(caption.ids) <= MOST_TOKENS for caption in made)
