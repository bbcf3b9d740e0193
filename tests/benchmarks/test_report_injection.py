"""Names, prompts, tags and reasons that try to be markup, script, formulas or commands stay text in every file."""

from __future__ import annotations

import csv
import json
import shlex
from io import StringIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from markdown_it import MarkdownIt

from benchmarks.datasets import open_dataset
from benchmarks.records import WeightsRecord
from benchmarks.report.command_line import command_line
from benchmarks.report.contents import Report, report
from benchmarks.report.markdown import markdown
from benchmarks.report.markup import Markup, element, text
from benchmarks.report.page import page
from benchmarks.report.written import images_csv, rows_csv, rows_json
from benchmarks.store import RecordWriter, RunStore, write_whole
from tests.benchmarks.reporting import Seen, made_run, sample_record, square

HOSTILE = (
    "<script>alert(1)</script>",
    "</title><script>alert(2)</script>",
    "</style><script>alert(3)</script>",
    "<img src=x onerror=alert(4)>",
    '"><svg onload=alert(5)>',
    "' onmouseover='alert(6)",
    '" autofocus onfocus="alert(7)',
    "<iframe src=javascript:alert(8)>",
    "<a href='javascript:alert(9)'>x</a>",
    "--><script>alert(10)</script><!--",
    "]]><script>alert(11)</script>",
    "<meta http-equiv=refresh content='0;url=https://example.invalid/12'>",
    "<base href=https://example.invalid/13/>",
    "<link rel=stylesheet href=https://example.invalid/14.css>",
    "<style>@import 'https://example.invalid/15.css';</style>",
    "&lt;script&gt;alert(16)&lt;/script&gt;",
    "&#x3C;script>alert(17)</script>",
    "${alert(18)}{{alert(18)}}",
    '=HYPERLINK("https://example.invalid/19","x")',
    "+cmd|' /C calc'!A20",
    "@SUM(1+21)*cmd|' /C calc'!A0",
    "| a | b |\n|---|---|\n[x](javascript:alert(22)) ![y](https://example.invalid/22.png) `z` **w**",
    "\u202egpj.exe\u202c\u0000\u001b[31m\ud83d",
    "$(touch pwned24); `id` 'x' \"y\" && rm -rf ~",
)
ALL = " ".join(HOSTILE)
SAFE = ALL.replace("\ud83d", "").replace("\x00", "")  # what may be in a file that is UTF-8 without NUL


def written_run(base: Path, words: str, name: str) -> Path:
    """A run in which everything that may be named says `words`, and the pictures are called `name`."""
    data = base / "data"
    (data / "images").mkdir(parents=True)
    (data / "masks").mkdir()
    lines = [["file_name", "mask_file_name", "group", "prompt", "note"]]
    for index in range(4):
        file = f"{name}{index}.png"
        picture = cv2.imencode(".png", square(index).astype(np.uint8)[..., None].repeat(3, axis=2) * 200)[1]
        (data / "images" / file).write_bytes(picture.tobytes())
        (data / "masks" / file).write_bytes(cv2.imencode(".png", square(index).astype(np.uint8) * 255)[1].tobytes())
        lines.append([f"images/{file}", f"masks/{file}", f"{words} {index}", words, words])
    buffer = StringIO()
    csv.writer(buffer).writerows(lines)
    (data / "metadata.csv").write_text(buffer.getvalue(), encoding="utf-8")
    weights = (WeightsRecord(repo=words, revision=words, licence=words, commercial=None, note=words),)
    one, two = f"{words} one", f"{words} two"
    masks = {one: [square(i) for i in range(4)], two: [square(i + 3) for i in range(3)] + [None]}
    folder = made_run(base / "run", data, masks, dataset={"name": words, "prompt": (words,), "split": None},
                      settings={one: {"weights": weights, "substitute_for": words}}, gone={f"{words} gone": words},
                      environment={"cpu": words, "cores": 2, "packages": {words: words}})  # fmt: skip
    store = RunStore(folder)
    dataset, configurations = open_dataset(str(data)), store.manifest().configurations
    for label, configuration in zip(masks, configurations, strict=False):
        store.records_path(configuration.id).unlink()
        with RecordWriter(store.records_path(configuration.id)) as writer:
            for sample, mask in zip(dataset, masks[label], strict=True):
                record = sample_record(sample, mask)
                error = f"RuntimeError: {words}" if record.error else None
                writer.append(
                    record.model_copy(
                        update={"error": error, "texts": (words,), "tags": {words: f"{words} {record.id[-1]}"}}
                    )
                )
        known = store.timing(configuration.id)
        assert known
        write_whole(store.timing_path(configuration.id), known.model_copy(update={"flags": (words,)}).model_dump_json())
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    name = "\"><img src=x onerror=alert(1)>'&lt;=1+1"
    return report(written_run(tmp_path_factory.mktemp("hostile"), SAFE, name))


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report(written_run(tmp_path_factory.mktemp("harmless"), "words", "picture"))


def test_there_are_24() -> None:
    assert len(set(HOSTILE)) == 24


@pytest.mark.parametrize("string", HOSTILE)
def test_an_element_holds_any_text_as_text(string: str) -> None:
    seen = Seen(f"<main>{element('p', string, title=string)}</main>")
    assert seen.tags == ["main", "p"]
    assert [name for _, name, _ in seen.attributes] == ["title"]
    shown = "".join(seen.words)
    assert shown == seen.values("p", "title")[0]
    assert not set(shown) & set("\x00\x1b\u202e\u202c\ud83d")
    if string.isascii() and string.isprintable():
        assert shown == string


def test_markup_cannot_be_made_by_accident() -> None:
    assert text("<b>") == "&lt;b&gt;"
    assert text(Markup("<b>")) == "<b>"
    assert text(Markup("<b>") + "<i>") == "&lt;b&gt;&lt;i&gt;", "what is joined is text again"
    for name in ("onclick", "onload", "style"):
        with pytest.raises(ValueError, match=name):
            element("p", **{name: "x"})


def test_the_page_has_the_same_elements_whatever_the_names(hostile: Report, harmless: Report) -> None:
    bad, good = Seen(page(hostile)), Seen(page(harmless))
    assert bad.tags == good.tags
    assert [(tag, name) for tag, name, _ in bad.attributes] == [(tag, name) for tag, name, _ in good.attributes]
    for string in HOSTILE[:18]:
        assert string in "".join(bad.words), "it is shown as it is"
    assert all(value.startswith("#") or value == "data:," for tag in ("a", "link") for value in bad.values(tag, "href"))


def test_markdown_makes_no_element_of_a_name(hostile: Report, harmless: Report) -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    bad, good = Seen(reader.render(markdown(hostile))), Seen(reader.render(markdown(harmless)))
    assert bad.tags == good.tags
    assert not bad.values("a", "href") and "img" not in bad.tags


def test_spreadsheets_find_no_formula(hostile: Report) -> None:
    for made in (rows_csv(hostile), images_csv(hostile)):
        for line in csv.reader(StringIO(made)):
            for cell in line:
                assert not cell.startswith(("=", "+", "@", "\t", "\r", "-")) or _is_number(cell), cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("string", HOSTILE[18:21])
def test_formulas_are_quoted(string: str, tmp_path: Path) -> None:
    found = report(written_run(tmp_path, string, "p"), pictures=False)
    assert f"'{string} one" in next(csv.reader(StringIO(images_csv(found))))


def test_json_is_ascii_and_gives_the_names_back(hostile: Report) -> None:
    made = rows_json(hostile)
    assert made.isascii()
    assert json.loads(made)["dataset"]["name"] == SAFE


def test_the_command_is_quoted_for_a_shell(hostile: Report) -> None:
    parts = shlex.split(command_line(hostile.facts.manifest))
    assert parts[:3] == ["python", "-m", "benchmarks.run"]
    assert parts[parts.index("--prompt") + 1] == SAFE
