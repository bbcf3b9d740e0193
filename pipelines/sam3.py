"""SAM 3: texts to instances and their masks; the picture is seen once for all texts.

The evidence holds the candidates whose score times presence is above `candidate_floor`, with boxes, scores and mask
maps of logits, and for each text the probability that it is in the picture at all. A candidate is kept when score x
presence is above `score_threshold`, as its authors do, and its text is present enough. Mask logits are brought to the
size of the picture and cut there, as in its authors' code; transformers does so with probabilities. The network's
semantic map is not used. Texts are cut behind 32 tokens, which the flag "text_truncated" says.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipelines.base import Pipeline
from pipelines.candidates import prediction_of
from pipelines.checkpoints.sam3 import CHECKPOINTS
from pipelines.layers import Layers, of_candidates
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt
from pipelines.weights import locate

if TYPE_CHECKING:
    from pipelines.networks.sam3 import Concept, Found, Sam3Network, Seen

MOST_CONCEPTS = 4
"""Texts that are looked for in one pass: each holds about half a gigabyte of activations in float32."""


class Sam3Params(Params):
    """Parameters of `Sam3`."""

    floor = ("candidate_floor", "score_threshold")

    checkpoint: str = knob("sam3", choices=CHECKPOINTS, reads="load", group="network",
        help="Published weights; their licence has to be accepted first.")  # fmt: skip
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob("auto", reads="load", group="network",
        help="Arithmetic; auto = bfloat16 on CUDA and float32 on a CPU.")  # fmt: skip

    candidate_floor: float = knob(0.5, reads="infer", ge=0, le=1, step=0.01, search=False, group="candidates",
        help="Candidates up to this score times presence are dropped before the decision; lower it together with "
             "score_threshold.")  # fmt: skip

    score_threshold: float = knob(0.5, reads="decide", ge=0, le=1, step=0.01, group="candidates",
        help="Score times presence above which a candidate is kept.")  # fmt: skip
    presence_threshold: float = knob(0.0, reads="decide", ge=0, le=1, step=0.01, group="candidates",
        help="Probability that a text is in the picture, below which all its candidates are "
             "dropped.")  # fmt: skip
    mask_threshold: float = knob(0.0, reads="decide", ge=-10, le=10, step=0.1, group="mask",
        help="Logit above which a pixel is of the object; 0 = a probability of 0.5.")  # fmt: skip
    min_area: float = knob(0.0, reads="decide", ge=0, le=1, search=False, group="mask",
        help="Masks below this share of the picture are dropped; 0 = only empty ones.")  # fmt: skip


class Sam3(Pipeline):
    """Text-prompted instance segmentation by SAM 3; nothing takes its place where it cannot be had."""

    info = PipelineInfo(
        name="sam3",
        title="SAM 3",
        prompts=frozenset({"text"}),
        devices=("cpu", "cuda"),
        reference="Carion et al., SAM 3: Segment Anything with Concepts, 2025; "
        "https://github.com/facebookresearch/sam3",
        weights_for=lambda params: (CHECKPOINTS[params.checkpoint].weights,),
    )
    Params = Sam3Params
    _network: Sam3Network | None = None

    def _load(self) -> None:
        checkpoint = CHECKPOINTS[self.params.checkpoint]
        located = locate(checkpoint.weights, self.weights)
        from pipelines.networks.pretrained import precision
        from pipelines.networks.sam3 import Sam3Network

        dtype = precision(self.params.dtype, self.device)
        self._network = Sam3Network(located, checkpoint, self.device, dtype)
        self.loaded, self.dtype = (located,), str(dtype).removeprefix("torch.")

    def _infer(self, images: list[Image], prompts: list[Prompt], params: Sam3Params) -> list[Evidence]:
        from pipelines.networks.batches import in_batches
        from pipelines.networks.segmenters_cache import embedded

        concepts = self._read([prompt.texts for prompt in prompts])
        views = embedded(self._seen, images, self.cache, self.flags)
        found = []
        for image, seen, asked in zip(images, views, concepts, strict=True):
            look = partial(self._found, seen, params.candidate_floor)
            parts: list[Found] = []
            for start in range(0, len(asked), MOST_CONCEPTS):
                parts += in_batches(look, asked[start : start + MOST_CONCEPTS], self.flags, "texts")
            found.append(self._evidence((image.shape[0], image.shape[1]), parts))
        return found

    def _read(self, prompts: Sequence[tuple[str, ...]]) -> list[list[Concept]]:
        """The texts of each prompt; prompts of the same texts are read once."""
        network = self._loaded_network()
        with self.clock.stage("text"):
            read = {texts: network.read(texts) for texts in dict.fromkeys(prompts)}
        if any(truncated for _, truncated in read.values()):
            self.flags.add("text_truncated")
        return [read[texts][0] for texts in prompts]

    def _seen(self, images: Sequence[Image]) -> list[Seen]:
        network = self._loaded_network()
        with self.clock.stage("preprocess"):
            pixels = network.preprocess(images)
        with self.clock.stage("vision"):
            return network.see(pixels)

    def _found(self, seen: Seen, floor: float, concepts: Sequence[Concept]) -> list[Found]:
        with self.clock.stage("decode"):
            return self._loaded_network().find(seen, concepts, floor)

    def _evidence(self, size: tuple[int, int], parts: Sequence[Found]) -> Evidence:
        import torch

        labels = np.repeat(np.arange(len(parts)), [len(part.scores) for part in parts])
        known = torch.cat([part.scores for part in parts])
        scores = known.new_zeros(len(labels), len(parts))
        scores[np.arange(len(labels)), labels] = known
        boxes = torch.cat([part.boxes for part in parts]) * scores.new_tensor([size[1], size[0], size[1], size[0]])
        maps, presence = torch.cat([part.logits for part in parts]), torch.stack([part.presence for part in parts])
        held: Any = {"scores": scores, "boxes": boxes, "mask_maps": maps, "presence": presence}
        if self.device == "cpu":
            held = {name: values.numpy() for name, values in held.items()}
        return Evidence(size, kind="logit", prompt_index=labels, **held)

    def _decide(self, evidence: Evidence, params: Sam3Params) -> Prediction:
        if params.score_threshold < params.candidate_floor:
            self.flags.add("score_threshold_below_candidate_floor")  # it has no effect, and that shall be seen
        scores, presence, labels = _on_host(evidence)
        present = presence[labels] >= params.presence_threshold
        keep = np.flatnonzero((scores > params.score_threshold) & present)
        min_area = int(np.ceil(params.min_area * evidence.size[0] * evidence.size[1]))
        return prediction_of(evidence, keep, scores[keep], labels[keep],
                             threshold=params.mask_threshold, min_area=min_area)  # fmt: skip

    def _layers(self, evidence: Evidence, params: Sam3Params) -> Layers | None:
        if params.min_area:
            return None
        scores, presence, labels = _on_host(evidence)
        present = np.flatnonzero(presence[labels] >= params.presence_threshold)
        order = present[np.argsort(-scores[present], kind="stable")]
        return of_candidates(evidence, order, scores[order], rank="score_threshold")

    def _close(self) -> None:
        self._network = None

    def _loaded_network(self) -> Sam3Network:
        assert self._network is not None, "infer loads first"
        return self._network


def _on_host(evidence: Evidence) -> tuple[Any, Any, Any]:
    """Score x presence ``(K,)`` of each candidate, presence ``(L,)``, label ``(K,)``; the maps stay where they are."""
    scores, presence = (
        values if isinstance(values, np.ndarray) else values.float().cpu().numpy()
        for values in (evidence.scores, evidence.presence)
    )
    labels = np.asarray(evidence.prompt_index, np.int64)
    return scores[np.arange(len(labels)), labels] * presence[labels], presence, labels
