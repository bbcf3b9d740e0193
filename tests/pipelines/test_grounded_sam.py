"""GroundedSAM: parity with plain calls of transformers, and the right union of whatever is detected."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pipelines import create
from pipelines.base import Pipeline
from pipelines.errors import ParameterError, UnavailableError
from pipelines.grounded_sam import GroundedSam
from pipelines.types import Evidence, Prompt
from pipelines.weights import Located

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, (60, 80, 3), np.uint8)
OTHER = RANDOM.integers(0, 256, (75, 50, 3), np.uint8)
TEXTS = ("coin", "a red coin", "dog")
OPEN = {"candidate_floor": 0.0, "box_threshold": 0.0, "text_threshold": 0.0, "nms_iou": 1.0}


@pytest.fixture(scope="module")
def pipeline(tiny_weights: Path) -> Pipeline:
    made = create("grounded_sam", weights=tiny_weights, params=OPEN)
    made.load()
    return made


def plain(
    folder: Path, image: np.ndarray, texts: tuple[str, ...], detector: str = "IDEA-Research/grounding-dino-tiny"
) -> Any:
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder / detector, local_files_only=True)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(folder / detector, local_files_only=True).eval()
    with torch.inference_mode():
        text = [list(texts)]
        inputs = processor(images=image, text=text, return_tensors="pt")
        found = processor.post_process_grounded_object_detection(
            model(**inputs), threshold=0.0, target_sizes=[image.shape[:2]]
        )
    return found[0]["boxes"].numpy(), found[0]["scores"].numpy()


def same_boxes(evidence: Evidence, wanted: Any) -> bool:
    boxes, scores = wanted
    order = np.argsort(-scores, kind="stable")
    return np.allclose(evidence.box_scores, scores[order], atol=1e-4) and np.allclose(
        evidence.boxes, boxes[order], rtol=0, atol=1e-4
    )


@pytest.mark.parametrize(("name", "repository"), [
    ("grounding-dino-tiny", "IDEA-Research/grounding-dino-tiny"),
    ("mm-grounding-dino-tiny", "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det"),
    ("owlv2-base", "google/owlv2-base-patch16-ensemble"),
])  # fmt: skip
def test_boxes_and_scores_are_those_of_plain_calls(tiny_weights: Path, name: str, repository: str) -> None:
    with create("grounded_sam", weights=tiny_weights, params={**OPEN, "detector": name}) as made:
        for image in (IMAGE, OTHER):
            evidence = made.infer([image], [Prompt(TEXTS)])[0]
            assert len(evidence.boxes) > 3
            assert same_boxes(evidence, plain(tiny_weights, image, TEXTS, repository))


def test_masks_are_those_of_plain_calls(tiny_weights: Path, pipeline: Pipeline) -> None:
    from transformers import Sam2Model, Sam2Processor

    folder = tiny_weights / "facebook/sam2.1-hiera-tiny"
    processor: Any = Sam2Processor.from_pretrained(folder, local_files_only=True)
    model = Sam2Model.from_pretrained(folder, local_files_only=True).eval()
    evidence = pipeline.infer([IMAGE], [Prompt(TEXTS)])[0]
    with torch.inference_mode():
        inputs = processor(images=IMAGE, input_boxes=[evidence.boxes.tolist()], return_tensors="pt")
        logits = model(**inputs, multimask_output=False).pred_masks
        masks = processor.post_process_masks(logits, inputs["original_sizes"])[0][:, 0].numpy()
    assert np.allclose(evidence.mask_maps, logits[0, :, 0].numpy(), atol=1e-4)
    ours = np.zeros((60, 80), np.bool_)
    for mask in masks:
        ours |= mask.astype(np.bool_)
    assert (pipeline.decide(evidence).foreground() != ours).mean() <= 1e-4


def test_a_batch_of_sizes_and_texts_equals_single_calls(pipeline: Pipeline) -> None:
    images, prompts = [IMAGE, OTHER, IMAGE.copy()], [Prompt(TEXTS), Prompt(("dog",)), Prompt(TEXTS)]
    together = pipeline.infer(images, prompts)
    for image, prompt, evidence in zip(images, prompts, together, strict=True):
        alone = pipeline.infer([image], [prompt])[0]
        for name in ("boxes", "scores", "box_scores", "mask_maps"):
            assert np.allclose(getattr(alone, name), getattr(evidence, name), atol=1e-4), name


def test_red_stays_red(tiny_weights: Path, pipeline: Pipeline) -> None:
    from transformers import GroundingDinoImageProcessor

    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    engine: Any = pipeline._engine  # type: ignore[attr-defined]
    folder = tiny_weights / "IDEA-Research/grounding-dino-tiny"
    processor: Any = GroundingDinoImageProcessor.from_pretrained(folder)
    from PIL import Image as Pillow

    assert torch.equal(
        engine.detector.pixels(red), processor(Pillow.fromarray(red), return_tensors="pt")["pixel_values"][0]
    )
    assert not np.allclose(pipeline.infer([IMAGE], [Prompt(TEXTS)])[0].box_scores,
                           pipeline.infer([np.ascontiguousarray(IMAGE[..., ::-1])], [Prompt(TEXTS)])[0].box_scores)  # fmt: skip


def count(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[int]:
    calls: list[int] = []
    original = getattr(owner, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        return original(*arguments, **named)

    monkeypatch.setattr(owner, name, counted)
    return calls


@pytest.mark.parametrize("n", [0, 1, 2, 20])
def test_one_pass_of_the_detector_and_one_call_of_the_decoder_an_image(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    engine: Any = pipeline._engine  # type: ignore[attr-defined]
    seen = count(monkeypatch, engine.detector.network, "forward")
    embedded = count(monkeypatch, engine.segmenter, "encode")
    decoded = count(monkeypatch, engine.segmenter.network.mask_decoder, "forward")
    params = pipeline.params.model_copy(update={"max_candidates": max(1, n), "candidate_floor": 0.0 if n else 1.0})
    evidence = pipeline.infer([IMAGE], [Prompt(tuple(f"label {i}" for i in range(8)))], params)[0]
    assert len(evidence.boxes) == n
    assert (len(seen), len(embedded), len(decoded)) == (1, min(n, 1), min(n, 1))
    assert pipeline.decide(evidence, params).size == (60, 80)


def test_a_sweep_over_the_floor_asks_no_network_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = pipeline._engine  # type: ignore[attr-defined]
    fresh = pipeline.infer([IMAGE], [Prompt(TEXTS)], pipeline.params.model_copy(update={"max_candidates": 3}))[0]
    pipeline.cache.max_bytes = 10**8
    try:
        pipeline.infer([IMAGE], [Prompt(TEXTS)])
        seen = count(monkeypatch, engine.detector.network, "forward")
        embedded = count(monkeypatch, engine.segmenter, "encode")
        again = pipeline.infer([IMAGE], [Prompt(TEXTS)], pipeline.params.model_copy(update={"max_candidates": 3}))[0]
    finally:
        pipeline.cache.max_bytes = 0
        pipeline.cache.clear()
    assert not seen and not embedded
    assert np.array_equal(again.mask_maps, fresh.mask_maps)


def drawn(*objects: tuple[int, int, int], labels: tuple[int, ...] = (), size: tuple[int, int] = (200, 300)) -> Evidence:
    """Evidence of discs, each with its box: the maps have the size of the picture, so that the union is known."""
    maps, boxes = np.full((len(objects), *size), -5, np.float32), []
    for one, (x, y, radius) in zip(maps, objects, strict=True):
        cv2.circle(one, (x, y), radius, 5, -1)
        boxes.append((x - radius, y - radius, x + radius + 1, y + radius + 1))
    index = np.array(labels or [0] * len(objects), np.intp)
    scores = np.zeros((len(objects), 3), np.float32)
    scores[np.arange(len(objects)), index] = 0.9 - 0.001 * np.arange(len(objects))
    return Evidence(
        size,
        "logit",
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=scores,
        prompt_index=index,
        mask_maps=maps,
    )


def union(evidence: Evidence) -> np.ndarray:
    return (
        np.asarray((evidence.mask_maps > 0).any(axis=0))
        if len(evidence.mask_maps)
        else np.zeros(evidence.size, np.bool_)
    )


CASES = {
    "nothing": (),
    "one": ((100, 100, 30),),
    "two far apart": ((40, 40, 20), (260, 160, 25)),
    "touching": ((100, 100, 30), (160, 100, 30)),
    "nested": ((100, 100, 50), (100, 100, 10)),
    "at the border": ((0, 0, 30), (299, 199, 20)),
    "300": tuple((10 + 14 * (i % 20), 7 + 12 * (i // 20), 5) for i in range(300)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_union_is_that_of_all_objects_and_no_average(case: str) -> None:
    evidence = drawn(*CASES[case])
    prediction = GroundedSam().decide(evidence)
    assert len(prediction.masks) == len(CASES[case])
    assert np.array_equal(prediction.foreground(), union(evidence))


class Seen:
    """A detector that sees what it is told to."""

    def __init__(self, boxes: np.ndarray, labels: np.ndarray) -> None:
        self.boxes, self.labels = boxes, labels

    def detect(self, images: Any, texts: tuple[str, ...], flags: set[str]) -> list[Any]:
        n = len(self.boxes)
        strength = (0.9 - 0.001 * np.arange(n)).astype(np.float32)
        scores = np.zeros((n, len(texts)), np.float32)
        scores[np.arange(n), self.labels] = strength
        return [(self.boxes, strength, scores)] * len(images)


@pytest.mark.parametrize("case", CASES)
def test_every_box_gets_the_mask_it_gets_alone(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Through both networks' places: a batch of one image in which one thing is seen, and one in which all are."""
    engine: Any = pipeline._engine  # type: ignore[attr-defined]
    boxes = drawn(*CASES[case]).boxes
    labels = np.arange(len(boxes)) % 2  # the third label is in no picture
    monkeypatch.setattr(engine, "detector", Seen(boxes, labels))
    image = RANDOM.integers(0, 256, (200, 300, 3), np.uint8)
    evidence = pipeline.infer([image], [Prompt(TEXTS)])[0]
    prediction = pipeline.decide(evidence)
    embedding = engine.segmenter.embed([image])[0]
    wanted = np.zeros((3, 200, 300), np.bool_)
    for box, label, logits in zip(boxes, labels, evidence.mask_maps, strict=True):
        alone = engine.segmenter.decode_boxes(embedding, box[None])[0].numpy()
        assert np.allclose(alone[0], logits, atol=1e-4)
        wanted[label] |= cv2.resize(logits, (300, 200), interpolation=cv2.INTER_LINEAR) > 0
    assert [prediction.foreground(label).tolist() for label in range(3)] == wanted.tolist()
    assert np.array_equal(prediction.foreground(), wanted.any(axis=0))


def test_an_absent_concept_is_no_mask_of_its_label() -> None:
    prediction = GroundedSam().decide(drawn((40, 40, 20), (200, 100, 20), labels=(0, 2)))
    assert sorted(prediction.labels.tolist()) == [0, 2]
    assert not prediction.foreground(1).any() and prediction.foreground(2).any()


def test_thresholds_suppression_and_the_number_of_boxes_are_decisions() -> None:
    evidence = drawn((60, 60, 20), (61, 60, 20), (200, 100, 20))
    decide = GroundedSam().decide

    def masks(**changes: Any) -> int:
        return len(decide(evidence, GroundedSam().params.model_copy(update=changes)).masks)

    assert masks(nms_iou=1.0) == 3 and masks(nms_iou=0.5) == 2 and masks(max_boxes=1) == 1
    assert masks(box_threshold=0.8985, nms_iou=1.0) == 2 and masks(text_threshold=0.95) == 0
    assert masks(min_area=0.5) == 0 and masks(mask_threshold=6) == 0


def test_a_threshold_below_the_floor_is_refused_with_the_reason() -> None:
    with pytest.raises(ParameterError, match=r"box_threshold 0.2 lies below candidate_floor 0.35"):
        create("grounded_sam", params={"box_threshold": 0.2})
    create("grounded_sam", params={"box_threshold": 0.2, "candidate_floor": 0.1})


def test_many_labels_are_told_apart_over_several_captions(pipeline: Pipeline) -> None:
    texts = tuple("a red coin and a dog " * (1 + i % 3) + str(i) for i in range(40))
    evidence = pipeline.infer([IMAGE], [Prompt(texts)])[0]
    assert evidence.scores.shape == (len(evidence.boxes), 40)
    assert any(flag.startswith("caption_chunks") for flag in pipeline.flags)


def test_random_weights_of_a_network_nobody_described_are_refused() -> None:
    with pytest.raises(UnavailableError, match="llmdet_large is not known"):
        create("grounded_sam", weights="random", params={"detector": "llmdet-large"}).load()


def test_bfloat16_runs_and_is_near(tiny_weights: Path, pipeline: Pipeline) -> None:
    with create("grounded_sam", weights=tiny_weights, params={**OPEN, "dtype": "bfloat16"}) as made:
        half = made.infer([IMAGE], [Prompt(TEXTS)])[0].to_host()
    full = pipeline.infer([IMAGE], [Prompt(TEXTS)])[0]
    assert made.dtype == "bfloat16"
    assert abs(float(np.sort(half.box_scores).mean() - np.sort(full.box_scores).mean())) < 0.05


def test_that_a_random_detector_fills_every_box_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    located = tuple(Located(weights, None) for weights in GroundedSam.info.weights_for(GroundedSam().params))
    monkeypatch.setattr(GroundedSam, "_transformers", lambda _: SimpleNamespace(loaded=located, dtype="float32"))
    with GroundedSam(weights="random") as made:
        made.load()
        assert made.flags == {"random_boxes"}
