"""HTML and SVG from trees of elements: text is escaped always, so that no name or prompt is ever read as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta", "link", "img", "br", "hr", "wbr"})
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
"""No text: control characters, what turns the direction of reading, and halves of characters."""


class Markup(str):
    """Text that is markup already. Only this module makes it from anything but a constant."""

    __slots__ = ()


Child = str | Iterable["Child"] | None
Value = str | int | float | bool | None


def text(value: str) -> Markup:
    """A text as it is to be read, wherever it stands; characters that no text has are shown as a box."""
    return value if isinstance(value, Markup) else Markup(escape(_CONTROL.sub("\ufffd", value), quote=True))


def element(name: str, /, *children: Child, **attributes: Value) -> Markup:
    """One element with what is in it.

    Args:
        name: of the element.
        children: texts, elements, or lists of them; None is left out.
        attributes: ``class_`` is written class, and ``aria_label`` aria-label; None and False are left out, and True
            has no value. A name that begins with ``on``, or ``style``, is refused: the page has neither.
    """
    opened = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(opened if name in VOID else f"{opened}{fragment(*children)}</{name}>")


def fragment(*children: Child) -> Markup:
    """Texts and elements one after another."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, str):
            parts.append(text(child))
        elif child is not None:
            parts.append(fragment(*child))
    return Markup("".join(parts))


def _attribute(key: str, value: Value) -> str:
    name = key.rstrip("_").replace("_", "-")
    if name.startswith("on") or name == "style":
        raise ValueError(f"the page has no attribute {name}")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{text(str(value))}"'
