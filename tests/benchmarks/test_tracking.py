"""Weights & Biases: what is logged of a finished run, once, and what happens where it cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import rle, tracking
from benchmarks.datasets import Dataset, Sample, Truth
from benchmarks.leaderboard import row
from benchmarks.records import Configuration, Instance, WeightsRecord
from benchmarks.rows import Row
from benchmarks.store import RecordWriter, RunStore
from benchmarks.tracking import pictures
from benchmarks.tracking.scrubbed import last_part, scrubbed
from tests.benchmarks.pieces import manifest, record, timing

HOSTILE = "<script>alert(1)</script> \u202e\n'\";--"
Said = list[str]


class FakeRun:
    """Keeps what a run of theirs is given."""

    def __init__(self, fake: FakeWandb, number: int, about: dict[str, Any]) -> None:
        self.fake, self.id, self.about = fake, f"id{number}", about
        self.summary: dict[str, Any] = {}
        self.logged: dict[str, Any] = {}
        self.settings = SimpleNamespace(sync_dir=f"{about['dir']}/wandb/offline-run-{number}")
        self.finished = False

    def log(self, data: dict[str, Any]) -> None:
        if self.fake.fails_on == self.about["name"]:
            raise ConnectionError("the line\nis dead")
        self.logged |= data

    def __enter__(self) -> FakeRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.finished = True


class FakeWandb:
    """What is used of the library, with no process and no file."""

    def __init__(self) -> None:
        self.runs: list[FakeRun] = []
        self.fails_on: str | None = None
        self.key = False
        self.asked: list[dict[str, Any]] = []
        self.torn_down = 0

    Settings = dict

    def login(self, **how: Any) -> bool:
        self.asked.append(how)
        return self.key

    def init(self, **about: Any) -> FakeRun:
        self.runs.append(FakeRun(self, len(self.runs), about))
        return self.runs[-1]

    def teardown(self) -> None:
        self.torn_down += 1

    class Table:
        def __init__(self, columns: list[str], data: list[list[Any]] | None = None) -> None:
            self.columns, self.data = columns, data or []

        def add_data(self, *cells: Any) -> None:
            self.data.append(list(cells))

    class Image:
        def __init__(self, pixels: np.ndarray, **about: Any) -> None:
            self.pixels, self.about = pixels, about


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)  # type: ignore[arg-type]
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    return fake


def configuration(index: int, label: str, **more: Any) -> Configuration:
    return Configuration(id=f"{index:02d}-x", label=label, pipeline="x", preset="default", params={"t": 0.5},
                         device="cpu", **more)  # fmt: skip


def scene(name: str) -> Sample:
    """A picture of one row, whose first four pixels are wanted."""
    truth = Truth({"foreground": np.arange(10)[None] < 4})
    return Sample(id=name, size=(1, 10), read_image=lambda: np.full((1, 10, 3), 90, np.uint8), hash_image=lambda: name,
                  read_truth=lambda: truth, hash_target=lambda: name, split="test", group=f"of {name}")  # fmt: skip


def run_of(
    folder: Path, *configurations: Configuration, names: tuple[str, ...] = ("a", HOSTILE)
) -> tuple[RunStore, list[Row], Dataset]:
    """A finished run in which five pixels were found, and the last image of the last configuration failed."""
    store = RunStore(folder / "r")
    about = manifest(*configurations, n=len(names), n_groups=len(names))
    spec = about.dataset.model_copy(update={"spec": str(folder / "secret home" / "photos")})
    about = about.model_copy(update={"dataset": spec})
    store.folder.mkdir()
    store.manifest_path.write_text(about.model_dump_json())
    rows = []
    for one in configurations:
        found = Instance(label=0, score=1, mask=rle.encode(np.arange(10)[None] < 5))
        records = [record(name, 5, 4).model_copy(update={"instances": (found,)}) for name in names]
        if one is configurations[-1] and len(configurations) > 1:
            records[-1] = record(names[-1], 5, 4, error=f"cannot read {folder}/x/y.png")
        with RecordWriter(store.records_path(one.id)) as writer:
            for each in records:
                writer.append(each)
        rows.append(row(about, one, records, timing(len(names))))
    return store, rows, Dataset("made", "made", tuple(scene(name) for name in names))


def track(run: tuple[RunStore, list[Row], Dataset]) -> tuple[Any, Said]:
    said: Said = []
    return tracking.track(*run, said.append), said


def test_one_run_of_theirs_a_configuration_and_one_with_the_leaderboard(wandb: FakeWandb, tmp_path: Path) -> None:
    failure, said = track(run_of(tmp_path, configuration(0, "a"), configuration(1, HOSTILE)))
    assert failure is None
    assert [(one.about["name"], one.about["job_type"], one.about["group"], one.finished) for one in wandb.runs] == [
        ("a", "configuration", "r", True),
        (HOSTILE, "configuration", "r", True),
        ("leaderboard", "leaderboard", "r", True),
    ]
    first = wandb.runs[0]
    assert first.about["config"]["pipeline"] == "x"
    assert first.about["config"]["params"] == {"t": 0.5}
    assert first.about["config"]["run"]["dataset"]["spec"] == "photos"
    assert first.summary["miou"] == first.summary["metrics"]["miou"] == pytest.approx(0.8)
    assert first.summary["latency_ms"]["p50"] == 10.5
    assert first.summary["images_shown"] == first.summary["images_of"] == 2
    table = wandb.runs[2].logged["leaderboard"]
    assert table.columns == list(tracking.COLUMNS)
    assert [dict(zip(table.columns, cells, strict=True))["mIoU"] for cells in table.data] == [0.8, 0.4]
    assert all(len(cells) == len(table.columns) for cells in table.data)
    assert wandb.torn_down == 1
    assert "a: 2 of 2 pictures with truth and prediction, 1024 pixels at most" in said
    assert said[-1].endswith("/offline-run-*")
    assert "wandb sync" in said[-1]


def test_the_table_of_pictures_has_truth_and_prediction_of_each(wandb: FakeWandb, tmp_path: Path) -> None:
    track(run_of(tmp_path, configuration(0, "a"), configuration(1, "b")))
    (first, hostile), (_, failed) = (one.logged["images"].data for one in wandb.runs[:2])
    assert (first[0], first[1], *first[3:]) == ("a", pytest.approx(0.8), "of a", "test", None)
    assert hostile[0] == HOSTILE
    masks = first[2].about["masks"]
    assert masks["ground_truth"]["mask_data"].tolist() == [[1] * 4 + [0] * 6]
    assert masks["predictions"]["mask_data"].tolist() == [[1] * 5 + [0] * 5]
    assert masks["predictions"]["class_labels"] == {0: "background", 1: "foreground"}
    assert set(failed[2].about["masks"]) == {"ground_truth"}
    assert failed[1] == 0
    assert failed[5] == "cannot read y.png"


def test_nothing_is_logged_twice_and_what_a_failure_left_out_is_logged_later(wandb: FakeWandb, tmp_path: Path) -> None:
    run = run_of(tmp_path, configuration(0, "a"), configuration(1, "b"))
    wandb.fails_on = "b"
    failure, _ = track(run)
    assert (failure.code, failure.exit_code) == ("unavailable", 1)
    assert failure.message == "Weights & Biases failed: ConnectionError: the line is dead."
    assert "run the same command again" in failure.cure
    assert wandb.torn_down == 1
    wandb.fails_on = None
    assert track(run)[0] is None
    assert [one.about["name"] for one in wandb.runs] == ["a", "b", "b", "leaderboard"]
    failure, said = track(run)
    assert failure is None
    assert said == ["Weights & Biases was given this run before; --fresh makes a new one"]
    assert len(wandb.runs) == 4
    store, rows, samples = run
    rows[0] = rows[0].model_copy(update={"miou": 0.7})
    track((store, rows, samples))
    assert [one.about["name"] for one in wandb.runs[4:]] == ["a", "leaderboard"]
    (store.folder / "wandb.json").write_text("{torn")
    track((store, rows, samples))
    assert len(wandb.runs) == 9


def test_without_the_package_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    failure, _ = track(run_of(tmp_path, configuration(0, "a")))
    assert failure.message.startswith("Weights & Biases cannot be imported: ")
    assert "pip install" in failure.cure


@pytest.mark.parametrize(
    ("variable", "key", "mode"),
    [(None, True, "online"), (None, False, "offline"), ("online", False, "offline"), ("offline", True, "offline"),
     ("dryrun", True, "offline"), ("disabled", True, None)],
)  # fmt: skip
def test_the_environment_decides_and_no_key_is_ever_asked_for(
    variable: str | None, key: bool, mode: str | None, wandb: FakeWandb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb.key = key
    if variable:
        monkeypatch.setenv("WANDB_MODE", variable)
    failure, said = track(run_of(tmp_path, configuration(0, "a")))
    assert failure is None
    assert all(how["prompt"] is False for how in wandb.asked)
    assert {one.about["mode"] for one in wandb.runs} == ({mode} if mode else set())
    assert any("No key" in one for one in said) == (not key)
    if mode is None:
        assert not (tmp_path / "r" / "wandb.json").exists()


def test_random_weights_and_rows_that_failed_have_no_pictures(wandb: FakeWandb, tmp_path: Path) -> None:
    weights = (WeightsRecord(repo="m/n", revision=None, licence="MIT", commercial=None),)
    random = configuration(0, "a", weights=weights, weights_from="random")
    store, rows, samples = run_of(tmp_path, random, configuration(1, "b"))
    rows[1] = rows[1].model_copy(update={"status": "failed", "reason": f"died (log: {tmp_path}/r/01-x/worker.log)"})
    _, said = track((store, rows, samples))
    assert [one.about["name"] for one in wandb.runs] == ["a", "leaderboard"]
    assert wandb.runs[0].logged == {}
    assert wandb.runs[0].about["config"]["weights_from"] == "random"
    assert "a: no pictures, since its weights are random" in said
    (_, failed) = (
        dict(zip(tracking.COLUMNS, cells, strict=True)) for cells in wandb.runs[1].logged["leaderboard"].data
    )
    assert failed["reason"] == "died (log: worker.log)"
    first = wandb.runs[1].logged["leaderboard"].data[0]
    assert first[tracking.COLUMNS.index("commercial")] == "unclear"
    assert failed["commercial"] is None


def test_pictures_are_few_and_small_and_the_same_for_all(
    wandb: FakeWandb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOST_PICTURES", 4)
    monkeypatch.setattr(pictures, "LONGEST_SIDE", 5)
    names = tuple(f"p{place}" for place in range(10))
    _, said = track(run_of(tmp_path, configuration(0, "a"), configuration(1, "b"), names=names))
    shown = [[cells[0] for cells in one.logged["images"].data] for one in wandb.runs[:2]]
    assert shown[0] == shown[1] == ["p0", "p2", "p5", "p7"]
    image = wandb.runs[0].logged["images"].data[0][2]
    assert image.pixels.shape == (1, 5, 3)
    assert image.about["masks"]["predictions"]["mask_data"].shape == (1, 5)
    assert "a: 4 of 10 pictures with truth and prediction, 5 pixels at most" in said


def test_without_the_option_the_library_is_not_imported() -> None:
    code = "import sys, benchmarks.run, benchmarks.tracking; sys.exit('wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "left"),
    [("cannot read /home/me/my photos/x.png", "cannot read x.png"),
     ("/a/b.png and /c/d.png", "b.png and d.png"),
     ("file /home/u/x.png is of owner/name", "file x.png is of owner/name"),
     ("died (log: /tmp/r x/01-x/worker.log)", "died (log: worker.log)"),
     (r"C:\Users\Jo Doe\pics\x.png: no", "x.png: no"),
     ("see D:/data/my set/y.png", "see y.png"),
     (r"\\server\share\a b\x.png", "x.png"),
     ("https://example.org/a/b c/d and owner/name and ../rel/path", None),
     ("</title><script>alert(2)</script>", None)],
)  # fmt: skip
def test_folders_leave_no_text_and_other_slashes_stay(text: str, left: str | None) -> None:
    assert scrubbed(text) == (text if left is None else left)


def test_of_a_folder_its_own_name_is_told() -> None:
    specs = ("/a/b c", r"C:\x\y", "hf:o/n:train", "../s/d", "coins", "~/p/q")
    assert [last_part(spec) for spec in specs] == ["b c", "y", "hf:o/n:train", "../s/d", "coins", "q"]
