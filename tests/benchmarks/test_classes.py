"""Classes, texts that are not there, soft maps and scoring again: from the command line to the row."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import evaluate, scoring, soft_maps
from benchmarks.datasets import Truth
from benchmarks.metrics import METRICS, measure_all
from benchmarks.records import DatasetRecord, SampleRecord
from benchmarks.rescore import rescored_rows
from benchmarks.selection import classes_of
from benchmarks.store import RunStore
from pipelines.base import Pipeline
from pipelines.errors import DatasetError
from pipelines.types import Evidence, Image, PipelineInfo, Prompt
from tests.benchmarks.pieces import CONFIGURATION, SlowParams, sample
from tests.conftest import Run, commanding

QUICK = ("--budget-s", "0.2", "--batch-sizes", "1", "--json", "--out", "runs")
CUT_AT_THE_MEAN = (
    "adaptive_f",
    "e_measure_adp",
)  # flat maps have many pixels at exactly that value, and 8 bits move it
RED, GREEN, BLUE = (0, 0, 250), (0, 250, 0), (250, 0, 0)  # as OpenCV writes them


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    return painted(tmp_path / "coloured")


def painted(root: Path) -> Path:
    """Four pictures with red and green squares, a mask for each colour; blue, said to be absent, is in one of them."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    lines = ["file_name,red_file_name,green_file_name,absent"]
    for index in range(4):
        image = np.full((40, 60, 3), 30, np.uint8)
        masks = {"red": np.zeros((40, 60), np.uint8), "green": np.zeros((40, 60), np.uint8)}
        for name, colour, left in (("red", RED, 4), ("green", GREEN, 34)):
            if name == "red" or index != 3:
                image[5 : 20 + index, left : left + 15] = colour
                masks[name][5 : 20 + index, left : left + 15] = 255
        if index == 0:
            image[30:35, 2:8] = BLUE
        image[0, index] = 255
        cv2.imwrite(str(root / f"images/{index}.png"), image)
        for name, mask in masks.items():
            cv2.imwrite(str(root / f"masks/{index}_{name}.png"), mask)
        lines.append(f"images/{index}.png,masks/{index}_red.png,masks/{index}_green.png,blue")
    (root / "metadata.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def bench(command: Run, plugin_site: Path) -> Run:
    return partial(command, "benchmarks.run", PYTHONPATH=str(plugin_site))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, plugin_site: Path) -> tuple[Path, list[dict[str, Any]]]:
    """A run that several tests look at, and none of them changes: the folder of its command, and its rows."""
    folder = tmp_path_factory.mktemp("stored")
    arguments = ("--dataset", str(painted(folder / "coloured")), "--pipelines")
    asked = "colour,bright:threshold=0.2,bright:fault=every_other"
    done = commanding(folder)("benchmarks.run", *arguments, asked, *QUICK, PYTHONPATH=str(plugin_site))
    return folder, rows(done)


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["rows"])


def records(folder: Path, configuration: str) -> list[SampleRecord]:
    (run,) = (path for path in (folder / "runs").iterdir() if path.is_dir())
    return sorted(RunStore(run).records(configuration), key=lambda r: r.id)


def test_classes_absent_texts_and_pipelines_that_know_neither(stored: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, (colour, bright, _) = stored
    assert colour["metrics"]["miou_classes"]["value"] == colour["metrics"]["miou_classes_bg"]["value"] == 1
    assert list(colour["classes"]) == ["background", "green", "red"]
    assert colour["classes"]["green"]["iou"]["value"] == 1
    assert (colour["classes"]["green"]["recall"]["n"], colour["classes"]["red"]["recall"]["n"]) == (3, 4)
    assert colour["miou"] == 1  # blue is not part of the foreground: it was asked for apart
    assert colour["metrics"]["false_alarm_rate"]["value"] == pytest.approx(1 / 5)  # 4 times blue, once green
    assert 0 < colour["metrics"]["il_mcc"]["value"] < 1
    assert (bright["classes"], bright["metrics"]["miou_classes"]["value"]) == (None, None)
    assert bright["metrics"]["false_alarm_rate"]["value"] is None  # asked for nothing, and something is in each
    first, *_, last = records(folder, "00-colour")
    assert (first.texts, first.classes, first.absent) == (("green", "red"), ("green", "red"), (True,))
    assert last.absent == (False,)
    assert [i.label for i in last.instances] == [1]


def test_words_for_classes(bench: Run, coloured: Path) -> None:
    about = ("--dataset", str(coloured), "--pipelines", "colour", *QUICK)
    (one,) = rows(bench(*about, "--prompt", "red=crimson", "--prompt", "green=teal"))
    assert one["classes"]["red"]["iou"]["value"] == 1
    assert one["classes"]["green"]["iou"]["value"] == 0
    assert one["metrics"]["miou_classes"]["value"] == 0.5
    (two,) = rows(bench(*about, "--prompt", "crimson", "--limit", "2"))
    assert (two["classes"], two["metrics"]["miou_classes"]["value"]) == (None, None)
    (three,) = rows(bench(*about, "--prompt", "red=crimson", "--prompt", "red=blue", "--prompt", "green=green"))
    assert three["classes"]["red"]["precision"]["value"] < 1  # both words are red
    assert three["classes"]["red"]["recall"]["value"] == 1
    done = bench(*about, "--prompt", "rad=crimson")
    assert done.returncode == 2
    assert "Did you mean 'red'" in json.loads(done.stdout)["error"]["cure"]


@pytest.mark.parametrize(
    ("names", "prompt", "words", "asked", "expected"),
    [
        (("coin", "cup"), None, None, ("cup", "coin"), ("cup", "coin")),
        (("Coin",), None, None, ("coin",), ("Coin",)),
        (("coin", "cup"), None, None, ("plate",), None),
        (("coin", "cup"), None, None, ("coin", "plate"), None),
        (("coin", "cup"), ("a", "b"), ("cup", "cup"), ("a", "b"), ("cup", "cup")),
        (("coin", "cup"), ("a", "b"), ("cup", None), ("a", "b"), None),
        (("coin",), ("euro",), None, ("euro",), ("coin",)),
        (("coin",), ("euro", "cent"), None, ("euro", "cent"), None),
        ((), ("euro",), None, ("euro",), None),
        (("coin",), None, None, (), None),
    ],
)
def test_class_of_a_text(names: tuple[str, ...], prompt: tuple[str, ...] | None, words: tuple[str | None, ...] | None,
                         asked: tuple[str, ...], expected: tuple[str, ...] | None) -> None:  # fmt: skip
    about = DatasetRecord(spec="d", name="d", format="f", n=1, n_groups=1, hash="h", class_names=names, prompt=prompt,
                          prompt_classes=words)  # fmt: skip
    assert classes_of(about)(asked) == expected


def test_every_metric_again_without_a_model(stored: tuple[Path, list[dict[str, Any]]], command: Run) -> None:
    (folder,) = (path for path in (stored[0] / "runs").iterdir() if path.is_dir())
    again = rescored_rows(RunStore(folder), RunStore(folder).manifest())
    for old, new in zip(stored[1], again, strict=True):
        made = new.model_dump(mode="json")
        assert made["errors"] == old["errors"]
        for name in ("classes", "miou_ci", "latency_ms", *(n for n in old if n.startswith(("miou", "boundary")))):
            assert made[name] == old[name], name
        for name, value in old["metrics"].items():
            assert made["metrics"][name]["n"] == value["n"], name
            if name not in CUT_AT_THE_MEAN:
                assert made["metrics"][name]["value"] == pytest.approx(value["value"], abs=1 / 255), name
        for name in ("miou", "boundary_f", "iou_pooled", "il_mcc", "max_f", "e_measure", "miou_best@test"):
            assert made["metrics"][name] == old["metrics"][name], name
    printed = command("benchmarks.rescore", str(folder), "--json", "--quiet")
    assert printed.returncode == 0, printed.stderr
    assert len(json.loads(printed.stdout)["rows"]) == 3


@pytest.mark.parametrize("room_mb", ["0", "0.0002"])
def test_what_was_counted_on_a_map_that_was_not_kept_stays(
    bench: Run, coloured: Path, tmp_path: Path, room_mb: str
) -> None:
    (stored,) = rows(bench("--dataset", str(coloured), "--pipelines", "colour", "--soft-maps-mb", room_mb, *QUICK))
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    kept = [record.soft_map is not None for record in records(tmp_path, "00-colour")]
    assert any(kept) == (room_mb != "0")
    assert "soft_maps_capped" in stored["flags"]
    assert stored["metrics"]["mae"]["value"] is not None
    assert not all(kept)
    (again,) = rescored_rows(RunStore(folder), RunStore(folder).manifest())
    for name in ("mae", "s_measure", "weighted_f", "e_measure"):
        assert again.metrics[name].n == stored["metrics"][name]["n"] == 4
        assert again.metrics[name].value == pytest.approx(stored["metrics"][name]["value"], abs=1 / 255)
    _forget(folder / "00-colour" / "samples.jsonl", "soft")
    (old,) = rescored_rows(RunStore(folder), RunStore(folder).manifest())
    assert old.metrics["mae"].n == sum(kept)  # neither map nor count: it says nothing of that image
    assert old.miou == again.miou


def _forget(path: Path, family: str) -> None:
    """Records as a version wrote them that did not count a family."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line["components"][family]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_scoring_again_refuses_a_dataset_that_changed(
    stored: tuple[Path, list[dict[str, Any]]], coloured: Path
) -> None:
    (folder,) = (path for path in (stored[0] / "runs").iterdir() if path.is_dir())
    manifest = RunStore(folder).manifest()
    moved = manifest.model_copy(update={"dataset": manifest.dataset.model_copy(update={"spec": str(coloured)})})
    assert len(rescored_rows(RunStore(folder), moved)) == 3
    cv2.imwrite(str(coloured / "masks/0_red.png"), np.zeros((40, 60), np.uint8))
    with pytest.raises(DatasetError, match="is not what the run saw"):
        rescored_rows(RunStore(folder), moved)


def test_soft_maps_are_stored_as_levels(stored: tuple[Path, list[dict[str, Any]]]) -> None:
    (folder,) = (path for path in (stored[0] / "runs").iterdir() if path.is_dir())
    for record in records(stored[0], "00-colour"):
        assert record.soft
        assert record.soft_map is not None
        found = soft_maps.read_levels(folder / "00-colour" / record.soft_map, record.size)
        picture = cv2.imread(str(stored[0] / f"coloured/images/{record.id}.png")).astype(np.float32) / 255
        maps = [np.clip(picture[..., c] - np.delete(picture, c, axis=2).max(axis=2), 0, 1) for c in (1, 2)]
        assert np.array_equal(found, (np.max(maps, axis=0) * 255).astype(np.uint8))


def test_levels_and_probabilities() -> None:
    soft = np.linspace(0, 1, 5001, dtype=np.float32)[None]
    values = soft_maps.levels(soft)
    assert np.abs(soft_maps.probabilities(values) - soft).max() <= 1 / 255 + 1e-6
    assert np.array_equal(
        soft_maps.levels(soft_maps.probabilities(np.arange(256, dtype=np.uint8)[None])), np.arange(256)[None]
    )


def test_a_soft_map_that_is_gone_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    for name in ("x.png", "y.png"):
        with pytest.raises(DatasetError, match="gone or damaged"):
            soft_maps.read_levels(tmp_path / name, (30, 30))
    kept = soft_maps.SoftMaps(tmp_path, 1e-4)
    noise = np.random.default_rng(0).random((30, 30)).astype(np.float32)
    assert kept.keep("deep/a", noise * 0) == "soft/deep/a.png"
    assert kept.keep("b", noise) is None
    assert kept.left == soft_maps.SoftMaps(tmp_path, 1e-4).left  # what an earlier process stored counts
    assert soft_maps.SoftMaps(tmp_path, 1).keep("../../out", noise) == "soft/%2E./%2E./out.png"  # ids may be anything
    assert not (tmp_path.parent / "out.png").exists()


def test_a_call_for_what_is_absent_that_fails_costs_the_answers_alone() -> None:
    class Moody(Pipeline):
        info = PipelineInfo(name="moody", title="Moody", prompts=frozenset(("text",)))
        Params = SlowParams

        def _load(self) -> None:
            """Nothing to load."""

        def _infer(self, images: list[Image], prompts: list[Prompt], params: SlowParams) -> list[Evidence]:
            if prompts[0].texts == ("ghost",):
                raise RuntimeError("boo")
            return [Evidence(image.shape[:2], soft=image[None, ..., 0].astype(np.float32) / 255) for image in images]

    pipeline = Moody()
    pipeline.load()
    haunted = replace(sample("a"), absent=("ghost",))
    (outcome,) = evaluate.predict(pipeline, [haunted], lambda _: Prompt(("bright",)))
    (found,) = scoring.score([outcome], scoring.Scoring(list(METRICS.values()), lambda s: s.id))
    assert (found.error, found.absent, found.absent_error) == (None, (True,), "RuntimeError: boo")
    assert found.components is not None
    assert found.components["overlap"]["fp"] == found.components["overlap"]["fn"] == 0
    assert found.components["presence"] == {"tp": 1, "fp": 1, "fn": 0, "tn": 0}
    assert found.ms["latency"] > 0


def test_foreground_of_no_class_is_judged_by_nobody() -> None:
    wall, red = np.zeros((2, 4, 4), np.bool_)
    wall[0], red[1] = True, True
    assert scoring.class_masks([(0, red)], ("red",), Truth({"foreground": wall, "red": red}), ("red",)) is None
    sides = scoring.class_masks([(0, red)], ("red",), Truth({"foreground": red, "red": red}), ("red", "blue"))
    assert sides is not None
    assert (set(sides.targets), sides.asked) == ({"red"}, {"red"})
    counted = measure_all(METRICS.values(), red, red, classes=sides)["presence"]
    assert counted == {"tp": 1, "fp": 0, "fn": 0, "tn": 0}  # nobody asked for blue


def test_a_key_changes_with_what_is_said_to_be_absent() -> None:
    keys = {
        scoring.sample_key(replace(sample("a"), absent=absent), Prompt(), CONFIGURATION, {})
        for absent in ((), ("x",), ("y",))
    }
    assert len(keys) == 3


def test_a_map_that_a_kill_left_without_its_record_is_written_again(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((90, 100)).astype(np.float32)
    kept = soft_maps.SoftMaps(tmp_path, 0.015)
    assert kept.keep("a", noise) is not None
    (tmp_path / "soft" / ".b.png.123").write_bytes(b"half of")
    resumed = soft_maps.SoftMaps(tmp_path, 0.015)
    assert [path.name for path in (tmp_path / "soft").iterdir()] == ["a.png"]
    assert resumed.keep("a", noise) is not None
    assert resumed.left == kept.left
    assert resumed.keep("b", noise) is None
