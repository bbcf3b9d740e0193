"""A small pipeline that does whatever its parameters say, well or badly, as a plugin that children find too."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from benchmarks.records import Configuration
from pipelines.base import Pipeline
from pipelines.errors import UnavailableError
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prompt
from tests.conftest import ROOT


class ActingParams(Params):
    size: Literal["small", "large", "none"] = knob("small", help="Checkpoint.", reads="load")
    act: Literal["well", "raise", "exit", "kill", "hang", "memory", "slow"] = knob(
        "well", help="What to do.", reads="infer"
    )
    gain: float = knob(1.0, help="Of the brightness.", reads="infer", ge=0, le=4)
    threshold: float = knob(0.5, help="Cut.", reads="decide", ge=0, le=1)


class Acting(Pipeline):
    """Brightness as evidence."""

    info = PipelineInfo(name="acting", title="Acting")
    Params = ActingParams

    def _load(self) -> None:
        if self.params.size == "none":
            raise UnavailableError("There is no checkpoint of that size.", "Take another.")

    def _infer(self, images: list[Image], prompts: list[Prompt], params: ActingParams) -> list[Evidence]:
        self._act(params.act)
        with self.clock.stage("brightness"):
            soft = [np.clip(image.mean(axis=2) / 255 * params.gain, 0, 1).astype(np.float32) for image in images]
        return [Evidence(one.shape, soft=one[None]) for one in soft]

    def _act(self, act: str) -> None:
        if act == "raise":
            raise RuntimeError("the bulb is broken\nand more")
        if act == "memory":
            raise MemoryError
        if act == "exit":
            os._exit(7)
        if act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if act == "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            time.sleep(600)
        if act == "slow":
            time.sleep(0.5)


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The pipeline is known here and in children, as an installer would make it."""
    about = folder / "site" / "acting-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acting\nVersion: 1\n")
    points = "[segmentation_workbench.pipelines]\nacting = tests.workbench.acting:Acting\n"
    (about / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(about.parent))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(about.parent), str(ROOT)]))
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_PRESETS", str(folder / "presets"))


def configuration(**load: Any) -> Configuration:
    params = ActingParams(**load).model_dump(mode="json")
    return Configuration(id="0", label="acting", pipeline="acting", preset="default", params=params, device="cpu")
