"""CLIPSeg against the loop of its documentation: equal random weights at real size, outputs compared before times.

The peer is what the model's page on the hub and its tutorial show: the picture repeated for each text, the processor
and the text encoder at every call, all vision layers; then sigmoid, bilinear upsampling and a threshold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.classical import photograph
from benchmarks.peers.interleave import Contest, Row
from benchmarks.peers.threads import one_thread
from pipelines import create
from pipelines.base import Pipeline
from pipelines.checkpoints.clipseg import CHECKPOINTS, PIXELS
from pipelines.images import load_image
from pipelines.types import Image, Prompt

SIDE = 600
ROUNDS = 7
THRESHOLD = 0.5
ONE = ("all circle shaped objects that resemble a coin",)
EIGHT = ("a coin", "a coffee cup", "a spoon", "the table", "a hand", "a round plate", "foam", "a dark shadow")
CHECKPOINT = CHECKPOINTS["rd64-refined"]
OURS = "clipseg"
PEER = "transformers as documented"
PADDED = "transformers, padded to 77"
SAME_PIXELS = 1e-4
"""Share of a mask's pixels that may differ, since two libraries bring the same map up to the picture's size."""

BF16_ERROR = 0.01
"""Mean difference of probabilities between bfloat16 and float32 that is put up with."""

Maps = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Naive:
    """The documented call."""

    model: Any
    processor: Any
    padding: Any = True

    def maps(self, image: Image, texts: tuple[str, ...]) -> Any:
        """Probabilities ``(L, 352, 352)``."""
        return self.logits(image, texts).sigmoid()

    def logits(self, image: Image, texts: tuple[str, ...]) -> Any:
        """``(L, 352, 352)``."""
        import torch
        from PIL import Image as Pillow

        pictures = [Pillow.fromarray(image)] * len(texts)
        inputs = self.processor(text=list(texts), images=pictures, padding=self.padding, return_tensors="pt")
        with torch.inference_mode():
            logits = self.model(**inputs).logits
        return logits.reshape(len(texts), *logits.shape[-2:])

    def masks(self, image: Image, texts: tuple[str, ...]) -> npt.NDArray[np.bool_]:
        """``bool (L, H, W)``."""
        import torch

        maps = self.maps(image, texts)[None]
        full = torch.nn.functional.interpolate(maps, size=image.shape[:2], mode="bilinear", align_corners=False)[0]
        return np.asarray((full >= THRESHOLD).numpy())


def contests(side: int = SIDE) -> Iterator[Contest | Row]:
    """Each on one thread, with all that is built once kept for all.

    Args:
        side: of the square picture in pixels.
    """
    image = load_image(photograph("coffee", side).image)
    with one_thread(), TemporaryDirectory() as made:
        write_repository(Path(made), image)
        naive = _naive(Path(made))
        ours = _pipeline(Path(made))
        yield _speed("one text", image, ONE, ours, naive, 1.25)
        yield _speed("one text", image, ONE, ours, Naive(naive.model, naive.processor, "max_length"), 1.25)
        yield _speed("eight texts", image, EIGHT, ours, naive, 7)
        yield _bf16(image, Path(made), naive)
        for name, texts in (("one text", ONE), ("eight texts", EIGHT)):
            yield _decision(name, image, texts, ours)


def _speed(name: str, image: Image, texts: tuple[str, ...], ours: Pipeline, naive: Naive, goal: float) -> Contest:
    """All from the picture to its masks. Texts padded alike give the same bits; else the last ones differ."""
    error = 0.0 if naive.padding is True else 1e-6
    peer = PEER if naive.padding is True else PADDED
    return _contest(f"{name}, {len(image)} px", image, texts, ours, naive, (peer, goal, error))


def _bf16(image: Image, folder: Path, naive: Naive) -> Contest | Row:
    name = f"one text in bfloat16, {len(image)} px"
    if not _has_bf16():
        return Row(name, OURS, PEER, 2, status="unavailable", reason="this processor has no bfloat16 arithmetic")
    return _contest(name, image, ONE, _pipeline(folder, dtype="bfloat16"), naive, (PEER, 2, BF16_ERROR))


def _contest(
    name: str, image: Image, texts: tuple[str, ...], ours: Pipeline, naive: Naive, against: tuple[str, float, float]
) -> Contest:
    peer, goal, error = against
    prompt = Prompt(texts)

    def call_ours() -> npt.NDArray[np.bool_]:
        return ours.predict([image], [prompt])[0].masks

    def equal() -> bool:
        maps, wanted = np.asarray(ours.infer([image], [prompt])[0].soft), naive.maps(image, texts).numpy()
        masks, wanted_masks = call_ours(), naive.masks(image, texts)
        if masks.shape != wanted_masks.shape:
            return False
        unequal = SAME_PIXELS + 10 * error  # near the threshold, where an error of the map shows
        return _near(maps, wanted, error) and float((masks != wanted_masks).mean()) <= unequal

    return Contest(name, OURS, peer, call_ours, lambda: naive.masks(image, texts), equal, goal, most_rounds=ROUNDS)


def _near(maps: Maps, wanted: Maps, error: float) -> bool:
    """Bit for bit where no error is put up with."""
    return np.array_equal(maps, wanted) if not error else float(np.abs(maps - wanted).mean()) <= error


def _decision(name: str, image: Image, texts: tuple[str, ...], ours: Pipeline) -> Contest:
    """A new threshold against a new pass: at most 2 % of it."""
    prompt = Prompt(texts)
    evidence = ours.infer([image], [prompt])[0]

    def infer() -> Any:
        return ours.infer([image], [prompt])[0]

    def equal() -> bool:
        return np.array_equal(ours.decide(infer()).masks, ours.decide(evidence).masks)

    return Contest(
        f"a new threshold, {name}, {len(image)} px", "decide", "infer", lambda: ours.decide(evidence), infer, equal, 50,
        most_rounds=ROUNDS,
    )  # fmt: skip


def _pipeline(folder: Path, **params: Any) -> Pipeline:
    made = create("clipseg", device="cpu", weights=folder, params={"threshold": THRESHOLD, **params})
    made.load()
    return made


def _naive(folder: Path) -> Naive:
    from transformers import CLIPSegForImageSegmentation

    repository = folder / CHECKPOINT.weights.repository
    model: Any = CLIPSegForImageSegmentation.from_pretrained(repository, local_files_only=True)
    return Naive(model.eval(), _processor(repository))


def _processor(repository: Path) -> Any:
    from transformers import CLIPSegProcessor

    return CLIPSegProcessor.from_pretrained(repository, local_files_only=True)


def write_repository(folder: Path, image: Image) -> None:
    """The checkpoint's architecture with random weights, its last layer scaled until the map is not all 0 or 1."""
    import torch
    from transformers import CLIPSegForImageSegmentation

    from pipelines.networks.pretrained import load_network
    from pipelines.weights import locate

    repository = folder / CHECKPOINT.weights.repository
    repository.mkdir(parents=True)
    _write_processor(repository)
    random, config = locate(CHECKPOINT.weights, "random"), CHECKPOINT.settings["config"]
    model: Any = load_network(CLIPSegForImageSegmentation, random, config, device="cpu", dtype=torch.float32)
    spread = Naive(model, _processor(repository)).logits(image, ONE).std()
    model.decoder.transposed_convolution[-1].weight.div_(spread)
    model.save_pretrained(repository)


def _write_processor(repository: Path) -> None:
    """A tokenizer that knows the words of the prompts as one token each, as CLIP's knows common words."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    merges = dict.fromkeys(pair for text in (*ONE, *EIGHT) for word in text.split() for pair in _merges(word))
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 324))]
    pieces = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in merges)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))} | {start: 49406, end: 49407}
    lines = "\n".join(" ".join(pair) for pair in merges)
    (repository / "merges.txt").write_text(f"#version: 0.2\n{lines}\n", encoding="utf-8")
    special = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end}
    height, width = PIXELS["size"]
    processor = {"image_processor_type": "ViTImageProcessor", "resample": 2, "size": {"height": height, "width": width},
                 "image_mean": PIXELS["mean"], "image_std": PIXELS["std"]}  # fmt: skip
    tokenizer = special | {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    files = {"vocab.json": vocabulary, "special_tokens_map.json": special, "preprocessor_config.json": processor,
             "tokenizer_config.json": tokenizer}  # fmt: skip
    for name, content in files.items():
        (repository / name).write_text(json.dumps(content), encoding="utf-8")


def _merges(word: str) -> Iterator[tuple[str, str]]:
    """Steps of byte-pair encoding that join a word from its left."""
    parts = [*word[:-1], word[-1] + "</w>"]
    for index in range(1, len(parts)):
        yield "".join(parts[:index]), parts[index]


def _has_bf16() -> bool:
    import torch

    told: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # since torch 2.9 or so
    return any(told.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
