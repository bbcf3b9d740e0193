"""The peers of GroundedSAM run on the same weights as ours, and see the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.peers import grounded_sam, grounding_files, grounding_library
from benchmarks.peers.grounding_library import Library
from benchmarks.peers.grounding_plain import Plain
from pipelines.checkpoints import hub
from pipelines.checkpoints.autodistill import DETECTOR, SEGMENTER, TEXT
from pipelines.networks import autodistill_networks as networks
from pipelines.networks.autodistill_library import module, quiet
from pipelines.weights import Located
from tests.tiny import autodistill as tiny


def shaken(network: Any) -> Any:
    """Weights that start as zero would hide a name that leads to another place."""
    chance = torch.Generator().manual_seed(1)
    for value in network.parameters():
        value.data += 0.02 * torch.randn(value.shape, generator=chance)
    return network


SWIN = {"num_queries": 6, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
VISION = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "global_attn_indexes": [],
          "mlp_dim": 128}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Small networks of the library."""
    folder = tmp_path_factory.mktemp("text")
    tiny.save(folder)
    text = Located(TEXT.weights, folder / "google-bert" / "bert-base-uncased")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(module("segment_anything").sam_model_registry, tiny.SAM, tiny.sam())
        detector = networks.detector(Located(DETECTOR.weights, None), text, device="cpu", settings=tiny.SETTINGS)
        predictor = networks.predictor(Located(SEGMENTER.weights, None), device="cpu", size=tiny.SAM)
    shaken(predictor.model)
    return Library(shaken(detector), predictor)


@pytest.fixture(scope="module")
def plain(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """Transformers on the same weights, from files."""
    folder = tmp_path_factory.mktemp("repositories")
    text = library.detector.bert.config.to_dict()
    boxes = hub("detector", "a/detector", "none", config={"text_config": text, **SWIN})
    masks = hub("segmenter", "a/segmenter", "none", kind="sam", config={"vision_config": VISION})
    return Plain(
        grounding_files.write_detector(folder, boxes, (), library.detector),
        grounding_files.write_segmenter(folder, masks, library.predictor.model),
    )


def picture() -> np.ndarray:
    """Thin, so that the detector has little to do."""
    return np.random.default_rng(1).integers(0, 256, (24, 800, 3), dtype=np.uint8)


def test_the_librarys_detector_and_that_of_transformers_agree_on_the_same_weights(
    library: Library, plain: Plain
) -> None:
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    tokens = library.detector.tokenizer(["cat. a dog."], return_tensors="pt")
    with torch.inference_mode(), quiet():
        theirs = library.detector(pixels, captions=["cat. a dog."])
        found = plain.detector(pixel_values=pixels, **tokens)
    assert torch.allclose(theirs["pred_boxes"], found.pred_boxes, atol=1e-4)
    assert torch.allclose(theirs["pred_logits"].sigmoid(), found.logits.sigmoid(), atol=1e-4)
    assert np.ptp(found.pred_boxes.numpy()) > 0.1
    assert 0.01 < found.logits.sigmoid().max() < 0.99


def test_both_make_the_same_masks(library: Library, plain: Plain) -> None:
    image = picture()
    scores = np.sort(plain.detect(image, ["cat"], 0.0)[1])
    threshold = float(scores[-4:-2].mean())
    theirs, found = library.masks(image, "cat", threshold), plain.segment(image, ["cat"], threshold)
    assert theirs.shape == found.shape == (3, 24, 800)
    assert (theirs != found).mean() <= grounded_sam.SAME_PIXELS_AS_LIBRARY
    assert 0 < found.mean() < 1


def test_label_by_label_is_a_pass_for_each(plain: Plain) -> None:
    image = picture()
    each = plain.detect_each(image, ("cat", "dog"), 0.0)
    assert len(each) == 2
    assert np.array_equal(each[1][0], plain.detect(image, ["dog"], 0.0)[0])


def test_without_the_extra_the_library_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "autodistill_grounded_sam", None)
    reason = grounding_library.library_or_reason(())
    assert isinstance(reason, str)
    assert "pip install" in reason


def test_contests_of_transformers_compare_equal_outputs(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grounded_sam, "BOXES", 3)
    arena = grounded_sam.Arena(np.repeat(picture(), 2, axis=0), tiny_weights)
    names = (grounded_sam.SMALL, grounded_sam.SAME_AS_LIBRARY)
    held = [grounded_sam._labels(arena), *(grounded_sam._boxes(arena, name, 1) for name in names)]
    assert all(contest.equal() for contest in held)
