"""Entry of the Hugging Face Space. ``python spaces_app.py [--check]``"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from workbench.settings import Settings, prepare


def settings() -> Settings:
    """As the variables of the Space say; a Space listens on every address, at the port that it is given."""
    given = os.environ.get
    device = given("WORKBENCH_DEVICE", "cuda" if given("SPACES_ZERO_GPU") else "auto")
    return Settings(given("GRADIO_SERVER_NAME", "0.0.0.0"), int(given("GRADIO_SERVER_PORT", "7860")),
                    given("WORKBENCH_WEIGHTS") or None, device, given("WORKBENCH_COMMERCIAL", "") == "1",
                    float(given("WORKBENCH_ROOM_MB", "2000")))  # fmt: skip


def service(chosen: Settings) -> Any:
    """What runs the pipelines: on ZeroGPU this process, with all that can be loaded before anybody comes."""
    from workbench.catalogue import Order, configuration
    from workbench.inside import Inside
    from workbench.service import Service

    if not os.environ.get("SPACES_ZERO_GPU"):
        return Service(chosen.place, chosen.limits, chosen.room_mb)
    import spaces  # before torch, which it changes

    pool = Inside(spaces.GPU(duration=int(chosen.look_s)))
    made = Service(chosen.place, chosen.limits, chosen.room_mb, pool)
    able = [configuration(Order(offer.name), chosen.place) for offer in made.offers() if offer.reason is None]
    for label, reason in pool.warm(able).items():
        print(f"{label} is not loaded: {reason}", file=sys.stderr)
    return made


def main() -> None:
    """Build the app, and serve it; with ``--check`` list its endpoints instead."""
    prepare()
    from workbench.app import build

    chosen = settings()
    app = build(chosen, service(chosen))
    try:
        if "--check" in sys.argv[1:]:
            print(json.dumps(sorted(app.demo.get_api_info()["named_endpoints"])))
            return
        print(f"The app is at {app.open()}")
        app.demo.block_thread()
    finally:
        app.close()


if __name__ == "__main__":
    main()
