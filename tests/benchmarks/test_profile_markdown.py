"""The summary of a profile holds what the page says first, and no name in it is read as Markdown or HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from benchmarks.profile.comparison import compare
from benchmarks.profile.markdown import MOST, markdown
from benchmarks.profile.page_parts import value
from benchmarks.profile.verdict import verdict
from tests.benchmarks.profiled import finished_document, made_photographs, named_by, suspect, with_suspects
from tests.benchmarks.reporting import Seen
from tests.benchmarks.test_report_injection import SAFE

READER = MarkdownIt("commonmark", {"html": True}).enable("table")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return finished_document(made_photographs(tmp_path_factory.mktemp("markdown") / "photographs"))[0]


def test_it_says_what_the_page_says_first(made: dict[str, Any]) -> None:
    seen = Seen(READER.render(markdown(made)))
    said = verdict(made)
    for words in (said.headline, *said.reasons, *(one["title"] for one in made["advice"])):
        assert " ".join(words.split()) in seen.said
    assert [one for one in seen.tags if one == "h1"] == ["h1"]
    for one in made["suspects"]:
        assert one["sample"] in seen.said and " ".join(one["reason"].split()) in seen.said


def test_every_feature_is_a_row_of_its_table(made: dict[str, Any]) -> None:
    lines = markdown(made).splitlines()
    for part in ("images", "masks"):
        for one in made[part]["features"]:
            row = next((line for line in lines if line.startswith(f"| {one['title']} | ")), None)
            assert (row is None) == (one["all"] is None)
            if row:
                assert row.split(" | ")[1] == str(one["all"]["n"])
                assert " ".join(value(one["all"]["p50"], one["unit"]).split()) in row.replace("\\", "")


def test_a_long_list_is_cut_and_says_so(made: dict[str, Any]) -> None:
    many = with_suspects(made, *(suspect("image_dark", f"p{n}") for n in range(MOST + 3)))
    text = markdown(many)
    assert f"p{MOST - 1} |" in text and f"p{MOST} |" not in text
    assert "3 more stand in the JSON document." in text


def test_what_changed_is_said_where_there_is_another_profile(made: dict[str, Any]) -> None:
    assert "What changed" not in markdown(made)
    both = {**made, "comparison": compare(with_suspects(made), made)}
    assert "## What changed" in markdown(both)
    assert f"{len(made['suspects'])} suspects new, 0 gone, 0 as before." in markdown(both)


def test_names_make_no_element(tmp_path: Path) -> None:
    bad, good = (named_by(words, tmp_path / str(n))[0] for n, words in enumerate((SAFE, "words")))
    first, second = (Seen(READER.render(markdown({**one, "comparison": compare(one, one)}))) for one in (bad, good))
    assert first.tags == second.tags
    assert not first.values("a", "href") and "img" not in first.tags
