"""Checkpoints of real size with random weights, written as the hub holds them, so that all sides load the same ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.peers.grounding_weights import detector_state, segmenter_state
from pipelines.checkpoints import Checkpoint

SHRUNK = 0.02
"""Factor of the detector's last norm, without which random scores are all 0 or 1 to the last digit."""

SEED = 0


def write_detector(folder: Path, checkpoint: Checkpoint, words: Iterable[str], library: Any = None) -> Path:
    """A GroundingDINO with the configuration of a checkpoint.

    Args:
        folder: gets ``owner/name/``.
        checkpoint: whose settings hold "config".
        words: that its tokenizer knows as one token each.
        library: the seed library's network, from which the weights come; None for new ones.

    Returns:
        ``folder/owner/name``.
    """
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection, GroundingDinoImageProcessor

    from pipelines.networks.autodistill_networks import spelling

    made: Any = _random(GroundingDinoForObjectDetection, GroundingDinoConfig(**checkpoint.settings.get("config", {})))
    made.model.decoder.layer_norm.weight.data *= SHRUNK
    if library is not None:
        library.transformer.decoder.norm.weight.data *= SHRUNK
        made.load_state_dict(detector_state(library.state_dict()), strict=False)
    return _saved(folder, checkpoint, made, GroundingDinoImageProcessor(), spelling(words))


def write_segmenter(folder: Path, checkpoint: Checkpoint, library: Any = None) -> Path:
    """A SAM or SAM 2.1 with the configuration of a checkpoint, else as `write_detector`."""
    from transformers import Sam2ImageProcessor, Sam2Model, SamImageProcessor, SamModel

    older = checkpoint.settings["kind"] == "sam"
    kind: Any = SamModel if older else Sam2Model
    made = _random(kind, kind.config_class(**checkpoint.settings["config"]))
    if library is not None:
        made.load_state_dict(segmenter_state(library.state_dict()))
    return _saved(folder, checkpoint, made, SamImageProcessor() if older else Sam2ImageProcessor())


def _random(kind: Any, config: Any) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return kind(config)


def _saved(folder: Path, checkpoint: Checkpoint, *parts: Any) -> Path:
    repository = folder / checkpoint.weights.repository
    for part in parts:
        part.save_pretrained(repository)
    return repository
