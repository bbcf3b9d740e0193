"""Weights of the seed library's networks under the names of transformers, so that both run with the same ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Rules = tuple[tuple[str, str], ...]

SWIN = "model.backbone.conv_encoder.model.swin"
NORMS = "model.backbone.conv_encoder.model.hidden_states_norms.stage"

DETECTOR_RULES: Rules = (
    (r"^bert\.pooler\..*|.*relative_position_index$", ""),
    (r"^bert", "model.text_backbone"),
    (r"^feat_map", "model.text_projection"),
    (r"^input_proj", "model.input_proj_vision"),
    (r"^backbone\.0\.patch_embed\.proj", f"{SWIN}.embeddings.patch_embeddings.projection"),
    (r"^backbone\.0\.patch_embed\.norm", f"{SWIN}.embeddings.norm"),
    (r"^backbone\.0\.norm1", f"{NORMS}2"),
    (r"^backbone\.0\.norm2", f"{NORMS}3"),
    (r"^backbone\.0\.norm3", f"{NORMS}4"),
    (r"^backbone\.0\.layers", f"{SWIN}.encoder.layers"),
    (r"attn\.relative_position_bias_table", "attention.relative_position_bias.relative_position_bias_table"),
    (r"(blocks\.\d+)\.attn\.proj", r"\1.attention.o_proj"),
    (r"(blocks\.\d+)\.norm1", r"\1.layernorm_before"),
    (r"(blocks\.\d+)\.norm2", r"\1.layernorm_after"),
    (r"^transformer\.level_embed", "model.level_embed"),
    (r"^transformer\.tgt_embed", "model.query_position_embeddings"),
    (r"^transformer\.enc_out_bbox_embed", "model.encoder_output_bbox_embed"),
    (r"^transformer\.enc_output", "model.enc_output"),
    (r"^transformer\.encoder\.layers\.(\d+)", r"model.encoder.layers.\1.deformable_layer"),
    (r"^transformer\.encoder\.text_layers\.(\d+)", r"model.encoder.layers.\1.text_enhancer_layer"),
    (r"^transformer\.encoder\.fusion_layers\.(\d+)", r"model.encoder.layers.\1.fusion_layer"),
    (r"^transformer\.decoder\.ref_point_head", "model.decoder.reference_points_head"),
    (r"^transformer\.decoder\.norm", "model.decoder.layer_norm"),
    (r"^transformer\.decoder", "model.decoder"),
    (r"gamma_v", "vision_param"),
    (r"gamma_l", "text_param"),
    (r"layer_norm_v\b", "layer_norm_vision"),
    (r"layer_norm_l\b", "layer_norm_text"),
    (r"(attn\.(?:values_|out_)?)v_proj", r"\1vision_proj"),
    (r"(attn\.(?:values_|out_)?)l_proj", r"\1text_proj"),
    (r"linear(\d)", r"fc\1"),
    (r"(deformable_layer)\.norm1", r"\1.self_attn_layer_norm"),
    (r"(deformable_layer)\.norm2", r"\1.final_layer_norm"),
    (r"(text_enhancer_layer)\.norm1", r"\1.layer_norm_before"),
    (r"(text_enhancer_layer)\.norm2", r"\1.layer_norm_after"),
    (r"catext_norm", "encoder_attn_text_layer_norm"),
    (r"ca_text", "encoder_attn_text"),
    (r"cross_attn", "encoder_attn"),
    (r"(decoder\.layers\.\d+)\.norm1", r"\1.encoder_attn_layer_norm"),
    (r"(decoder\.layers\.\d+)\.norm2", r"\1.self_attn_layer_norm"),
    (r"(decoder\.layers\.\d+)\.norm3", r"\1.final_layer_norm"),
)
"""Of GroundingDINO, in order; what becomes empty has no counterpart."""

JOINT = (
    (r"(blocks\.\d+)\.attn\.qkv\.(weight|bias)", r"\1.attention.{}_proj.\2", ("q", "k", "v")),
    (r"\.in_proj_(weight|bias)", r".{}.\1", ("query", "key", "value")),
)
"""One tensor of query, key and value there, and three here."""

SEGMENTER_RULES: Rules = (
    (r"^image_encoder", "vision_encoder"),
    (r"patch_embed\.proj", "patch_embed.projection"),
    (r"blocks\.", "layers."),
    (r"neck\.0", "neck.conv1"),
    (r"neck\.1", "neck.layer_norm1"),
    (r"neck\.2", "neck.conv2"),
    (r"neck\.3", "neck.layer_norm2"),
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"point_embeddings", "point_embed"),
    (r"mask_downscaling\.0", "mask_embed.conv1"),
    (r"mask_downscaling\.1", "mask_embed.layer_norm1"),
    (r"mask_downscaling\.3", "mask_embed.conv2"),
    (r"mask_downscaling\.4", "mask_embed.layer_norm2"),
    (r"mask_downscaling\.6", "mask_embed.conv3"),
    (r"(head|mlps\.\d)\.layers\.0", r"\1.proj_in"),
    (r"(head|mlps\.\d)\.layers\.2", r"\1.proj_out"),
    (r"(head|mlps\.\d)\.layers\.1", r"\1.layers.0"),
    (r"output_upscaling\.0", "upscale_conv1"),
    (r"output_upscaling\.1", "upscale_layer_norm"),
    (r"output_upscaling\.3", "upscale_conv2"),
    (r"norm_final_attn", "layer_norm_final_attn"),
    (r"\.norm(\d)", r".layer_norm\1"),
)
"""Of segment-anything, in order."""


def detector_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Weights of the library's GroundingDINO for `GroundingDinoForObjectDetection`, all but its unused last norm.

    Args:
        state: of the library's network.
    """
    split = dict(item for name, value in state.items() for item in _split(name, value))
    renamed = {_renamed(name, DETECTOR_RULES): value for name, value in split.items()}
    return {name: value for name, value in renamed.items() if name}


def segmenter_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Weights of segment-anything's `Sam` for `SamModel`.

    Args:
        state: of the library's network.
    """
    renamed = {_renamed(name, SEGMENTER_RULES): value for name, value in state.items()}
    shared = renamed["prompt_encoder.shared_embedding.positional_embedding"]
    return {**renamed, "shared_image_embedding.positional_embedding": shared}


def _split(name: str, value: Any) -> list[tuple[str, Any]]:
    for pattern, target, parts in JOINT:
        if re.search(pattern, name):
            thirds = zip(parts, value.chunk(3), strict=True)
            return [(re.sub(pattern, target.format(part), name), third) for part, third in thirds]
    return [(name, value)]


def _renamed(name: str, rules: Rules) -> str:
    for pattern, target in rules:
        name = re.sub(pattern, target, name)
    return name
