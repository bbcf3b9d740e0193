"""The rows of the leaderboard, served to its page past the queue of Gradio, which takes several answers an event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.tracking.scrubbed import scrubbed
from pipelines.errors import WorkbenchError
from workbench.boards.chart import Ties
from workbench.boards.query import Query, understood
from workbench.boards.shown import Parts, shown
from workbench.boards.stored import Boards
from workbench.plainly import words

logger = logging.getLogger(__name__)
PATH = "board/rows"
AT_ONCE, WAITING = 2, 100
"""Questions that are answered at one time, and that may wait for it."""

BUSY = "Too many ask at this moment. Try again in a minute."
HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}


@dataclass(frozen=True)
class Rows:
    """What questions are answered from.

    Attributes:
        boards: the stored runs.
        ties: that were worked out.
    """

    boards: Boards
    ties: Ties = field(default_factory=Ties)

    def answer(self, said: Mapping[str, str]) -> Parts:
        """What is shown for a question, as `shown` gives it.

        Args:
            said: as an address says it.

        Raises:
            UsageError: nobody can ask so, or records of a run are gone.
        """
        return self._shown(understood(said))

    def warm(self) -> None:
        """Read the runs that all see and work their ties out, before anybody asks."""
        try:
            self._shown(Query(ties=True))
        except Exception as error:  # nobody asked: who does is told
            logger.warning("The leaderboard was not read ahead: %s", words(error))

    def _shown(self, asked: Query) -> Parts:
        return shown(self.boards.look(asked.page, anew=asked.anew), asked, self.ties)


def serve(app: Any, rows: Rows) -> None:
    """Answer ``/board/rows?…`` on the app that is served, before any other route is asked.

    Args:
        app: that Gradio's ``launch`` returned.
        rows: what is answered.
    """
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    line, waiting = asyncio.Semaphore(AT_ONCE), 0

    def answered(said: dict[str, str]) -> Response:
        try:
            return JSONResponse(rows.answer(said), headers=HEADERS)
        except WorkbenchError as error:
            return JSONResponse({"detail": scrubbed(str(error))}, 400, HEADERS)
        except Exception as error:
            return JSONResponse({"detail": words(error)}, 500, HEADERS)

    async def asked(request: Any) -> Response:
        nonlocal waiting
        if waiting >= WAITING:
            return JSONResponse({"detail": BUSY}, 429, HEADERS)
        waiting += 1
        try:
            await line.acquire()
        finally:
            waiting -= 1
        try:
            return await run_in_threadpool(answered, dict(request.query_params))
        finally:
            line.release()

    app.router.routes.insert(0, Route(f"/{PATH}", asked, methods=["GET"]))
