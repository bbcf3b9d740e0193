"""How long a decision takes through the running app: ``python docs/measurements/app_latency.py [CALLS]``.

The app runs in a process of its own. A picture of one megapixel is looked at by a classical pipeline and by a tiny
network; then the threshold is moved again and again: by ``gradio_client`` (which reads the certificates of the system
twice for each call, unless it is given them), by plain HTTP, and as a browser does it when a slider is moved. The
clock stops when the answer, and in the browser's way its picture, was read.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from gradio_client import Client

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from docs.measurements.app_process import Served, served  # noqa: E402
from tests.workbench.visiting import Visitor  # noqa: E402

CALLS, WARM, SIDE = 200, 5, 1000
PIPELINES = {"classical": "threshold", "clipseg": "threshold"}


def picture() -> bytes:
    """Coins, one megapixel, as PNG."""
    from benchmarks.datasets import open_dataset

    image = next(iter(open_dataset("coins"))).image
    times = -(-SIDE // min(image.shape[:2]))
    large = np.tile(image, (times, times, 1))[:SIDE, :SIDE]
    return cv2.imencode(".png", large[..., ::-1])[1].tobytes()


def timed(app: Served, decide: Callable[[float], Any], calls: int) -> dict[str, float]:
    """Milliseconds of calls with another threshold each, and what the app itself worked for one of them."""
    took, before = [], 0.0
    for number in range(calls + WARM):
        if number == WARM:
            before = worked_s(app)
        start = time.perf_counter()
        decide(0.2 + 0.6 * (number % 37) / 37)
        took.append((time.perf_counter() - start) * 1e3)
    p50, p95 = np.percentile(took[WARM:], [50, 95])
    return {"p50_ms": round(float(p50), 1), "p95_ms": round(float(p95), 1), "max_ms": round(max(took[WARM:]), 1),
            "app_cpu_ms": round((worked_s(app) - before) / calls * 1e3, 1)}  # fmt: skip


def worked_s(app: Served) -> float:
    """Seconds that the app has had of a core, of which other work on the machine takes nothing away."""
    times = app.process.cpu_times()
    return float(times.user + times.system)


def ways(app: Served, pipeline: str, field: str, data: bytes) -> dict[str, Callable[[float], Any]]:
    """Every way to move a threshold."""
    plain, once = (
        Client(app.url, verbose=False),
        Client(app.url, verbose=False, ssl_verify=ssl.create_default_context()),
    )
    said = {"image": base64.b64encode(data).decode(), "pipeline": pipeline, "prompt": ["coin"]}
    number = plain.predict(**said, api_name="/segment")["id"]
    visitor = Visitor(app.url, "latency-" + pipeline)
    visitor.open()
    visitor.compare(data, [pipeline], "coin")
    return {
        "gradio_client": lambda value: plain.predict(id=number, fields={field: value}, api_name="/decide"),
        "gradio_client, one TLS context": lambda value: once.predict(
            id=number, fields={field: value}, api_name="/decide"
        ),
        "plain HTTP": lambda value: visitor.call("decide", number, {field: value}, False),
        "slider": lambda value: visitor.slide(pipeline, field, value),
    }  # fmt: skip


def measured(app: Served, calls: int) -> dict[str, dict[str, float]]:
    """All ways, for each pipeline."""
    data, found = picture(), {}
    for pipeline, field in PIPELINES.items():
        for name, way in ways(app, pipeline, field, data).items():
            found[f"{pipeline}, {name}"] = timed(app, way, calls)
            print(f"{pipeline:10} {name:30} {found[f'{pipeline}, {name}']}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    with served() as app:
        before = os.getloadavg()
        found = measured(app, calls)
        print(json.dumps({"calls": calls, "load_before": before, "load_after": os.getloadavg(), "ways": found}))


if __name__ == "__main__":
    main()
