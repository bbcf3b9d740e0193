"""GroundingDINO and SAM as the seed's library builds them, made to work with transformers 5."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from transformers import BertConfig, BertModel, BertTokenizer

from pipelines.checkpoints.autodistill import DETECTOR
from pipelines.networks.autodistill_files import load_state
from pipelines.networks.autodistill_library import module, quiet
from pipelines.networks.pretrained import SEED, load_config, load_tokenizer
from pipelines.weights import Located

INFERENCE = {"use_checkpoint": False, "use_transformer_ckpt": False}
"""Recomputing activations saves memory in training alone; without it torch warns of nothing, and results are equal."""

SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
"""Ids in the vocabulary of bert-base-uncased, some of which the library has in its code as numbers."""

FREE = 2000
"""From here on no id is special."""


def detector(located: Located, text: Located, *, device: str, settings: Mapping[str, Any] | None = None) -> Any:
    """GroundingDINO of the library, Swin-T unless the settings say otherwise.

    Args:
        located: its checkpoint, or random.
        text: configuration and vocabulary of its text encoder, or random.
        device: "cpu" or "cuda".
        settings: what differs from the library's own configuration of it, `GroundingDINO_SwinT_OGC`.

    Raises:
        UnavailableError: a package or file is missing or damaged.
    """
    published = vars(module("groundingdino.config.GroundingDINO_SwinT_OGC"))
    chosen = {name: value for name, value in published.items() if not name.startswith("_")}
    config = module("groundingdino.util.slconfig").SLConfig({**chosen, **INFERENCE, **(settings or {})})
    with _seeded(), quiet(), _text_side(_tokenizer(text), _bert(text)):
        network = module("groundingdino.models").build_model(config)
    if not located.random:
        load_state(network, located, unused=DETECTOR.settings["unused"], inside="model")
    network.bert.forward = partial(network.bert.forward, return_dict=True)  # else it asks a field that is deprecated
    return network.to(device).eval().requires_grad_(False)


def predictor(located: Located, *, device: str, size: str) -> Any:
    """The library's `SamPredictor`.

    Args:
        located: the checkpoint, or random.
        device: "cpu" or "cuda".
        size: key of the library's registry of networks, such as "vit_h".
    """
    with _seeded():
        network = module("segment_anything").sam_model_registry[size]()
    if not located.random:
        load_state(network, located)
    return module("segment_anything").SamPredictor(network.to(device).eval().requires_grad_(False))


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        yield


@contextlib.contextmanager
def _text_side(tokenizer: Any, bert: Any) -> Iterator[None]:
    """While the network is built, hand it these where it would fetch BERT from the hub by its name."""
    source: Any = module("groundingdino.util.get_tokenlizer")
    saved = source.get_tokenlizer, source.get_pretrained_language_model
    source.get_tokenlizer, source.get_pretrained_language_model = lambda _: tokenizer, lambda _: bert
    try:
        yield
    finally:
        source.get_tokenlizer, source.get_pretrained_language_model = saved


def _tokenizer(text: Located) -> Any:
    return spelling() if text.random else load_tokenizer(BertTokenizer, text)


def spelling(words: Iterable[str] = ()) -> Any:
    """A tokenizer that spells: random weights come without a vocabulary, and know no words anyway.

    Args:
        words: that are one token each, as common words are in BERT's own vocabulary.
    """
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + [str(digit) for digit in range(10)]
    pieces = [*words, *(piece for letter in letters for piece in (letter, "##" + letter))]
    return BertTokenizer(vocab={**{piece: FREE + i for i, piece in enumerate(dict.fromkeys(pieces))}, **SPECIAL})


def _bert(text: Located) -> Any:
    """The text encoder, its weights to come from the detector's checkpoint, with what transformers 5 took from it."""
    network = BertModel(BertConfig() if text.random else load_config(BertConfig, text))
    for name, method in (
        ("get_extended_attention_mask", partial(_additive, network)),
        ("invert_attention_mask", partial(_additive, network)),
        ("get_head_mask", _no_head_mask),
    ):
        if not hasattr(network, name):  # on this instance alone: the class belongs to everybody
            setattr(network, name, method)
    return network


def _additive(network: Any, mask: torch.Tensor, *_: Any) -> torch.Tensor:
    """0 where attention is allowed and the least number where it is not, broadcast over heads.

    Args:
        network: whose dtype the result has.
        mask: ``(N, T)`` or ``(N, T, T)``, true where attention is allowed.
    """
    wide = mask[:, None, None, :] if mask.ndim == 2 else mask[:, None]
    return (1.0 - wide.to(network.dtype)) * torch.finfo(network.dtype).min


def _no_head_mask(mask: Any, layers: int, *_: Any) -> list[None]:
    """No head is masked in any layer: the library asks for nothing else."""
    return [None] * layers
