"""Sweeps: counts at every threshold, equal to a loop over decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.metrics import METRICS, Region
from benchmarks.sweeps import Counts, Grid, components, count, grid_of
from pipelines.base import Pipeline
from pipelines.errors import ContractError, UsageError
from pipelines.grounded_sam import GroundedSamParams
from pipelines.layers import Layers
from pipelines.params import Knob, knobs
from pipelines.types import Evidence
from tests.pipelines.layered import CASES, KINDS, SIZE, of_kind, seen

FAMILY = METRICS["miou"].family
TARGETS = ("blob", "noise", "ignored", "empty", "full", "nothing counts")
COARSE = 8


def region(kind: str, size: tuple[int, int] = SIZE) -> Region:
    rng = np.random.default_rng(7)
    blob = np.zeros(size, np.bool_)
    blob[size[0] // 4 : size[0] // 2, size[1] // 3 :] = True
    noise = rng.random(size) < 0.4
    return {
        "blob": Region.of(blob),
        "noise": Region.of(noise),
        "ignored": Region.of(noise, rng.random(size) < 0.3),
        "empty": Region.of(np.zeros(size, np.bool_)),
        "full": Region.of(np.ones(size, np.bool_)),
        "nothing counts": Region.of(noise, np.ones(size, np.bool_)),
    }[kind]


def knob_of(pipeline: Pipeline, name: str) -> Knob:
    return {knob.name: knob for knob in knobs(pipeline.Params)}[name]


def looped(pipeline: Pipeline, evidence: Evidence, target: Region, cuts: Grid, ranks: Grid | None) -> Any:
    """(ranks, cuts) components, one decision after the other."""
    grid: list[list[dict[str, Any]]] = []
    for rank in [None] if ranks is None else ranks.values:
        grid.append([])
        for cut in cuts.values:
            chosen = {cuts.field: float(cut)} | ({ranks.field: float(rank)} if ranks is not None else {})
            params = pipeline.params.model_copy(update=chosen)
            grid[-1].append(FAMILY.measure(pipeline.decide(evidence, params).foreground(), target))
    return grid


def differing(pipeline: Pipeline, evidence: Evidence, target: Region, cuts: Grid, ranks: Grid | None) -> int:
    layers = pipeline.layers(evidence)
    assert layers is not None
    found, wanted = count(layers, target, cuts, ranks), looped(pipeline, evidence, target, cuts, ranks)
    assert found.tp.shape == found.fp.shape == (len(wanted), len(wanted[0]))
    assert found.tp.dtype == found.fp.dtype == np.int64
    return sum(components(found, r, c) != cell for r, row in enumerate(wanted) for c, cell in enumerate(row))


@pytest.fixture(scope="module", params=list(CASES))
def one(request: pytest.FixtureRequest, tiny_weights: Path) -> Iterator[tuple[Pipeline, Evidence]]:
    with seen(request.param, tiny_weights) as found:
        yield found


def grids(pipeline: Pipeline, layers: Layers, most: int = 320, most_ranks: int = 320) -> tuple[Grid, Grid | None]:
    ranks = None if layers.rank is None else grid_of(knob_of(pipeline, layers.rank), most=most_ranks)
    return grid_of(knob_of(pipeline, layers.cut), most=most), ranks


@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_those_of_a_loop_at_every_cut(one: tuple[Pipeline, Evidence], kind: str) -> None:
    pipeline, evidence = one[0], of_kind(one[1], kind)
    layers = pipeline.layers(evidence)
    assert layers is not None
    cuts, ranks = grids(pipeline, layers, most_ranks=1)
    assert len(cuts) in (257, 321)
    assert differing(pipeline, evidence, region("ignored"), cuts, ranks) == 0


@pytest.mark.parametrize("kind", ["spread", "planted"])
def test_counts_are_those_of_a_loop_at_every_rank(one: tuple[Pipeline, Evidence], kind: str) -> None:
    pipeline, evidence = one[0], of_kind(one[1], kind)
    layers = pipeline.layers(evidence)
    assert layers is not None
    cuts, ranks = grids(pipeline, layers, most=4)
    assert ranks is None or len(ranks) == 257
    assert differing(pipeline, evidence, region("blob"), cuts, ranks) == 0


@pytest.mark.parametrize("target", TARGETS)
def test_counts_against_targets_of_every_kind(one: tuple[Pipeline, Evidence], target: str) -> None:
    pipeline, evidence = one[0], of_kind(one[1], "spread")
    layers = pipeline.layers(evidence)
    assert layers is not None
    assert differing(pipeline, evidence, region(target), *grids(pipeline, layers, COARSE, COARSE)) == 0


def made(values: Any, inclusive: bool) -> Layers:
    maps = [np.array(one, np.float32) for one in values]
    return Layers(maps[0].shape, "t", inclusive, lambda: iter(maps))  # type: ignore[arg-type]


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize(("scale", "low", "high"), [(256, 0, 256), (16, -160, 160), (256, 3, 250), (1024, -700, 5)])
def test_values_beside_a_threshold_are_on_their_side(inclusive: bool, scale: int, low: int, high: int) -> None:
    """The nearest floats, the smallest there are, negative zero, and what lies far beyond the ends."""
    at = (np.arange(low, high + 1) / scale).astype(np.float32)
    tiny = np.array([1e-45, 1e-38, 1e-20, 1e-9], np.float32)
    near = [np.nextafter(at, np.float32(side)) for side in (-np.inf, np.inf)]
    values = np.concatenate([at, *near, tiny, -tiny, [-0.0, 3e38, -3e38, np.inf, -np.inf, np.nan]]).astype(np.float32)[
        None
    ]
    grid = Grid("t", np.arange(low, high + 1) / scale)
    found = count(made([values], inclusive), Region.of(np.ones(values.shape, np.bool_)), grid)
    passes = np.greater_equal if inclusive else np.greater
    assert found.tp[0].tolist() == [int(passes(values, float(t)).sum()) for t in grid.values]


def test_thresholds_with_gaps_between_them() -> None:
    values = np.random.default_rng(0).random((20, 30), np.float32)
    target = region("noise", (20, 30))
    fine, few = grid_of(Knob("t", "float", 0, "", "decide", 0, 1)), Grid("t", np.array([0, 0.25, 0.5625, 1]))
    every, some = (count(made([values], True), target, grid) for grid in (fine, few))
    assert np.array_equal(every.fp[:, few.values.astype(float).__mul__(256).astype(int)], some.fp)


def test_what_is_no_number_passes_no_threshold() -> None:
    maps, target = np.random.default_rng(1).random((2, *SIZE), np.float32), region("noise")
    maps[0, 3:9], maps[1, 6:12, 5:] = np.nan, np.nan
    layers = Layers(SIZE, "c", True, lambda: iter(maps), "r", True, np.array([0.75, 0.5], np.float32))
    found = count(layers, target, Grid("c", np.arange(9) / 8), Grid("r", np.array([0.5, 0.625])))
    for row, cut in np.ndindex(2, 9):
        assert components(found, row, cut) == FAMILY.measure((maps[: 2 - row] >= cut / 8).any(axis=0), target)


def test_large_pictures_in_strips() -> None:
    rng = np.random.default_rng(8)
    maps, target = rng.normal(0, 4, (3, 700, 900)).astype(np.float32), rng.random((700, 900)) < 0.3
    target_region = Region.of(target, rng.random((700, 900)) < 0.1)
    layers = Layers((700, 900), "c", False, lambda: iter(maps), "r", True, np.array([0.75, 0.5, 0.5], np.float32))
    cuts, ranks = Grid("c", np.arange(-32, 33) / 16), Grid("r", np.array([0.25, 0.5, 0.625, 0.75, 0.875]))
    found = count(layers, target_region, cuts, ranks)
    for row, union in enumerate((maps.max(0), maps.max(0), maps[0], maps[0], np.full((700, 900), -np.inf))):
        for column in (0, 17, 32, 64):
            wanted = FAMILY.measure(union > cuts.values[column], target_region)
            assert components(found, row, column) == wanted


def test_grids_of_parameters() -> None:
    by_name = {knob.name: knob for knob in knobs(GroundedSamParams)}
    box, mask = grid_of(by_name["box_threshold"], low=0.35), grid_of(by_name["mask_threshold"])
    assert (box.scale, box.values[0], box.values[-1]) == (256, 90 / 256, 1)
    assert (mask.scale, mask.values[0], mask.values[-1], len(mask)) == (16, -10, 10, 321)
    assert mask.values[mask.nearest(0.02)] == 0
    with pytest.raises(UsageError, match="max_boxes takes 1 to 900, which is no range"):
        grid_of(by_name["max_boxes"])
    with pytest.raises(UsageError, match="rise in multiples"):
        grid_of(by_name["box_threshold"], low=1.5)


@pytest.mark.parametrize("values", [[0.1], [0.5, 0.25], [0.5, 0.5], [], [0, 1e9], [0.5 + 2**-30]])
def test_thresholds_that_are_not_exact_are_refused(values: list[float]) -> None:
    with pytest.raises(UsageError, match="make no exact sweep"):
        Grid("t", np.array(values, np.float64))


def test_what_does_not_fit_is_refused() -> None:
    layers, grid = made([np.zeros((4, 6))], True), Grid("t", np.array([0.5]))
    with pytest.raises(UsageError, match="Thresholds of u and None were given for layers with t and None"):
        count(layers, region("blob", (4, 6)), Grid("u", grid.values))
    with pytest.raises(UsageError, match="Thresholds of t and t"):
        count(layers, region("blob", (4, 6)), grid, grid)
    with pytest.raises(ContractError, match=r"image of \(4, 6\) and the target of \(5, 6\)"):
        count(layers, region("blob", (5, 6)), grid)
    wrong = Layers((4, 6), "t", True, lambda: iter([np.zeros((4, 6))]))  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="must be float32"):
        count(wrong, region("blob", (4, 6)), grid)


def test_a_failed_image_is_that_of_an_empty_prediction() -> None:
    target = region("ignored")
    found = Counts.of_failed(target, Grid("t", np.array([0.25, 0.5])))
    assert components(found, 0, 1) == FAMILY.failed(target)
