"""Numbers that are none are an error of the image, never an empty prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import create
from pipelines.errors import ContractError
from pipelines.finite import check_finite
from pipelines.types import Prompt

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
ASKED = Prompt(texts=("coin",), boxes=((2, 2, 40, 40),), points=((5, 5, 1),))
BROKEN = {
    "clipseg": ("clipseg", {}, lambda p: p._network._decoder.film_add),
    "sam": ("sam", {}, lambda p: p._segmenter.network.mask_decoder),
    "detector": ("grounded_sam", {}, lambda p: p._engine.detector.network),
    "owl": ("grounded_sam", {"detector": "owlv2-base"}, lambda p: p._engine.detector.network),
    "segmenter": ("grounded_sam", {}, lambda p: p._engine.segmenter.network.mask_decoder),
    "sam3": ("sam3", {}, lambda p: p._network.network),
    "birefnet": ("rmbg", {"checkpoint": "birefnet", "engine": "torch", "size": 64}, lambda p: p.network._run),
    "u2net": ("rmbg", {"checkpoint": "u2net", "engine": "torch", "size": 64}, lambda p: p.network._run),
}


@pytest.mark.parametrize("case", BROKEN)
def test_weights_that_are_no_numbers_are_an_error(tiny_weights: Path, case: str) -> None:
    """Through BiRefNet too, whose deformable convolution would read such an offset as an address."""
    name, params, part = BROKEN[case]
    with create(name, weights=tiny_weights, params=params) as pipeline:
        pipeline.load()
        broken: Any = part(pipeline)
        for parameter in broken.parameters():
            parameter.data.fill_(float("nan"))
        with pytest.raises(ContractError, match="not finite.*dtype=float32"):
            pipeline.predict([IMAGE], [ASKED])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_arrays_and_tensors_alike(value: float) -> None:
    check_finite(None, np.ones(3), torch.ones(3), np.zeros((0, 4)))
    for bad in (np.array([1, value]), torch.tensor([1, value])):
        with pytest.raises(ContractError, match="not finite"):
            check_finite(np.ones(3), bad)
