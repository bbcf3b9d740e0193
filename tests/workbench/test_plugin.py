"""A package that is installed beside the project: its pipelines are in the app with their knobs, with no change to the app."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from tests.workbench.apps import request, running

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
LOOK = ("Overlay", "Checkerboard", 0.5, 0.0)


def test_an_installed_pipeline_is_in_the_app_with_its_knobs_and_presets(
    plugin_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its real entry point: tests/plugin is built as a wheel, and unpacked where Python finds it."""
    monkeypatch.syspath_prepend(str(plugin_site))
    image = np.full((40, 60, 3), 51, np.uint8)
    image[:, :30], image[:, 30:40] = 204, (200, 20, 20)
    with running(tmp_path) as app:
        bright, colour = app.slot("bright"), app.slot("colour")
        assert bright.offer.title == "Bright pixels" and bright.chosen.interactive
        assert list(bright.knobs) == ["threshold", "delay_ms", "fault"] and list(bright.decided) == ["threshold"]
        assert isinstance(bright.knobs["threshold"], gr.Slider) and bright.knobs["threshold"].maximum == 1
        assert isinstance(bright.knobs["fault"], gr.Dropdown) and bright.preset.choices[0][1] == "default"
        app.compare("v", app.upload(image), {"bright": {}, "colour": {}}, prompt="red")
        cards = app.desk.visits.get("v").cards
        assert [cards[name].status for name in ("bright", "colour")] == ["ok", "ok"], [
            one.reason for one in cards.values()
        ]
        assert cards["bright"].foreground[:, :30].all() and not cards["bright"].foreground[:, 30:].any()
        assert cards["colour"].foreground[:, 30:40].all() and not cards["colour"].foreground[:, :30].any()
        app.desk.decide(bright)(request("v"), *LOOK, 0.9)
        assert not app.desk.visits.get("v").cards["bright"].foreground.any()
        assert Path(app.desk.file(colour)(request("v"), "coco")[colour.file]["value"]).name == "x_colour_coco.json"
