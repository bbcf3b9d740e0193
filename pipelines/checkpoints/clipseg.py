"""Checkpoints of CLIPSeg, as their authors' co-workers published them on the hub."""

from __future__ import annotations

from pipelines.checkpoints import MODEL, Checkpoint, hub, table

FILES = (*MODEL, "preprocessor_config.json", "vocab.json", "merges.txt", "tokenizer_config.json",
         "special_tokens_map.json")  # fmt: skip
NOTE = (
    "The hub card says Apache-2.0; the authors' code repository (github.com/timojl/clipseg) says that its MIT licence "
    "excludes the weights."
)
PIXELS = {"size": (352, 352), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""What ``preprocessor_config.json`` says, for random weights, which come without one."""


def _clipseg(
    name: str, repository: str, size_mb: float, parameters_m: float, *, reduce_dim: int, refined: bool
) -> Checkpoint:
    config = {
        "text_config": {"bos_token_id": 0, "eos_token_id": 2},  # as published: the end is then the highest id
        "vision_config": {"patch_size": 16},
        "reduce_dim": reduce_dim,
        "use_complex_transposed_convolution": refined,
    }
    return hub(name, repository, "Apache-2.0", files=FILES, size_mb=size_mb, parameters_m=parameters_m, note=NOTE,
               pixels=PIXELS, config=config)  # fmt: skip


CHECKPOINTS = table(
    [
        _clipseg("rd64-refined", "CIDAS/clipseg-rd64-refined", 605, 150.7, reduce_dim=64, refined=True),
        _clipseg("rd64", "CIDAS/clipseg-rd64", 605, 150.7, reduce_dim=64, refined=False),
        _clipseg("rd16", "CIDAS/clipseg-rd16", 602, 149.9, reduce_dim=16, refined=False),
    ]
)
"""By what the parameter `checkpoint` calls them; the first is the default."""
