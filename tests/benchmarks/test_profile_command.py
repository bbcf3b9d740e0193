"""The command as a user runs it: one document on stdout, files written whole, mistakes with a cure, a list that works."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.command import run_command
from benchmarks.profile.__main__ import app
from benchmarks.selection import check_decodes, read_exclusions, select
from tests.benchmarks.copies import made_folder, picture
from tests.benchmarks.profiled import made_photographs
from tests.benchmarks.reporting import made_dataset, made_run, of

Run = Callable[..., "subprocess.CompletedProcess[str]"]
KEYS = {
    "schema_version",
    "dataset",
    "n",
    "images",
    "masks",
    "suspects",
    "splits",
    "kinds",
    "excluded",
    "advice",
    "points",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["profile", *arguments])
    code = run_command(app)
    said = capfd.readouterr()
    return code, said.out, said.err


def test_one_document_on_stdout_and_the_files(command: Run, tmp_path: Path) -> None:
    made_photographs(tmp_path / "photographs")
    done = command("benchmarks.profile", "photographs", "--json", "--md", "--exclude-to", "lists/out.txt")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document.keys() >= KEYS and document["schema_version"] == 1
    for one in document["suspects"]:
        assert one.keys() >= {"kind", "sample", "related", "severity", "reason", "suggestion"}
    folder = tmp_path / "profiles" / "photographs"
    assert sorted(path.name for path in folder.iterdir()) == ["profile.html", "profile.json", "profile.md"]
    assert json.loads((folder / "profile.json").read_text()) == document
    assert "written: profiles/photographs/profile.html" in done.stderr
    assert len(read_exclusions(tmp_path / "lists" / "out.txt")) == document["excluded"] > 0


def test_the_screen_says_what_the_page_says_first(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made_photographs(here / "photographs")
    code, out, err = called(monkeypatch, capfd, "photographs", "--out", "found", "--no-html")
    document = json.loads((here / "found" / "profile.json").read_text())
    assert (code, err) == (0, "")
    for words in (
        "photographs: 14 images",
        "left out or mended",
        "exact_duplicate",
        "image_unreadable: p06",
        "care: ",
        "written: found/profile.json",
    ):
        assert words in out, words
    assert all(kind in out for kind in document["kinds"])
    assert sorted(path.name for path in (here / "found").iterdir()) == ["profile.json"]
    assert called(monkeypatch, capfd, "photographs", "--out", "found", "--quiet") == (0, "", "")


def test_what_is_on_the_list_is_all_that_keeps_a_run_from_starting(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = made_photographs(here / "photographs")
    soft = cv2.GaussianBlur(cv2.imread(str(folder / "masks" / "p09.png"), cv2.IMREAD_GRAYSCALE), (0, 0), 4)
    cv2.imwrite(str(folder / "masks" / "p09.png"), soft)
    assert called(monkeypatch, capfd, "photographs", "--exclude-to", "list.txt", "--no-html", "--quiet")[0] == 0
    left_out = read_exclusions(here / "list.txt")
    assert {"p04", "p06", "p09"} <= set(left_out)
    kept = select("photographs", None, None, left_out)
    check_decodes(kept)
    assert {sample.id for sample in kept} == {f"p{n:02d}" for n in range(14)} - set(left_out)


def test_two_profiles_are_compared(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made_folder(here / "few", {f"p{n}": picture(n) for n in range(8)})
    assert called(monkeypatch, capfd, "few", "--out", "before", "--no-html", "--quiet")[0] == 0
    dark = (picture(3) // 40).astype(np.uint8)
    cv2.imwrite(str(here / "few" / "images" / "p3.png"), dark)
    code, out, _ = called(monkeypatch, capfd, "few", "--out", "now", "--against", "before/profile.json", "--json")
    found = json.loads(out)["comparison"]
    assert code == 0 and found["same"] is False and found["before"]["n"] == found["now"]["n"] == 8
    assert [one["sample"] for one in found["suspects"]["new"]] == ["p3"]
    assert "What changed since the other profile" in (here / "now" / "profile.html").read_text()


def test_split_and_limit_choose_the_images(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [f"p{n}" for n in range(9)]
    made_folder(
        here / "parts",
        {name: picture(n) for n, name in enumerate(names)},
        {name: "a" if n < 6 else "b" for n, name in enumerate(names)},
    )
    _, out, _ = called(
        monkeypatch, capfd, "parts", "--split", "a", "--limit", "3", "--no-html", "--json", "--jobs", "1", "--no-verify"
    )
    document = json.loads(out)
    assert document["n"] == 3 and document["dataset"]["splits"] == {"a": 3}
    assert document["points"]["ids"] == ["p0", "p2", "p4"]


def test_a_run_tells_the_spread(here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    data = made_dataset(here / "data")
    manifest = made_run(here / "runs" / "one", data, {"good": of(12, 0), "fair": of(12, 4)}) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"pipeline":"x"', '"pipeline":"y"', 1))
    code, out, err = called(monkeypatch, capfd, "data", "--run", "runs", "--no-html", "--json")
    assert code == 0 and "the newest, one, is taken" in err
    (said,) = [one for one in json.loads(out)["advice"] if "groups_needed" in one["figures"]]
    assert said["figures"]["spread_measured"] == 1.0


def test_pictures_without_masks_are_profiled_too(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made_dataset(here / "plain", 6, masks=False)
    code, out, _ = called(monkeypatch, capfd, "plain", "--json")
    assert code == 0 and json.loads(out)["masks"]["with_masks"] == 0
    assert "speed can be measured, and quality cannot" in (here / "profiles" / "plain" / "profile.html").read_text()


MISTAKES = {
    "no dataset": (("nowhere",), "dataset", "There is no dataset 'nowhere'"),
    "no split": (("data", "--split", "train"), "unknown_name", "split"),
    "no profile": (("data", "--against", "none.json"), "usage", "none.json cannot be read"),
    "no run": (("data", "--run", "empty"), "usage", "holds no run"),
    "no folder": (("data", "--out", "file.txt"), "usage", "--out file.txt cannot be used"),
    "no folder for the list": (("data", "--exclude-to", "file.txt/list"), "usage", "--exclude-to"),
    "limit": (("data", "--limit", "0"), "usage", "--limit"),
    "unknown option": (("data", "--pdf"), "usage", "--pdf"),
    "nothing": ((), "usage", "DATASET"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_one_sentence_with_a_cure(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], mistake: str
) -> None:
    made_dataset(here / "data", 3)
    (here / "empty").mkdir()
    (here / "file.txt").write_text("")
    arguments, kind, words = MISTAKES[mistake]
    code, out, err = called(monkeypatch, capfd, *arguments)
    assert (code, out) == (2, "") and words in err and len(err.strip().splitlines()) == 1
    code, out, err = called(monkeypatch, capfd, *arguments, "--json")
    error = json.loads(out)["error"]
    assert (code, error["code"], err) == (2, kind, "") and error["cure"]
    assert not (here / "profiles").exists() or not list((here / "profiles").rglob("profile.*"))


def test_help_imports_nothing_heavy(command: Run) -> None:
    done = command("benchmarks.profile", "--help")
    assert done.returncode == 0
    for option in (
        "--out",
        "--split",
        "--html",
        "--no-html",
        "--json",
        "--md",
        "--exclude-to",
        "--run",
        "--against",
        "--no-verify",
        "--jobs",
        "--limit",
        "--quiet",
    ):
        assert option in done.stdout
    heavy = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "benchmarks.profile", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert not {"numpy", "cv2", "pydantic", "rich.console", "torch"} & {
        line.rpartition("|")[2].strip() for line in heavy.splitlines()
    }
