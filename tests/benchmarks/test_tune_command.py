"""``python -m benchmarks.tune`` as a user meets it: one document, exit codes, and everything that can go wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.command import run_command
from benchmarks.tune.__main__ import app
from tests.benchmarks import tuning
from tests.conftest import ROOT, Run

Tune = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tuning.discs(tmp_path / "d")


@pytest.fixture
def tune(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], data: Path) -> Tune:
    """The command with ``--json``: exit code, document. Exactly one document, and no traceback."""

    def run(pipeline: str, *options: str) -> tuple[int, dict[str, Any]]:
        given = [pipeline, *(("--dataset", str(data)) if "--dataset" not in options else ()), *options, "--json"]
        given += ["--jobs", "1"] if "--jobs" not in options else []
        monkeypatch.setattr(sys, "argv", ["tune", *given])
        code = run_command(app)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out)

    return run


def refused(found: tuple[int, dict[str, Any]], *words: str, code: int = 2) -> None:
    assert found[0] == code, found
    assert set(found[1]) == {"error"}
    error = found[1]["error"]
    assert set(error) == {"code", "message", "cure"}
    assert error["cure"].endswith(".")
    for word in words:
        assert word in f"{error['message']} {error['cure']}"


def test_the_document_as_others_rely_on_it(tune: Tune, tmp_path: Path) -> None:
    code, said = tune("smooth", "--trials", "12", "--folds", "3", "--save", "mine")
    assert code == 0
    assert {"schema_version", "pipeline", "objective", "best", "trials", "preset"} <= set(said)
    assert {"params", "value", "cv_value", "cv_ci", "folds"} <= set(said["best"])
    assert (said["pipeline"], said["objective"], said["trials"], len(said["best"]["folds"])) == (
        "smooth",
        "miou",
        12,
        3,
    )
    assert sum(fold["n_groups"] for fold in said["best"]["folds"]) == 6
    assert Path(said["preset"]).is_file()
    assert json.loads((Path(said["study"]) / "tuned.json").read_text()) == said


def test_the_same_seed_saves_the_same_bytes(tune: Tune, tmp_path: Path) -> None:
    saved = []
    for out in ("one", "two"):
        assert tune("smooth", "--trials", "10", "--folds", "2", "--save", "mine", "--replace", "--out", out)[0] == 0
        saved.append(
            {p.name: p.read_bytes() for p in (tmp_path / "presets").iterdir() if p.suffix in (".yaml", ".csv")}
        )
    assert saved[0] == saved[1]
    assert len(saved[0]) == 2


@pytest.mark.parametrize(("options", "words"), [
    (("smooth", "--fields", "treshold"), ["threshold"]),
    (("smoth",), ["smooth"]),
    (("smooth,boxes",), ["one at a time"]),
    (("smooth@none",), ["none"]),
    (("smooth", "--fields", "free"), ["free", "bounds"]),
    (("smooth", "--fields", "path"), ["path", "no choice"]),
    (("smooth", "--folds", "1"), ["--folds 1"]),
    (("smooth", "--folds", "7"), ["2 to 6"]),
    (("smooth", "--trials", "0"), ["--help"]),
    (("smooth", "--objective", "miu"), ["miou"]),
    (("smooth", "--objective", "mae"), ["mae"]),
    (("smooth", "--objective", "miou_classes"), ["miou_classes"]),
    (("smooth", "--dataset", "nowhere"), ["nowhere"]),
    (("smooth", "--split", "summer"), ["summer"]),
    (("smooth", "--exclude", "nowhere.txt"), ["nowhere.txt"]),
    (("smooth", "--limit", "0"), ["--limit"]),
    (("smooth", "--wordings", "nowhere.txt"), ["nowhere.txt"]),
    (("smooth", "--wordings", "empty.txt"), ["empty.txt"]),
    (("smooth", "--wordings", "bytes.txt"), ["bytes.txt"]),
    (("smooth", "--storage", "sqlite:////nowhere/at/all.db"), ["--storage"]),
    (("smooth", "--storage", "sqlite:///empty.db/x"), ["--storage"]),
    (("smooth", "--storage", "sqlite:///bytes.txt"), ["--storage"]),
    (("smooth", "--storage", "oracel://host/name"), ["--storage"]),
    (("smooth", "--storage", "d"), ["--storage"]),
    (("smooth", "--storage", "lines.txt"), ["--storage"]),
    (("smooth", "--out", "empty.txt/x"), ["--out"]),
    (("smooth", "--save", "../x"), ["../x"]),
    (("smooth", "--save", "default"), ["default"]),
    (("smooth", "--jobs", "-1"), ["--help"]),
    (("smooth", "--device", "tpu"), ["tpu"]),
    (("smooth", "--weights", "nowhere"), ["nowhere"]),
], ids=lambda v: " ".join(v[1:3]) if isinstance(v, tuple) else "")  # fmt: skip
def test_bad_input_is_one_sentence_with_a_cure(
    tune: Tune, tmp_path: Path, options: Sequence[str], words: list[str]
) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "bytes.txt").write_bytes(bytes(range(255, 0, -1)) * 20)
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    refused(tune(options[0], "--trials", "2", *options[1:]) if "--trials" not in options else tune(*options), *words)
    assert not list((tmp_path / "presets").glob("*"))


def test_images_without_masks_are_refused(tune: Tune, data: Path) -> None:
    (data / "masks" / "d03.png").unlink()
    code, said = tune("smooth")
    assert code == 2
    refused((code, said), "d03", "mask")
    (data / "masks" / "d05.png").unlink()
    for path in (data / "masks").iterdir():
        path.unlink()
    (data / "masks").rmdir()
    refused(tune("smooth"), "masks")


def test_a_name_that_is_taken_is_refused_before_the_search(tune: Tune, tmp_path: Path) -> None:
    options = ("--trials", "2", "--folds", "0", "--save", "mine")
    assert tune("smooth", *options)[0] == 0
    (tmp_path / "notes").unlink()
    refused(tune("smooth", *options, "--seed", "1"), "mine", "replace")
    assert (tmp_path / "notes").read_text().count("look") <= 1


def test_what_the_same_search_saved_it_may_save_again(tune: Tune, tmp_path: Path) -> None:
    """As when it was killed between its report and its preset, or two processes share a search."""
    options = ("--folds", "0", "--save", "mine")
    assert tune("smooth", "--trials", "2", *options)[0] == 0
    code, said = tune("smooth", "--trials", "4", *options)
    assert code == 0 and said["trials"] == 4 and said["saved_as"] == "smooth@mine"
    refused(tune("smooth", "--trials", "2", "--seed", "1", *options), "mine", "replace")


def test_a_chosen_wording_goes_with_the_preset(tune: Tune, data: Path, tmp_path: Path) -> None:
    options = ("--wording", "blue", "--wording", "red", "--trials", "8", "--folds", "0")
    for path in (data / "images").iterdir():  # the disc is bright in red alone
        image = cv2.imread(str(path))
        assert image is not None
        image[..., :2] = 60
        assert cv2.imwrite(str(path), image)
    code, said = tune("wordy", *options, "--save", "mine")
    assert code == 0 and said["best"]["words"] == ["red"], said["variants"]
    assert {one["label"]: one["start"] is not None for one in said["variants"]} == {"blue": True, "red": True}
    assert "prompt:\n  - red\n" in (tmp_path / "presets" / "wordy.yaml").read_text()
    code, again = tune("wordy@mine", "--trials", "4", "--folds", "0", "--allow-tuned")
    assert code == 0 and again["start"]["value"] == pytest.approx(said["best"]["value"])


@pytest.mark.parametrize("objective", ["miss_rate", "miou_pos", "miou"])
def test_nothing_but_empty_masks_has_an_answer(tune: Tune, data: Path, objective: str) -> None:
    for path in (data / "masks").iterdir():
        assert cv2.imwrite(str(path), np.zeros((32, 40), np.uint8))
    code, said = tune("smooth", "--trials", "6", "--folds", "2", "--objective", objective)
    assert code == 0
    assert (said["best"]["value"] is None) == (objective != "miou")
    assert said["start"]["kept"] or objective == "miou"


def test_a_database_of_somebody_else_is_refused(tune: Tune, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("create table studies (a int)")
    code, said = tune("smooth", "--storage", "sqlite:///other.db", "--trials", "2")
    assert code == 2
    refused((code, said), "--storage")


def test_the_command_says_what_it_found_and_its_help_is_quick(command: Run, data: Path, tmp_path: Path) -> None:
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])}
    done = command("benchmarks.tune", "smooth", "--dataset", str(data), "--trials", "12", "--folds", "2", **path)
    assert done.returncode == 0, done.stderr
    assert "cross-validated miou" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr
    done = command("benchmarks.tune", "--help", **path)
    assert done.returncode == 0 and "--trials" in done.stdout


def test_interrupted_it_ends_with_130_and_goes_on(data: Path, tmp_path: Path) -> None:
    arguments = [
        sys.executable,
        "-m",
        "benchmarks.tune",
        "smooth",
        "--dataset",
        str(data),
        "--trials",
        "3000",
        "--json",
    ]
    process = subprocess.Popen([*arguments, "--jobs", "2"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])})  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "trial 2" in line:
            break
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert "Traceback" not in err
