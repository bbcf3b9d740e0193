"""A GPU where there is none: `acting` can use one, is told that it has it, and computes as ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.workbench import acting


def gpu(patch: pytest.MonkeyPatch) -> None:
    """Whatever device is chosen is there, in this process and its forks."""
    patch.setattr(acting.Acting, "info", replace(acting.Acting.info, devices=("cpu", "cuda")))
    patch.setattr("pipelines.device.resolve", lambda choice: choice)
    patch.setattr("pipelines.device.synchroniser", lambda device: None)
    patch.setattr("workbench.looks.inside.environment", lambda device: {"device": device})
