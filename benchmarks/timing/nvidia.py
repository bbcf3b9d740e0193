"""What the driver of our NVIDIA card tells: who uses it, how much memory, and whether its clocks are held down."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from shutil import which
from typing import Any

PATIENCE_S = 5
HELD_DOWN = 0x8 | 0x20 | 0x40 | 0x80
"""Hardware slow-down, software and hardware thermal limits, power brake (nvml.h, clocksEventReasons).

A power cap is left out: a card under full load may always be at it, and that is then its speed.
"""


def disturbance(living: int) -> str | None:
    """What makes a window on the card worth nothing, or None, also where the driver says nothing.

    Args:
        living: processes of ours that may be listed. They are counted and not compared by id, which a container hides.
    """
    users = _lines("--query-compute-apps=pid")
    if len(users) > living:
        return f"{len(users) - living} other processes on the card"
    for line in _lines("--query-gpu=clocks_throttle_reasons.active"):
        reasons = _number(line)
        if reasons is not None and reasons & HELD_DOWN:
            return f"the clocks of the card are held down ({line})"
    return None


def driver_mb() -> float | None:
    """Memory of the card that this process holds, by the driver, in 10**6 bytes; None where it does not say."""
    for line in _lines("--query-compute-apps=pid,used_memory"):
        pid, _, used = line.partition(",")
        held = _number(used.strip())
        if pid.strip() == str(os.getpid()) and held is not None:
            return held * 1.048576
    return None


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:  # "[N/A]", "[Insufficient Permissions]"
        return None


def _lines(query: str) -> list[str]:
    program = _program()
    if program is None:
        return []
    try:
        command = [program, query, "--format=csv,noheader,nounits", *_only_ours()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):  # then the driver says nothing
        return []
    return [line for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _only_ours() -> list[str]:
    """Ask of the card that torch uses: what goes on on its neighbours is no disturbance."""
    torch: Any = sys.modules.get("torch")  # who works on a card has loaded it
    if torch is None or not torch.cuda.is_available():
        return []
    uuid = getattr(torch.cuda.get_device_properties(torch.cuda.current_device()), "uuid", None)
    return [] if uuid is None else ["-i", f"GPU-{uuid}"]


@cache
def _program() -> str | None:
    return which("nvidia-smi")
