"""SAM and SAM 2.1 behind one interface, held to plain calls of transformers on the same weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Sam2ImageProcessor, Sam2Model, Sam2Processor, SamImageProcessor, SamModel, SamProcessor

from pipelines.candidates import masks_of
from pipelines.checkpoints import hub
from pipelines.checkpoints.segmenters import CHECKPOINTS
from pipelines.errors import UnavailableError
from pipelines.networks import segmenters
from pipelines.networks.segmenters import KINDS, Embedding, Segmenter
from pipelines.types import Evidence, Image
from pipelines.weights import Located, locate

SIZES = {"sam2.1-hiera-tiny": [(1, 1), (313, 471), (20, 3000), (1200, 800)],
         "sam-vit-base": [(1, 1), (313, 471), (60, 3000), (1200, 800)]}  # fmt: skip
PEERS: dict[str, Any] = {"sam2.1-hiera-tiny": (Sam2Model, Sam2Processor, Sam2ImageProcessor),
                         "sam-vit-base": (SamModel, SamProcessor, SamImageProcessor)}  # fmt: skip
CASES = [(name, size) for name, sizes in SIZES.items() for size in sizes]
MILLIONS = {"sam2.1-hiera-tiny": 31.4, "sam2.1-hiera-small": 38.5, "sam2.1-hiera-base-plus": 73.3,
            "sam2.1-hiera-large": 216.9, "sam-vit-base": 93.7, "sam-vit-large": 312.3, "sam-vit-huge": 641.1}  # fmt: skip
"""Of the image model; what SAM 2.1 publishes counts the memory of its video model too."""


def load(name: str, weights: Path, dtype: torch.dtype = torch.float32) -> Segmenter:
    checkpoint = CHECKPOINTS[name]
    return Segmenter.load(checkpoint, locate(checkpoint.weights, weights), device="cpu", dtype=dtype)


@pytest.fixture(scope="module", params=list(SIZES))
def segmenter(request: pytest.FixtureRequest, tiny_weights: Path) -> Segmenter:
    return load(request.param, tiny_weights)


@pytest.fixture(scope="module")
def peers(tiny_weights: Path) -> dict[str, tuple[Any, Any]]:
    """Model and processor of transformers, by checkpoint."""
    made = {}
    for name, (model, processor, images) in PEERS.items():
        folder = tiny_weights / "facebook" / name
        made[name] = (model.from_pretrained(folder).eval(), processor(images.from_pretrained(folder)))
    return made


def picture(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def boxes_in(size: tuple[int, int]) -> list[list[float]]:
    height, width = size
    return [[0, 0, width, height], [0.2 * width, 0.1 * height, 0.7 * width, 0.9 * height], [0, 0, 0.5, 0.5]]


def same_masks(peer: tuple[Any, Any], inputs: Any, logits: torch.Tensor, found: Embedding) -> bool:
    sizes = [inputs["original_sizes"]] + ([inputs["reshaped_input_sizes"]] if "reshaped_input_sizes" in inputs else [])
    expected = peer[1].post_process_masks([logits[:, None]], *sizes)[0][:, 0].numpy()
    evidence = Evidence(found.size, "logit", mask_maps=logits.numpy(), canvas=found.canvas, window=found.window)
    return bool((masks_of(evidence, range(len(logits))) != expected).mean() <= 1e-4)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_boxes_are_decoded_as_by_transformers(
    name: str, size: tuple[int, int], tiny_weights: Path, peers: dict[str, tuple[Any, Any]]
) -> None:
    image, boxes = picture(*size), boxes_in(size)
    model, processor = peers[name]
    inputs = processor(images=image, input_boxes=[boxes], return_tensors="pt", input_data_format="channels_last")
    with torch.inference_mode():
        told = model(**{k: v for k, v in inputs.items() if "sizes" not in k}, multimask_output=False)
    segmenter = load(name, tiny_weights)
    found = segmenter.embed([image])[0]
    logits, ious = segmenter.decode_boxes(found, boxes)
    assert torch.allclose(logits, told.pred_masks[0, :, 0], atol=1e-4)
    assert torch.allclose(ious, told.iou_scores[0, :, 0], atol=1e-4)
    assert same_masks(peers[name], inputs, logits, found)


@pytest.mark.parametrize("points", [[(10, 20, 1)], [(10, 20, 1), (30, 60, 0)], [(10, 20, 1), (40, 10, 1)]])
@pytest.mark.parametrize("name", SIZES)
def test_points_are_decoded_as_by_transformers(
    name: str, points: list[tuple[int, int, int]], tiny_weights: Path, peers: dict[str, tuple[Any, Any]]
) -> None:
    """Of one point the best of three masks, of several the one mask, as the authors of SAM advise."""
    image, (model, processor) = picture(70, 50), peers[name]
    places, labels = [[[[x, y] for x, y, _ in points]]], [[[label for *_, label in points]]]
    inputs = processor(images=image, input_points=places, input_labels=labels, return_tensors="pt")
    with torch.inference_mode():
        told = model(**{k: v for k, v in inputs.items() if "sizes" not in k}, multimask_output=len(points) == 1)
    assert told.iou_scores.shape[-1] == (3 if len(points) == 1 else 1)
    best = int(told.iou_scores[0, 0].argmax())
    segmenter = load(name, tiny_weights)
    logits, ious = segmenter.decode_points(segmenter.embed([image])[0], points)
    assert torch.allclose(logits[0], told.pred_masks[0, 0, best], atol=1e-4)
    assert torch.allclose(ious[0], told.iou_scores[0, 0, best], atol=1e-4)


def test_a_batch_equals_single_calls(segmenter: Segmenter) -> None:
    images = [picture(48, 64), picture(313, 471, 1), picture(20, 3000, 2), picture(1, 1, 3)]
    for image, together in zip(images, segmenter.embed(images), strict=True):
        alone = segmenter.embed([image])[0]
        assert (alone.size, alone.covered, alone.window) == (together.size, together.covered, together.window)
        boxes = boxes_in(alone.size)
        for one, other in zip(
            segmenter.decode_boxes(alone, boxes), segmenter.decode_boxes(together, boxes), strict=True
        ):
            assert torch.allclose(one, other, atol=1e-4)


def test_a_line_of_pixels_covers_something(segmenter: Segmenter) -> None:
    found = segmenter.embed([picture(1, 3000)])[0]
    assert min(found.covered) >= 1
    assert segmenter.decode_boxes(found, [[0, 0, 3000, 1]])[0].isfinite().all()


def test_colours_are_not_swapped(segmenter: Segmenter) -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255
    inputs = segmenter.preprocess([red, np.ascontiguousarray(red[..., ::-1])])
    assert inputs.pixels[0, 0].max() > inputs.pixels[0, 2].max()
    one, other = (segmenter.decode_boxes(found, [[4, 4, 20, 20]])[0] for found in segmenter.encode(inputs))
    assert not torch.allclose(one, other, atol=1e-3)


def test_no_box_is_no_object(segmenter: Segmenter) -> None:
    logits, ious = segmenter.decode_boxes(segmenter.embed([picture(30, 40)])[0], np.zeros((0, 4)))
    assert logits.shape == (0, 16, 16)
    assert ious.shape == (0,)


def test_all_boxes_go_through_the_decoder_at_once(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    found, boxes = segmenter.embed([picture(40, 40)])[0], [[i % 20, i % 13, 30, 35] for i in range(100)]
    calls: list[int] = []
    handle = segmenter.network.mask_decoder.register_forward_pre_hook(lambda *_: calls.append(1))
    whole = segmenter.decode_boxes(found, boxes)
    assert len(calls) == 1
    monkeypatch.setattr(segmenters, "MOST_OBJECTS", {"cpu": 30})  # so many that they would not fit
    parts = segmenter.decode_boxes(found, boxes)
    handle.remove()
    assert len(calls) == 5
    assert torch.allclose(whole[0], parts[0], atol=1e-4)


@pytest.mark.parametrize("name", SIZES)
def test_half_precision_leaves_coordinates_alone(name: str, tiny_weights: Path) -> None:
    half = load(name, tiny_weights, torch.bfloat16)
    assert half.network.vision_encoder.dtype == torch.bfloat16
    assert half.network.prompt_encoder.not_a_point_embed.weight.dtype == torch.float32
    logits, ious = half.decode_boxes(half.embed([picture(40, 60)])[0], [[1, 2, 30, 40]])
    assert logits.dtype == ious.dtype == torch.float32
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_architecture_for_random_weights_has_the_published_size(name: str) -> None:
    settings = CHECKPOINTS[name].settings
    kind = KINDS[settings["kind"]]
    with torch.device("meta"):
        network = kind(kind.config_class(**settings["config"]))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(MILLIONS[name], abs=0.05)


def test_random_weights_are_the_same_each_time() -> None:
    backbone = {"model_type": "sam2_hiera_det_model", "hidden_size": 8, "embed_dim_per_stage": [8, 16, 24, 32],
                "num_attention_heads_per_stage": [1, 2, 2, 2], "blocks_per_stage": [1, 1, 1, 1],
                "global_attention_blocks": []}  # fmt: skip
    config = {"vision_config": {"backbone_config": backbone, "backbone_channel_list": [32, 24, 16, 8]}}
    pixels = {"size": (1024, 1024), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    made = hub("small", "nobody/small", "MIT", kind="sam2", pixels=pixels, config=config)
    loaded = [Segmenter.load(made, Located(made.weights, None), device="cpu", dtype=torch.float32) for _ in range(2)]
    one, other = (dict(segmenter.network.named_parameters()) for segmenter in loaded)
    assert all(torch.equal(one[name], other[name]) for name in one)


def copied(tiny_weights: Path, tmp_path: Path, name: str) -> Path:
    folder = tmp_path / "facebook" / name
    shutil.copytree(tiny_weights / "facebook" / name, folder)
    return folder


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("change", ["missing", "unexpected", "mismatched"])
def test_weights_that_are_not_exactly_those_of_the_network_are_refused(
    name: str, change: str, tiny_weights: Path, tmp_path: Path
) -> None:
    folder = copied(tiny_weights, tmp_path, name)
    weights = load_file(folder / "model.safetensors")
    key = "mask_decoder.iou_token.weight"
    if change == "missing":
        del weights[key]
    elif change == "unexpected":
        weights["mask_decoder.extra.weight"] = torch.ones(2)
    else:
        weights[key] = torch.ones(3, 3)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnavailableError, match=name):
        load(name, tmp_path)


def test_memory_of_the_video_model_is_there_and_not_missed(tiny_weights: Path) -> None:
    weights = load_file(tiny_weights / "facebook" / "sam2.1-hiera-tiny" / "model.safetensors")
    assert any(name.startswith("memory_") for name in weights)
    assert not any("memory_att" in name for name, _ in load("sam2.1-hiera-tiny", tiny_weights).network.named_modules())


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("text", ["{", "{}", '{"do_normalize": false}'])
def test_preprocessing_that_is_not_understood_is_refused(
    name: str, text: str, tiny_weights: Path, tmp_path: Path
) -> None:
    (copied(tiny_weights, tmp_path, name) / "preprocessor_config.json").write_text(text, encoding="utf-8")
    with pytest.raises(UnavailableError, match=r"preprocessor_config\.json"):
        load(name, tmp_path)
