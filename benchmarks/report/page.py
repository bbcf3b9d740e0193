"""The report as one HTML page: nothing is fetched, no script is in it, and it reads the same without style."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from benchmarks.report import page_answer, page_charts, page_gallery, page_method, page_slices, page_table
from benchmarks.report.contents import Report
from benchmarks.report.markup import Markup, element

Section = tuple[str, str, str, Markup]
"""Name in the address and in the list of parts, title, and what is in it; an empty one is left out."""


def page(report: Report) -> str:
    """The whole document."""
    return whole(report.title, page_answer.header(report), _sections(report), page_method.footer(report))


def whole(title: str, header: Markup, sections: Sequence[Section], footer: Markup, style: str = "") -> str:
    """A document of this look, whatever it is about.

    Args:
        title: of the window.
        header: above the list of parts.
        sections: the first one is called ``answer``.
        footer: below all.
        style: rules of this page alone, after those that all share; never made of a name.
    """
    sections = [section for section in sections if section[3]]
    links = [element("li", element("a", short, href=f"#{name}")) for name, short, _, _ in sections]
    body = element(
        "body",
        element("a", "Skip to the answer", href="#answer", class_="skip"),
        header,
        element("nav", element("ul", links), aria_label="Parts of this report"),
        element("main", *(_section(name, title, content) for name, _, title, content in sections), id="main"),
        footer,
    )
    return f"<!doctype html>\n{element('html', _head(title, style), body, lang='en')}\n"


def _sections(report: Report) -> list[Section]:
    return [
        ("answer", "Answer", "Answer", page_answer.answer(report)),
        ("leaderboard", "Leaderboard", "Leaderboard", page_table.leaderboard(report)),
        ("trade-off", "Trade-off", "Quality against speed", page_charts.trade_off(report)),
        ("images", "Images", "Images", page_gallery.images(report)),
        ("slices", "Parts", "Where each is weak", page_slices.slices(report)),
        ("spread", "Spread", "How quality is spread over images", page_charts.spread(report)),
        ("thresholds", "Thresholds", "What other thresholds would give", page_charts.thresholds(report)),
        ("speed", "Speed", "Speed and memory", page_charts.speed(report)),
        ("failures", "Failures", "What failed", page_table.failures(report)),
        ("metrics", "All metrics", "All metrics", page_table.metrics(report)),
        ("method", "Method", "Method and limits", page_method.method(report)),
        ("machine", "Machine", "Machine and versions", page_method.machine(report)),
        ("reproduce", "Do it again", "Do it again", page_method.reproduce(report)),
    ]


def _section(name: str, title: str, content: Markup) -> Markup:
    return element(
        "section", element("h2", title, id=f"{name}-title"), content, id=name, aria_labelledby=f"{name}-title"
    )


def _head(title: str, more: str) -> Markup:
    style = files("benchmarks.report").joinpath("page.css").read_text(encoding="utf-8") + more
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Markup(style)),
    )
