"""More small pipelines that tests of tuning search: one that takes time, one that is easily ruined, one that waits."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest

from pipelines.base import Pipeline
from pipelines.layers import Layers
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt
from tests.benchmarks import tuning

MEETING = "TUNE_TEST_MEETING"
"""Variable ``FOLDER:COUNT``: whoever loads `Twin` signs in the folder and waits until so many have."""

PATIENCE_S = 30
ENTRY_POINTS = "[segmentation_workbench.pipelines]\n" + "".join(
    f"{name} = tests.benchmarks.tuning_more:{name.title()}\n" for name in ("slow", "murky", "twin")
)


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """These pipelines are known beside those of `tuning`; the folder that a process of its own needs on its path."""
    tuning.installed(monkeypatch, folder)
    site = folder / "more"
    about = site / "tuning_more-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tuning-more\nVersion: 1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(site))
    return site


def bright(image: Image) -> np.ndarray:
    return cv2.GaussianBlur(image[..., 0].astype(np.float32) / 255, (9, 9), 2.0)


def cut(soft: np.ndarray, threshold: float, size: tuple[int, int], off: int = 0) -> Prediction:
    mask = soft >= threshold
    if off:
        mask = cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=off) > 0
    masks = mask[None] if mask.any() else np.zeros((0, *size), np.bool_)
    return Prediction.of(masks, np.ones(len(masks), np.float32), np.zeros(len(masks), np.int64))


NAP_MS = 10
"""Long beside what else a decision takes, on a busy machine too."""


class SlowParams(Params):
    naps: int = knob(0, help="The more, the better.", reads="decide", ge=0, le=8)


class Slow(Pipeline):
    """Its mask is too large by a pixel for each nap that it does not take."""

    info = PipelineInfo(name="slow", title="Slow")
    Params = SlowParams

    def _load(self) -> None:
        return

    def _infer(self, images: list[Image], prompts: list[Prompt], params: SlowParams) -> list[Evidence]:
        return [Evidence(image.shape[:2], soft=bright(image)[None]) for image in images]

    def _decide(self, evidence: Evidence, params: SlowParams) -> Prediction:
        time.sleep(params.naps * NAP_MS / 1e3)
        return cut(np.asarray(evidence.soft)[0], 0.5, evidence.size, 8 - params.naps)

    def _layers(self, evidence: Evidence, params: SlowParams) -> Layers | None:
        return None


class MurkyParams(Params):
    lens: Literal["fog", "rain", "clear", "mud", "night"] = knob("fog", help="To look through.", reads="infer")
    murk: float = knob(0.5, help="Noise in the picture.", reads="infer", ge=0, le=1, search=False)


class Murky(Pipeline):
    """Sees well through one lens alone, and noise through the others."""

    info = PipelineInfo(name="murky", title="Murky")
    Params = MurkyParams

    def _load(self) -> None:
        return

    def _infer(self, images: list[Image], prompts: list[Prompt], params: MurkyParams) -> list[Evidence]:
        return [self._look(image, params) for image in images]

    def _look(self, image: Image, params: MurkyParams) -> Evidence:
        tuning.note(f"look {params.lens} {params.murk:.6g}")
        share = params.murk if params.lens == "clear" else 0.5 + params.murk / 2
        noise = np.random.default_rng(zlib.crc32(image.tobytes()) + len(params.lens)).random(image.shape[:2])
        soft = (1 - share) * bright(image) + share * noise.astype(np.float32)
        return Evidence(image.shape[:2], soft=soft[None].astype(np.float32))

    def _decide(self, evidence: Evidence, params: MurkyParams) -> Prediction:
        return cut(np.asarray(evidence.soft)[0], 0.5, evidence.size)

    def _layers(self, evidence: Evidence, params: MurkyParams) -> Layers | None:
        return None


class TwinParams(Params):
    grow: int = knob(4, help="Pixels added to the mask.", reads="decide", ge=0, le=8)
    threshold: float = knob(0.5, help="Cut.", reads="decide", ge=0, le=1)


class Twin(Pipeline):
    """Loads when as many as are to meet have come; each decision takes a while, so that nobody is done at once."""

    info = PipelineInfo(name="twin", title="Twin")
    Params = TwinParams

    def _load(self) -> None:
        place, _, count = os.environ.get(MEETING, "").rpartition(":")
        if not place:
            return
        (Path(place) / str(os.getpid())).touch()
        until = time.monotonic() + PATIENCE_S
        while len(list(Path(place).iterdir())) < int(count):
            assert time.monotonic() < until, "nobody came"
            time.sleep(0.002)

    def _infer(self, images: list[Image], prompts: list[Prompt], params: TwinParams) -> list[Evidence]:
        return [Evidence(image.shape[:2], soft=bright(image)[None]) for image in images]

    def _decide(self, evidence: Evidence, params: TwinParams) -> Prediction:
        tuning.note(f"deciding {os.getpid()}")
        time.sleep(0.004)
        return cut(np.asarray(evidence.soft)[0], params.threshold, evidence.size, params.grow)

    def _layers(self, evidence: Evidence, params: TwinParams) -> Layers | None:
        return None
