"""Weights that must not be used: the app starts all the same, says which and why, and runs none of their code."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.workbench.hostile.calls import Caller, Reply
from tests.workbench.hostile.pictures import saved
from tests.workbench.hostile.served import Served

TEXT = base64.b64encode(saved("PNG")).decode()


def test_what_is_missing_is_on_the_card_with_its_reason(known: Caller) -> None:
    offered = {one["name"]: one["unavailable"] for one in known.call("pipelines").data[0]}
    html = str(known.config())
    for name in ("sam", "sam3", "grounded_sam", "rmbg"):
        assert offered[name] and Reply(False, None, offered[name], "").is_plain, (name, offered[name])
        assert "Cannot run here" in html
        reply = known.segment(TEXT, name, prompt=["coin"], points=[[5, 5, 1]])
        assert reply.data[0]["status"] == "unavailable" and reply.data[0]["reason"], reply.text[:300]
    assert offered["classical"] is None and offered["clipseg"] is None


@pytest.mark.parametrize(("checkpoint", "words"), [("rd64", "safetensors"), ("rd16", "safetensors")])
def test_what_is_cut_off_or_pickled_is_refused_and_the_rest_runs(
    checkpoint: str, words: str, weighted: Served, known: Caller
) -> None:
    reply = known.segment(TEXT, "clipseg", prompt=["coin"], fields={"checkpoint": checkpoint})
    told = reply.data[0]
    assert told["status"] == "unavailable" and words in told["reason"], told
    assert str(weighted.folder) not in told["reason"] and "Traceback" not in told["reason"]
    assert known.segment(TEXT, "acting").data[0]["status"] == "ok"


def test_no_code_of_weights_runs(weighted: Served, known: Caller) -> None:
    found = known.segment(TEXT, "clipseg", prompt=["coin"])
    assert found.data[0]["status"] == "ok", found.text[:300]
    assert not Path(weighted.folder / "ran").exists()
