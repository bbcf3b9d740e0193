"""What a request may carry, looked at before Gradio reads it: bytes, values, depth, and whose session it names."""

from __future__ import annotations

from typing import Any

import orjson

from pipelines.errors import UsageError
from pipelines.images.limits import MIB
from workbench.settings import MAX_FILE_SIZE

MOST_JSON_BYTES = 30_000_000
"""A picture of 20 MiB as base64, and what goes with it."""

MOST_FORM_BYTES = 3 * int(MAX_FILE_SIZE.removesuffix("mb")) * MIB
MOST_VALUES = 100_000
"""In one document. A list takes 3 bytes to send and 60 to hold, and is copied several times on its way."""

MOST_DEPTH = 50
LONGEST_SESSION = 64


def most_bytes(is_upload: bool) -> int:
    """How large a body may be.

    Args:
        is_upload: whether it is a form of files; all else is JSON, whatever it calls itself.
    """
    return MOST_FORM_BYTES if is_upload else MOST_JSON_BYTES


def too_large(is_upload: bool) -> UsageError:
    """The refusal of a body that is larger."""
    return UsageError(f"The request is larger than {most_bytes(is_upload) / 1e6:.0f} MB.",
                      "Upload each picture as a file of at most 20 MiB, and send fewer at once.")  # fmt: skip


def check(body: bytes) -> None:
    """Refuse a document that is no JSON object, or one that would take much more memory than its bytes.

    Raises:
        UsageError: with what is wrong.
    """
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > MOST_VALUES:
        raise UsageError(f"The request holds about {values} values; at most {MOST_VALUES} are read.",
                         "Send fewer points, boxes or texts.")  # fmt: skip
    try:
        found = orjson.loads(body)
    except ValueError as error:  # of depth, of NaN, of signs that are not UTF-8
        raise UsageError("The request is no JSON.", 'Send an object such as {"data": []}; NaN is no JSON.') from error
    if not isinstance(found, dict):
        raise UsageError("The request is no JSON object.", 'Send an object such as {"data": []}.')
    if depth(found) > MOST_DEPTH:
        raise UsageError("The request nests its values too deeply.", "Send flat lists.")
    session = found.get("session_hash")
    if session is not None and not (isinstance(session, str) and 0 < len(session) <= LONGEST_SESSION):
        raise UsageError(f"The session is no text of 1 to {LONGEST_SESSION} letters.", "Leave it out.")


def depth(value: Any) -> int:
    """How deeply lists and objects lie in one another; looked at no further than what is too deep."""
    level, found = [value], 0
    while found <= MOST_DEPTH:
        level = [one for outer in level if isinstance(outer, (list, dict))
                 for one in (outer.values() if isinstance(outer, dict) else outer)]  # fmt: skip
        if not level:
            break
        found += 1
    return found
