"""CLIPSeg as a pipeline: prompts, tiles, decisions, and what stays the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from pipelines import create
from pipelines.base import Pipeline
from pipelines.clipseg import ClipSegParams
from pipelines.maps import full_size
from pipelines.networks.clipseg_tiles import grid, joined
from pipelines.networks.device_maps import cut_on_device, full_size_on_device
from pipelines.types import Evidence, Prompt

RANDOM = np.random.default_rng(5)
IMAGE = RANDOM.integers(0, 256, (150, 210, 3), np.uint8)
SIDE = (64, 64)


@pytest.fixture(scope="module")
def pipeline(tiny_weights: Path) -> Iterator[Pipeline]:
    with create("clipseg", weights=tiny_weights) as made:
        made.load()
        yield made


def soft(
    pipeline: Pipeline, *texts: str, image: npt.NDArray[np.uint8] = IMAGE, **params: float
) -> npt.NDArray[np.float32]:
    return np.asarray(pipeline.infer([image], [Prompt(texts)], ClipSegParams(**params))[0].soft)


def evidence(height: int, width: int, *maps: npt.NDArray[np.float32]) -> Evidence:
    return Evidence((height, width), soft=np.stack(maps).astype(np.float32))


def test_evidence_is_a_probability_for_each_text(pipeline: Pipeline) -> None:
    found = pipeline.infer([IMAGE], [Prompt(("coin", "dog", "cat"))])[0]
    assert found.kind == "probability"
    assert found.soft.dtype == np.float32
    assert found.soft.shape == (3, *SIDE)
    assert set(pipeline.clock.seconds) >= {"text", "preprocess", "vision", "decoder"}


def test_swapped_colours_are_seen(pipeline: Pipeline) -> None:
    red = np.zeros((60, 60, 3), np.uint8)
    red[..., 0] = 255
    assert np.abs(soft(pipeline, "coin", image=red) - soft(pipeline, "coin", image=red[..., ::-1])).max() > 1e-3


def test_forty_labels_keep_their_order(pipeline: Pipeline) -> None:
    texts = [f"thing {'x' * (index % 7)} {index}" for index in range(40)]
    together = soft(pipeline, *texts)
    assert together.shape == (40, *SIDE)
    for index in (0, 17, 39):
        assert np.allclose(together[index], soft(pipeline, texts[index])[0], atol=1e-4)


def test_a_long_text_is_cut_and_flagged(tiny_weights: Path) -> None:
    with create("clipseg", weights=tiny_weights) as pipeline:
        pipeline.infer([IMAGE], [Prompt(("cat", "Münze, 硬币, монета"))])
        assert pipeline.flags == set()
        first = soft(pipeline, "coin " * 100)
        assert pipeline.flags == {"text_truncated"}
        assert np.array_equal(first, soft(pipeline, "coin " * 150))


def test_loading_again_gives_the_same_maps(tiny_weights: Path) -> None:
    with create("clipseg", weights=tiny_weights) as pipeline:
        first = soft(pipeline, "coin", "dog")
        assert np.array_equal(first, soft(pipeline, "coin", "dog"))
        pipeline.close()
        assert np.array_equal(first, soft(pipeline, "coin", "dog"))
        (located,) = pipeline.loaded
        assert located.weights.repository == "CIDAS/clipseg-rd64-refined"


def test_memory_that_ends_halves_the_batch_and_says_so(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with create("clipseg", weights=tiny_weights) as pipeline:
        pipeline.load()
        wanted = soft(pipeline, "coin")
        see = pipeline._network.see

        def narrow(pixels: torch.Tensor) -> object:
            if len(pixels) > 1:
                raise torch.OutOfMemoryError("full")
            return see(pixels)

        monkeypatch.setattr(pipeline._network, "see", narrow)
        found = pipeline.infer([IMAGE] * 3, [Prompt(("coin",))] * 3)
        assert pipeline.flags == {"oom_backoff:1 views"}
        assert all(np.array_equal(one.soft, wanted) for one in found)


def test_the_mask_lands_on_the_right_pixels(pipeline: Pipeline) -> None:
    """CLIPSeg stretches: a corner of the map is that corner of the picture, in both directions alone."""
    corner = np.zeros(SIDE, np.float32)
    corner[:16, 48:] = 1
    prediction = pipeline.decide(evidence(313, 471, corner), ClipSegParams(threshold=0.5))
    x0, y0, x1, y1 = prediction.boxes[0]
    assert (y0, x1) == (0, 471)
    assert abs(x0 - 471 * 0.75) <= 1
    assert abs(y1 - 313 * 0.25) <= 1
    assert prediction.scores[0] > 0.95


@pytest.mark.parametrize("size", [(313, 471), (64, 64), (20, 900), (1, 1)])
def test_the_decision_cuts_the_maps_at_full_size(pipeline: Pipeline, size: tuple[int, int]) -> None:
    found = evidence(*size, *RANDOM.random((3, *SIDE)))
    maps = full_size(found)
    prediction = pipeline.decide(found, ClipSegParams(threshold=0.45))
    assert np.array_equal(prediction.masks, (maps >= 0.45)[prediction.labels])
    for label, mask, score in zip(prediction.labels, prediction.masks, prediction.scores, strict=True):
        assert score == pytest.approx(maps[label][mask].mean(), abs=1e-6)


def test_an_absent_text_gives_no_mask(pipeline: Pipeline) -> None:
    low, high = np.full(SIDE, 0.1, np.float32), np.full(SIDE, 0.9, np.float32)
    prediction = pipeline.decide(evidence(40, 50, low, high))
    assert prediction.labels.tolist() == [1]
    assert not prediction.foreground(0).any()
    assert pipeline.decide(evidence(40, 50, low)).masks.shape == (0, 40, 50)


def test_holes_are_filled_and_specks_dropped(pipeline: Pipeline) -> None:
    soft = np.zeros((100, 100), np.float32)
    soft[20:60, 20:60] = 0.9
    soft[30:33, 30:33] = 0
    soft[90:92, 90:92] = 0.9
    shape = evidence(100, 100, soft)
    assert pipeline.decide(shape).masks.sum() == 1600 - 9 + 4
    assert pipeline.decide(shape, ClipSegParams(max_hole=0.001)).masks.sum() == 1600 + 4
    clean = pipeline.decide(shape, ClipSegParams(max_hole=0.001, min_area=0.01))
    assert clean.masks.sum() == 1600
    assert clean.scores[0] == pytest.approx(0.9)
    assert len(pipeline.decide(shape, ClipSegParams(min_area=0.5)).masks) == 0


def test_decide_needs_no_network(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pipeline.infer([IMAGE], [Prompt(("coin",))])[0]
    monkeypatch.setattr(pipeline, "_network", None)
    assert pipeline.decide(found, ClipSegParams(threshold=0)).masks.all()


@pytest.mark.parametrize("size", [(313, 471), (20, 900), (64, 64), (1, 1)])
def test_the_decision_on_a_device_is_that_on_the_host(pipeline: Pipeline, size: tuple[int, int]) -> None:
    """On tensors in host memory: the code is the same."""
    here = evidence(*size, *RANDOM.random((3, *SIDE)), np.zeros(SIDE))
    there = Evidence(size, soft=torch.from_numpy(here.soft))
    for threshold in (0.3, 0.6):
        params = ClipSegParams(threshold=threshold)
        host, device = pipeline.decide(here, params), pipeline.decide(there, params)
        assert host.labels.tolist() == device.labels.tolist()
        assert (host.masks != device.masks).mean() < 1e-4
        assert np.allclose(host.scores, device.scores, atol=1e-4)


def test_device_maps_know_logits_canvas_and_window(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.zeros(2, 4, 4)
    logits[1, :, :2] = 8
    padded = Evidence((10, 20), kind="logit", soft=logits, canvas=(40, 40), window=(0, 0, 40, 20))
    maps = full_size_on_device(padded)
    assert maps.shape == (2, 10, 20)
    assert np.allclose(full_size(padded.to_host()), maps.numpy(), atol=1e-6)
    assert torch.allclose(maps[0], torch.tensor(0.5))
    monkeypatch.setattr("pipelines.networks.device_maps.BYTES_AT_ONCE", 1)
    cut = cut_on_device(padded, 0.9)
    assert cut.labels.tolist() == [1]
    assert cut.masks[0, :, :8].all()
    assert not cut.masks[0, :, 12:].any()


def test_a_tile_as_large_as_the_picture_changes_nothing(pipeline: Pipeline) -> None:
    assert np.array_equal(soft(pipeline, "coin", tile_size=210), soft(pipeline, "coin"))


def test_tiles_see_more_and_stay_probabilities(pipeline: Pipeline) -> None:
    tiled = soft(pipeline, "coin", "dog", tile_size=70)
    assert tiled.shape == (2, round(150 * 64 / 70), round(210 * 64 / 70))
    assert 0 <= tiled.min() <= tiled.max() <= 1
    alone = soft(pipeline, "coin", "dog", image=IMAGE[:70, :70])
    assert np.allclose(tiled[:, :32, :32], alone[:, :32, :32], atol=1e-5)  # where no other tile reaches
    assert pipeline.decide(Evidence((150, 210), soft=tiled)).size == (150, 210)


def test_tiles_of_a_batch_equal_those_of_single_calls(pipeline: Pipeline) -> None:
    images, prompts = [IMAGE, IMAGE[:40], IMAGE[:, :100]], [Prompt(("coin", "dog")), Prompt(("cat",)), Prompt(("x",))]
    params = ClipSegParams(tile_size=64, overlap=0.5)
    for image, prompt, found in zip(images, prompts, pipeline.infer(images, prompts, params), strict=True):
        assert np.allclose(found.soft, pipeline.infer([image], [prompt], params)[0].soft, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (64, 65), (20, 3000), (500, 331), (1000, 999)])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.5])
def test_tiles_cover_every_pixel_and_every_place(size: tuple[int, int], overlap: float) -> None:
    cut = grid(size, 80, overlap, SIDE)
    covered, placed = np.zeros(size, bool), np.zeros(cut.size, bool)
    for tile in cut.tiles:
        covered[slice(*tile.rows), slice(*tile.columns)] = True
        y, x = tile.corner
        placed[y : y + 64, x : x + 64] = True
    assert covered.all()
    assert placed.all()


def test_joined_tiles_of_one_scene_are_that_scene() -> None:
    """A ramp over the picture, cut into the tiles' views of it, comes back as the ramp."""
    cut = grid((200, 300), 100, 0.25, SIDE)
    scene = torch.linspace(0, 1, cut.size[1]).expand(1, *cut.size)
    corners = [tile.corner for tile in cut.tiles]
    maps = [scene[:, y : y + 64, x : x + 64] for y, x in corners]
    assert torch.allclose(joined(maps, cut, 0.25), scene, atol=1e-6)
    for (y, x), tile in itertools.islice(zip(corners, cut.tiles, strict=True), 20):
        assert abs(y * 200 / cut.size[0] - tile.rows[0]) <= 1
        assert abs(x * 300 / cut.size[1] - tile.columns[0]) <= 1
