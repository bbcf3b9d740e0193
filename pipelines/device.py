"""Which device a pipeline runs on. "cuda" that cannot be had is an error, never a silent fallback."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pipelines.errors import UsageError
from pipelines.types import PipelineInfo

DeviceChoice = Literal["auto", "cpu", "cuda"]
AMD = Path("/dev/kfd")
"""There where a card of AMD is: torch calls that CUDA as well, and needs no driver of NVIDIA for it."""


def resolve(choice: str) -> str:
    """The device behind a choice; torch is asked only where the answer may be CUDA.

    Raises:
        UsageError: CUDA was asked for and is not there, or the choice is unknown.
    """
    if choice not in ("auto", "cpu", "cuda"):
        raise UsageError(f"There is no device {choice!r}.", "Choose auto, cpu or cuda.")
    if choice == "cpu" or (choice == "auto" and not _has_driver()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if choice == "auto":
        return "cpu"
    raise UsageError(
        "CUDA was asked for, and torch sees no CUDA device here.",
        "Use --device auto or --device cpu, or check the driver with nvidia-smi and the build with torch.version.cuda.",
    )


def _has_driver() -> bool:
    """Whether torch, which takes seconds to import, could see a device at all; it loads the driver by the same name."""
    if sys.platform != "linux" or AMD.exists():
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def device_for(info: PipelineInfo, choice: str) -> str:
    """The device of one pipeline; one that runs on the CPU alone does so whatever is chosen, and its row says it.

    Raises:
        UsageError: as `resolve`.
    """
    if "cuda" in info.devices or choice not in ("auto", "cpu"):
        device = resolve(choice)
        return device if device in info.devices else "cpu"
    return "cpu"


def synchroniser(device: str) -> Callable[[], None] | None:
    """What waits for a device's queue, or None where nothing is queued."""
    if device != "cuda":
        return None
    import torch

    return lambda: torch.cuda.synchronize()  # found anew each time: ZeroGPU changes it when it lends the GPU
