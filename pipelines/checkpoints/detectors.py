"""Checkpoints of detectors that find boxes by text: GroundingDINO, MM-GroundingDINO, LLMDet, OWLv2."""

from __future__ import annotations

from typing import Any

from pipelines.checkpoints import MODEL, Checkpoint, hub, table

BERT = (*MODEL, "preprocessor_config.json", "tokenizer_config.json", "tokenizer.json")
CLIP = (*MODEL, "preprocessor_config.json", "tokenizer_config.json", "vocab.json", "merges.txt")
OUT = {"out_indices": [2, 3, 4]}
SWIN_T: dict[str, Any] = {"model_type": "swin", **OUT}
SWIN_B: dict[str, Any] = {"model_type": "swin", "image_size": 384, "embed_dim": 128, "depths": [2, 2, 18, 2],
                          "num_heads": [4, 8, 16, 32], "window_size": 12, **OUT}  # fmt: skip
UNSURE = "Apache-2.0 by hearsay: read the card."
OWL_L = {
    "projection_dim": 768,
    "text_config": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
    "vision_config": {"image_size": 1008, "patch_size": 14, "hidden_size": 1024, "intermediate_size": 4096,
                      "num_hidden_layers": 24, "num_attention_heads": 16},
}  # fmt: skip


def _dino(name: str, size: str, backbone: dict[str, Any], parameters_m: float, size_mb: float | None) -> Checkpoint:
    return hub(name, f"IDEA-Research/grounding-dino-{size}", "Apache-2.0", files=BERT, parameters_m=parameters_m,
               size_mb=size_mb, kind="grounding_dino", config={"backbone_config": backbone})  # fmt: skip


def _mm(name: str, repository: str, backbone: dict[str, Any] | None, *, sure: bool = False,
        size_mb: float | None = None) -> Checkpoint:  # fmt: skip
    """Without a backbone its configuration is not known to us, and it has no random weights."""
    config = None if backbone is None else {"backbone_config": backbone}
    return hub(name, repository, "Apache-2.0", files=BERT, commercial=True if sure else None, size_mb=size_mb,
               note="" if sure else UNSURE, kind="mm_grounding_dino", config=config)  # fmt: skip


CHECKPOINTS = table(
    [
        _dino("grounding-dino-tiny", "tiny", SWIN_T, 172.3, 689),
        _dino("grounding-dino-base", "base", SWIN_B, 232.3, None),
        _mm("mm-grounding-dino-tiny", "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det", SWIN_T),
        _mm("mm-grounding-dino-tiny-grit", "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_grit_v3det",
            SWIN_T),
        _mm("mm-grounding-dino-base", "openmmlab-community/mm_grounding_dino_base_o365v1_goldg_v3det", SWIN_B),
        _mm("mm-grounding-dino-base-all", "openmmlab-community/mm_grounding_dino_base_all", SWIN_B),
        _mm("mm-grounding-dino-large", "openmmlab-community/mm_grounding_dino_large_o365v2_oiv6_goldg", None),
        _mm("mm-grounding-dino-large-all", "openmmlab-community/mm_grounding_dino_large_all", None),
        _mm("llmdet-tiny", "iSEE-Laboratory/llmdet_tiny", SWIN_T, sure=True),
        _mm("llmdet-base", "iSEE-Laboratory/llmdet_base", SWIN_B, sure=True, size_mb=893),
        _mm("llmdet-large", "iSEE-Laboratory/llmdet_large", None, sure=True),
        hub("owlv2-base", "google/owlv2-base-patch16-ensemble", "Apache-2.0", files=CLIP, parameters_m=155.0,
            kind="owlv2", side=960, config={"vision_config": {"image_size": 960, "patch_size": 16}}),
        hub("owlv2-large", "google/owlv2-large-patch14-ensemble", "Apache-2.0", files=CLIP, commercial=None,
            note=UNSURE, kind="owlv2", side=1008, config=OWL_L),
    ]
)  # fmt: skip
"""By what the parameter `detector` calls them; the first is the default."""
