"""The pipeline `sam3`, held to plain calls of transformers on the same weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import interpolate
from transformers import Sam3Config, Sam3Model, Sam3Processor

from pipelines.checkpoints.sam3 import CHECKPOINTS
from pipelines.errors import UnavailableError
from pipelines.networks.clip_text import tokenizer
from pipelines.networks.sam3 import TOKENS
from pipelines.sam3 import Sam3, Sam3Params
from pipelines.types import Evidence, Image, Prompt
from pipelines.weights import Located

TEXTS = ("cat", "a dog", "coin", "Münze, монета, 硬币", "dog", "cat dog")
EVERY = Sam3Params(candidate_floor=0)


def picture(height: int = 60, width: int = 80, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def sam3(tiny_weights: Path) -> Iterator[Sam3]:
    with Sam3(weights=tiny_weights) as made:
        made.load()
        yield made


@pytest.fixture(scope="module")
def peer(tiny_weights: Path) -> tuple[Any, Any]:
    folder = tiny_weights / "facebook" / "sam3"
    return Sam3Model.from_pretrained(folder).eval(), Sam3Processor.from_pretrained(folder)


@pytest.mark.parametrize("size", [(1, 1), (313, 471), (20, 3000), (1200, 800)])
def test_evidence_is_that_of_plain_calls_a_text(sam3: Sam3, peer: tuple[Any, Any], size: tuple[int, int]) -> None:
    image, (model, processor) = picture(*size), peer
    found = sam3.infer([image], [Prompt(TEXTS)], EVERY)[0]
    for label, text in enumerate(TEXTS):
        inputs = processor(images=image, text=text, return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            told = model(**{name: inputs[name] for name in ("pixel_values", "input_ids", "attention_mask")})
        rows = found.prompt_index == label
        expected = processor.post_process_instance_segmentation(told, threshold=0, target_sizes=[size])[0]
        scores = found.scores[rows, label] * found.presence[label]
        assert np.allclose(scores, expected["scores"], atol=1e-4)
        assert np.allclose(found.boxes[rows], expected["boxes"], atol=1e-4 * max(size))
        assert np.allclose(found.mask_maps[rows], told.pred_masks[0], atol=1e-4)
        assert not found.scores[rows][:, [i for i in range(len(TEXTS)) if i != label]].any()


def test_masks_are_cut_from_logits_as_the_authors_do(sam3: Sam3) -> None:
    found = sam3.infer([picture(313, 471)], [Prompt(("cat",))], EVERY)[0]
    logits = interpolate(torch.from_numpy(found.mask_maps)[None], (313, 471), mode="bilinear")[0].numpy()
    prediction = sam3.decide(found, Sam3Params(candidate_floor=0, score_threshold=0))
    expected = [mask for mask in logits > 0 if mask.any()]
    assert len(prediction.masks) == len(expected) > 0
    assert (prediction.masks != np.array(expected)).mean() <= 1e-4


def test_the_picture_is_seen_once_for_all_texts_and_a_prompt_is_read_once(sam3: Sam3) -> None:
    network, calls = sam3._loaded_network().network, {"vision": 0, "text": 0}

    def count(name: str) -> Any:
        return lambda *_: calls.update({name: calls[name] + 1})

    hooks = [network.vision_encoder.register_forward_pre_hook(count("vision")),
             network.text_encoder.register_forward_pre_hook(count("text"))]  # fmt: skip
    sam3.infer([picture(), picture(30, 40)], [Prompt(TEXTS)] * 2, EVERY)
    for hook in hooks:
        hook.remove()
    assert calls == {"vision": 1, "text": 1}


def test_a_batch_equals_single_calls(sam3: Sam3) -> None:
    images = [picture(), picture(313, 471, 1), picture(20, 3000, 2)]
    prompts = [Prompt(TEXTS), Prompt(("cat",)), Prompt(TEXTS[:3])]
    for image, prompt, one in zip(images, prompts, sam3.infer(images, prompts, EVERY), strict=True):
        alone = sam3.infer([image], [prompt], EVERY)[0]
        for name in ("scores", "boxes", "mask_maps", "presence", "prompt_index"):
            assert np.allclose(getattr(one, name), getattr(alone, name), atol=1e-3), name


def test_a_lower_floor_only_adds_what_the_decision_drops(sam3: Sam3) -> None:
    image, prompt = picture(), Prompt(TEXTS)
    many, few = (sam3.infer([image], [prompt], Sam3Params(candidate_floor=floor))[0] for floor in (0.1, 0.6))
    assert len(many.scores) > len(few.scores)
    strict = Sam3Params(score_threshold=0.6)
    assert np.array_equal(sam3.decide(many, strict).masks, sam3.decide(few, strict).masks)


def test_a_threshold_below_the_floor_is_said_to_have_no_effect() -> None:
    plain, low = Sam3(), Sam3(Sam3Params(score_threshold=0.3))
    for made in (plain, low):
        made.decide(hand_made())
    assert not plain.flags
    assert low.flags == {"score_threshold_below_candidate_floor"}


def test_nothing_found_is_an_empty_prediction(sam3: Sam3) -> None:
    found = sam3.infer([picture()], [Prompt(TEXTS)], Sam3Params(candidate_floor=1))[0]
    assert found.mask_maps.shape[0] == len(found.boxes) == len(found.scores) == 0
    assert found.presence.shape == (len(TEXTS),)
    assert sam3.decide(found).masks.shape == (0, 60, 80)


def test_colours_are_not_swapped(sam3: Sam3) -> None:
    image = picture()
    one, other = sam3.infer([image, np.ascontiguousarray(image[..., ::-1])], [Prompt(("cat",))] * 2, EVERY)
    assert not np.allclose(one.mask_maps, other.mask_maps, atol=1e-2)


def test_texts_behind_the_last_token_are_cut_and_said(tiny_weights: Path) -> None:
    with Sam3(EVERY, weights=tiny_weights) as made:
        made.infer([picture()], [Prompt(("cat",))])
        assert "text_truncated" not in made.flags
        found = made.infer([picture()], [Prompt(("x " * 499, "x " * 40))])[0]
        assert "text_truncated" in made.flags
    assert np.allclose(*found.presence, atol=1e-4)


def test_forty_texts_are_told_apart(sam3: Sam3) -> None:
    texts = tuple(f"thing {i}" for i in range(40))
    found = sam3.infer([picture(20, 30)], [Prompt(texts)], EVERY)[0]
    assert found.scores.shape == (40 * 8, 40)
    assert len({round(float(value), 6) for value in found.presence}) > 20


def test_half_precision_is_near_and_keeps_its_frequencies(sam3: Sam3, tiny_weights: Path) -> None:
    full = sam3.infer([picture()], [Prompt(TEXTS)], EVERY)[0]
    with Sam3(Sam3Params(dtype="bfloat16", candidate_floor=0), weights=tiny_weights) as made:
        half = made.infer([picture()], [Prompt(TEXTS)])[0]
        buffers = dict(made._loaded_network().network.named_buffers())
    assert made.dtype == "bfloat16"
    assert all(values.dtype == torch.float32 for values in buffers.values() if values.is_floating_point())
    assert np.abs(full.presence - half.presence).max() < 0.1


def hand_made() -> Evidence:
    """Two candidates of the first text, one of the second, which is hardly in the picture."""
    drawn = np.full((3, 32, 32), -4.0, np.float32)
    drawn[0, :4, :4] = drawn[1, 28:, 28:] = drawn[2, :8, 28:] = 4.0
    scores = np.array([[0.9, 0], [0.6, 0], [0, 0.95]], np.float32)
    return Evidence((32, 32), "logit", boxes=np.zeros((3, 4)), scores=scores, mask_maps=drawn,
                    prompt_index=np.array([0, 0, 1]), presence=np.array([0.9, 0.3], np.float32))  # fmt: skip


@pytest.mark.parametrize(
    ("params", "labels"),
    [
        ({}, [0, 0]),  # 0.81, 0.54; the second text has 0.285
        ({"score_threshold": 0.6}, [0]),
        ({"score_threshold": 0.2}, [0, 0, 1]),
        ({"score_threshold": 0.2, "presence_threshold": 0.5}, [0, 0]),
        ({"score_threshold": 0.2, "min_area": 0.02}, [1]),
        ({"score_threshold": 0.2, "mask_threshold": 5}, []),
    ],
)
def test_score_times_presence_decides(params: dict[str, float], labels: list[int]) -> None:
    prediction = Sam3(Sam3Params(**params)).decide(hand_made())
    assert prediction.labels.tolist() == labels


def test_far_objects_are_united_and_told_apart() -> None:
    prediction = Sam3().decide(hand_made())
    assert prediction.foreground().sum() == 32
    assert prediction.boxes.tolist() == [[0, 0, 4, 4], [28, 28, 32, 32]]
    assert prediction.scores.tolist() == pytest.approx([0.81, 0.54])


def test_random_weights_read_words_without_a_vocabulary() -> None:
    tokens = tokenizer(Located(CHECKPOINTS["sam3"].weights, None), TOKENS, whole=True)(("a cat", "word " * 99))
    assert tokens.ids.shape == tokens.attention.shape == (2, TOKENS)
    assert tokens.attention.sum(dim=1).tolist() == [4, TOKENS]
    assert tokens.truncated


def test_architecture_for_random_weights_has_the_published_size() -> None:
    with torch.device("meta"):
        network = Sam3Model(Sam3Config(**CHECKPOINTS["sam3"].settings["config"]))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(840.4, abs=0.1)


def test_it_is_gated_of_unclear_use_and_never_substituted(tmp_path: Path) -> None:
    (weights,) = Sam3.info.weights_for(Sam3Params())
    assert (weights.licence, weights.gated, weights.commercial) == ("SAM License", True, None)
    assert weights.substitute == ""
    assert Sam3.info.substitute(Sam3Params()) is None
    with pytest.raises(UnavailableError, match="facebook/sam3"):
        Sam3(weights=tmp_path).load()


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_weights_that_are_not_exactly_those_of_the_network_are_refused(
    change: str, tiny_weights: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "facebook" / "sam3"
    shutil.copytree(tiny_weights / "facebook" / "sam3", folder)
    weights = load_file(folder / "model.safetensors")
    if change == "missing":
        del weights["detector_model.text_projection.bias"]
    else:
        weights["detector_model.extra.weight"] = torch.ones(2)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnavailableError, match="facebook/sam3"):
        Sam3(weights=tmp_path).load()
