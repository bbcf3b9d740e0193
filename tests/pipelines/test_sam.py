"""The pipeline `sam`: what boxes and clicks mean, and that the picture is embedded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.errors import PromptError, UnavailableError
from pipelines.sam import Sam, SamParams, targets
from pipelines.types import Evidence, Image, Prompt

SIZE = (60, 80)
INNER, OUTER, FAR = (10, 10, 20, 20), (5, 5, 40, 40), (60, 30, 80, 60)


def picture(height: int = 60, width: int = 80, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def forms(prompt: Prompt, rule: Any = "each_object") -> list[tuple[Any, ...]]:
    return [(target.box, target.points) for target in targets(prompt, SIZE, rule)]


@pytest.fixture(scope="module", params=["sam2.1-hiera-tiny", "sam-vit-base"])
def sam(request: pytest.FixtureRequest, tiny_weights: Path) -> Iterator[Sam]:
    with Sam(SamParams(checkpoint=request.param), weights=tiny_weights) as made:
        made.load()
        yield made


def maps(sam: Sam, prompt: Prompt, image: Image | None = None, **params: Any) -> np.ndarray:
    chosen = sam.params.model_copy(update=params)
    found = sam.infer([picture() if image is None else image], [prompt], chosen)[0].mask_maps
    return np.asarray(found)


def test_each_box_is_an_object() -> None:
    assert forms(Prompt(boxes=(OUTER, FAR))) == [(OUTER, ()), (FAR, ())]


def test_each_positive_point_is_an_object_and_negative_points_go_to_all() -> None:
    a, b, no = (1, 2, 1), (70, 50, 1), (30, 30, 0)
    assert forms(Prompt(points=(a, no, b))) == [(None, (a, no)), (None, (b, no))]
    assert forms(Prompt(points=(a, no, b)), "one_object") == [(None, (a, b, no))]


def test_a_positive_point_inside_boxes_refines_the_smallest() -> None:
    hit, no = (15, 15, 1), (30, 30, 0)
    assert forms(Prompt(boxes=(OUTER, INNER), points=(hit, no))) == [(OUTER, (no,)), (INNER, (hit, no))]
    assert forms(Prompt(boxes=(FAR,), points=(hit,))) == [(FAR, ()), (None, (hit,))]


def test_points_on_the_border_are_inside() -> None:
    assert len(forms(Prompt(points=((0, 0, 1), (80, 60, 1))))) == 2


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(points=((81, 5, 1),)), "outside of the image of 80 x 60"),
        (Prompt(points=((5, -1, 0), (5, 5, 1))), "outside of the image"),
        (Prompt(boxes=((80, 0, 90, 10),)), "outside of the image"),
        (Prompt(points=((5, 5, 0),)), "only negative points"),
        (Prompt(points=((5, 5, 2),)), "label 2"),
    ],
)
def test_prompts_that_show_nothing_are_refused(prompt: Prompt, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        targets(prompt, SIZE, "each_object")


def test_one_mask_an_object_in_the_order_of_the_prompt(sam: Sam) -> None:
    prompt = Prompt(boxes=(OUTER, INNER, FAR), points=((15, 15, 1), (50, 5, 1)))
    together = maps(sam, prompt)
    assert len(together) == 4
    assert np.allclose(together[0], maps(sam, Prompt(boxes=(OUTER,)))[0], atol=1e-4)
    assert np.allclose(together[1], maps(sam, Prompt(boxes=(INNER,), points=((15, 15, 1),)))[0], atol=1e-4)
    assert np.allclose(together[2], maps(sam, Prompt(boxes=(FAR,)))[0], atol=1e-4)
    assert np.allclose(together[3], maps(sam, Prompt(points=((50, 5, 1),)))[0], atol=1e-4)


def test_points_change_the_mask(sam: Sam) -> None:
    one = maps(sam, Prompt(points=((15, 15, 1),)))
    assert not np.allclose(one, maps(sam, Prompt(points=((60, 50, 1),))), atol=1e-3)
    assert not np.allclose(one, maps(sam, Prompt(points=((15, 15, 1), (60, 50, 0)))), atol=1e-3)
    both = Prompt(points=((15, 15, 1), (60, 50, 1)))
    assert len(maps(sam, both)) == 2
    assert len(maps(sam, both, points="one_object")) == 1


def test_a_box_is_not_its_corners(sam: Sam) -> None:
    corners = Prompt(points=((5, 5, 1), (40, 40, 1)))
    assert not np.allclose(maps(sam, Prompt(boxes=(OUTER,))), maps(sam, corners, points="one_object"), atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (313, 471), (20, 3000)])
def test_evidence_of_any_size(sam: Sam, shape: tuple[int, int]) -> None:
    found = sam.infer([picture(*shape)], [Prompt(points=((0, 0, 1),), boxes=((0, 0, 1, 1),))])[0]
    assert found.kind == "logit"
    assert found.scores.shape == (len(found.mask_maps), 1)
    assert 0 <= found.scores.min() <= found.scores.max() <= 1
    assert found.prompt_index.tolist() == [0] * len(found.mask_maps)
    assert sam.decide(found).size == shape


def test_the_decoder_is_called_once_an_image(sam: Sam) -> None:
    assert sam._segmenter is not None
    calls: list[int] = []
    handle = sam._segmenter.network.mask_decoder.register_forward_pre_hook(lambda *_: calls.append(1))
    boxes = tuple((float(i), 0.0, i + 9.0, 20.0) for i in range(40))
    sam.infer([picture(), picture(30, 40)], [Prompt(boxes=boxes), Prompt(points=((1, 1, 1), (9, 9, 1)))])
    handle.remove()
    assert len(calls) == 2


def test_a_further_click_costs_no_encoder_where_the_cache_is_on(sam: Sam) -> None:
    image, sam.cache.max_bytes = picture(), 10**8
    try:
        first = maps(sam, Prompt(points=((15, 15, 1),)), image)
        sam.clock.reset()
        again = maps(sam, Prompt(points=((15, 15, 1),)), image)
        assert "embed" not in sam.clock.seconds
        assert np.array_equal(first, again)
        assert sam.cache._bytes > image.nbytes  # the embedding is counted, not the picture alone
    finally:
        sam.cache.max_bytes = 0
        sam.cache.clear()


def test_memory_that_ends_halves_the_batch(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sam._segmenter is not None
    images, prompts = [picture(seed=i) for i in range(3)], [Prompt(boxes=(OUTER,))] * 3
    expected, encode = sam.infer(images, prompts), sam._segmenter.encode

    def small(inputs: Any) -> Any:
        if len(inputs.pixels) > 1:
            torch.empty(10**15)  # what a machine says whose memory ended
        return encode(inputs)

    monkeypatch.setattr(sam._segmenter, "encode", small)
    found = sam.infer(images, prompts)
    assert "oom_backoff:1 images" in sam.flags
    sam.flags.clear()
    assert all(np.allclose(a.mask_maps, b.mask_maps, atol=1e-4) for a, b in zip(expected, found, strict=True))


def test_decide_reads_scores_threshold_and_area() -> None:
    drawn = np.full((2, 16, 16), -3.0, np.float32)
    drawn[0, :8], drawn[1, :1, :1] = 3.0, 1.0
    found = Evidence((16, 16), "logit", scores=np.array([[0.9], [0.4]], np.float32), mask_maps=drawn)

    def areas(**params: Any) -> list[int]:
        return [int(mask.sum()) for mask in Sam(SamParams(**params)).decide(found).masks]

    assert areas() == [128, 1]
    assert areas(min_score=0.5) == [128]
    assert areas(mask_threshold=2.0) == [128]
    assert areas(min_area=0.01) == [128]
    assert areas(min_score=1.0) == []


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"facebook/sam2\.1-hiera-tiny"):
        Sam(weights=tmp_path).load()
