"""Bright pixels are foreground; and, on request, everything that a pipeline can do wrong."""

from __future__ import annotations

import os
import signal
import time
from typing import Literal

import numpy as np

from pipelines.base import Pipeline
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prompt

Fault = Literal["none", "exception", "exit", "memory", "wrong_shape", "nan", "every_other", "unloadable", "segfault",
                "killed", "hang", "killed_in_batches"]  # fmt: skip

print("a plugin may print when it is imported")


class BrightParams(Params):
    threshold: float = knob(0.5, help="Brightness from which a pixel is foreground.", reads="decide", ge=0, le=1)
    delay_ms: float = knob(0, help="How long a picture takes, in milliseconds.", reads="infer", ge=0, le=10_000)
    fault: Fault = knob("none", help="What to do wrong.", reads="infer")


class Bright(Pipeline):
    info = PipelineInfo(name="bright", title="Bright pixels")
    Params = BrightParams

    def _load(self) -> None:
        if self.params.fault == "unloadable":
            raise ImportError("No module named 'unheard_of'")

    def _infer(self, images: list[Image], prompts: list[Prompt], params: BrightParams) -> list[Evidence]:
        if params.fault == "killed_in_batches" and len(images) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return [self._look(image, params) for image in images]

    def _look(self, image: Image, params: BrightParams) -> Evidence:
        fault = params.fault
        with self.clock.stage("wait"):
            time.sleep(params.delay_ms / 1e3)
        if fault == "exception" or (fault == "every_other" and image[0, 0, 0] % 2):
            raise RuntimeError("the bulb is broken")
        if fault == "memory":
            raise MemoryError
        if fault == "exit":
            os._exit(7)
        if fault in ("segfault", "killed"):
            os.kill(os.getpid(), signal.SIGSEGV if fault == "segfault" else signal.SIGKILL)
        if fault == "hang":
            time.sleep(3600)
        size = (1, 1) if fault == "wrong_shape" else image.shape[:2]
        soft = image.mean(axis=2, dtype=np.float32)[np.newaxis] / 255
        return Evidence(size, soft=soft * (np.nan if fault == "nan" else 1))
