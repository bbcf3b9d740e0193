"""What is wrong with a dataset as a whole: it is said on every page, it tells in the verdict, and a run starts without."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from benchmarks.datasets import Problem, open_dataset
from benchmarks.profile.blocking import blocking, told
from benchmarks.profile.exclusions import write_exclusions
from benchmarks.profile.markdown import markdown
from benchmarks.profile.page import page
from benchmarks.profile.profiling import profile
from benchmarks.profile.screen import print_profile
from benchmarks.profile.verdict import verdict
from benchmarks.profile.written import finished
from benchmarks.selection import read_exclusions, select
from pipelines.errors import DatasetError
from tests.benchmarks.copies import made_folder, picture
from tests.benchmarks.profiled import finished_document, suspect, with_suspects
from tests.benchmarks.reporting import Seen
from tests.benchmarks.test_profile_command import called
from tests.benchmarks.test_profile_markdown import READER


def orphan_mask(folder: Path) -> str:
    cv2.imwrite(str(folder / "masks" / "zz.png"), np.zeros((9, 9), np.uint8))
    return "masks/zz.png"


def two_of_one_name(folder: Path) -> str:
    cv2.imwrite(str(folder / "images" / "p1.jpg"), picture(7))
    return "images/p1.jpg"


def outward_link(folder: Path) -> str:
    outside = folder.parent / "outside.png"
    cv2.imwrite(str(outside), picture(9))
    (folder / "images" / "q.png").symlink_to(outside)
    return "images/q.png"


def unprintable_name(folder: Path) -> str:
    (folder / "images" / "a\x07b.png").write_bytes((folder / "images" / "p1.png").read_bytes())
    return ascii("a\x07b.png")


FAULTS = {one.__name__: one for one in (orphan_mask, two_of_one_name, outward_link, unprintable_name)}


def made(folder: Path) -> Path:
    return made_folder(folder, {f"p{n}": picture(n) for n in range(5)})


def printed(document: dict[str, Any]) -> str:
    console = Console(width=200, record=True, file=StringIO())
    print_profile(console, document, [])
    return console.export_text()


def everywhere(document: dict[str, Any]) -> list[str]:
    """What page, terminal and Markdown say, each in one line."""
    answer = Seen(page(document, None)).said.split("What it means for the choice")[0]
    texts = (answer, printed(document), Seen(READER.render(markdown(document))).said)
    return [" ".join(text.split()) for text in texts]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_keeps_a_run_from_starting_is_said_and_can_be_left_out(tmp_path: Path, fault: str) -> None:
    folder = made(tmp_path / "data")
    row = FAULTS[fault](folder)
    with pytest.raises(DatasetError):
        select(str(folder), None, None, ())
    document, _ = finished_document(folder)
    (problem,) = blocking(document)
    assert problem["row"] == row and problem["exclude"] and not document["suspects"]
    for text in everywhere(document):
        assert " ".join(told(problem).split()) in text
    said = verdict(document)
    assert said.level == "care" and said.headline.startswith("Not ready as it is: 1 problem keeps a run")
    assert any("--exclude-to exclude.txt" in (line or "") for _, line in said.steps)
    assert said.steps[-1][1] == "python -m benchmarks.run --dataset data --exclude exclude.txt"
    write_exclusions(document, tmp_path / "list.txt")
    assert read_exclusions(tmp_path / "list.txt") == (row,)
    kept = select(str(folder), None, None, read_exclusions(tmp_path / "list.txt"))
    assert len(kept) == document["n"] >= 4


def test_what_changes_the_meaning_of_other_rows_is_said_and_not_listed(tmp_path: Path) -> None:
    odd = Problem("labelmap.txt line 3", "it names leaf again, after line 2.", "Correct the line.")
    dataset = replace(open_dataset(str(made(tmp_path / "data"))), problems=(odd,))
    document = finished(profile(dataset), "data")
    (problem,) = blocking(document)
    assert problem["row"] == odd.row and not problem["exclude"]
    assert all(" ".join(told(problem).split()) in text for text in everywhere(document))
    assert verdict(document).level == "care" and "Sound" not in verdict(document).headline
    assert write_exclusions(document, tmp_path / "list.txt") == 0
    assert "exclude" not in "".join(line or "" for _, line in verdict(document).steps)


def test_a_file_that_a_suspect_stands_for_is_told_once(tmp_path: Path) -> None:
    folder = made(tmp_path / "data")
    (folder / "images" / "p2.png").write_bytes(b"no picture")
    document, _ = finished_document(folder)
    assert [one["sample"] for one in document["suspects"]] == ["p2"] and blocking(document) == []
    assert len(document["dataset"]["problems"]) == 1


def test_a_leak_between_splits_is_a_suspect_and_no_row_to_leave_out(tmp_path: Path) -> None:
    same = picture(1)
    splits = {"a": "x", "b": "y", "c": "x", "d": "y"}
    folder = made_folder(tmp_path / "leak", {"a": same, "b": same, "c": picture(2), "d": picture(3)}, splits)
    document, _ = finished_document(folder)
    assert document["dataset"]["problems"] and blocking(document) == []


@pytest.mark.parametrize("level", ["concern", "note"])
def test_a_concern_of_all_is_said_and_is_not_sound(tmp_path: Path, level: str) -> None:
    document, _ = finished_document(made(tmp_path / "data"))
    document = {**with_suspects(document), "concerns": [], "notes": []}
    assert "Sound" in verdict(document).headline
    if level == "concern":
        document["concerns"] = [{"title": "Many masks may be inverted", "reason": "4 of 5 are. Is that meant?"}]
        said = verdict(document)
        assert said.headline == "To be checked before pipelines are judged: many masks may be inverted."
        words = ("Many masks may be inverted", "4 of 5 are. Is that meant?")
    else:
        document["notes"], words = (
            ["After 20000 pairs no further copy was looked for."],
            ("After 20000 pairs no further",),
        )
    assert all(word in text for text in everywhere(document) for word in words)


def test_a_mask_of_everything_counts_pictures_where_something_is_judged(tmp_path: Path) -> None:
    folder = made(tmp_path / "data")
    (folder / "dataset.yaml").write_text("classes: {255: disc}\nignore: 7\n")
    shape = picture(0).shape[:2]
    cv2.imwrite(str(folder / "masks" / "p0.png"), np.full(shape, 7, np.uint8))
    document, _ = finished_document(folder)
    own = [float((cv2.imread(str(folder / "masks" / f"p{n}.png"), 0) == 255).mean()) for n in range(1, 5)]
    assert document["masks"]["covered"] == pytest.approx(np.mean(own))
    for n in range(1, 5):
        cv2.imwrite(str(folder / "masks" / f"p{n}.png"), np.full(shape, 7, np.uint8))
    document, _ = finished_document(folder)
    assert document["masks"]["covered"] is None
    assert not [one for one in document["advice"] if "whole picture" in one["title"]]


def parts(folder: Path) -> Path:
    for place, name in enumerate(("train", "test")):
        made_folder(folder / name, {f"{name}{n}": picture(n + 10 * place) for n in range(4)})
    (folder / "test" / "images" / "test1.png").write_bytes(b"no picture")
    (folder / "train" / "images" / "train2.png").write_bytes(b"no picture")
    return folder


def test_split_and_limit_are_kept_and_files_of_other_splits_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    parts(tmp_path / "parts")
    options = ("parts", "--split", "train", "--limit", "2", "--json", "--quiet", "--exclude-to", "list.txt", "--md")
    code, out, _ = called(monkeypatch, capfd, *options)
    document = json.loads(out)
    data = document["dataset"]
    assert (code, data["split"], data["limit"], data["n"], document["n"]) == (0, "train", 2, 2, 3)
    assert [one["row"] for one in blocking(document)] == ["test/images/test1.png"]
    for _, line in verdict(document).steps:
        assert line is None or "parts --split train --limit 2" in line
    assert "--split train --limit 2" in (tmp_path / "profiles" / "parts" / "profile.md").read_text().replace("\\", "")
    left_out = read_exclusions(tmp_path / "list.txt")
    assert left_out == ("test/images/test1.png", "train/images/train2")
    assert len(select("parts", "train", None, left_out)) == 3


@pytest.mark.parametrize("folders", [("images",), ("images", "masks")])
def test_folders_without_pictures_are_no_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], folders: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in folders:
        (tmp_path / "empty" / name).mkdir(parents=True)
    code, out, err = called(monkeypatch, capfd, "empty")
    assert (code, out) == (2, "") and ("holds no images" in err or "holds no pictures" in err)
    assert not (tmp_path / "profiles").exists()


def test_pictures_that_are_all_refused_are_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (made(tmp_path / "data") / "images").iterdir():
        path.write_bytes(b"no picture")
    code, out, _ = called(monkeypatch, capfd, "data", "--json", "--quiet", "--no-html")
    assert code == 0 and json.loads(out)["kinds"] == {"image_unreadable": 5}


def test_an_interrupted_profile_says_that_it_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    made(tmp_path / "data")
    monkeypatch.setattr("benchmarks.profile.profiling.profile", stopped)
    code, out, err = called(monkeypatch, capfd, "data", "--no-html")
    assert (code, out) == (130, "") and "begins anew" in err and "go on from here" not in err
    assert not list(tmp_path.rglob("profile.*"))


def test_a_list_counts_images_and_other_rows(tmp_path: Path) -> None:
    folder = made(tmp_path / "data")
    orphan_mask(folder)
    document = with_suspects(finished_document(folder)[0], suspect("mask_full", "p1"))
    assert write_exclusions(document, tmp_path / "list.txt") == 2
    head = (tmp_path / "list.txt").read_text().splitlines()[1]
    assert head.startswith("# 1 of 5 images of data, and 1 other row that is refused, dataset hash ")
