"""Two profiles: how far each feature moved, which suspects came and went, and what cannot be compared."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from benchmarks.profile.comparison import compare, distance, moved, read_profile
from benchmarks.profile.page import page
from benchmarks.profile.page_comparison import sentences
from benchmarks.profile.summaries import bins, summary
from pipelines.errors import UsageError
from tests.benchmarks.profiled import finished_document, made_photographs, suspect, with_suspects
from tests.benchmarks.reporting import Seen


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return finished_document(made_photographs(tmp_path_factory.mktemp("comparison") / "photographs"))[0]


def changed(document: dict[str, Any], name: str, **about: float) -> dict[str, Any]:
    found = copy.deepcopy(document)
    feature = next(one for part in ("images", "masks") for one in found[part]["features"] if one["name"] == name)
    feature["all"] |= about
    return found


def test_a_profile_does_not_differ_from_itself(made: dict[str, Any]) -> None:
    found = compare(made, made)
    assert found["same"] is True and moved(found) == []
    assert all(one["difference"] == one["distance"] == 0 for one in found["features"])
    assert found["suspects"] == {
        "new": [],
        "gone": [],
        "same": len({(s["kind"], s["sample"]) for s in made["suspects"]}),
    }
    assert all(found[key] == {"new": [], "gone": []} for key in ("classes", "sizes", "splits"))


def test_a_median_moves_in_units_of_the_middle_half(made: dict[str, Any]) -> None:
    before = changed(made, "brightness", p25=0.4, p50=0.5, p75=0.6)
    now = changed(made, "brightness", p25=0.5, p50=0.65, p75=0.9)
    one = next(one for one in compare(before, now)["features"] if one["name"] == "brightness")
    assert (one["before"], one["now"]) == (0.5, 0.65)
    assert one["difference"] == pytest.approx(0.15) and one["moved"] == pytest.approx(0.75)
    assert [one["name"] for one in moved(compare(before, now))] == ["brightness"]
    back = next(one for one in compare(now, before)["features"] if one["name"] == "brightness")
    assert back["moved"] == pytest.approx(-0.15 / 0.4)
    assert moved(compare(now, before)) == []


def test_where_all_had_one_value_a_move_has_no_figure_and_comes_first(made: dict[str, Any]) -> None:
    before, now = (changed(made, "holes", p25=at, p50=at, p75=at) for at in (0.0, 2.0))
    found = compare(before, now)
    assert found["features"][0] | {"distance": 0} == {"name": "holes", "title": "Holes", "unit": "", "before": 0.0, "now": 2.0,
                                                      "difference": 2.0, "moved": None, "distance": 0}  # fmt: skip
    assert [one["name"] for one in moved(found)] == ["holes"]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("shift", [0, 3, 40])
def test_the_distance_is_that_of_kolmogorov_and_smirnov(shift: int) -> None:
    rng = np.random.default_rng(shift)
    a, b = rng.integers(0, 12, 200), rng.integers(0, 12, 150) + shift
    ours = distance(*(summary(values.astype(float), bins(values.astype(float), True)) for values in (a, b)))
    assert ours == pytest.approx(ks_2samp(a, b).statistic, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_distance_is_never_made_larger_by_bins(seed: int) -> None:
    """Nearly all 0, one value only, a far outlier, plain values: bins differ, and what is said is certain."""
    rng = np.random.default_rng(seed)
    plain, shifted = rng.normal(size=90), rng.normal(0.8, 1, 70)
    level, mostly = np.zeros(40), np.r_[np.zeros(60), 0.14]
    for a, b in (
        (plain, shifted),
        (plain, np.r_[plain, 500.0]),
        (level, mostly),
        (level, plain),
        (mostly, np.full(9, 0.14)),
    ):
        true = ks_2samp(a, b).statistic
        ours = distance(summary(a, bins(a, False)), summary(b, bins(b, False)))
        assert ours <= true + 1e-9
        assert ours >= 0.75 * true - 0.02, "and not far below it"


def test_suspects_classes_sizes_and_splits_that_came_and_went(made: dict[str, Any]) -> None:
    before = with_suspects(copy.deepcopy(made), suspect("mask_full", "a"), suspect("image_dark", "b"))
    now = with_suspects(
        copy.deepcopy(made), suspect("mask_full", "a"), suspect("mask_full", "b"), suspect("image_dark", "c")
    )
    before["masks"]["classes"], now["masks"]["classes"] = [{"name": "coin"}], [{"name": "coin"}, {"name": "leaf"}]
    now["images"]["sizes"] = [{"width": 5, "height": 4, "n": 1}]
    now["dataset"] = {**now["dataset"], "splits": {"train": 3}, "hash": "other"}
    found = compare(before, now)
    assert [(one["kind"], one["sample"]) for one in found["suspects"]["new"]] == [
        ("mask_full", "b"),
        ("image_dark", "c"),
    ]
    assert [(one["kind"], one["sample"]) for one in found["suspects"]["gone"]] == [("image_dark", "b")]
    assert found["suspects"]["same"] == 1
    assert found["kinds"] == {"mask_full": {"before": 1, "now": 2}, "image_dark": {"before": 1, "now": 1}}
    assert found["classes"] == {"new": ["leaf"], "gone": []}
    assert found["sizes"]["new"] == ["5 x 4"] and len(found["sizes"]["gone"]) == made["images"]["n_sizes"]
    assert found["splits"] == {"new": [], "gone": ["test"]} and found["same"] is False


def test_the_page_shows_what_changed(made: dict[str, Any]) -> None:
    before = with_suspects(copy.deepcopy(made), suspect("image_light", "gone-now", reason="It was light."))
    document = {**made, "comparison": compare(before, made)}
    seen = Seen(page(document, None))
    assert seen.values("section", "id")[1] == "changes"
    for line in sentences(document["comparison"]):
        assert " ".join(line.split()) in seen.said
    assert "gone-now Light pictures low gone It was light." in seen.said


BROKEN = {"nothing": None, "no JSON": "{", "a list": "[]", "another document": '{"rows": []}', "another version": None}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_profile_is_refused_with_a_cure(made: dict[str, Any], tmp_path: Path, case: str) -> None:
    path = tmp_path / "profile.json"
    text = json.dumps({**made, "schema_version": 99}) if case == "another version" else BROKEN[case]
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_profile(path)
    assert "profile.json" in caught.value.message and caught.value.cure


DAMAGED: dict[str, tuple[tuple[str | int, ...], object]] = {
    "a number for an object": (("dataset",), 3),
    "features that are no list": (("images", "features"), "x"),
    "a median in words": (("images", "features", 0, "all", "p50"), "x"),
    "a median that is not finite": (("images", "features", 0, "all", "p50"), float("nan")),
    "a count too many": (("images", "features", 0, "all", "histogram", "edges"), [0.0, 1.0]),
    "no samples": (("images", "features", 0, "all", "n"), 0),
    "a suspect in words": (("suspects", 0), "p1"),
    "kinds as a list": (("kinds",), []),
    "a size without a width": (("images", "sizes", 0), {"n": 1}),
    "a date that is a number": (("created",), 5),
    "classes that are null": (("masks", "classes"), None),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_profile_is_refused_when_it_is_read(made: dict[str, Any], tmp_path: Path, case: str) -> None:
    (*way, last), wrong = DAMAGED[case]
    document = inner = copy.deepcopy(made)
    for step in way:
        inner = inner[step]
    inner[last] = wrong  # type: ignore[index]
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="is damaged at"):
        read_profile(path)


def test_what_is_left_of_every_part_is_refused_or_compared(made: dict[str, Any], tmp_path: Path) -> None:
    """Take away each part in turn: none ends in another error."""
    path = tmp_path / "profile.json"
    for way in (
        [("dataset", key) for key in made["dataset"]]
        + [("masks", key) for key in made["masks"]]
        + [(key, None) for key in made]
    ):
        document = copy.deepcopy(made)
        del (document[way[0]] if way[1] else document)[way[1] or way[0]]
        path.write_text(json.dumps(document))
        try:
            before = read_profile(path)
        except UsageError:
            continue
        assert sentences(compare(before, made)), way


def test_a_written_profile_is_read_again(made: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(made))
    assert read_profile(path) == made
