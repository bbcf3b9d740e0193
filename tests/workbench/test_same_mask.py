"""The app's mask is the benchmark's, byte for byte through a process of its own, although the app decodes weaker candidates too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import open_dataset
from pipelines import create
from pipelines.types import Prompt
from workbench.catalogue import Order, Place
from workbench.service import Service

PROMPT = Prompt(("a coin",), boxes=((10.0, 12.0, 80.0, 90.0),))
FIELDS = {"grounded_sam": {"box_threshold": 0.45}}


@pytest.mark.parametrize("name", ["grounded_sam"])
def test_masks_are_equal(tiny_weights: Path, name: str) -> None:
    sample = next(iter(open_dataset("coins")))
    fields = FIELDS.get(name, {})
    with Service(Place(weights=str(tiny_weights), device="cpu")) as service:
        card = service.look("v", sample.image, PROMPT, Order(name, fields=fields))
    assert card.status == "ok", card.reason
    with create(name, weights=tiny_weights, params=card.configuration.params) as plain:
        (expected,) = plain.predict([sample.image], [PROMPT])
    assert card.prediction is not None
    assert np.array_equal(card.prediction.masks, expected.masks)
    assert np.array_equal(card.prediction.boxes, expected.boxes)
