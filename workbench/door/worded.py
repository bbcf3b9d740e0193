"""What Gradio refuses by itself, before any callback of ours is asked, is refused in words too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.door.gate import Gate, not_taken

INERT = str.maketrans("<>", "‹›")


def in_words(demo: Any) -> None:
    """Have whatever goes wrong before and after a callback reach the visitor as a sentence.

    Gradio tells nothing of an error that is not its own: too few values, a dictionary in the place of a number.

    Args:
        demo: of Gradio.
    """
    import gradio as gr

    usual = demo.process_api

    async def process_api(*given: Any, **named: Any) -> Any:
        try:
            return await usual(*given, **named)
        except gr.Error as error:
            own = str(error.message)
            if error.print_exception and (
                "<" in own or "[" in own
            ):  # of Gradio, with names of Python and endless lists
                own = not_taken(error)
            error.message, error.print_exception = own.translate(INERT), False
            raise
        except Exception as error:
            raise gr.Error(not_taken(error), duration=20, print_exception=False) from error

    demo.process_api = process_api


def served(others: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the server is made with, as ``app_kwargs`` of Gradio's ``launch`` takes it.

    Args:
        others: the same of others; their middleware lies behind the gate, and their answers win.
    """
    from fastapi.exceptions import RequestValidationError
    from starlette.middleware import Middleware
    from starlette.responses import JSONResponse

    async def invalid(request: Any, error: Exception) -> JSONResponse:
        said = not_taken(error)
        return JSONResponse({"detail": said, "error": said}, 422)

    given = dict(others or {})
    middleware = [Middleware(Gate), *given.pop("middleware", ())]
    handlers = {RequestValidationError: invalid, **given.pop("exception_handlers", {})}
    closed = {"openapi_url": None, "docs_url": None, "redoc_url": None}
    return {"middleware": middleware, "exception_handlers": handlers, **closed, **given}
