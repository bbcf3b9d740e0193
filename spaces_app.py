"""Entry of the Hugging Face Space. ``python spaces_app.py [--check]``"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from threading import Thread
from typing import Any

from pipelines.errors import UsageError, WorkbenchError
from workbench.settings import Settings, prepare

LENT_S = 30
"""Seconds for which a GPU is asked for on ZeroGPU: a visitor's quota is held against all of them, used or not."""


def settings() -> Settings:
    """As the variables of the Space say; a Space listens on every address, at the port that it is given."""
    given = os.environ.get
    return Settings(given("GRADIO_SERVER_NAME", "0.0.0.0"), int(number("GRADIO_SERVER_PORT", 7860)),
                    given("WORKBENCH_WEIGHTS") or None, given("WORKBENCH_DEVICE", "cuda" if lent() else "auto"),
                    given("WORKBENCH_COMMERCIAL", "") == "1", number("WORKBENCH_ROOM_MB", 2000))  # fmt: skip


def number(name: str, usual: float) -> float:
    """What a variable of the Space says.

    Raises:
        UsageError: it is no number.
    """
    try:
        return float(os.environ.get(name) or usual)
    except ValueError as error:
        raise UsageError(f"The variable {name} is no number.", "Correct it in the settings of the Space.") from error


def lent() -> bool:
    """Whether this is ZeroGPU, where a GPU is lent to single calls; told as the package spaces is told."""
    asked = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    return asked and importlib.util.find_spec("spaces") is not None


def service(chosen: Settings) -> Any:
    """What runs the pipelines: on ZeroGPU this process, with all that can be loaded before anybody comes."""
    if lent():
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # a fork of a process whose threads ran hangs at the first one
        import spaces  # before torch, which it changes
    from workbench.looks.inside import Inside
    from workbench.service import Service

    if not lent():
        return Service(chosen.place, chosen.limits, chosen.half_mb)
    pool = Inside(spaces.GPU(duration=LENT_S))
    made = Service(chosen.place, chosen.limits, chosen.half_mb, pool)
    _load(made)
    return made


def warming(made: Any) -> Thread:
    """Load as many pipelines as are kept, while visitors may come already; closed, the service ends that too.

    Args:
        made: service with processes of its own.
    """
    thread = Thread(target=_load, args=(made,), name="warming", daemon=True)
    thread.start()
    return thread


def _load(made: Any) -> None:
    """Load what can run here; why some of it could not be loaded goes to the log of the Space."""
    from workbench.catalogue import Order, configuration

    able = (configuration(Order(offer.name), made.place) for offer in made.offers() if offer.reason is None)
    for label, reason in made.pool.warm(able).items():
        print(f"{label} is not loaded: {reason}", file=sys.stderr)


def main() -> None:
    """Build the app, and serve it; with ``--check`` list its endpoints instead."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else neither processes are ended nor the folder removed
    prepare()
    chosen = settings()
    made = service(chosen)
    from workbench.app import build

    app = build(chosen, made)
    try:
        if "--check" in sys.argv[1:]:
            print(json.dumps(sorted(app.demo.get_api_info()["named_endpoints"])))
            return
        print(f"The app is at {app.open()}")
        if not lent():
            warming(made)
        app.demo.block_thread()
    finally:
        app.close()


if __name__ == "__main__":
    try:
        main()
    except WorkbenchError as error:
        sys.exit(f"{error}")
