"""The guard: splits that share pictures, groups that belong together, and presets judged on what they were tuned on."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer import Typer

from benchmarks import plan
from benchmarks.command import run_command
from benchmarks.compare.__main__ import app as compare
from benchmarks.datasets import Dataset, Stream, open_dataset
from benchmarks.leaks import check_splits, merge_notes, merged_groups, tuned_images, tuned_overlap
from benchmarks.recommend.__main__ import app as recommend
from benchmarks.records import RunManifest
from benchmarks.report.__main__ import app as report
from benchmarks.run import app as run
from pipelines.errors import DatasetError, LeakError, UnknownNameError, WorkbenchError
from pipelines.presets import USER_FOLDER_VARIABLE, Provenance, save_preset
from pipelines.registry import pipeline_class
from tests.benchmarks.copies import COPIES, Picture, made_folder, picture
from tests.benchmarks.reporting import Seen

PICTURES = {f"p{seed}": picture(seed) for seed in range(8)}
SPLITS = {name: "tune" if index < 4 else "test" for index, name in enumerate(PICTURES)}


def opened(folder: Path, more: dict[str, Picture] | None = None, groups: dict[str, str] | None = None,
           splits: dict[str, str] | None = SPLITS) -> Dataset:  # fmt: skip
    return open_dataset(str(made_folder(folder, {**PICTURES, **(more or {})}, splits, groups)), strict=False)


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_in_another_split_is_a_leak_and_named(tmp_path: Path, kind: str) -> None:
    dataset = opened(tmp_path / "d", {"q": COPIES[kind](PICTURES["p2"])}, splits={**SPLITS, "q": "test"})
    for split, pair in (("tune", "p2 and q"), ("test", "q and p2")):
        with pytest.raises(LeakError, match="1 images? outside of split") as caught:
            check_splits(dataset, split)
        assert f"{pair} (same picture: " in caught.value.message
        assert "--exclude" in caught.value.cure
    assert (caught.value.code, caught.value.exit_code) == ("leak", 2)


def test_the_same_bytes_and_a_shared_group_are_leaks(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "d", {"q": PICTURES["p2"]}, groups={"p0": "scene", "p7": "scene"},
                     splits={**SPLITS, "q": "test"})  # fmt: skip
    with pytest.raises(LeakError) as caught:
        check_splits(dataset, "tune")
    assert "p0 and p7 (same group 'scene')" in caught.value.message
    assert "p2 and q (same bytes)" in caught.value.message


def test_splits_of_different_pictures_are_fine(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "d")
    check_splits(dataset, "tune")
    check_splits(dataset, None)
    with pytest.raises(UnknownNameError, match="tune"):
        check_splits(dataset, "tuned")


def test_a_derived_split_is_checked_too(tmp_path: Path) -> None:
    copies = {f"q{name}": COPIES["JPEG of quality 50"](image) for name, image in PICTURES.items()}
    with pytest.raises(LeakError, match="same picture"):
        check_splits(opened(tmp_path / "d", copies, splits=None), "tune")


def test_ten_pairs_are_named_and_the_others_counted(tmp_path: Path) -> None:
    many = {f"a{n:02d}": picture(50 + n) for n in range(13)}
    copies = {f"b{n:02d}": COPIES["10 % brighter"](image) for n, image in enumerate(many.values())}
    splits = dict.fromkeys(many, "tune") | dict.fromkeys(copies, "test")
    dataset = open_dataset(str(made_folder(tmp_path / "d", many | copies, splits)))
    with pytest.raises(LeakError, match="13 images outside of split 'tune'.*; and 3 more") as caught:
        check_splits(dataset, "tune")
    assert caught.value.message.count("same picture") == 10


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = made_folder(tmp_path / "d", PICTURES, SPLITS)
    dataset = open_dataset(str(folder))
    path = folder / "images" / "p5.png"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DatasetError, match="p5"):
        check_splits(dataset, "tune")


def test_groups_that_hold_copies_of_one_picture_become_one(tmp_path: Path) -> None:
    more = {"q2": COPIES["half the size"](PICTURES["p2"]), "q5": COPIES["10 % darker"](PICTURES["p5"])}
    groups = {"p0": "a", "p2": "a", "q2": "b", "q5": "b", "p7": "c"}
    dataset = opened(tmp_path / "d", more, groups, splits=None)
    merged = merged_groups(dataset)
    assert len({merged[name] for name in ("p0", "p2", "q2", "q5", "p5")}) == 1
    assert merged["p7"] == "c"
    assert len(set(merged.values())) == len({"one", "c", "p1", "p3", "p4", "p6"})
    (note,) = merge_notes(dataset, merged)
    assert note == "The groups a, p5, b hold copies of a picture and stay together."
    assert merge_notes(dataset, {sample.id: sample.group for sample in dataset}) == ()


def test_the_embedded_dataset_has_clean_splits_and_its_groups_stay_as_they_are() -> None:
    dataset = open_dataset("coins")
    check_splits(dataset, "tune")
    assert merged_groups(dataset) == {sample.id: sample.group for sample in dataset}


def test_images_that_were_tuned_on_are_known_again_whatever_they_are_called(tmp_path: Path) -> None:
    tuned = tuned_images(list(opened(tmp_path / "a"))[:4])
    other = {"x": PICTURES["p1"], "y": COPIES["all, with 1.5 % cut"](PICTURES["p3"]), "p0": picture(90)}
    found = tuned_overlap(tuned, open_dataset(str(made_folder(tmp_path / "b", other))))
    assert [(one.tuned, one.judged, one.reason.split(":")[0]) for one in found] == [
        ("p1", "x", "same bytes"), ("p3", "y", "same picture")]  # fmt: skip


def test_a_stream_is_looked_through_as_a_folder_is(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "a")
    stream = dataset.select(Stream(lambda: iter(tuple(dataset))))
    found = tuned_overlap(tuned_images(list(dataset)[:2]), stream)
    assert [one.judged for one in found] == ["p0", "p1"]


def call(patch: pytest.MonkeyPatch, app: Typer, *arguments: str | Path) -> int:
    patch.setattr(sys, "argv", ["command", *map(str, arguments)])
    return run_command(app)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two splits, and a preset of the user that was tuned on the one called tune."""
    folder = tmp_path_factory.mktemp("tuned")
    made_folder(folder / "data", PICTURES, SPLITS)
    made_folder(folder / "bare", PICTURES)
    for path in (folder / "bare" / "masks").iterdir():
        path.unlink()
    (folder / "bare" / "masks").rmdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(USER_FOLDER_VARIABLE, str(folder / "presets"))
        images = tuned_images(open_dataset(str(folder / "data"), split="tune"))
        about = Provenance(source="a test", searched=("canny_low",), date="2026-11-21")
        save_preset(pipeline_class("classical"), "mine", {"canny_low": 35.0}, about, images)
    return folder


@pytest.fixture
def presets(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(place / "presets"))
    return place


def planned(place: Path, data: str = "data", **more: object) -> RunManifest:
    return plan.plan(plan.Request(str(place / data), **{"pipelines": "classical@mine,classical", **more}))[0]  # type: ignore[arg-type]


def test_a_preset_is_not_judged_on_its_own_images(presets: Path) -> None:
    for split in (None, "tune"):
        with pytest.raises(LeakError, match=r"classical@mine was tuned on 4 of the \d images") as caught:
            planned(presets, split=split)
        assert "p0 and p0 (same bytes)" in caught.value.message
        assert "--allow-tuned" in caught.value.cure
    with pytest.raises(LeakError):
        planned(presets, pipelines="classical@mine:canny_low=36")


def test_on_other_images_and_for_other_presets_nothing_is_said_and_the_key_is_as_before(presets: Path) -> None:
    manifest = planned(presets, split="test")
    assert [one.tuned_here for one in manifest.configurations] == [0, 0]
    plain = planned(presets, pipelines="classical")
    assert "tuned_here" not in json.dumps(_decides(plain))
    assert planned(presets, pipelines="classical", allow_tuned=True).run_id == plain.run_id
    marked = planned(presets, allow_tuned=True)
    assert [one.tuned_here for one in marked.configurations] == [4, 0]
    unmarked = marked.configurations[0].model_copy(update={"tuned_here": 0})
    assert (
        plan.run_key(marked.model_copy(update={"configurations": (unmarked, marked.configurations[1])}))
        != marked.run_id
    )


def _decides(manifest: RunManifest) -> dict[str, object]:
    """What the hash of the run is taken of."""
    seen: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan.json, "dumps", lambda decides, **_: (seen.update(decides), "")[1])
        plan.run_key(manifest)
    return seen


def test_a_manifest_of_before_still_loads(presets: Path) -> None:
    old = json.loads(planned(presets, pipelines="classical").model_dump_json())
    del old["configurations"][0]["tuned_here"]
    assert RunManifest.model_validate(old).configurations[0].tuned_here == 0


def test_where_nothing_is_judged_nothing_is_refused(presets: Path) -> None:
    assert [one.tuned_here for one in planned(presets, "bare").configurations] == [0, 0]


def test_no_picture_is_decoded_for_a_preset_without_a_list(presets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("fingerprints were computed")

    monkeypatch.setattr("benchmarks.leaks.guard.fingerprint", never)
    assert len(planned(presets, pipelines="classical,classical@coin-seed").configurations) == 2


def test_a_list_that_was_altered_ends_the_run_before_it_begins(presets: Path) -> None:
    path = next((presets / "presets").glob("*.images.csv"))
    before = path.read_bytes()
    try:
        path.write_bytes(before.splitlines()[0] + b"\n")
        with pytest.raises(WorkbenchError, match="was altered"):
            planned(presets)
    finally:
        path.write_bytes(before)


def test_the_command_refuses_with_2_and_names_the_pairs(
    presets: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--dataset", presets / "data", "--pipelines", "classical@mine", "--out", presets / "none", "--json")
    assert call(monkeypatch, run, *arguments) == 2
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["code"] == "leak"
    assert "p3 and p3 (same bytes)" in error["message"]
    assert "--allow-tuned" in error["cure"]
    assert not list((presets / "none").iterdir())


@pytest.fixture(scope="module")
def ran(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder of a run with --allow-tuned, its document, and what stood on the terminal."""
    out = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "benchmarks.run", "--dataset", str(place / "data"), "--pipelines",
               "classical@mine,classical:work_size=64", "--allow-tuned", "--budget-s", "1", "--batch-sizes", "1", "--out", str(out), "--json"]  # fmt: skip
    variables = {**os.environ, USER_FOLDER_VARIABLE: str(place / "presets"), "NO_COLOR": "1", "COLUMNS": "200"}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return out / json.loads(ended.stdout)["run_id"], ended.stdout, ended.stderr


FLAG, WORDS = "tuned_on_these_images:4 of 8", "preset was tuned on 4 of 8 of these images"


def test_table_and_json_mark_the_row(ran: tuple[Path, str, str]) -> None:
    _, document, table = ran
    first, second = json.loads(document)["rows"]
    assert FLAG in first["flags"]
    assert FLAG not in second["flags"]
    lines = table.splitlines()
    tuned, plain = (
        next(line for line in lines if line.strip().startswith(name)) for name in ("classical@mine ", "classical:work")
    )
    assert "†" in tuned and "†" not in plain
    assert lines.index(plain) < lines.index(tuned), "it leads none that did not know the images"
    assert any(line.startswith("classical@mine: † its " + WORDS) for line in lines)


def test_every_report_marks_the_row_and_gives_the_command_again(
    ran: tuple[Path, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(monkeypatch, report, ran[0], "--out", tmp_path, "--format", "html,md,csv,json") == 0
    page = Seen((tmp_path / "report.html").read_text()).said
    assert f"Its {WORDS}" in page
    assert "tuned on these images" in page.replace(WORDS, "")
    assert "classical@mine was tuned on images of this run" in page
    assert "no place in the ranking" in page
    assert "--allow-tuned" in page
    markdown = (tmp_path / "report.md").read_text()
    assert f"Its {WORDS}" in markdown
    assert ", tuned on these images |" in markdown
    rows = {row["label"]: row for row in csv.DictReader(io.StringIO((tmp_path / "report.csv").read_text()))}
    assert FLAG in rows["classical@mine"]["flags"]
    said = json.loads((tmp_path / "report.json").read_text())
    assert said["answer"]["leader"] == "classical:work_size=64"
    assert any(FLAG in row["flags"] for row in said["rows"])


def test_compare_says_it(
    ran: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, compare, "classical@mine", "classical:work_size=64", "--run", ran[0], "--json") == 0
    document, table = capfd.readouterr()
    words = "the preset of classical@mine was tuned on 4 of the 8 images of its run"
    assert any(words in note for note in json.loads(document)["notes"])
    assert words in " ".join(table.split())


def test_recommend_does_not_ship_it_before_one_that_did_not_know_the_images(
    ran: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, recommend, ran[0], "--json") == 0
    said = json.loads(capfd.readouterr().out)
    assert said["choice"] == "classical:work_size=64"
    assert said["excluded"] == [{"label": "classical@mine", "reason": "its preset was tuned on the images, so that its "
                                 "quality is not one to ship"}]  # fmt: skip
