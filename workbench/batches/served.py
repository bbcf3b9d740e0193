"""The ZIP of a batch, served from its folder by its number: a copy beside uploads would take the room of everybody."""

from __future__ import annotations

from typing import Any

from pipelines.errors import UsageError, WorkbenchError
from workbench.batches.folder import RESULTS
from workbench.batches.results import file_name_of
from workbench.batches.store import Batches

HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
           "Cross-Origin-Resource-Policy": "same-origin"}  # fmt: skip


def serve(app: Any, batches: Batches) -> None:
    """Answer ``/batch/NUMBER/results.zip`` on the app that is served, before any other route is asked.

    Args:
        app: that Gradio's ``launch`` returned.
        batches: whose files are served, once they are made.
    """
    from starlette.responses import FileResponse, PlainTextResponse, Response
    from starlette.routing import Route

    def file(request: Any) -> Response:
        try:
            batch = batches.get(request.path_params["number"])
            path = batch.path / RESULTS
            if not path.is_file():
                raise UsageError("There is no ZIP of this batch yet.", "Open the batch and make one.")
        except WorkbenchError as error:
            return PlainTextResponse(str(error), 404, HEADERS)
        return FileResponse(path, media_type="application/zip", headers=HEADERS, filename=file_name_of(batch))

    app.router.routes.insert(0, Route(f"/batch/{{number}}/{RESULTS}", file, methods=["GET", "HEAD"]))
