"""The embedded coins: complete, the same each time, and with masks that lie where the coins are."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.datasets import Dataset, open_dataset
from benchmarks.datasets.embedded import _hashes, _pair
from benchmarks.datasets.embedded.compose import EMPTY, SCENES, Plan, plan_scene, render
from benchmarks.datasets.embedded.photograph import COINS, INSTANCES, crop, instances, photograph


@pytest.fixture(scope="module")
def coins() -> Dataset:
    return open_dataset("coins")


def test_what_is_in_it(coins: Dataset) -> None:
    parts = [s.tags["part"] for s in coins]
    assert {part: parts.count(part) for part in set(parts)} == {"crops": 6, "scene": 1, "composed": 24}
    assert (len(coins), coins.n_groups, coins.format, coins.name) == (31, 25, "embedded", "coins")
    assert [s.id for s in coins] == sorted({s.id for s in coins})
    assert {s.prompt.texts for s in coins} == {("coin",)}
    assert len({s.group for s in coins if s.tags["part"] != "composed"}) == 1


def test_every_sample_decodes(coins: Dataset) -> None:
    empty = []
    for sample in coins:
        image, truth = sample.image, sample.truth()
        assert truth is not None
        assert image.shape == (*sample.size, 3)
        assert image.dtype == np.uint8
        assert truth.ignore is None
        mask = truth.union()
        assert mask.shape == sample.size
        assert mask.dtype == np.bool_
        assert mask.mean() < 0.6
        if not mask.any():
            empty.append(sample.id)
    assert empty == [f"composed/{i:02}" for i in EMPTY]


def test_the_same_on_each_opening(coins: Dataset) -> None:
    first = coins.hash
    _pair.cache_clear()
    _hashes.cache_clear()
    assert open_dataset("coins").hash == first
    sample = coins["composed/03"]
    before = sample.image
    sample.image[:] = 0
    target = sample.target()
    assert target is not None
    target[:] = False
    np.testing.assert_array_equal(sample.image, before)
    assert coins["composed/03"].target().any()  # type: ignore[union-attr]


def test_pictures_differ(coins: Dataset) -> None:
    assert len({s.image_hash for s in coins}) == len({s.target_hash for s in coins}) + len(EMPTY) - 1 == 31


def test_samples_can_go_to_another_process(coins: Dataset) -> None:
    sample = pickle.loads(pickle.dumps(coins["crop/05"]))
    np.testing.assert_array_equal(sample.image, coins["crop/05"].image)


def test_instance_map() -> None:
    ids = instances()
    assert ids.shape == photograph().shape == (303, 384)
    assert np.unique(ids).tolist() == list(range(COINS + 1))
    assert INSTANCES.stat().st_size < 10_000
    for coin in range(1, COINS + 1):
        mask = ids == coin
        _, pieces = ndimage.label(mask)
        assert pieces == 1
        assert (ndimage.binary_fill_holes(mask) == mask).all()
        assert 1000 < mask.sum() < 3500


def test_outlines_sit_on_the_rims() -> None:
    """Across each outline grey falls: a ring just inside is brighter than one just outside, nearly all the way round."""
    grey, edt = ndimage.gaussian_filter(photograph().astype(float), 0.6), ndimage.distance_transform_edt
    for coin in range(1, COINS + 1):
        mask = instances() == coin
        distance = np.where(mask, edt(mask) - 0.5, 0.5 - edt(~mask))  # pixels from the outline, positive inside
        step = [grey[(distance > low) & (distance <= low + 1)].mean() for low in (-3, -2, -1, 0, 1, 2)]
        falls = np.diff(step)
        assert falls.argmax() in (1, 2, 3), f"coin {coin}: the steepest step is not at the outline: {step}"
        assert falls.max() > 15


def test_crops_hold_their_coin() -> None:
    for coin in range(1, COINS + 1):
        image, ids = crop(coin)
        assert image.shape == (192, 192, 3)
        native = instances() == coin
        rows, columns = np.flatnonzero(native.any(axis=1)), np.flatnonzero(native.any(axis=0))
        side = round(1.7 * max(np.ptp(rows), np.ptp(columns)))
        expected = native.sum() * (192 / side) ** 2
        assert (ids == coin).sum() == pytest.approx(expected, rel=0.01), "enlarging keeps the area"


def plans() -> list[Plan]:
    return [plan_scene(i) for i in range(SCENES)]


def test_scenes_vary() -> None:
    scenes = plans()
    assert {plan.ground for plan in scenes} == {"grass", "gravel", "brick"}
    assert {len(plan.coins) for plan in scenes} >= {0, 1, 3, 5}
    assert sum(plan.tint == (1.0, 1.0, 1.0) for plan in scenes) == 6

    def touch(plan: Plan) -> bool:
        return any(
            math.hypot(a.x - b.x, a.y - b.y) < 1.02 * (a.radius + b.radius)
            for a in plan.coins
            for b in plan.coins
            if a != b
        )

    assert 5 <= sum(map(touch, scenes)) <= 20


@pytest.mark.parametrize("index", [0, 4, 11, 20])
def test_masks_are_where_coins_were_laid(index: int) -> None:
    plan = plan_scene(index)
    image, ids = render(plan)
    ground, none = render(replace(plan, coins=()))
    assert not none.any()
    assert set(np.unique(ids)) == set(range(len(plan.coins) + 1))
    near = ndimage.binary_dilation(ids > 0, iterations=30)  # shadows reach some pixels out
    difference = np.abs(image[~near].astype(int) - ground[~near])
    assert difference.max() <= 1, "without a coin nearby nothing changes; rounding may"
    assert difference.mean() < 1e-4
    y, x = np.mgrid[: ids.shape[0], : ids.shape[1]]
    for number, coin in enumerate(plan.coins, 1):
        mask = ids == number
        distance = np.hypot(x - coin.x, y - coin.y)
        alone = all(
            math.hypot(coin.x - o.x, coin.y - o.y) > coin.radius + o.radius + 4 for o in plan.coins if o != coin
        )
        assert not mask[distance > 1.25 * coin.radius].any()
        if not alone:
            continue
        assert mask[distance < 0.8 * coin.radius].all()
        if coin.radius * 1.25 < min(coin.x, coin.y, ids.shape[1] - coin.x, ids.shape[0] - coin.y):
            assert mask.sum() == pytest.approx(math.pi * coin.radius**2, rel=0.01)
            only, _ = render(replace(plan, coins=(coin,), shadow=(0, 0, 1, 0), blur=0.01, noise=0))
            bare, _ = render(replace(plan, coins=(), shadow=(0, 0, 1, 0), blur=0.01, noise=0))
            changed = (only != bare).any(axis=2)
            assert not (changed & ~ndimage.binary_dilation(mask)).any(), "paint and mask end within one pixel"
            assert (mask & ~changed).mean() < 0.01


def test_card(coins: Dataset) -> None:
    for words in (
        "one photograph",
        "interval",
        "not photographs",
        "CC0",
        "No known copyright restrictions",
        "Apache-2.0",
    ):
        assert words in coins.card
    assert f"{len(coins)} samples in {coins.n_groups} groups" in coins.card
