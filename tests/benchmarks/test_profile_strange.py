"""Datasets in which the strange is usual, and single faults that are easily taken for others."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.datasets import open_dataset
from benchmarks.profile.profiling import profile
from pipelines.errors import UsageError
from tests.benchmarks import tuning

Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
H, W = 96, 120


def scene(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A textured disc on a textured ground, no two alike."""
    chance = np.random.default_rng(index)
    mask = np.zeros((H, W), np.uint8)
    centre = int(chance.integers(40, 80)), int(chance.integers(36, 60))
    cv2.circle(mask, centre, int(chance.integers(18, 28)), 255, -1)
    ground, disc = (cv2.resize(chance.integers(low, low + 70, (H // 6, W // 6, 3), np.uint8), (W, H),
                               interpolation=cv2.INTER_CUBIC) for low in (90, 170))  # fmt: skip
    return np.where(mask[..., None] > 0, disc, ground).astype(np.uint8), mask


def made(root: Path, n: int, changes: dict[int, Change] | None = None) -> Path:
    for index in range(n):
        image, mask = scene(index)
        image, mask = (changes or {}).get(index, lambda *same: same)(image, mask)
        tuning.write(root, f"p{index:02d}", image, mask)
    return root


def kinds(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in profile(open_dataset(root, strict=False)).document["suspects"]:
        found.setdefault(one["sample"], []).append(one["kind"])
    return found


def huge(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    wide = np.zeros_like(mask)
    wide[2:-1, 2:-1] = 255
    return image, wide


def noisy(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    noise = np.random.default_rng(0).normal(0, 10, mask.shape)
    return image, (mask + noise).clip(0, 255).astype(np.uint8)


def holed(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found, rows = mask.copy(), np.argwhere(cv2.erode(mask, np.ones((9, 9), np.uint8)) > 0)
    for y, x in rows[:: max(1, len(rows) // 12)]:
        found[y, x] = 0
    return image, found


CHANGES: dict[str, tuple[Change, str]] = {
    "black": (lambda image, mask: (image * 0, mask), "image_low_information"),
    "white": (lambda image, mask: (image * 0 + 255, mask), "image_low_information"),
    "dim but for a light": (
        lambda image, mask: (np.where(mask[..., None] > 200, image, image // 12).astype(np.uint8), mask), "image_dark"),
    "burnt out": (lambda image, mask: (cv2.convertScaleAbs(image, alpha=1, beta=140), mask), "image_light"),
    "nearly all": (huge, "area_outlier"),
    "noise everywhere": (noisy, "mask_not_binary"),
    "a dozen pinholes": (holed, "mask_specks"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_single_fault_is_called_what_it_is(tmp_path: Path, name: str) -> None:
    change, kind = CHANGES[name]
    found = kinds(made(tmp_path / "d", 14, {5: change}))
    assert list(found) == ["p05"] and kind in found["p05"]
    assert set(found["p05"]) <= {kind, "mask_shifted"}, "an outline on edges that are burnt out lies on none"


def test_the_scenes_themselves_are_not_suspect(tmp_path: Path) -> None:
    document = profile(open_dataset(made(tmp_path / "d", 14), strict=False)).document
    assert document["suspects"] == [] and document["concerns"] == []


def shifted(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return image, np.roll(mask, (20, 40), (0, 1))


@pytest.mark.parametrize(("change", "title"), [
    (lambda image, mask: (image, mask * 0), "Many masks mark nothing"),
    (lambda image, mask: (image, mask * 0 + 255), "Many masks mark everything"),
    (lambda image, mask: (image, 255 - mask), "Many masks may be inverted"),
    (shifted, "Outlines do not lie on edges"),
])  # fmt: skip
def test_what_is_wrong_with_most_masks_is_a_concern(tmp_path: Path, change: Change, title: str) -> None:
    root = made(tmp_path / "d", 12, dict.fromkeys(range(12), change))
    concerns = profile(open_dataset(root, strict=False)).document["concerns"]
    assert title in [one["title"] for one in concerns], concerns


def test_small_pictures_among_small_pictures_are_usual(tmp_path: Path) -> None:
    for index in range(12):
        image, mask = scene(index)
        size = {"dsize": (28, 28), "interpolation": cv2.INTER_AREA}
        tuning.write(tmp_path / "d", f"p{index}", cv2.resize(image, **size),  # type: ignore[call-overload]
                     (cv2.resize(mask, **size) > 127).astype(np.uint8) * 255)  # type: ignore[call-overload]  # fmt: skip
    assert "image_tiny" not in {kind for found in kinds(tmp_path / "d").values() for kind in found}


def test_of_three_copies_the_one_that_stays_is_not_doubtful_and_leaks_nothing(tmp_path: Path) -> None:
    """The first has an empty mask, the others are in two splits: what is left after the list is in one."""
    root = made(tmp_path / "d", 12)
    image, mask = scene(50)
    for name, drawn in (("a0", mask * 0), ("a1", mask), ("a2", mask)):
        tuning.write(root, name, image, drawn)
    with (root / "metadata.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "mask_file_name", "split"])
        for path in sorted((root / "images").iterdir()):
            rows.writerow([f"images/{path.name}", f"masks/{path.name}", "test" if path.stem == "a2" else "train"])
    document: dict[str, Any] = profile(open_dataset(root, strict=False)).document
    left_out = {one["sample"] for one in document["suspects"] if one["exclude"]}
    assert left_out == {"a0", "a2"}
    kept = open_dataset(root, exclude=sorted(left_out))
    assert "a1" in {sample.id for sample in kept}


def test_pictures_that_look_alike_by_the_hundred_are_searched_in_little_room() -> None:
    from benchmarks.leaks.fingerprints import fingerprint
    from benchmarks.profile.copies import MOST_EACH, cut_copies
    from tests.benchmarks.test_leaks import picture

    ground = picture(0)
    prints = []
    for index in range(300):
        image = ground.copy()
        cv2.circle(image, (10 + index // 3, 30), 3, (255, 255, 255), -1)
        prints.append(fingerprint(image, f"{index}"))
    found = cut_copies(prints)
    assert len(found) <= MOST_EACH * len(prints)
    assert found == sorted(found, key=lambda one: -one.likeness)


def test_a_run_on_other_images_is_refused(tmp_path: Path) -> None:
    from benchmarks import plan
    from benchmarks.store import RunStore

    one, other = made(tmp_path / "one", 4), made(tmp_path / "other", 4, {0: huge})
    manifest, _ = plan.plan(plan.Request(str(one), "classical,classical@coin-seed", device="cpu"))
    store = RunStore(tmp_path / "run")
    store.folder.mkdir()
    store.manifest_path.write_text(manifest.model_dump_json())
    with pytest.raises(UsageError, match="other images"):
        profile(open_dataset(other), run=store.folder)
