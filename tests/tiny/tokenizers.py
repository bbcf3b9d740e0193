"""Tokenizers from a vocabulary in memory, for tiny networks of tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def clip_tokenizer() -> Any:
    """Byte-level BPE over 256 stand-in characters, as CLIP's."""
    from transformers import CLIPTokenizer

    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    chars = [chr(b) if b in keep else chr(next(spare)) for b in range(256)]
    merges = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>"), ("c", "o"), ("co", "i"), ("coi", "n</w>")]
    pieces = chars + [c + "</w>" for c in chars] + [a + b for a, b in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=merges, model_max_length=77)


def save_clip_tokenizer(repository: Path, most_tokens: int) -> None:
    """As older repositories hold it: two files, and no tokenizer.json."""
    tokenizer = clip_tokenizer()
    tokenizer.model_max_length = most_tokens
    tokenizer.save_pretrained(repository)
    (repository / "tokenizer.json").unlink()
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    (repository / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (repository / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
