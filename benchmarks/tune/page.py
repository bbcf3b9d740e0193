"""A study as one HTML page: nothing is fetched, no script is in it, and it reads the same without style."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report.page import Section, whole
from benchmarks.store import write_whole
from benchmarks.tune import page_answer, page_curves, page_history, page_method, page_tables, page_trade_off
from benchmarks.tune.outcome import Outcome
from benchmarks.tune.page_facts import Told

FILE = "report.html"


def write_report(outcome: Outcome, document: Mapping[str, Any], folder: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        outcome: of the search.
        document: what ``--json`` prints of it.
        folder: of the study.

    Returns:
        The file, ``report.html`` in the folder.
    """
    path = folder / FILE
    write_whole(path, page(outcome, document))
    return path


def page(outcome: Outcome, document: Mapping[str, Any]) -> str:
    """The whole page; parts that have no data are left out.

    Args:
        outcome: of the search.
        document: what ``--json`` prints of it.
    """
    told = Told(outcome, document)
    return whole(page_answer.title(told), page_answer.header(told), _sections(told), page_method.footer(told))


def _sections(told: Told) -> list[Section]:
    what = page_tables.kind(told).capitalize()
    return [
        ("answer", "Answer", "Answer", page_answer.answer(told)),
        ("changes", "What changed", "What changed", page_tables.changes(told)),
        ("thresholds", "Thresholds", "How far a threshold can be moved", page_curves.thresholds(told)),
        ("words", what, f"How much the {what.lower()} matters", page_tables.variants(told)),
        ("labels", "Labelled images", "How many labelled images are enough", page_curves.learning(told)),
        ("folds", "Unseen images", "Each part of the images, unseen", page_tables.folds(told)),
        ("fields", "Fields", "Which fields matter", page_tables.fields(told)),
        ("trade-off", "Speed", "Quality against speed", page_trade_off.trade_off(told)),
        ("history", "Trials", "Every trial", page_history.history(told)),
        ("method", "Method", "Method and limits", page_method.method(told)),
    ]
