"""Tokenizers from a vocabulary in memory, for tiny networks of tests."""

from __future__ import annotations

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


def bert_tokenizer() -> Any:
    """Word pieces of single letters and a few whole words, as BERT's."""
    from transformers import BertTokenizer

    az = [chr(c) for c in range(97, 123)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "cat", "dog", "coin"]
    words += az + ["##" + c for c in az]
    return BertTokenizer(vocab={w: i for i, w in enumerate(words)}, model_max_length=256)
