"""Tiny CLIPSeg repositories, file by file as the hub's are."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

from tests.tiny.tokenizers import clip_tokenizer

SIDE = 64
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
START, END = "<|startoftext|>", "<|endoftext|>"
PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "feature_extractor_type": "ViTImageProcessor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "processor_class": "CLIPSegProcessor",
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": SIDE, "width": SIDE},
}


def save(folder: Path) -> None:
    """Write all three checkpoints."""
    for seed, (name, reduce_dim) in enumerate({"rd64-refined": 8, "rd64": 8, "rd16": 4}.items()):
        repository = folder / "CIDAS" / f"clipseg-{name}"
        repository.mkdir(parents=True)
        _save_network(repository, seed, reduce_dim, refined=name.endswith("refined"))
        _save_tokenizer(repository)
        _write(repository / "preprocessor_config.json", PREPROCESSOR)


def _save_network(repository: Path, seed: int, reduce_dim: int, refined: bool) -> None:
    """The published files still hold the positions' indices, which today's network does not keep."""
    config = CLIPSegConfig(
        text_config=SMALL | {"num_hidden_layers": 2, "vocab_size": len(clip_tokenizer())}
        | {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1},
        vision_config=SMALL | {"num_hidden_layers": 4, "image_size": 32, "patch_size": 16},
        projection_dim=16, extract_layers=[0, 1, 2], reduce_dim=reduce_dim, decoder_num_attention_heads=2,
        decoder_intermediate_size=16, use_complex_transposed_convolution=refined,
        architectures=["CLIPSegForImageSegmentation"],
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CLIPSegForImageSegmentation(config)
    config.save_pretrained(repository)
    weights = {name: values.clone() for name, values in network.state_dict().items()}
    for part, length in (("text", 77), ("vision", 5)):
        weights[f"clip.{part}_model.embeddings.position_ids"] = torch.arange(length)[None]
    save_file(weights, repository / "model.safetensors", {"format": "pt"})


def _save_tokenizer(repository: Path) -> None:
    model = json.loads(clip_tokenizer().backend_tokenizer.to_str())["model"]
    _write(repository / "vocab.json", model["vocab"])
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (repository / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    added = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    special = {"bos_token": added | {"content": START}, "eos_token": added | {"content": END},
               "unk_token": added | {"content": END}, "pad_token": END}  # fmt: skip
    _write(repository / "special_tokens_map.json", special)
    typed = {name: {"__type": "AddedToken"} | t if isinstance(t, dict) else t for name, t in special.items()}
    _write(repository / "tokenizer_config.json", typed | {
        "add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": 77,
        "name_or_path": "openai/clip-vit-base-patch32", "processor_class": "CLIPSegProcessor",
        "special_tokens_map_file": "special_tokens_map.json", "tokenizer_class": "CLIPTokenizer",
    })  # fmt: skip


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
