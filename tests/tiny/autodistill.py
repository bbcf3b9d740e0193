"""What the autodistill engine reads, tiny: BERT's configuration and vocabulary, and the two checkpoints as pickles."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

SETTINGS = {"enc_layers": 1, "dec_layers": 2, "num_queries": 6, "dim_feedforward": 64}
"""Of GroundingDINO; its Swin-T backbone and its width are fixed in the library's code."""

SAM = "tiny"


def save(folder: Path) -> None:
    """``google-bert/bert-base-uncased``; the checkpoints of the library are larger and not for everybody."""
    from transformers import BertConfig

    from pipelines.networks.autodistill_networks import spelling

    text = folder / "google-bert" / "bert-base-uncased"
    small = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_hidden_layers": 1}
    BertConfig(**small, vocab_size=3000).save_pretrained(text)
    spelling().save_pretrained(text)


def sam() -> Any:
    """A segment-anything network of one small block, for the library's registry."""
    from pipelines.networks.autodistill_library import module

    build = module("segment_anything.build_sam")._build_sam
    return partial(build, encoder_embed_dim=32, encoder_depth=1, encoder_num_heads=2, encoder_global_attn_indexes=[])


def save_checkpoints(folder: Path, detector: Any, segmenter: Any) -> None:
    """The pickles, with what the published ones hold beyond the networks: a prefix, and weights of training alone."""
    import torch

    state = {f"module.{name}": value for name, value in detector.state_dict().items()}
    state |= {"module.label_enc.weight": torch.zeros(3), "module.bert.embeddings.position_ids": torch.arange(3)}
    boxes, masks = folder / "IDEA-Research" / "GroundingDINO", folder / "facebookresearch" / "segment-anything"
    for path in (boxes, masks):
        path.mkdir(parents=True)
    torch.save({"model": state}, boxes / "groundingdino_swint_ogc.pth")
    torch.save(segmenter.state_dict(), masks / "sam_vit_h_4b8939.pth")
