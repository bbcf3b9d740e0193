"""Copies of pictures: exact, near, cut, across splits, with other masks, and within one group."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.datasets import open_dataset
from benchmarks.leaks.fingerprints import Fingerprint, fingerprint
from benchmarks.profile.alike import overlay, reduced
from benchmarks.profile.copies import LIKE, cut_copies, waves, windowed
from benchmarks.profile.profiling import profile
from tests.benchmarks.copies import cut, mask, picture, scaled
from tests.benchmarks.planting import Item, encode, write

MASK = mask().astype(np.uint8) * 255


def item(name: str, image: np.ndarray, group: str = "", split: str = "", own: np.ndarray | None = None) -> Item:
    found = cv2.resize(MASK, image.shape[1::-1], interpolation=cv2.INTER_NEAREST) if own is None else own
    return Item(name, group, split, encode(image), ".png", encode(found))


def suspects(folder: Path, items: list[Item], **options: bool) -> list[tuple[str, str, tuple[str, ...]]]:
    others = [item(f"other{n}", picture(100 + n), split=items[0].split) for n in range(6)]
    document = profile(open_dataset(write([*items, *others], folder), strict=False), **options).document
    return [(one["kind"], one["sample"], tuple(one["related"])) for one in document["suspects"]]


@pytest.mark.parametrize("verify", [True, False])
def test_exact_and_near_copies(tmp_path: Path, verify: bool) -> None:
    image = picture(1)
    found = suspects(tmp_path, [item("a", image), item("b", image), item("c", scaled(image, 0.6))], verify=verify)
    assert found == [("exact_duplicate", "b", ("a",)), ("near_duplicate", "c", ("a",))]


@pytest.mark.parametrize("sides", [(0.05,) * 4, (0.1,) * 4, (0, 0, 0.12, 0.12), (0.15, 0, 0, 0), (0.02, 0.1, 0.07, 0)])
def test_cut_copies(tmp_path: Path, sides: tuple[float, ...]) -> None:
    image = picture(2, (192, 256))
    cut_mask = cut(cv2.resize(MASK, (256, 192), interpolation=cv2.INTER_NEAREST), *sides)
    found = suspects(tmp_path, [item("whole", image), item("part", cut(image, *sides), own=cut_mask)])
    assert found == [("near_duplicate", "part", ("whole",))]


def test_one_group_may_hold_near_copies_but_not_the_same_bytes(tmp_path: Path) -> None:
    image = picture(3)
    near = [item("a", image, "g"), item("b", scaled(image, 0.7), "g")]
    assert suspects(tmp_path / "near", near) == []
    assert suspects(tmp_path / "same", [*near, item("c", image, "g")]) == [("exact_duplicate", "c", ("a",))]


def test_every_copy_is_named_once_though_others_share_its_group(tmp_path: Path) -> None:
    image = picture(4)
    items = [item("a", image, "g"), item("b", scaled(image, 0.8), "h"), item("c", scaled(image, 0.6), "h"),
             item("d", scaled(image, 0.5), "g")]  # fmt: skip
    assert sorted((kind, name) for kind, name, _ in suspects(tmp_path, items)) == [
        ("near_duplicate", "b"), ("near_duplicate", "c"), ("near_duplicate", "d")]  # fmt: skip


def test_copies_and_groups_in_two_splits(tmp_path: Path) -> None:
    image, scene = picture(5), picture(6)
    items = [item("a", image, split="train"), item("b", scaled(image, 0.8), split="test"),
             item("c", scene, "g", "train"), item("d", picture(7), "g", "train"),
             item("e", picture(8), "g", "test")]  # fmt: skip
    assert suspects(tmp_path, items) == [("split_leak", "b", ("a",)), ("split_leak", "e", ("c",))]


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("factor", [1.0, 0.7])
def test_conflicting_masks(tmp_path: Path, factor: float, verify: bool) -> None:
    image = picture(9)
    copy = image if factor == 1 else scaled(image, factor)
    other = np.zeros(copy.shape[:2], np.uint8)
    other[10:20, 10:40] = 255
    found = suspects(tmp_path, [item("a", image), item("b", copy, own=other)], verify=verify)
    assert ("conflicting_masks", "b", ("a",)) in found
    assert not {"exact_duplicate", "near_duplicate"} & {kind for kind, *_ in found}


def test_of_a_conflict_the_doubtful_mask_is_named(tmp_path: Path) -> None:
    image = picture(10)
    found = suspects(tmp_path, [item("a", image, own=255 - MASK), item("b", image)])
    assert ("conflicting_masks", "a", ("b",)) in found


def test_different_pictures_are_no_copies() -> None:
    """The same disc on sixty grounds: alike at a glance, and proven to differ."""
    images = [picture(seed) for seed in range(60)]
    grey = [reduced(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))) for image in images]
    for one in cut_copies([fingerprint(image, str(n)) for n, image in enumerate(images)])[:20]:
        found = overlay(grey[one.whole], grey[one.part], one.window)
        assert found is None or found.likeness < 0.7


def test_overlay_finds_the_cut_and_its_likeness() -> None:
    image = picture(11, (300, 400))
    part = cut(image, 0.1, 0.05, 0.1, 0.15)
    grey = [reduced(np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY))) for one in (image, part)]
    found = overlay(grey[0], grey[1], (0.1, 0.1, 0.8))
    assert found is not None
    assert found.likeness > 0.9
    assert found.motion[0, 2] / grey[0].shape[1] == pytest.approx(0.1, abs=0.01)
    assert found.motion[1, 2] / grey[0].shape[0] == pytest.approx(0.05, abs=0.01)


def test_search_by_tiles_finds_what_a_whole_product_finds() -> None:
    rng = np.random.default_rng(0)
    base = [cv2.resize(rng.integers(0, 256, (6, 6), dtype=np.uint8), (32, 32)) for _ in range(150)]
    noisy = [np.clip(one + rng.normal(0, 12, one.shape), 0, 255).astype(np.uint8) for one in base]
    prints = [Fingerprint(str(n), (60, 60), np.zeros(2, np.uint64), grey) for n, grey in enumerate([*base, *noisy])]
    found = {(one.whole, one.part) for one in cut_copies(prints)}
    own = waves(np.array([one.grey for one in prints]))[0]
    wanted = {(int(a), int(b)) for a, b in np.argwhere(own @ own.T >= LIKE) if a != b}
    assert wanted <= found
    assert {(n, n + 150) for n in range(150)} <= found


def test_windows_of_small_pictures() -> None:
    grey = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))
    shown = windowed(grey[None], (0.25, 0.25, 0.5))[0]
    assert shown[16, 0] == pytest.approx(8 * 8 - 2, abs=2)
    assert shown[16, -1] == pytest.approx(24 * 8 - 6, abs=2)


def test_flat_pictures_are_known_by_their_bytes_alone(tmp_path: Path) -> None:
    flat = np.full((96, 128, 3), 200, np.uint8)
    found = suspects(tmp_path, [item("a", flat), item("b", flat), replace(item("c", flat + np.uint8(1)), id="c")])
    assert [one for one in found if "duplicate" in one[0]] == [("exact_duplicate", "b", ("a",))]
