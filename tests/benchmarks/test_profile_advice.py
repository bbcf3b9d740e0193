"""Advice follows from the figures, gives its reason, and takes the pipelines' input from what they declare."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.profile.advice import advise
from benchmarks.profile.advice_scenes import thresholds
from benchmarks.profile.precision import ASSUMED_SPREAD, needed, reached, spread_of
from benchmarks.profile.readings import below
from benchmarks.profile.resolution import resolutions, usable
from benchmarks.profile.summaries import bins, summary
from benchmarks.profile.verdict import interval
from benchmarks.report.facts import read
from pipelines.checkpoints.clipseg import CHECKPOINTS as CLIPSEG
from pipelines.params import knob
from pipelines.registry import pipeline_class
from tests.benchmarks.copies import made_folder, picture
from tests.benchmarks.pieces import Slow, SlowParams
from tests.benchmarks.profiled import finished_document, made_photographs, profiled, suspect, with_suspects
from tests.benchmarks.reporting import made_dataset, made_run, of, square


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return finished_document(made_photographs(tmp_path_factory.mktemp("advice") / "photographs"))[0]


def with_feature(document: dict[str, Any], name: str, values: list[float]) -> dict[str, Any]:
    found = copy.deepcopy(document)
    known = np.array(values, float)
    for part in ("images", "masks"):
        for one in found[part]["features"]:
            if one["name"] == name:
                one["all"] = summary(known, bins(known, False))
                one |= {"below": [[at, float((known < at).mean())] for at, _ in one.get("below", ())]}
    return found


def titled(found: list[dict[str, Any]], words: str) -> dict[str, Any]:
    (one,) = [one for one in found if words in one["title"]]
    return one


def test_each_has_a_reason_and_the_most_urgent_comes_first(made: dict[str, Any]) -> None:
    found = advise(made)
    ranks = [("care", "note", "good").index(one["severity"]) for one in found]
    assert ranks == sorted(ranks) and len(found) >= 6
    for one in found:
        assert one["title"] and len(one["reason"]) > 40 and one["figures"]
        assert all(math.isfinite(value) for value in one["figures"].values())


def test_input_sizes_are_those_that_checkpoints_and_fields_declare() -> None:
    known = {one.pipeline: one for one in resolutions(usable())}
    clipseg = pipeline_class("clipseg").Params().checkpoint
    assert known["clipseg"].side_px == min(CLIPSEG[clipseg].settings["pixels"]["size"])
    assert known["clipseg"].fields == ("tile_size",)
    classical = pipeline_class("classical").Params()
    assert (known["classical"].side_px, known["classical"].source) == (classical.work_size, "work_size")
    assert {"rmbg", "sam", "sam3", "grounded_sam"} <= known.keys()
    assert all(one.side_px >= 64 for one in known.values())


def test_a_field_of_a_plugin_counts_as_its_input() -> None:
    class SizedParams(SlowParams):
        size: int = knob(96, help="Side in pixels.", reads="infer", ge=8, le=512)

    class Sized(Slow):
        Params = SizedParams

    (one,) = resolutions({"slow": Sized})
    assert (one.side_px, one.source, one.fields) == (96, "size", ("size",))
    assert resolutions({"slow": Slow}) == [], "nothing is declared, and nothing made up"


@pytest.mark.parametrize(("side", "small"), [(0.05, True), (0.6, False)])
def test_small_objects_are_held_against_every_input(made: dict[str, Any], side: float, small: bool) -> None:
    document = with_feature(made, "object_side_share", [side * (0.9 + 0.2 * n / 40) for n in range(41)])
    one = titled(advise(document), "Objects are small" if small else "Objects are large enough")
    coarse = min(resolutions(usable()), key=lambda one: one.side_px)
    assert one["figures"][f"side_px_{coarse.pipeline}"] == pytest.approx(side * coarse.side_px, abs=0.06)
    assert (coarse.pipeline in one["title"]) == small and (one["severity"] == "care") == small
    for known in resolutions(usable()):
        assert f"{known.pipeline} at {known.side_px} px" in one["reason"]


def test_shares_are_counted_for_every_value_that_is_asked_for(tmp_path: Path) -> None:
    folder = made_photographs(tmp_path / "photographs")
    table = profiled(folder)[0].table
    document = finished_document(folder)[0]
    for name, asked in thresholds().items():
        values = table.column(name)
        known = values[np.isfinite(values)]
        for at in asked:
            assert below(document, name, at) == np.count_nonzero(known < at) / len(known)
    assert below(document, "object_side_share", 0.123456) is None


def test_where_all_objects_have_one_side_none_lies_below_it(tmp_path: Path) -> None:
    folder = made_folder(tmp_path / "alike", {f"p{n}": picture(n) for n in range(6)})
    column = profiled(folder)[0].table.column("object_side_share")
    assert len(set(column.tolist())) == 1
    for known in resolutions(usable()):
        share = below(finished_document(folder)[0], "object_side_share", 32 / known.side_px)
        assert share == (1.0 if column[0] < 32 / known.side_px else 0.0)


def test_faint_objects_speak_against_pipelines_without_a_network(made: dict[str, Any]) -> None:
    faint = titled(
        advise(with_feature(made, "object_contrast", [0.02 + n / 1000 for n in range(60)])),
        "colours of their background",
    )
    assert faint["severity"] == "care" and "classical" in faint["reason"] and "rmbg" not in faint["reason"]
    clear = titled(advise(with_feature(made, "object_contrast", [0.4 + n / 1000 for n in range(60)])), "differ clearly")
    assert clear["severity"] == "good"


def test_the_number_of_objects_decides_whom_to_ask(made: dict[str, Any]) -> None:
    assert titled(advise(with_feature(made, "objects", [1.0] * 30)), "one object")["severity"] == "good"
    none = titled(advise(with_feature(made, "objects", [0.0] * 20 + [1.0] * 10)), "hold no object")
    assert none["severity"] == "note" and "The median is 0." in none["reason"]
    titled(advise(with_feature(made, "objects", [1.0, 2.0] * 15)), "hold 1.5 objects")
    many = titled(advise(with_feature(made, "objects", [3.0] * 20 + [400.0] * 10)), "hold 3 objects")
    assert many["severity"] == "care" and "grounded_sam (max_boxes 300)" in many["reason"]


def test_without_a_run_the_spread_is_assumed_and_the_formula_said(made: dict[str, Any]) -> None:
    one = titled(advise(made), "±0.02 on mIoU")
    groups = made["masks"]["n_groups"]
    assert one["figures"] == {"groups": groups, "groups_needed": math.ceil((1.96 * 0.2 / 0.02) ** 2), "spread": ASSUMED_SPREAD,
                              "half_width_now": round(1.96 * 0.2 / groups**0.5, 4), "spread_measured": 0.0}  # fmt: skip
    assert "is assumed" in one["reason"] and "groups = (1.96 × spread / 0.02)²" in one["reason"]


def test_the_number_of_groups_gives_the_interval_that_was_wanted() -> None:
    rng, spread = np.random.default_rng(1), 0.1
    n = needed(spread, 0.02)
    means = rng.normal(0.8, spread, (4000, n)).mean(axis=1)
    assert np.mean(np.abs(means - 0.8) <= 0.02) == pytest.approx(0.95, abs=0.012)
    assert reached(spread, n) <= 0.02 < reached(spread, n - 1)


def test_with_a_run_the_spread_is_that_of_its_best_pipeline(made: dict[str, Any], tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    good, fair = of(12, 0), of(12, 4)
    good[3] = square(15, 3)
    run = made_run(tmp_path / "run", data, {"fair": fair, "good": good})
    (best,) = [one for one in read(run).series if one.label == "good"]
    found = spread_of(run)
    assert found.value == pytest.approx(np.std(best.ious, ddof=1)) and found.known
    one = titled(advise(made, run=run), "±0.02 on mIoU")
    assert "standard deviation of good over the 12 groups of run run" in one["reason"]
    assert one["figures"]["groups_needed"] == needed(found.value) and one["figures"]["spread_measured"] == 1.0


def test_classes_groups_sizes_and_the_list(made: dict[str, Any]) -> None:
    document = with_suspects(made, suspect("mask_full", "p00"))
    document["masks"] = {**made["masks"], "classes": [{"name": "coin", "images": 90, "objects": 90, "pixel_share": 0.2},
                                                      {"name": "leaf", "images": 3, "objects": 3, "pixel_share": 0.1}]}  # fmt: skip
    document["dataset"] = {**made["dataset"], "n": 60, "n_groups": 12}
    found = advise(document)
    assert "leaf (3)" in titled(found, "1 class in fewer than 10 images")["reason"]
    assert titled(found, "60 images come from 12 groups")["figures"]["images_per_group"] == 5.0
    assert titled(found, "Leave out or mend 1 image first")["severity"] == "care"
    assert titled(found, "Pictures have 2 sizes")["figures"]["sizes"] == 2
    area = next(one for one in made["masks"]["features"] if one["name"] == "area_share")["all"]["mean"]
    useless = titled(found, "A mask of the whole picture")
    assert useless["figures"]["miou_of_everything"] == pytest.approx(area, abs=1e-4)


def test_groups_without_masks_give_no_precision(tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(8)]
    groups = {name: f"g{n // 2}" for n, name in enumerate(names)}
    folder = made_folder(tmp_path / "some", {name: picture(n) for n, name in enumerate(names)}, groups=groups)
    for name in names[3:]:
        (folder / "masks" / f"{name}.png").write_bytes(b"no mask")
    document = finished_document(folder)[0]
    assert (document["masks"]["with_masks"], document["masks"]["n_groups"]) == (3, 2)
    figures = titled(document["advice"], "on mIoU takes")["figures"]
    assert figures["groups"] == 2 and figures["half_width_now"] == round(1.96 * 0.2 / 2**0.5, 4)
    assert interval(document) == figures["half_width_now"]


def test_without_masks_nothing_is_said_of_them(made: dict[str, Any]) -> None:
    document = with_suspects(copy.deepcopy(made))
    document["masks"] |= {"with_masks": 0, "without_masks": 14}
    found = advise(document)
    assert titled(found, "Without masks only speed")["severity"] == "care"
    assert not [one for one in found if "mIoU" in one["title"] or "bjects" in one["title"]]
    assert advise({**document, "n": 0}) == []
