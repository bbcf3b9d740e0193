"""``python -m benchmarks.recommend`` as a user meets it: which run, documents, exit codes, and what goes wrong."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from typer import Typer

from benchmarks.command import run_command
from benchmarks.compare.__main__ import app as compare
from benchmarks.leaderboard import document, row
from benchmarks.recommend.__main__ import app
from benchmarks.records import Configuration
from benchmarks.report.__main__ import app as report
from benchmarks.run_folder import find_run
from benchmarks.store import RecordWriter, RunStore
from tests.benchmarks.pieces import manifest, record, timing

ROWS = {"weak": 5, "fair": 8, "best": 10}


def thirds(pixels: int) -> list[int]:
    """Of every third image one pixel less is found."""
    return [pixels - (i % 3 == 0) for i in range(12)]


def finished(folder: Path, found: dict[str, list[int]] | None = None) -> RunStore:
    """A run as `benchmarks.run` leaves it: of images whose mask has ten pixels, so many of which were found."""
    found = found or {name: thirds(pixels) for name, pixels in ROWS.items()}
    n = len(next(iter(found.values())))
    store = RunStore(folder)
    many = [Configuration(id=f"{i:02d}-{name[:1]}", label=name, pipeline=name, preset="default", params={}, device="cpu")
            for i, name in enumerate(found)]  # fmt: skip
    about = manifest(*many, n=n, n_groups=n).model_copy(update={"run_id": folder.name})
    folder.mkdir(parents=True)
    store.manifest_path.write_text(about.model_dump_json())
    rows = []
    for one, pixels in zip(many, found.values(), strict=True):
        records = [record(f"p{i}", right, 10) for i, right in enumerate(pixels)]
        with RecordWriter(store.records_path(one.id)) as writer:
            for each in records:
                writer.append(each)
        rows.append(row(about, one, records, timing(n)))
    (folder / "summary.json").write_text(json.dumps(document(about, rows)))
    return store


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, to be copied."""
    return finished(tmp_path_factory.mktemp("runs") / "b").folder


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path, command: Typer = app) -> int:
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    return run_command(command)


def test_the_newest_of_a_folder_of_runs_is_taken_and_named(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, created in (("a", "2026-02-02T00:00:00+00:00"), ("b", "2026-01-01T00:00:00+00:00")):
        store = RunStore(Path(shutil.copytree(made, tmp_path / name)))
        about = store.manifest().model_copy(update={"run_id": name, "created": created})
        store.manifest_path.write_text(about.model_dump_json())
    (tmp_path / "other").mkdir()
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "manifest.json").write_text("{}")
    assert find_run(tmp_path).name == "a"
    assert find_run(tmp_path / "b").name == "b"
    assert call(monkeypatch, tmp_path, "--json") == 0
    said = json.loads(capfd.readouterr().out)
    assert {"choice", "why", "sure", "runners_up", "excluded", "would_change"} < set(said)
    assert (said["run_id"], said["choice"]) == ("a", "best")
    assert [one["label"] for one in said["runners_up"]] == ["fair", "weak"]
    assert said["sure"]["share"] == 1.0
    assert call(monkeypatch, tmp_path) == 0
    assert "holds runs: the newest, a, is taken. run a of d" in " ".join(capfd.readouterr().out.split())


def test_people_get_a_short_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hostile = "[bold]x[/bold] :smile: <b>\u202e\x1b[31m"
    finished(tmp_path / "run", found={"weak": thirds(5), hostile: thirds(10)})
    assert call(monkeypatch, tmp_path / "run") == 0
    said = capfd.readouterr().out
    assert "Ship [bold]x[/bold] :smile: <b>" in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "What would change the answer" not in said.splitlines()[0]
    assert len(said.splitlines()) < 25
    assert call(monkeypatch, tmp_path / "run", "--min-miou", "1", "--json") == 1
    assert json.loads(capfd.readouterr().out)["choice"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere is not a folder. Name a folder that benchmarks.run wrote"),
        (["empty"], "empty holds no run."),
        (["run", "--max-latency-ms", "nan"], "--max-latency-ms cannot be nan."),
        (["run", "--max-memory-mb", "0"], "--max-memory-mb cannot be 0."),
        (["run", "--min-throughput", "-1"], "--min-throughput cannot be -1."),
        (["run", "--min-miou", "80"], "--min-miou cannot be 80. Give a number from 0 to 1"),
        (["unfinished"], "unfinished is of a run that did not finish. Run its command again first."),
        (["odd"], "summary.json holds no rows that this version reads."),
        (["bare"], "The records of bare are gone."),
    ],
)
def test_bad_input_is_one_sentence_with_a_cure(
    arguments: list[str],
    said: str,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    if arguments[0] not in ("empty", "nowhere"):
        store = RunStore(Path(shutil.copytree(made, arguments[0])))
    if arguments[0] == "unfinished":
        (store.folder / "summary.json").unlink()
    if arguments[0] == "odd":
        (store.folder / "summary.json").write_text('{"rows": [{"label": 3}]}')
    if arguments[0] == "bare":
        for path in store.folder.glob("*/samples.jsonl"):
            path.unlink()
    assert call(monkeypatch, *arguments) == 2
    told = capfd.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert call(monkeypatch, *arguments, "--json") == 2
    assert said.split(".")[0] in json.loads(capfd.readouterr().out)["error"]["message"]


def test_compare_report_and_recommend_call_the_same_pairs_a_tie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of `best` and `alike` the p-value, with Holm, is under 0.05 and the interval holds 0: each alone says otherwise."""
    rows = {"best": [8, 9, 8, 10, 9, 8, 10], "alike": [7, 8, 7, 9, 8, 7, 9], "weak": [2, 1, 3, 3, 2, 1, 1]}
    run = finished(tmp_path / "run", found=rows).folder
    expected = {("best", "alike"): "tie", ("best", "weak"): "better", ("alike", "weak"): "better"}

    assert call(monkeypatch, run, "--json") == 0
    said = json.loads(capfd.readouterr().out)
    by_label = {one["label"]: one for one in said["runners_up"]}
    assert said["choice"] == "best"
    assert {label: one["tied"] for label, one in by_label.items()} == {"alike": True, "weak": False}
    alike = by_label["alike"]
    assert alike["difference_p"] < 0.05 and alike["difference_ci"][0] < 0 < alike["difference_ci"][1]
    assert alike["difference_method"] == "exact"

    assert call(monkeypatch, run, "--format", "json", "--quiet", command=report) == 0
    pairs = json.loads((run / "report.json").read_text())["pairs"]
    assert {(one["first"], one["label"]): one["verdict"] for one in pairs} == expected

    for (first, second), verdict in expected.items():
        gate = ("--fail-if", "miou>0.05", "--json")
        code = call(monkeypatch, first, second, "--run", run, *gate, command=compare)
        found = json.loads(capfd.readouterr().out)
        assert (found["differences"]["miou"]["verdict"], code) == (verdict, int(verdict != "tie"))


def test_what_so_few_groups_cannot_tell_apart_is_not_called_as_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = finished(tmp_path / "run", found={"good": [9, 8, 9, 10], "otsu": [4, 2, 8, 0]}).folder
    assert call(monkeypatch, run) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "Ship good." in said
    assert "otsu cannot be told apart from it with so few groups (4), but the mIoU is lower by more than 0.02" in said
    assert "otsu: mIoU 0.350 (-0.550, cannot be told apart with so few groups)" in said
    assert "a tie" not in said and "as good" not in said
