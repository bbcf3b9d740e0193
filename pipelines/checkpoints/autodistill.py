"""What the autodistill engine loads: the seed library's two checkpoints, and the vocabulary of its text encoder."""

from __future__ import annotations

from pipelines.checkpoints import hub, table, url
from pipelines.types import Weights

DETECTOR = url(
    "groundingdino-swint-ogc",
    "https://github.com/IDEA-Research/GroundingDINO/releases/download/v0.1.0-alpha/groundingdino_swint_ogc.pth",
    "IDEA-Research/GroundingDINO",
    "Apache-2.0",
    checksum=None,
    parameters_m=172.3,
    cached_as="groundingdino",
    unused=("label_enc.weight", "bert.embeddings.position_ids"),
)
"""``unused``: weights of its training alone, which the library's network has no place for, as its own loader says
(github.com/IDEA-Research/GroundingDINO/issues/271)."""

SEGMENTER = url(
    "sam-vit-h",
    "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth",
    "facebookresearch/segment-anything",
    "Apache-2.0",
    checksum=None,
    parameters_m=641.1,
    cached_as="segment_anything",
)

TEXT = hub(
    "bert-base-uncased",
    "google-bert/bert-base-uncased",
    "Apache-2.0",
    files=("config.json", "tokenizer.json", "tokenizer_config.json"),
)
"""Its configuration and vocabulary; its weights are part of the detector's checkpoint."""

CHECKPOINTS = table([DETECTOR, SEGMENTER, TEXT])


def weights() -> tuple[Weights, ...]:
    """Everything that the engine loads."""
    return DETECTOR.weights, SEGMENTER.weights, TEXT.weights
