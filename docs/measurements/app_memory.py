"""What calls leave behind in memory: ``python docs/measurements/app_memory.py [CALLS] [MINUTES]``.

The app runs in a process of its own and is called by programs that give no session, so that each call is one; every
tenth looks at a picture, the others decide again, and every hundredth is a whole visit by a browser that goes away.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from docs.measurements.app_process import Served, served  # noqa: E402
from tests.workbench import marked as marks  # noqa: E402
from tests.workbench.visiting import RefusedError, Visitor, hold  # noqa: E402

CALLS, MINUTES, AT_ONCE, STEP, CAP = 12_000, 9.0, 4, 1000, 3000
LOOKS_EVERY, VISITS_EVERY = 10, 100


class Caller:
    """One program among several.

    Args:
        app: to call.
        number: of it.
    """

    def __init__(self, app: Served, number: int) -> None:
        self.visitor, self.app, self.number, self.id = Visitor(app.url, f"caller-{number}"), app, number, ""
        self.picture = base64.b64encode(marks.encoded(number)).decode()

    def call(self, count: int) -> None:
        """One call, and what came of it."""
        if count % VISITS_EVERY == 1:
            self.visit(count)
        elif count % LOOKS_EVERY == 0 or not self.id:
            found = self.visitor.call("segment", self.picture, "acting", "default", None, None, None, None)
            self.id = found["id"]
            marks.check_mask(base64.b64decode(found["mask_png"]), self.number)
        else:
            threshold = 0.2 + 0.6 * (count % 97) / 97
            found = self.visitor.call("decide", self.id, {"threshold": threshold}, False)
            marks.check_mask(base64.b64decode(found["mask_png"]), self.number)

    def visit(self, count: int) -> None:
        """A browser that comes, compares, moves a knob and goes."""
        visitor = Visitor(self.app.url, f"visit-{self.number}-{count}")
        visitor.open(self.visitor.page if self.visitor.page.events else None)
        self.visitor.page = visitor.page
        visitor.compare(marks.encoded(count), ["acting"])
        marks.check_rendering(visitor.slide("acting", "threshold", 0.4), count)
        visitor.close()


def calls(app: Served, callers: list[Caller], first: int, many: int) -> int:
    """Calls by all, some at one time; how many failed."""
    numbers, failed = iter(range(first, first + many)), [0]
    lock = threading.Lock()

    def work(caller: Caller) -> None:
        while True:
            with lock:
                count = next(numbers, None)
            if count is None:
                return
            try:
                caller.call(count)
            except (RefusedError, OSError) as error:
                print(error, file=sys.stderr)
                caller.id, failed[0] = "", failed[0] + 1

    hold([threading.Thread(target=work, args=(caller,)) for caller in callers])
    return failed[0]


def row(app: Served, done: int, failed: int, start: float) -> dict[str, Any]:
    """What the app takes after so many calls."""
    own, children = app.memory_mb()
    return {"calls": done, "failed": failed, "at_s": round(time.monotonic() - start), "rss_mb": round(own, 1),
            "children_mb": round(children, 1), "descriptors": app.process.num_fds(),
            "threads": app.process.num_threads(), "temp_mb": round(app.temp_mb(), 1)}  # fmt: skip


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    last = time.monotonic() + 60 * (float(sys.argv[2]) if len(sys.argv) > 2 else MINUTES)
    with served() as app:
        callers, rows, start = [Caller(app, number) for number in range(1, AT_ONCE + 1)], [], time.monotonic()
        for done in range(STEP, wanted + 1, STEP):
            failed = calls(app, callers, done - STEP, STEP)
            rows.append(row(app, done, failed, start))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            if time.monotonic() > last:
                break
        settled = [one for one in rows if one["calls"] >= CAP]
        slope = np.polyfit([one["calls"] / 1e3 for one in settled], [one["rss_mb"] for one in settled], 1)[0]
        print(json.dumps({"rows": rows, "mb_per_1000_calls_past_the_cap": round(float(slope), 2),
                          "load_after": os.getloadavg()}))  # fmt: skip


if __name__ == "__main__":
    main()
