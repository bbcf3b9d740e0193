"""Tiny random detectors, saved as the hub holds them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from pipelines.checkpoints.detectors import CHECKPOINTS
from tests.tiny.tokenizers import clip_tokenizer, save_clip_tokenizer

DINO = {"grounding-dino-tiny": "GroundingDino", "mm-grounding-dino-tiny": "MMGroundingDino"}
SHRUNK = 0.2
"""Factor of the last norm, without which random scores are all 0 or 1."""


def save(folder: Path) -> None:
    for name in DINO:
        save_dino(folder, name)
    save_owl(folder)


def bert_words(words: Iterable[str] = ("coin", "cat", "dog", "red", "a")) -> Any:
    """A tokenizer with the special ids of bert-base-uncased, which the network has in its code."""
    from pipelines.networks.autodistill_networks import spelling

    return spelling(words)


def save_dino(folder: Path, name: str = "grounding-dino-tiny") -> Path:
    import transformers

    kind = DINO[name]
    text = {"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 32, "vocab_size": 2200}  # fmt: skip
    swin = {"model_type": "swin", "embed_dim": 16, "depths": [1] * 4, "num_heads": [1, 1, 2, 2], "window_size": 4,
            "image_size": 64, "out_indices": [2, 3, 4]}  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(
        backbone_config=swin, text_config=text, d_model=64, encoder_layers=1, decoder_layers=2, num_queries=20,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, f"{kind}ForObjectDetection")(config).eval()
    model.model.decoder.layer_norm.weight.data *= SHRUNK
    place = folder / CHECKPOINTS[name].weights.repository
    size = {"shortest_edge": 64, "longest_edge": 96}
    for part in (model, transformers.GroundingDinoImageProcessor(size=size), bert_words()):
        part.save_pretrained(place)
    return place


def save_owl(folder: Path) -> Path:
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor

    small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    config = Owlv2Config(text_config={**small, "vocab_size": len(clip_tokenizer()), "bos_token_id": 519,
                                      "eos_token_id": 520}, projection_dim=16,
                         vision_config={**small, "image_size": 64, "patch_size": 16})  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Owlv2ForObjectDetection(config).eval()
    place = folder / CHECKPOINTS["owlv2-base"].weights.repository
    processor = Owlv2ImageProcessor(size={"height": 64, "width": 64})
    for part in (model, processor):
        part.save_pretrained(place)
    save_clip_tokenizer(place, most_tokens=16)
    return place
