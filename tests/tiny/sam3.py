"""A tiny random network of SAM 3, saved as the hub's repository holds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny.tokenizers import clip_tokenizer

SIDE = 112


def save(folder: Path) -> None:
    """As published: configuration and names of the video model, whose detector is the image model."""
    import torch
    from safetensors.torch import save_file
    from transformers import Sam3ImageProcessor, Sam3Processor

    home = folder / "facebook" / "sam3"
    home.mkdir(parents=True)
    tokens = clip_tokenizer()
    network = _network(tokens)
    weights = {f"detector_model.{name}": values.contiguous() for name, values in network.state_dict().items()}
    weights["tracker_model.mask_downsample.weight"] = torch.ones(1)  # of the video model, and not read
    weights["tracker_neck.position.weight"] = torch.ones(1)
    save_file(weights, home / "model.safetensors", metadata={"format": "pt"})
    told = {
        "model_type": "sam3_video",
        "architectures": ["Sam3VideoModel"],
        "detector_config": network.config.to_dict(),
    }
    (home / "config.json").write_text(json.dumps(told), encoding="utf-8")
    Sam3Processor(Sam3ImageProcessor(size={"height": SIDE, "width": SIDE}), tokens).save_pretrained(home)


def _network(tokens: Any) -> Any:
    import torch
    from transformers import Sam3Config, Sam3Model

    small = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
    layers = {**small, "num_layers": 1}
    ids = {key: getattr(tokens, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = Sam3Config(
        vision_config={
            "backbone_config": {
                **small, "model_type": "sam3_vit_model", "num_hidden_layers": 2, "image_size": SIDE,
                "pretrain_image_size": 56, "window_size": 4, "global_attn_indexes": [1],
            },
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        },
        text_config={
            **small, **ids, "model_type": "clip_text_model", "num_hidden_layers": 1, "projection_dim": 16,
            "max_position_embeddings": 32, "vocab_size": len(tokens),
        },
        geometry_encoder_config=layers,
        detr_encoder_config=layers,
        detr_decoder_config={**layers, "num_queries": 8},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = Sam3Model(config)
        for name, parameter in network.named_parameters():  # large weights, or no text would change a mask
            if "norm" not in name:
                parameter.normal_(0, 0.2)
        network.detr_decoder.presence_head.layer3.bias.fill_(3.0)  # otherwise nothing would be found at all
    return network
