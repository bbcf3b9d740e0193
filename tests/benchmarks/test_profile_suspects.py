"""Each kind of suspect by itself: what is one, what is none, and what is the way of the whole dataset."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from benchmarks.datasets import open_dataset
from benchmarks.profile.mask_files import look_at_mask_file
from benchmarks.profile.profiling import profile
from benchmarks.profile.suspects import KINDS, Suspect
from benchmarks.profile.suspects.all import one_a_cause
from benchmarks.profile.suspects.disagreement import judge
from benchmarks.profile.suspects.usual import usual
from benchmarks.store import RunStore, write_whole
from pipelines.errors import UsageError
from tests.benchmarks.copies import mask, picture
from tests.benchmarks.planting import Item, encode, write
from tests.benchmarks.reporting import made_dataset, made_run, square

MASK = mask().astype(np.uint8) * 255


def items(n: int = 12) -> list[Item]:
    """Discs that differ a little in place and size, of one group: they are as like each other as copies."""
    found = []
    for seed in range(n):
        moved = cv2.resize(MASK, None, fx=1 + seed / 40, fy=1 + seed / 40, interpolation=cv2.INTER_NEAREST)[:96, :128]
        ground = picture(seed)[..., :1] * 0.4 + np.random.default_rng(seed).integers(0, 60, 3)
        image = np.where(moved[..., None] > 0, ground + 90, ground).clip(0, 255).astype(np.uint8)
        found.append(Item(f"p{seed:02}", "one", "", encode(image), ".png", encode(moved)))
    return found


def suspects(folder: Path, all_: Sequence[Item]) -> list[tuple[str, str]]:
    document = profile(open_dataset(write(all_, folder), strict=False)).document
    return [(one["kind"], one["sample"]) for one in document["suspects"]]


def changed(change: Callable[[Item], Item], rows: Sequence[int] = (3,)) -> list[Item]:
    return [change(item) if row in rows else item for row, item in enumerate(items())]


def masked(array: np.ndarray) -> Callable[[Item], Item]:
    return lambda item: replace(item, mask=encode(array))


def test_nothing_is_wrong_with_discs(tmp_path: Path) -> None:
    assert suspects(tmp_path, items()) == []


@pytest.mark.parametrize(("array", "kind"), [(MASK * 0, "mask_empty"), (MASK | 255, "mask_full"), (255 - MASK, "mask_inverted"),
                                             (np.roll(MASK, (10, 14), (0, 1)), "mask_shifted")])  # fmt: skip
def test_masks_that_stand_out(tmp_path: Path, array: np.ndarray, kind: str) -> None:
    assert suspects(tmp_path, changed(masked(array))) == [(kind, "p03")]


def test_where_many_masks_are_empty_that_is_no_fault(tmp_path: Path) -> None:
    assert suspects(tmp_path, changed(masked(MASK * 0), range(0, 12, 2))) == []


def test_inverted_masks_of_few(tmp_path: Path) -> None:
    assert suspects(tmp_path, changed(masked(255 - MASK))[:5]) == [("mask_inverted", "p03")]


def palette(item: Item) -> Item:
    image, file = Pillow.fromarray(item.mask_array() // 255).convert("P"), io.BytesIO()
    image.putpalette([0, 0, 0, 200, 30, 30])
    image.save(file, "PNG")
    return replace(item, mask=file.getvalue())


def coloured(item: Item) -> Item:
    return replace(item, mask=encode(np.dstack([item.mask_array()] * 3) // np.array([1, 2, 3], np.uint8)))


def soft(item: Item) -> Item:
    return replace(item, mask=encode(cv2.GaussianBlur(item.mask_array(), (0, 0), 2)))


def lossy(item: Item) -> Item:
    return replace(item, mask=encode(item.mask_array(), ".jpg", quality=60), mask_suffix=".jpg")


def once_lossy(item: Item) -> Item:
    noisy = cv2.imdecode(np.frombuffer(encode(item.mask_array(), ".jpg", quality=60), np.uint8), cv2.IMREAD_GRAYSCALE)
    return replace(item, mask=encode(np.asarray(noisy)))


def other_size(item: Item) -> Item:
    return replace(item, mask=encode(cv2.resize(item.mask_array(), (127, 96))))


def no_mask(item: Item) -> Item:
    return replace(item, mask=None)


def lost_mask(item: Item) -> Item:
    return replace(item, drop_mask=True)


def cut_off(item: Item) -> Item:
    return replace(item, image=item.image[: len(item.image) // 2])


def broken_mask(item: Item) -> Item:
    return replace(item, mask=item.mask[:60] if item.mask else None)


def nothing(item: Item) -> Item:
    return replace(item, image=b"")


@pytest.mark.parametrize(("change", "kind"), [
    (palette, "mask_palette"), (coloured, "mask_palette"), (soft, "mask_not_binary"), (lossy, "mask_jpeg_noise"),
    (once_lossy, "mask_jpeg_noise"), (other_size, "mask_size_mismatch"), (no_mask, "mask_missing"),
    (lost_mask, "mask_missing"), (cut_off, "image_unreadable"), (nothing, "image_unreadable"),
    (broken_mask, "image_unreadable"),
])  # fmt: skip
@pytest.mark.parametrize("row", [0, 3])
def test_files_that_stand_out(tmp_path: Path, change: Callable[[Item], Item], kind: str, row: int) -> None:
    """Also the first, whose mask the reader looks at before all others."""
    assert suspects(tmp_path, changed(change, [row])) == [(kind, f"p{row:02}")]


@pytest.mark.parametrize("change", [palette, coloured])
def test_what_all_masks_are_is_no_fault(tmp_path: Path, change: Callable[[Item], Item]) -> None:
    assert suspects(tmp_path, changed(change, range(12))) == []


def test_a_declared_threshold_makes_soft_masks_right(tmp_path: Path) -> None:
    write(changed(soft, range(12)), tmp_path)
    (tmp_path / "dataset.yaml").write_text("mask_threshold: 128\n")
    assert profile(open_dataset(tmp_path, strict=False)).document["suspects"] == []


def test_a_picture_without_a_mask_in_folders_of_both(tmp_path: Path) -> None:
    write(items(), tmp_path)
    (tmp_path / "metadata.csv").unlink()
    (tmp_path / "masks" / "p05.png").unlink()
    document = profile(open_dataset(tmp_path, strict=False)).document
    assert [(one["kind"], one["sample"]) for one in document["suspects"]] == [("mask_missing", "p05")]


def repainted(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Item], Item]:
    return lambda item: replace(item, image=encode(change(item.picture())))


@pytest.mark.parametrize(("change", "kind"), [
    (lambda image: image // 10, "image_dark"), (lambda image: 255 - (255 - image) // 10, "image_light"),
    (lambda image: cv2.GaussianBlur(image, (0, 0), 5), "image_blurry"), (lambda image: image * 0 + 90, "image_low_information"),
])  # fmt: skip
def test_pictures_that_stand_out(tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], kind: str) -> None:
    assert suspects(tmp_path, changed(repainted(change))) == [(kind, "p03")]


@pytest.mark.parametrize(
    ("size", "kind"), [((16, 12), "image_tiny"), ((256, 30), "image_odd_size"), ((512, 384), "image_odd_size")]
)
def test_sizes_that_stand_out(tmp_path: Path, size: tuple[int, int], kind: str) -> None:
    def resized(item: Item) -> Item:
        noise = np.random.default_rng(0).integers(0, 30, (size[1], size[0], 3)).astype(np.uint8)
        image = cv2.resize(item.picture(), size) // 2 + noise
        return replace(
            item, image=encode(image), mask=encode(cv2.resize(item.mask_array(), size, interpolation=cv2.INTER_NEAREST))
        )

    assert suspects(tmp_path, changed(resized)) == [(kind, "p03")]


def test_values_of_mask_files() -> None:
    two, grey = look_at_mask_file(encode(MASK)), look_at_mask_file(encode(MASK // 2 + 3))
    assert (two.form, two.values, two.black, two.two_valued) == ("grey", 2, True, True)
    assert (grey.values, grey.black) == (2, False)
    ramp = look_at_mask_file(encode(np.arange(100, dtype=np.uint8).reshape(10, 10)))
    assert (ramp.values, ramp.between) == (100, 0.98)
    many = look_at_mask_file(encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)))
    assert (many.form, many.values) == ("colour", 256)


def test_usual_is_not_moved_by_a_few() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(5, 2, 2000), np.full(100, 1e6), [np.nan]])
    common = usual(values, 0.1)
    assert common is not None
    assert common.middle == pytest.approx(5, abs=0.3)
    assert common.spread == pytest.approx(2, abs=0.3)
    assert usual(np.array([np.nan]), 1) is None


def test_one_suspect_a_cause() -> None:
    found = [Suspect(kind, "a", "r") for kind in ("area_outlier", "mask_empty", "image_dark", "mask_shifted")]
    assert {one.kind for one in one_a_cause(found)} == {"mask_empty", "image_dark"}


def test_a_suspect_says_all_that_the_page_shows() -> None:
    row = Suspect("mask_shifted", "a", "It is off.", ("b",), figure={"dx_share": np.float64(1 / 3)}).as_row()
    assert row == {"kind": "mask_shifted", "sample": "a", "related": ["b"], "severity": "high", "reason": "It is off.",
                   "suggestion": KINDS["mask_shifted"].suggestion, "exclude": True, "figure": {"dx_share": 0.333333}}  # fmt: skip
    assert len(KINDS) == 23


def test_pipelines_against_a_mask(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data")
    right: list[np.ndarray | None] = [square(index % 8) for index in range(12)]
    cv2.imwrite(str(data / "masks" / "p04.png"), np.roll(square(4), 9, axis=0).astype(np.uint8) * 255)
    run = made_run(tmp_path / "run", data, {"a": right, "b": right, "c": [None] * 12})
    store = RunStore(run)
    named = [one.model_copy(update={"pipeline": one.label}) for one in store.manifest().configurations]
    write_whole(
        store.manifest_path, store.manifest().model_copy(update={"configurations": tuple(named)}).model_dump_json()
    )
    found = profile(open_dataset(data), run=run).document["suspects"]
    disagreeing = [one for one in found if one["kind"] == "label_disagreement"]
    assert [one["sample"] for one in disagreeing] == ["p04"]


def test_a_run_of_one_pipeline_cannot_agree(tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data", 3)
    run = made_run(tmp_path / "run", data, {"a": [square(0)] * 3, "b": [square(0)] * 3})
    with pytest.raises(UsageError, match="1 pipelines"):
        profile(open_dataset(data), run=run)


def test_judges() -> None:
    one, other, empty = square(0), square(9), square(0) & False
    verdict = judge("x", {"a": one, "b": one, "c": other}, other)
    assert verdict is not None
    assert verdict.agreeing == ("a", "b")
    assert (verdict.mutual, verdict.target) == (1, pytest.approx(0.1 / 1.9, abs=0.05))
    assert judge("x", {"a": one, "b": other}, one) is None
    assert judge("x", {"a": empty, "b": empty}, one) is None
    assert judge("x", {"a": one}, one) is None
