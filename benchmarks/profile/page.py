"""A dataset's profile as one HTML page: nothing is fetched, no script is in it, and it reads the same without style."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.datasets import Dataset
from benchmarks.profile import (
    page_answer,
    page_comparison,
    page_maps,
    page_plots,
    page_rest,
    page_scatter,
    page_suspects,
)
from benchmarks.profile.page_suspects import Gallery
from benchmarks.report.page import Section, whole
from benchmarks.store import write_whole

FILE = "profile.html"


def write_page(document: Mapping[str, Any], dataset: Dataset | None, folder: Path) -> Path:
    """Write the page, whole or not at all.

    Args:
        document: of the profile; with "points" it has scatter plots, with "comparison" what changed.
        dataset: that the pictures of suspects are read from; None = without pictures.
        folder: made where it is missing.

    Returns:
        The file, ``profile.html`` in the folder.
    """
    path = folder / FILE
    write_whole(path, page(document, dataset))
    return path


def page(document: Mapping[str, Any], dataset: Dataset | None) -> str:
    """The whole page; parts that have no data are left out."""
    found = page_suspects.gallery(document, dataset)
    title = page_answer.title(document)
    return whole(
        title, page_answer.header(document), _sections(document, found), page_rest.footer(document), _style(document)
    )


def _style(document: Mapping[str, Any]) -> str:
    own = files("benchmarks.profile").joinpath("page.css").read_text(encoding="utf-8")
    switches = (
        page_suspects.rules(document),
        page_plots.rules(len(document["dataset"]["splits"])),
        page_scatter.rules(),
    )
    return "\n".join((own, *switches))


def _sections(document: Mapping[str, Any], found: Gallery) -> list[Section]:
    return [
        ("answer", "Answer", "Answer", page_answer.answer(document, found)),
        ("changes", "What changed", "What changed since the other profile", page_comparison.changes(document)),
        ("advice", "For the choice", "What it means for the choice of a pipeline", page_rest.advice(document)),
        ("suspects", "Suspects", "Suspects", page_suspects.suspects(document, found)),
        ("features", "Features", "How the images are", page_plots.distributions(document)),
        ("scatter", "Together", "Two features together", page_scatter.scatter(document, found)),
        ("position", "Objects", "Where the objects lie, and how large they are", page_maps.position(document)),
        ("classes", "Classes", "Classes", page_maps.classes(document)),
        ("splits", "Splits", "Are the splits alike?", page_rest.splits(document)),
        ("files", "Sizes and files", "Sizes and files", page_rest.files(document)),
        ("method", "Method", "Method and limits", page_rest.method(document)),
    ]
