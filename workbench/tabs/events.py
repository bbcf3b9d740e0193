"""How the tabs listen to what visitors do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench.plainly import plainly

Listen = Callable[..., Any]
LOOKS, QUICK, ADDRESSES = "looks", "quick", "addresses"
QUICK_AT_ONCE = 4
SLOW: Mapping[str, Any] = {"concurrency_id": "files", "concurrency_limit": 1}
"""What unpacks or packs many files."""

HIDDEN: Mapping[str, Any] = {"show_progress": "hidden", "show_progress_on": []}
"""No progress, on nothing: what Gradio hides it still draws, for every output of every event since the page came."""


def on(listen: Listen, fn: Callable[..., Any] | None, inputs: Any = None, outputs: Any = None, **said: Any) -> Any:
    """An event that no client is shown, with errors in words, in the line of what is quick unless told otherwise.

    Args:
        listen: takes what Gradio's listeners take, such as ``button.click``.
        fn: is called; None for what the browser does alone.
        inputs: whose values it is given.
        outputs: that it may change.
        said: to Gradio, in place of what is usual here. With ``show_progress`` progress is shown on the outputs, unless
            ``show_progress_on`` names others.

    Returns:
        The event, which others may follow or call off.
    """
    shown = {} if "show_progress" in said else HIDDEN
    usual = {"api_visibility": "private", "concurrency_id": QUICK, "concurrency_limit": QUICK_AT_ONCE}
    return listen(plainly(fn) if fn else None, inputs, outputs, **{**usual, **shown, **said})
