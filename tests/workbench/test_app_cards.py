"""What a card says, in which nothing of a visitor or of a plugin is markup."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest

from benchmarks.records import WeightsRecord
from pipelines.types import Prediction, Prompt
from tests.workbench import acting
from workbench.service import Card
from workbench.settings import Settings
from workbench.tabs import about
from workbench.views import cards
from workbench.views.cards import Look
from workbench.visitors import Visit

RAN = acting.configuration().model_copy(update={"pipeline": "clipseg", "label": "clipseg"})
EVIL = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "</dd><iframe>")


def card(*texts: str) -> Card:
    masks = np.zeros((2, 10, 20), np.bool_)
    masks[0, :5], masks[1, :, :4] = True, True
    found = Prediction.of(masks, labels=np.array([0, 1 if len(texts) > 1 else 0]))
    return Card(RAN, "ok", prompt=Prompt(texts), prediction=found, infer_ms=2.5, decide_ms=0.25)


def visit() -> Visit:
    return Visit("p", "p.png", np.full((10, 20, 3), 90, np.uint8))


@pytest.mark.parametrize("text", EVIL)
def test_nothing_that_was_typed_or_said_is_markup(text: str) -> None:
    one = replace(card(text, "leaf"), flags=(text,), stages_ms={text: 1.0},
                  weights=(WeightsRecord(repo=text, revision=None, licence=text, commercial=None),))  # fmt: skip
    said = cards.facts(one, legend=cards.shown(visit(), one, Look(), 0).legend)
    said += cards.facts(Card(RAN, "failed", text)) + cards.waiting(text)
    assert text not in said and "&lt;" in said
    assert not any(tag in said.lower() for tag in ("<script", "<img", "<svg", "<iframe"))


@pytest.mark.parametrize("lent", [False, True])
def test_what_is_said_of_processes_is_so_where_it_is_said(lent: bool) -> None:
    async def made() -> str:  # Gradio wants a loop
        with gr.Blocks(analytics_enabled=False) as demo:
            about.build([], Settings(look_s=77), "http://here/", lent)
        return next(str(one.value) for one in demo.blocks.values() if isinstance(one, gr.Markdown))

    said = asyncio.run(made())
    assert ("takes no other along" in said, "ends after 77 s" in said, "lent" in said) == (not lent, not lent, lent)


def test_times_are_told_apart_and_what_was_not_done_is_said() -> None:
    first = cards.facts(replace(card(), load_ms=1500.0, stages_ms={"encode": 1.0}))
    again = cards.facts(replace(card(), infer_ms=None))
    assert "<dt>Load</dt><dd>1.50 s</dd><dt>Look</dt><dd>2.5 ms</dd><dt>Decision</dt><dd>0.2 ms</dd>" in first
    assert "<dt>encode</dt>" in first and "<dd>was loaded</dd>" in again and "<dd>kept from before</dd>" in again


@pytest.mark.parametrize(("commercial", "words"), [(True, "allowed"), (False, "no commercial use"), (None, "unclear")])
def test_a_licence_is_said_in_words(commercial: bool | None, words: str) -> None:
    weights = (WeightsRecord(repo="a/b", revision=None, licence="X-1.0", commercial=commercial),)
    said = cards.badges(weights)
    assert "X-1.0" in said and words in said and "a/b" in said


def test_a_substitute_and_random_weights_are_remarked() -> None:
    weights = (WeightsRecord(repo="a/b", revision=None, licence="MIT", commercial=True),)
    ran = RAN.model_copy(update={"substitute_for": "briaai/RMBG-2.0", "substitute_why": "It is gated.",
                                             "weights_from": "random", "weights": weights})  # fmt: skip
    said = cards.facts(replace(card(), configuration=ran))
    assert "Stands in for briaai/RMBG-2.0. It is gated." in said and "what it finds means nothing" in said


def test_a_view_that_cannot_be_had_is_an_overlay_that_says_so() -> None:
    for view, words in (("Soft map", "gives no soft map"), ("Error map", "give a true mask")):
        found = cards.shown(visit(), card(), Look(view), 0)
        assert found.alt.startswith("Overlay (") and words in found.alt


def test_labels_have_colours_and_one_label_has_that_of_the_pipeline() -> None:
    several = cards.shown(visit(), card("coin", "leaf"), Look(), 2).legend
    assert [(one.text, one.colour) for one in several] == [("coin", "#0072b2"), ("leaf", "#e69f00")]
    (alone,) = cards.shown(visit(), card("coin"), Look(), 2).legend
    assert (alone.text, alone.colour) == ("coin", "#009e73")


def test_a_wipe_shows_the_picture_itself_on_the_left() -> None:
    found = cards.shown(visit(), card(), Look("Mask", wipe=0.5), 0)
    assert (found.picture[:, :8] == 90).all() and set(np.unique(found.picture[:, 13:])) <= {0, 255}


def test_a_pipeline_that_takes_no_text_was_not_asked_for_one() -> None:
    one = replace(card("coin", "leaf"), configuration=RAN.model_copy(update={"pipeline": "classical"}))
    assert [one.text for one in cards.shown(visit(), one, Look(), 2).legend] == ["found"]
    assert "Looked for" not in cards.facts(one) and "Looked for" in cards.facts(card("coin"))
