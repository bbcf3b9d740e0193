"""What is summed up over samples, against numpy and scipy; formats, streams, and folders without masks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import stats

from benchmarks.datasets import Dataset, Sample, Stream, Truth, open_dataset
from benchmarks.leaks.fingerprints import from_text
from benchmarks.profile.looks import Look, look
from benchmarks.profile.profiling import Profile, profile
from benchmarks.profile.splits import compare_splits, group_means
from benchmarks.profile.summaries import bins, summary
from benchmarks.profile.table import Table
from benchmarks.statistics.paired import holm
from tests.benchmarks.copies import mask, picture
from tests.benchmarks.drawn import masks as drawn_masks
from tests.benchmarks.test_datasets_coco import made as made_coco


def generated(n: int, classes: bool = False) -> Iterator[Sample]:
    for index in range(n):
        inside = np.roll(mask(), index % 7, axis=1)
        ignore = np.zeros_like(inside)
        ignore[:4] = index % 2
        truth = (
            Truth({"disc": inside, "bar": np.eye(*inside.shape, dtype=bool)}, ignore)
            if classes
            else Truth({"a": inside})
        )
        image = picture(index)
        yield Sample(f"{index:04d}", image.shape[:2], lambda image=image: image, lambda index=index: f"hash{index}",
                     lambda truth=truth: truth, lambda: "mask", group=f"g{index // 2}",
                     split="train" if index % 4 < 2 else "test")  # fmt: skip


@pytest.fixture(scope="module")
def made() -> Profile:
    return profile(Dataset("made", "generated", tuple(generated(24, classes=True)), ("disc", "bar", "bird")))


def feature(document: dict[str, Any], part: str, name: str) -> dict[str, Any]:
    return next(one for one in document[part]["features"] if one["name"] == name)


def test_summary_against_numpy() -> None:
    values = np.random.default_rng(0).gamma(2, 3, 500)
    found = summary(np.append(values, np.nan), bins(values, whole=False))
    assert found is not None
    assert (found["n"], found["min"], found["max"]) == (500, pytest.approx(values.min()), pytest.approx(values.max()))
    assert found["mean"] == pytest.approx(values.mean())
    assert found["std"] == pytest.approx(values.std())
    for percent in (5, 25, 50, 75, 95):
        assert found[f"p{percent}"] == pytest.approx(np.percentile(values, percent))
    edges = found["histogram"]["edges"]
    below = [np.count_nonzero(values < edge) for edge in edges[1:-1]]
    assert found["histogram"]["counts"] == np.diff([0, *below, 500]).tolist()
    assert edges[0] <= values.min() + 1e-6
    assert edges[-1] >= values.max() - 1e-6
    assert summary(np.array([np.nan]), np.array([0.0, 1.0])) is None


@pytest.mark.parametrize("values", [[0, 1, 1, 5], [3, 3, 3], list(range(200)), [0.25]])
def test_bins_hold_every_value(values: list[float]) -> None:
    for whole in (True, False):
        edges = bins(np.array(values, float), whole)
        assert np.histogram(values, edges)[0].sum() == len(values)
        assert len(edges) <= 32


def test_features_of_all_and_of_each_split(made: Profile) -> None:
    areas = [sample.target().sum() / (~sample.ignore()).sum() for sample in generated(24, classes=True)]
    found = feature(made.document, "masks", "area_share")
    assert found["all"]["mean"] == pytest.approx(np.mean(areas))
    assert found["splits"]["test"]["p50"] == pytest.approx(np.median([a for i, a in enumerate(areas) if i % 4 >= 2]))
    light = [sample.image.mean() / 255 for sample in generated(24)]
    assert feature(made.document, "images", "brightness")["all"]["mean"] == pytest.approx(np.mean(light), abs=0.02)


def test_classes_and_what_occurs_together(made: Profile) -> None:
    masks = made.document["masks"]
    disc, bar, bird = masks["classes"]
    assert (disc["name"], disc["images"], bar["images"], bird["images"]) == ("disc", 24, 24, 0)
    assert disc["pixel_share"] == pytest.approx(mask().mean(), rel=1e-4)
    assert (disc["objects"], bar["objects"]) == (24, 24)
    assert masks["co_occurrence"] == [[24, 24, 0], [24, 24, 0], [0, 0, 0]]
    assert (masks["with_masks"], masks["without_masks"], masks["empty"]) == (24, 0, 0)
    assert sum(masks["size_classes"].values()) == sum(masks["size_classes_relative"].values()) == 48
    assert feature(made.document, "masks", "ignore_share")["all"]["max"] == pytest.approx(4 / 96)


def test_position_is_the_mean_of_masks(made: Profile) -> None:
    mean = np.mean([sample.target() for sample in generated(24, classes=True)], axis=0)
    wanted = mean.reshape(32, 3, 32, 4).mean(axis=(1, 3))
    assert np.allclose(made.document["masks"]["position"], wanted, atol=1e-4)


def test_splits_are_compared_by_their_groups(made: Profile) -> None:
    table, rows = made.table, compare_splits(made.table)
    row = next(row for row in rows if row["feature"] == "brightness")
    means = [group_means(table, table.column("brightness"), split) for split in ("test", "train")]
    light = table.column("brightness")
    assert means[0].tolist() == [light[[2 + 4 * n, 3 + 4 * n]].mean() for n in range(6)]
    wanted = stats.ks_2samp(*means)
    assert row["distance"] == pytest.approx(wanted.statistic)
    raw = [stats.ks_2samp(*(group_means(table, table.column(one["feature"]), split) for split in ("test", "train"))).pvalue
           for one in rows]  # fmt: skip
    assert [one["p"] for one in rows] == [pytest.approx(p, rel=1e-5) for p in holm(raw)]
    assert rows == made.document["splits"]


def test_the_document_is_json_and_agrees_with_itself(made: Profile) -> None:
    document = json.loads(json.dumps(made.document, allow_nan=False))
    assert document["n"] == document["dataset"]["n"] == 24
    assert document["dataset"]["splits"] == {"test": 12, "train": 12}
    assert document["dataset"]["n_groups"] == 12
    assert document["images"]["sizes"] == [{"width": 128, "height": 96, "n": 24}]


def test_a_stream_is_gone_through_once() -> None:
    passes = []

    def rows() -> Iterator[Sample]:
        passes.append(1)
        yield from generated(12)

    streamed = profile(Dataset("s", "stream", Stream(rows)))
    held = profile(Dataset("s", "stream", tuple(generated(12))))
    assert len(passes) == 1
    assert streamed.document["dataset"]["hash"] is None
    for part in ("images", "masks", "splits"):
        assert streamed.document[part] == held.document[part]


def test_a_folder_without_masks(tmp_path: Path) -> None:
    for seed in range(5):
        cv2.imwrite(str(tmp_path / f"{seed}.jpg"), picture(seed))
    document = profile(open_dataset(tmp_path)).document
    assert document["masks"]["with_masks"] == 0
    assert document["masks"]["position"] is None
    assert {one["all"] for one in document["masks"]["features"]} == {None}
    assert document["suspects"] == []
    assert document["images"]["formats"] == {"JPEG": 5}


def test_coco_with_two_classes(tmp_path: Path) -> None:
    made_coco(tmp_path)
    document = profile(open_dataset(tmp_path)).document
    classes = {row["name"]: row for row in document["masks"]["classes"]}
    wanted = drawn_masks()
    pixels = sum(by_class["leaf"].sum() for by_class in wanted.values() if "leaf" in by_class)
    assert classes["leaf"]["images"] == sum("leaf" in by_class for by_class in wanted.values())
    assert classes["leaf"]["pixel_share"] == pytest.approx(pixels / (60 * 90 * len(wanted)), rel=1e-4)
    assert document["masks"]["empty"] == 1


def test_an_empty_dataset_has_a_profile() -> None:
    document = profile(Dataset("none", "unknown", ())).document
    assert (document["n"], document["suspects"], document["dataset"]["hash"]) == (0, [], None)
    json.dumps(document, allow_nan=False)


def test_progress_and_order() -> None:
    told: list[tuple[int, int | None]] = []
    samples = tuple(generated(9))
    found = profile(Dataset("d", "f", samples), jobs=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 9) for n in range(1, 10)]
    assert found.table.ids == [sample.id for sample in samples]


def test_rows_without_a_number_are_told_apart() -> None:
    table = Table.of([Look("a", "a", numbers={"x": 1.0}), Look("b", "b"), Look("c", "c", numbers={"x": 3.0, "y": 2.0})])
    assert np.array_equal(table.column("x"), [1, np.nan, 3], equal_nan=True)
    assert np.array_equal(table.column("y"), [np.nan, np.nan, 2], equal_nan=True)
    assert np.isnan(table.column("z")).all()


def test_a_row_takes_few_bytes() -> None:
    import tracemalloc

    one = look(next(generated(1)))
    assert one.print is not None
    known, table = one.print.to_text(), Table()
    for n in range(50):
        table.append(replace(one, id=f"{n}"))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(400):
        table.append(replace(one, id=f"id of {n}", print=from_text(known, f"{n:064}"), file=None))
    grown = (tracemalloc.get_traced_memory()[0] - before) / 400
    tracemalloc.stop()
    assert grown < 3000
