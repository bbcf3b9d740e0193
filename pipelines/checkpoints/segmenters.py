"""Checkpoints of SAM and SAM 2.1, as their authors published them on the hub."""

from __future__ import annotations

from typing import Any

from pipelines.checkpoints import MODEL, Checkpoint, hub, table

FILES = (*MODEL, "preprocessor_config.json")
PIXELS = {"size": (1024, 1024), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""What ``preprocessor_config.json`` says, for random weights, which come without one."""


def _sam2(name: str, size_mb: float, parameters_m: float, *, width: int, heads: int, blocks: tuple[int, ...],
          attend: tuple[int, ...], windows: tuple[int, ...] = (8, 4, 14, 7),
          background: int = 7) -> Checkpoint:  # fmt: skip
    """SAM 2.1 by what its Hiera encoder is made of.

    Args:
        name: behind "facebook/".
        size_mb: of the weights, four bytes a parameter.
        parameters_m: millions of parameters, of which 7.5 are the memory of the video model, which is not loaded.
        width: channels of the first stage; each stage doubles them.
        heads: of attention of the first stage; each stage doubles them.
        blocks: of each stage.
        attend: the blocks that attend to the whole picture.
        windows: side of the windows of each stage.
        background: side of the coarse position embedding.
    """
    widths = [width * 2**stage for stage in range(4)]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": width,
        "num_attention_heads": heads,
        "blocks_per_stage": list(blocks),
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": [heads * 2**stage for stage in range(4)],
        "window_size_per_stage": list(windows),
        "global_attention_blocks": list(attend),
        "window_positional_embedding_background_size": [background, background],
    }
    config = {"vision_config": {"backbone_config": backbone, "backbone_channel_list": widths[::-1]}}
    return hub(name, f"facebook/{name}", "Apache-2.0", files=FILES, size_mb=size_mb, parameters_m=parameters_m,
               kind="sam2", pixels=PIXELS, config=config)  # fmt: skip


def _sam(name: str, size_mb: float, parameters_m: float, **vision: Any) -> Checkpoint:
    """SAM by what its ViT encoder differs in from ViT-B.

    Random weights are drawn at 0.02: at transformers' 1e-10 a CPU computes with denormal numbers, ten times as slowly.
    """
    vision = {"initializer_range": 0.02, **vision}
    return hub(name, f"facebook/{name}", "Apache-2.0", files=FILES, size_mb=size_mb, parameters_m=parameters_m,
               kind="sam", pixels=PIXELS, config={"vision_config": vision})  # fmt: skip


CHECKPOINTS = table(
    [
        _sam2("sam2.1-hiera-tiny", 156, 38.9, width=96, heads=1, blocks=(1, 2, 7, 2), attend=(5, 7, 9)),
        _sam2("sam2.1-hiera-small", 184, 46.0, width=96, heads=1, blocks=(1, 2, 11, 2), attend=(7, 10, 13)),
        _sam2("sam2.1-hiera-base-plus", 323, 80.8, width=112, heads=2, blocks=(2, 3, 16, 3), attend=(12, 16, 20),
              background=14),
        _sam2("sam2.1-hiera-large", 898, 224.4, width=144, heads=2, blocks=(2, 6, 36, 4), attend=(23, 33, 43),
              windows=(8, 4, 16, 8)),
        _sam("sam-vit-base", 375, 93.7),
        _sam("sam-vit-large", 1249, 312.3, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16,
             mlp_dim=4096, global_attn_indexes=[5, 11, 17, 23]),
        _sam("sam-vit-huge", 2564, 641.1, hidden_size=1280, num_hidden_layers=32, num_attention_heads=16,
             mlp_dim=5120, global_attn_indexes=[7, 15, 23, 31]),
    ]
)  # fmt: skip
"""By what the parameters `checkpoint` and `segmenter` call them; the first is the default."""
