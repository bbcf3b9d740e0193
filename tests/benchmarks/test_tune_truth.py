"""What a search says of itself: where it began, how much it tried, what failed, and nothing of random weights."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import plan
from benchmarks.command import run_command
from benchmarks.tune import runners
from benchmarks.tune.__main__ import app
from benchmarks.tune.crew import Crew
from benchmarks.tune.outcome import search
from pipelines.errors import LeakError, ParameterError
from pipelines.presets import Provenance, preset_prompt, save_preset
from tests.benchmarks import tuning

Tune = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The disc is bright in red alone."""
    folder = tuning.discs(tmp_path / "d")
    for path in (folder / "images").iterdir():
        image = cv2.imread(str(path))
        assert image is not None
        image[..., :2] = 60
        assert cv2.imwrite(str(path), image)
    return folder


@pytest.fixture
def tune(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], data: Path) -> Tune:
    def run(pipeline: str, *options: str) -> tuple[int, dict[str, Any], str]:
        given = [pipeline, *(("--dataset", str(data)) if "--dataset" not in options else ()), "--jobs", "1", "--json"]
        monkeypatch.setattr(sys, "argv", ["tune", *given, *options])
        code = run_command(app)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out), err

    return run


def test_presets_that_differ_in_their_words_alone_are_searches_of_their_own(data: Path) -> None:
    for name in ("red", "green"):
        save_preset(tuning.Wordy, name, {}, Provenance(source="a test"), prompt=[name])
    red, green = (tuning.task_of(data, f"wordy@{name}", folds=2) for name in ("red", "green"))
    assert red.key() != green.key()


def test_wordings_are_held_against_what_is_asked_for_anyway(tune: Tune, data: Path) -> None:
    (data / "dataset.yaml").write_text("prompt: red\n")
    code, said, _ = tune("wordy", "--wording", "green", "--wording", "blue", "--trials", "12", "--folds", "2",
                         "--fields", "gain")  # fmt: skip
    assert code == 0
    assert {one["label"] for one in said["variants"]} == {"as it stands", "green", "blue"}
    assert said["start"]["value"] > 0.6 and said["best"]["words"] == []


def test_where_nothing_says_what_to_look_for_the_first_wording_is_where_it_begins(tune: Tune) -> None:
    code, said, err = tune("wordy", "--wording", "green", "--wording", "red", "--trials", "8", "--folds", "0")
    assert code == 0 and "begins with 'green'" in err
    assert {one["label"] for one in said["variants"]} == {"green", "red"} and said["best"]["words"] == ["red"]


def test_what_was_asked_for_goes_with_the_preset(tune: Tune, data: Path) -> None:
    assert tune("wordy", "--prompt", "red", "--trials", "4", "--folds", "0", "--save", "mine")[0] == 0
    assert preset_prompt(tuning.Wordy, "mine") == ("red",)
    with pytest.raises(LeakError):  # it can be run, but not on these images
        plan.plan(plan.Request(str(data), "wordy@mine", device="cpu"))


def test_a_wording_is_words_alone(tune: Tune) -> None:
    code, said, _ = tune("wordy", "--wording", "red", "--wording", "coin=green")
    assert code == 2 and "coin=green" in said["error"]["message"]


def test_a_file_of_wordings_may_have_a_mark_at_its_front_and_comments(tune: Tune, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes("\ufeffred\n# not this one\n\nblue\n".encode())
    code, said, _ = tune("wordy", "--wordings", "words.txt", "--trials", "4", "--folds", "0")
    assert code == 0 and {one["label"] for one in said["variants"]} == {"red", "blue"}


@pytest.mark.parametrize("objective", ["miss_rate", "success@0.5", "miou_pos"])
def test_an_objective_that_one_fold_alone_defines_has_an_answer(tune: Tune, data: Path, objective: str) -> None:
    for path in sorted((data / "masks").iterdir())[1:]:
        assert cv2.imwrite(str(path), np.zeros((32, 40), np.uint8))
    code, said, _ = tune("smooth", "--trials", "6", "--folds", "3", "--objective", objective)
    assert code == 0 and said["best"]["value"] is not None


def test_random_weights_have_no_figure_of_quality_and_no_preset(tune: Tune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.leaderboard.is_random", lambda _: True)
    monkeypatch.setattr("benchmarks.tune.outcome.is_random", lambda _: True)
    code, said, err = tune("smooth", "--trials", "6", "--folds", "2")
    assert code == 0 and said["random_weights"]
    best = said["best"]
    assert best["value"] is best["cv_value"] is best["gain"] is said["start"]["value"] is None
    assert said["curves"] == [] and all(one["value"] is None for one in (*best["folds"], *said["variants"]))
    assert "The weights are random" in err and "cross-validated" not in err
    assert said["trials"] == 6 and said["pass_s"] is not None
    code, said, _ = tune("smooth", "--trials", "6", "--save", "mine")
    assert code == 2 and "chance" in said["error"]["message"]


def test_failed_images_of_what_is_kept_are_counted_and_said(tune: Tune) -> None:
    code, said, err = tune("smooth:fault=odd", "--trials", "4", "--folds", "2")
    assert code == 0 and said["best"]["errors"] == 3
    assert "On 3 of 6 images what is kept fails" in err


def test_latency_is_of_images_that_do_not_fail(data: Path) -> None:
    task = tuning.task_of(data, "smooth:fault=odd", folds=0, objective="miou,latency_ms")
    with Crew(task, 1) as crew:
        assert 0 < crew.latency_ms(task.setting(task.variants[0], {})) < 1e4


def test_where_nothing_is_fast_enough_all_that_was_found_is_kept(tune: Tune, tmp_path: Path) -> None:
    code, said, err = tune("smooth", "--trials", "6", "--folds", "2", "--objective", "miou,latency_ms",
                           "--max-latency-ms", "0.0001", "--save", "mine")  # fmt: skip
    assert code == 1 and said["best"]["params"] is None and said["preset"] is None
    assert said["pareto"] and "Nothing that was tried takes at most 0.0001 ms" in err
    page = (Path(said["study"]) / "report.html").read_text()
    assert "Nothing that was tried takes at most" in page and "Allow more time" in page
    assert not list((tmp_path / "presets").glob("*.yaml"))


def test_fields_of_a_load_that_were_searched_are_said_and_saved(tune: Tune, tmp_path: Path) -> None:
    code, said, _ = tune("smooth", "--fields", "size,threshold", "--trials", "8", "--folds", "0", "--save", "mine")
    assert code == 0 and said["searched"] == ["size", "threshold"]
    assert "    size:" in (tmp_path / "presets" / "smooth.yaml").read_text()


@pytest.mark.parametrize(
    "options", [("--fields", ","), ("--fields", ""), ("--evidence-mb", "inf"), ("--evidence-mb", "nan")]
)
def test_options_that_mean_nothing_are_refused(tune: Tune, options: tuple[str, str]) -> None:
    code, said, _ = tune("smooth", *options)
    assert code == 2 and said["error"]["cure"]


def test_copies_by_bytes_alone_are_what_a_preset_of_such_a_search_is_held_against(tmp_path: Path) -> None:
    data = tuning.discs(tmp_path / "d")
    tuning.tuned(tmp_path / "out", data, "smooth", trials=4, folds=0, near=False)
    for folder in ("images", "masks"):
        for path in (data / folder).iterdir():
            image = cv2.imread(str(path))
            assert image is not None and cv2.imwrite(str(tmp_path / f"half-{folder}-{path.name}"), image)
    from benchmarks.datasets import open_dataset
    from benchmarks.leaks import tuned_images

    listed = tuned_images(open_dataset(data))
    for copies, allowed in (("near", False), ("exact", True)):
        save_preset(tuning.Smooth, copies, {}, Provenance(source="a test", copies=copies), listed)
        other = tmp_path / f"other-{copies}"
        for index, path in enumerate(sorted((data / "images").iterdir())):
            image, mask = cv2.imread(str(path)), cv2.imread(str(data / "masks" / path.name), cv2.IMREAD_GRAYSCALE)
            assert image is not None and mask is not None
            image[0, 0] = 200 + index  # another file that looks the same
            tuning.write(other, path.stem, image, mask)
        request = plan.Request(str(other), f"smooth@{copies}", device="cpu")
        if allowed:
            assert plan.plan(request)[0].configurations[0].tuned_here == 0
        else:
            with pytest.raises(LeakError):
                plan.plan(request)


@pytest.mark.parametrize("prompt", [["", "x"], ["x" * 2000]])
def test_a_preset_with_texts_that_are_none_is_refused_by_name(tmp_path: Path, prompt: list[str]) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "wordy.yaml").write_text(f"mine:\n  prompt: {json.dumps(prompt)}\n")
    with pytest.raises(ParameterError, match=r"wordy\.yaml.*mine\.prompt"):
        preset_prompt(tuning.Wordy, "mine")


def test_time_that_is_up_ends_the_wait_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is signed, alive, and has not said what its trial is for, holds nobody up for longer."""
    from time import monotonic

    monkeypatch.setattr("benchmarks.tune.search.SAY_S", 0.1)
    task = tuning.task_of(tuning.discs(tmp_path / "d"), "smooth", trials=4, folds=0)
    with Crew(task, 1) as crew:
        finder, lines = tuning.finder(task, crew, tmp_path / "out", monotonic() + 1.0), list[str]()
        finder.report = lines.append
        finder.study(0, 0).ask().set_user_attr("runner", runners.runner())
        start = monotonic()
        outcome = search(finder)
        assert monotonic() - start < 5
    assert outcome.candidates == () and any("waiting for" in line for line in lines)
