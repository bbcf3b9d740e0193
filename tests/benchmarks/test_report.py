"""The report of a run: what it answers, that it is the same each time, and that it holds when things are missing."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from io import StringIO
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.leaderboard import document, row
from benchmarks.records import WeightsRecord
from benchmarks.report.contents import report
from benchmarks.report.page import page
from benchmarks.report.pareto import Point, front
from benchmarks.report.written import WRITERS, folders, formats
from benchmarks.rows import MetricValue
from benchmarks.store import RunStore, write_whole
from pipelines.errors import UnknownNameError, UsageError
from tests.benchmarks.reporting import SIDE, Seen, made_dataset, made_run, of, square

GOOD, FAIR = "good", "fair"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("report")
    data = made_dataset(base / "data")
    good, fair = of(12, 0), of(12, 4)
    good[3] = square(15, 3)  # its worst
    return made_run(base / "run-a", data, {FAIR: fair, GOOD: good}, gone={"absent": "It has no weights. Fetch them."})


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return page(report(run))


def test_the_answer_names_the_best_how_sure_and_what_it_costs(run: Path) -> None:
    said = report(run).answer
    assert said.leader == GOOD
    assert "best of 2 pipelines" in said.headline
    assert any("95 % interval" in line for line in said.reasons)
    assert any("runner-up fair is real" in line for line in said.reasons)
    assert "MB" in said.cost[0] and "no weights" in said.cost[1]
    assert any("absent gave no result" in line for line in said.cautions)
    assert any("Few groups (12)" in line for line in said.cautions)


def test_equal_pipelines_are_a_tie_and_the_faster_one_is_named(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    one, two = of(12, 1), of(12, 1)
    one[0], two[1] = square(0), square(1)
    found = report(made_run(tmp_path / "r", data, {"one": one, "two": two})).answer
    assert "cannot be told apart" in found.headline
    assert any("cannot be told apart from the runner-up two" in line for line in found.reasons)


def test_the_page_holds_every_part(html: str) -> None:
    seen = Seen(html)
    assert seen.tags.count("h1") == 1
    for part in (
        "answer",
        "leaderboard",
        "trade-off",
        "images",
        "spread",
        "thresholds",
        "speed",
        "metrics",
        "method",
        "machine",
        "reproduce",
    ):
        assert part in seen.values("section", "id")
        assert f"#{part}" in seen.values("a", "href")
    assert "It has no weights. Fetch them." in seen.said
    assert "python -m benchmarks.run --dataset" in seen.said
    assert "Worst images of good" in seen.said and "1. p03" in seen.said


def test_the_page_needs_nothing_from_outside(html: str) -> None:
    seen = Seen(html)
    policy = dict.fromkeys(seen.values("meta", "content")).keys()
    assert any("default-src 'none'" in value and "script" not in value and "unsafe" not in value for value in policy)
    assert "script" not in seen.tags
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name == "style"]
    for tag, name, value in seen.attributes:
        if name in ("src", "srcset", "data", "action", "formaction", "poster", "xlink:href"):
            assert (value or "").startswith("data:image/"), (tag, name)
        if name == "href":
            assert (value or "").startswith(("#", "data:,")), value
    assert not re.search(r"url\(|@import|https?://", html.partition("<style>")[2].partition("</style>")[0])


def test_the_page_can_be_read_by_all(html: str) -> None:
    seen = Seen(html)
    assert ("html", "lang", "en") in seen.attributes
    assert {"header", "main", "nav", "footer"} <= set(seen.tags)
    assert all(seen.values("img", "alt")) and len(seen.values("img", "alt")) == seen.tags.count("img")
    assert len(seen.values("th", "scope")) == seen.tags.count("th")
    levels = [int(tag[1]) for tag in seen.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(seen.values("svg", "role") + seen.values("svg", "aria-hidden")) == seen.tags.count("svg")
    ids = [value for _, name, value in seen.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in seen.values("a", "href")} <= set(ids)


def test_equal_records_give_equal_bytes_with_and_without_a_summary(run: Path, html: str) -> None:
    store, manifest = RunStore(run), RunStore(run).manifest()
    rows = [row(manifest, one, store.records(one.id), store.timing(one.id)) for one in manifest.configurations]
    write_whole(run / "summary.json", json.dumps(document(manifest, rows)))
    try:
        again = report(run)
        assert page(again) == html
        assert {name: make(again) for made in WRITERS.values() for name, make in made.items()} == {
            name: make(report(run)) for made in WRITERS.values() for name, make in made.items()
        }
    finally:
        (run / "summary.json").unlink()


def test_a_summary_of_older_records_is_not_believed(run: Path) -> None:
    store, manifest = RunStore(run), RunStore(run).manifest()
    rows = [row(manifest, one, store.records(one.id), store.timing(one.id)) for one in manifest.configurations]
    write_whole(
        run / "summary.json", json.dumps(document(manifest, [r.model_copy(update={"miou": 0.123}) for r in rows]))
    )
    assert report(run).facts.rows[0].miou == 0.123
    for one in manifest.configurations:
        if store.records_path(one.id).is_file():
            store.records_path(one.id).touch()
    try:
        assert report(run).facts.rows[0].miou != 0.123
    finally:
        (run / "summary.json").unlink()


def test_without_the_dataset_the_page_says_so(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    folder = made_run(tmp_path / "r", data, {GOOD: of(12, 0)})
    data.rename(tmp_path / "moved")
    seen = Seen(page(report(folder)))
    assert "img" not in seen.tags
    assert "No images are shown" in seen.said and str(tmp_path) not in seen.said


def test_with_a_changed_dataset_the_page_shows_none_of_it(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    folder = made_run(tmp_path / "r", data, {GOOD: of(12, 0)})
    cv2.imwrite(str(data / "images" / "p00.png"), np.zeros((SIDE, SIDE, 3), np.uint8))
    seen = Seen(page(report(folder)))
    assert "img" not in seen.tags and "its files have changed" in seen.said


def test_without_masks_it_says_what_can_be_said(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data", masks=False)
    found = report(made_run(tmp_path / "r", data, {"one": of(12, 0), "two": of(12, 3)}))
    assert "does not say which pipeline is best" in found.answer.headline and found.answer.leader is None
    seen = Seen(page(found))
    assert "no masks" in found.answer.reasons[0] and "Where the pipelines differ most" in seen.said
    assert "trade-off" not in seen.values("section", "id")


def test_random_weights_are_no_quality_and_no_gallery(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    random = {
        "weights_from": "random",
        "weights": (WeightsRecord(repo="a/b", revision=None, licence="MIT", commercial=True),),
    }
    masks = {"net": of(12, 0), "plain": of(12, 2)}
    found = report(made_run(tmp_path / "r", data, masks, settings={"net": random}))
    assert "cannot be said: only plain could be judged" in found.answer.headline
    assert any("net ran with random weights" in line for line in found.answer.cautions)
    assert found.gallery.series == ("plain",)
    alone = report(made_run(tmp_path / "s", data, {"net": of(12, 0)}, settings={"net": random}))
    assert alone.answer.leader is None and any("random weights" in line for line in alone.answer.reasons)
    assert page(alone)


def test_failed_images_are_told_and_drawn_as_failed(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    masks = of(12, 0)
    masks[5] = None
    seen = Seen(page(report(made_run(tmp_path / "r", data, {GOOD: masks, FAIR: of(12, 2)}))))
    assert "good: 1 of 12 images." in seen.said and "failed: RuntimeError: dark" in seen.said


def test_a_run_in_which_nothing_ran(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    found = report(made_run(tmp_path / "r", data, {}, gone={"x": "No package. Install it."}))
    assert found.answer.headline == "No pipeline ran, so there is no answer."
    assert "No package. Install it." in Seen(page(found)).said
    assert all(make(found) for made in WRITERS.values() for make in made.values())


def test_the_gallery_stays_small_whatever_the_size_of_the_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.report.gallery.MOST_MB", 0.004)
    found = report(run).gallery
    assert found.cards is not None and sum(card.mb for card in found.cards.values()) <= 0.004
    assert found.note and "left out to keep the page below 0.004 MB" in found.note


def test_masks_that_take_too_much_room_are_not_compared(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.report.facts.MOST_OUTLINES_MB", 0.004)
    found = report(run).gallery
    assert found.note and "take too much room to be compared" in found.note
    assert "different" not in [chapter.name for chapter in found.chapters]


def test_files_hold_the_same_figures(run: Path) -> None:
    found = report(run)
    made = {name: make(found) for formats_ in WRITERS.values() for name, make in formats_.items()}
    lines = list(csv.DictReader(StringIO(made["report.csv"])))
    told = json.loads(made["report.json"])
    assert [line["label"] for line in lines] == [GOOD, FAIR, "absent"] == [r["label"] for r in told["rows"]]
    assert float(lines[0]["miou"]) == told["rows"][0]["miou"] == found.facts.rows[0].miou
    images = list(csv.DictReader(StringIO(made["images.csv"])))
    assert len(images) == 12
    assert np.isclose(np.mean([float(line[GOOD]) for line in images]), told["rows"][0]["miou"])
    assert told["answer"]["leader"] == GOOD and told["images"]["worst"][0]["id"] == "p03"
    assert f"| {GOOD} | {told['rows'][0]['miou']:.3f} |" in made["report.md"]


def test_the_weakest_part_is_named_where_it_is_weak_beyond_doubt(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    weak = [square(i % 8 + (5 if i >= 6 else 0), 10 - i % 2) for i in range(12)]
    found = report(made_run(tmp_path / "r", data, {"one": weak, "even": of(12, 4)}))
    assert any("It is surely weak where half is high" in line for line in found.answer.reasons)
    seen = Seen(page(found))
    assert "one is surely weak where half is high" in seen.said and "even is surely weak" not in seen.said
    assert "half: low" in seen.said and "slices" in seen.values("section", "id")


def test_front_is_what_nothing_beats() -> None:
    def point(label: str, ms: float, miou: float) -> Point:
        return Point(0, label, ms, None, miou, None)

    points = [point("slow and good", 9, 0.9), point("quick", 1, 0.5), point("beaten", 2, 0.5), point("same", 9, 0.8)]
    assert [p.label for p in front(points)] == ["quick", "slow and good"]


def test_where_reports_go(tmp_path: Path) -> None:
    a, b = tmp_path / "x" / "a", tmp_path / "y" / "a"
    assert folders([a, a], None) == [(a, a)]
    assert folders([a], tmp_path / "out") == [(a, tmp_path / "out")]
    with pytest.raises(UsageError, match="Two runs are called a"):
        folders([a, b], tmp_path / "out")
    with pytest.raises(UnknownNameError, match="html"):
        formats("htm")


def test_the_command_writes_the_files_and_one_document(run: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.report",
        str(run),
        "--out",
        str(tmp_path),
        "--format",
        "html,md,csv,json",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert [Path(path).name for path in told["reports"][0]["files"]] == [
        "report.html", "report.md", "report.csv", "images.csv", "report.json",
    ]  # fmt: skip
    assert all(Path(path).stat().st_size for path in told["reports"][0]["files"])
    assert told["reports"][0]["leader"] == GOOD
    missing = subprocess.run([*command[:3], str(tmp_path / "none"), "--json"], capture_output=True, text=True)
    assert missing.returncode == 2 and json.loads(missing.stdout)["error"]["cure"]


def test_more_pipelines_than_are_compared_or_named(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    masks = {f"p{k:02d}": [square(i % 8 + (k + i % 3 if k else 0)) for i in range(12)] for k in range(13)}
    found = report(made_run(tmp_path / "r", data, masks))
    assert "p00 is the best of 13 pipelines" in found.answer.headline
    assert len(found.pairs) == 45 + 3 and len(found.gallery.series) == 8
    seen = Seen(page(found))
    assert "The best 8 pipelines are shown, and 5 are not." in seen.said and "the best 10 with each other." in seen.said


def test_classes_are_told_apart_where_there_are_several(run: Path) -> None:
    found = report(run)
    kinds = {kind: MetricValue(value=0.5, ci=(0.4, 0.6), n=3) for kind in ("iou", "recall")}
    first = found.facts.series[0]
    first.row = first.row.model_copy(update={"classes": dict.fromkeys(("background", "cat", "<b>dog</b>"), kinds)})
    seen = Seen(page(found))
    assert "By class" in seen.said and "<b>dog</b>" in seen.said and "0.500 (0.400 to 0.600)" in seen.said
