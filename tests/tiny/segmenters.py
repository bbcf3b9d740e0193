"""Tiny random networks of SAM and SAM 2.1, saved as the hub's repositories hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIDE = 64
PROMPT: dict[str, Any] = {"hidden_size": 16, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
DECODER: dict[str, Any] = {"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 16}


def save(folder: Path) -> None:
    """The default of the pipelines, SAM 2.1 tiny, and a SAM, which pads where SAM 2.1 stretches."""
    save_sam2(folder / "facebook" / "sam2.1-hiera-tiny")
    save_sam(folder / "facebook" / "sam-vit-base")


def save_sam2(folder: Path) -> None:
    """As published: the weights and the configuration of the video model, of which the image model is a part."""
    import torch
    from transformers import Sam2ImageProcessor, Sam2VideoConfig, Sam2VideoModel

    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [SIDE, SIDE],
        "hidden_size": 8,
        "embed_dim_per_stage": [8, 16, 24, 32],
        "num_attention_heads_per_stage": [1, 2, 2, 2],
        "blocks_per_stage": [1, 1, 2, 1],
        "global_attention_blocks": [3],
        "window_size_per_stage": [4, 4, 4, 2],
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": [32, 24, 16, 8],
        "fpn_hidden_size": 16,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }
    config = Sam2VideoConfig(
        vision_config=vision, prompt_encoder_config=PROMPT, mask_decoder_config=DECODER, image_size=SIDE,
        memory_attention_hidden_size=16, memory_attention_num_layers=1, memory_attention_feed_forward_hidden_size=16,
        memory_encoder_hidden_size=16, memory_encoder_output_channels=4, memory_fuser_num_layers=1,
        memory_fuser_embed_dim=16, memory_fuser_intermediate_dim=16, mask_downsampler_embed_dim=16,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Sam2VideoModel(config)
    _lively(network)
    network.save_pretrained(folder)
    Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def save_sam(folder: Path) -> None:
    """As published."""
    import torch
    from transformers import SamConfig, SamImageProcessor, SamModel

    vision = {
        "hidden_size": 16, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE,
        "patch_size": 16, "window_size": 2, "global_attn_indexes": [1], "num_pos_feats": 8, "mlp_dim": 32,
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SamModel(SamConfig(vision_config=vision, prompt_encoder_config=PROMPT, mask_decoder_config=DECODER))
    _lively(network)
    network.save_pretrained(folder)
    SamImageProcessor(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}, mask_pad_size={"height": 16, "width": 16}
    ).save_pretrained(folder)


def _lively(network: Any) -> None:
    """Large weights: with those of an untrained network no prompt would change a mask."""
    import torch

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for name, parameter in network.named_parameters():
            if "norm" not in name and "shared" not in name:
                parameter.copy_(0.3 * torch.randn_like(parameter))
