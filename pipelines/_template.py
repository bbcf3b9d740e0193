"""A pipeline to copy: one file, one line in `registry.py`, and it is in every command, table and test.

1. Copy this file to ``pipelines/NAME.py`` and fill in `info`, the parameters, `_load` and `_infer`.
2. Add ``"NAME": "pipelines.NAME:CLASS"`` to `PIPELINES` in ``registry.py``. In a package of your own, name it in
   ``[project.entry-points."segmentation_workbench.pipelines"]`` instead.
3. Run the contract for it: ``pytest tests/test_contract.py -k NAME``.
"""

from __future__ import annotations

import numpy as np

from pipelines.base import Pipeline
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prompt


class BrightnessParams(Params):
    """One typed field for each thing that a user may turn."""

    gamma: float = knob(1.0, help="Exponent of the brightness.", reads="infer", ge=0.1, le=10)
    threshold: float = knob(0.5, help="Probability from which a pixel is foreground.", reads="decide", ge=0, le=1)


class Brightness(Pipeline):
    """Bright pixels are foreground: the smallest pipeline that there can be."""

    info = PipelineInfo(name="brightness", title="Brightness", reference="none; a template")
    Params = BrightnessParams

    def _load(self) -> None:
        """Import heavy packages and load weights here, never at the top of the file."""

    def _infer(self, images: list[Image], prompts: list[Prompt], params: BrightnessParams) -> list[Evidence]:
        found = []
        for image in images:
            with self.clock.stage("brightness"):
                soft = (image.mean(axis=2, dtype=np.float32) / 255) ** params.gamma
            found.append(Evidence(image.shape[:2], soft=soft[np.newaxis]))
        return found
