"""The files of a study that its visitor may see, served by its number: as text or as a page on which nothing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.profile.page import FILE as PAGE
from benchmarks.profile.written import JSON_FILE
from pipelines.errors import WorkbenchError
from workbench.studies.store import Studies
from workbench.studies.study import LIST, Study

POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
           "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}  # fmt: skip
TYPES = {PAGE: "text/html", JSON_FILE: "application/json", LIST: "text/plain"}


def serve(app: Any, studies: Studies) -> None:
    """Answer ``/study/NUMBER/FILE`` on the app that is served, before any other route is asked.

    Args:
        app: that Gradio's ``launch`` returned.
        studies: whose files are served.
    """
    from starlette.responses import FileResponse, PlainTextResponse, Response
    from starlette.routing import Route

    async def file(request: Any) -> Response:
        name = request.path_params["name"]
        try:
            path = path_of(studies.named(request.path_params["number"]), name)
        except WorkbenchError as error:
            return PlainTextResponse(str(error), 404, HEADERS)
        saved = name if "save" in request.query_params else None
        return FileResponse(path, media_type=TYPES[name], headers=HEADERS, filename=saved)

    app.router.routes.insert(0, Route("/study/{number}/{name}", file, methods=["GET", "HEAD"]))


def path_of(found: Study, name: str) -> Path:
    """A file of a study.

    Raises:
        WorkbenchError: it is none that is served, or it is not there yet.
    """
    from workbench.studies.study import gone

    path = found.folder / name if name == LIST else found.profile_folder / name
    if name not in TYPES or not path.is_file():
        raise gone()
    return path
