"""Every callback of the app, so that whatever goes wrong reaches the visitor in words."""

from __future__ import annotations

import inspect
import logging
import secrets
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from pipelines.errors import WorkbenchError
from workbench.looks.child import Failed

logger = logging.getLogger(__name__)
_INERT = str.maketrans("<>", "‹›")


def plainly(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The callback with every error as one that Gradio shows; it keeps its signature, which Gradio reads.

    Errors of ours are shown as they are. Of any other the visitor learns that it happened and a number by which it is
    found in the log, because its text may hold paths of this machine.

    Args:
        callback: a function, or one that yields.
    """
    if inspect.isgeneratorfunction(callback):

        @wraps(callback)
        def several(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from callback(*args, **kwargs)
            except Exception as error:
                raise shown(error) from error

        return several

    @wraps(callback)
    def once(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except Exception as error:
            raise shown(error) from error

    return once


def shown(error: Exception) -> Exception:
    """The error as Gradio shows it."""
    import gradio as gr

    if isinstance(error, gr.Error):
        return error
    return gr.Error(words(error).translate(_INERT), duration=20, print_exception=False)


def tell(error: Exception) -> None:
    """Show an error of a callback that goes on all the same."""
    import gradio as gr

    gr.Warning(words(error).translate(_INERT), duration=20)


def words(error: Exception) -> str:
    """What a visitor may read of an error."""
    if isinstance(error, WorkbenchError):
        return str(error)
    if isinstance(error, MemoryError):
        failed = Failed.of(error)
        return f"{failed.message} {failed.cure}"
    number = secrets.token_hex(4)
    logger.error("Error %s", number, exc_info=error)
    return (
        f"Something went wrong here that should not have (number {number} in the log). Try again, or another picture."
    )
