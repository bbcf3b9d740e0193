"""The contest with rembg: one network for both, nothing fetched, and a reason where it is not installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from benchmarks.peers import rmbg
from benchmarks.peers.interleave import Contest, Row
from tests.tiny.rmbg import u2net


class Session:
    """What rembg's session of the U²-Net family does, in its words."""

    def __init__(self, name: str, providers: list[str]) -> None:
        path = Path(os.environ["U2NET_HOME"]) / f"{name}.onnx"
        assert os.environ["MODEL_CHECKSUM_DISABLED"]
        self.inner_session = onnxruntime.InferenceSession(path, providers=providers)

    def normalize(self, picture: Any, mean: Any, std: Any, size: tuple[int, int]) -> dict[str, Any]:
        small = np.array(picture.resize(size, Image.Resampling.LANCZOS))
        values = (small / small.max() - mean) / std
        return {self.inner_session.get_inputs()[0].name: values.transpose(2, 0, 1)[None].astype(np.float32)}


def remove(picture: Any, session: Session, only_mask: bool) -> Any:
    assert only_mask
    given = session.normalize(Image.fromarray(picture), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (320, 320))
    found = session.inner_session.run(None, given)[0][0, 0]
    stretched = (found - found.min()) / (found.max() - found.min())
    mask = Image.fromarray((stretched * 255).astype(np.uint8))
    return np.asarray(mask.resize(picture.shape[1::-1], Image.Resampling.LANCZOS))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    made: Any = ModuleType("rembg")
    made.new_session, made.remove = Session, remove
    monkeypatch.setitem(sys.modules, "rembg", made)
    monkeypatch.setattr(rmbg, "find_spec", lambda name: object())
    monkeypatch.setattr("pipelines.networks.saliency.load_torch", lambda *_: u2net())  # of real size it takes seconds
    yield made


def test_outputs_are_equal_before_times_are_compared(stand_in: ModuleType) -> None:
    found = rmbg.contests(sides=(64,), checkpoint="u2net")
    for contest, peer in zip(found, (rmbg.PEER, rmbg.RELOADED), strict=True):
        assert isinstance(contest, Contest)
        assert contest.peer == peer
        assert contest.equal()
        assert contest.call_ours().shape == contest.call_peer().shape == (64, 64)
        assert contest.call_ours().dtype == np.uint8
    assert "U2NET_HOME" not in os.environ


def test_another_mask_is_noticed(stand_in: ModuleType) -> None:
    stand_in.remove = lambda *given, **named: 255 - remove(*given, **named)
    found = rmbg.contests(sides=(64,), checkpoint="u2net")
    contest = next(iter(found))
    assert isinstance(contest, Contest)
    assert not contest.equal()
    found.close()  # type: ignore[attr-defined]


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rmbg, "find_spec", lambda name: None if name == "rembg" else object())
    (row,) = rmbg.contests()
    assert isinstance(row, Row)
    assert (row.status, row.ratio) == ("unavailable", None)
    assert row.reason == "rembg is not installed (the peer): pip install rembg"
