"""Pipelines where a GPU is lent to single calls, as on ZeroGPU: what is forked, what is pickled, what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

from pipelines.errors import WorkbenchError
from pipelines.types import Prompt
from tests.conftest import ROOT
from tests.workbench import acting, pretended
from workbench.catalogue import Order, Place, configuration
from workbench.looks.child import LOST, Failed
from workbench.looks.inside import Inside
from workbench.looks.process import CancelledError
from workbench.service import Service

IMAGE = np.full((6, 8, 3), 200, np.uint8)
LENDING = ROOT / "tests" / "workbench" / "lending"

SCRIPT = """
import json, os, sys
import numpy as np
import pytest
import spaces_app
from pipelines.types import Prompt
from tests.workbench import pretended
from workbench.catalogue import Order

pretended.gpu(pytest.MonkeyPatch())
made = spaces_app.service(spaces_app.settings())
import spaces
picture = np.full((6, 8, 3), 200, np.uint8)
warm = sorted(made.pool.loaded)
asked = [{}, {"gain": 0.25}, {"act": "raise"}, {"act": "exit"}, {"size": "large"}, {"size": "none"}]
cards = list(made.compare("v", picture, Prompt(), [Order("acting", fields=fields) for fields in asked]))
cards.append(made.look("v", picture, Prompt(), Order("classical")))
os.environ["QUOTA_USED"] = "1"
cards.append(made.look("v", picture, Prompt(), Order("acting", fields={"gain": 3.0})))
cards.append(made.look("v", picture, Prompt(), Order("classical", "coin-seed")))
print(json.dumps({
    "status": [card.status for card in cards], "reason": [card.reason for card in cards],
    "found": [None if card.foreground is None else int(card.foreground.sum()) for card in cards],
    "device": [card.configuration.device for card in cards],
    "load": [card.load_ms is not None for card in cards], "asked": spaces.asked, "warm": len(warm),
    "torch": "torch" in sys.modules, "still": sorted(made.pool.loaded) == warm,
}))
made.close()
"""


def test_the_space_lends_its_gpu_to_single_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acting.installed(monkeypatch, tmp_path)
    path = os.pathsep.join([str(LENDING), os.environ["PYTHONPATH"]])
    said = {"SPACES_ZERO_GPU": "true", "WORKBENCH_WEIGHTS": str(tmp_path / "none"),
            "PYTHONPATH": path}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env={**os.environ, **said}, capture_output=True,
                          text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["status"] == ["ok", "ok", "failed", "failed", "ok", "unavailable", "ok", "failed", "ok"]
    assert found["device"] == ["cuda"] * 6 + ["cpu", "cuda", "cpu"]
    assert found["found"][:2] == [48, 0] and found["found"][4] == 48
    assert "the bulb is broken" in found["reason"][2]
    assert found["reason"][3].startswith("The GPU was not lent, or was taken back: GPU task aborted. Try again")
    assert "no checkpoint of that size" in found["reason"][5]
    assert "You have exceeded your ZeroGPU quota (30s requested" in found["reason"][7]
    assert {seconds for seconds, _ in found["asked"]} == {30} and len(found["asked"]) == 7, "classical needs no GPU"
    assert max(size for _, size in found["asked"]) < 10_000, "a picture of 144 bytes and what is to be done with it"
    assert found["warm"] == 2 and found["still"], "classical and acting; what was loaded in a fork stayed there"
    assert found["load"] == [False, False, False, False, True, False, False, False, False]
    assert not found["torch"], "nothing of torch is done in the process that is forked"


@pytest.mark.parametrize(("value", "lent"), [("1", True), ("True", True), ("", False), ("0", False), ("false", False)])
def test_zero_gpu_is_known_as_the_package_spaces_knows_it(
    value: str, lent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import spaces_app

    monkeypatch.setenv("SPACES_ZERO_GPU", value)
    monkeypatch.syspath_prepend(str(LENDING))
    assert spaces_app.lent() is lent
    assert spaces_app.settings().device == ("cuda" if lent else "auto")


def test_without_the_package_spaces_the_app_starts_as_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    import spaces_app

    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not spaces_app.lent()
    monkeypatch.undo()
    monkeypatch.setenv("WORKBENCH_ROOM_MB", "much")
    with pytest.raises(WorkbenchError, match="WORKBENCH_ROOM_MB is no number"):
        spaces_app.settings()


def inside(monkeypatch: pytest.MonkeyPatch, folder: Path, wrap: Any) -> Service:
    acting.installed(monkeypatch, folder)
    pretended.gpu(monkeypatch)
    return Service(Place(device="cuda"), pool=Inside(wrap))


def test_what_the_lender_says_is_on_the_card_and_the_next_call_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gradio as gr

    raised: list[Exception] = [
        gr.Error("GPU task aborted", title="ZeroGPU worker error"),
        RuntimeError("no\nmore"),
        KeyError(),
    ]

    def wrap(look: Any) -> Any:
        def lend(*given: Any) -> Any:
            if raised:
                raise raised.pop(0)
            return look(*given)

        return lend

    with inside(monkeypatch, tmp_path, wrap) as service:
        cards = [service.look("v", IMAGE, Prompt(), Order("acting")) for _ in range(4)]
    assert [card.status for card in cards] == ["failed"] * 3 + ["ok"]
    words = ("GPU task aborted", "no", "KeyError")
    for card, said in zip(cards, words, strict=False):
        assert card.reason == (f"The GPU was not lent, or was taken back: {said}. Try again in a while, with a smaller "
                               "picture, or on your own machine.")  # fmt: skip


def test_a_process_that_lost_the_gpu_it_was_lent_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer would let the lender use it again."""
    monkeypatch.setattr("workbench.looks.inside.look", lambda *given: Failed(LOST, "The GPU gave up.", "Run it again."))
    with inside(monkeypatch, tmp_path, lambda look: look) as service:
        card = service.look("v", IMAGE, Prompt(), Order("acting"))
    assert (card.status, card.reason) == ("failed", "The GPU gave up. Run it again.")


def test_who_waits_for_the_gpu_can_call_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with inside(monkeypatch, tmp_path, lambda look: look) as service:
        off = Event()
        with service.pool.lock:
            Thread(target=lambda: (sleep(0.1), off.set())).start()
            start = monotonic()
            with pytest.raises(CancelledError):
                service.pool.look(configuration(Order("acting"), service.place), IMAGE, Prompt(), {}, off)
        assert monotonic() - start < 1
        assert service.look("v", IMAGE, Prompt(), Order("acting")).status == "ok"


def test_what_needs_no_gpu_neither_borrows_it_nor_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lent: list[str] = []

    def wrap(look: Any) -> Any:
        def lend(*given: Any) -> Any:
            lent.append(given[0].label)
            return look(*given)

        return lend

    with inside(monkeypatch, tmp_path, wrap) as service:
        with service.pool.lock:
            assert service.pool.working == 1
            assert service.look("v", IMAGE, Prompt(), Order("classical")).status == "ok"
        assert not lent
        with service.pool.here:
            assert service.look("v", IMAGE, Prompt(), Order("acting")).status == "ok"
        assert lent == ["acting"] and service.pool.working == 0
