"""The neural pipelines against named peers on one GPU: ``python docs/measurements/neural_gpu.py > neural-gpu.json``.

Random weights at real size, equal on both sides; outputs are compared, and their agreement stands beside every ratio.
Ceilings are measured first, the peer and ours in turn. ``--only clipseg,encoders`` runs a part; ``--device cpu`` with
``--images 2`` shows that the script runs. Goals: CLIPSeg >= 15 x the documented loop offline and >= 2.5 x at the median
of single images; GroundedSAM >= 5 x autodistill's on equal weights and >= 10 x with SAM 2.1-L; the image encoder of SAM
>= 40 % of the measured bfloat16 rate.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch

from benchmarks.environment import environment
from benchmarks.peers.classical import photograph
from benchmarks.peers.clipseg import ONE, Naive, _naive, write_repository
from benchmarks.peers.grounded_sam import BOXES, DETECTOR, _masks
from benchmarks.peers.grounding_files import write_detector, write_segmenter
from benchmarks.peers.grounding_library import Library
from pipelines import create
from pipelines.base import Pipeline
from pipelines.checkpoints.detectors import CHECKPOINTS as DETECTORS
from pipelines.checkpoints.segmenters import CHECKPOINTS as SEGMENTERS
from pipelines.images import load_image
from pipelines.types import Image, Prompt

SIDE, WARM_UP, BATCHES = 600, 5, (16, 64, 128)
LABEL = "coin"
HUGE, LARGE = "sam-vit-huge", "sam2.1-hiera-large"


@dataclass(frozen=True)
class Setting:
    device: str
    images: list[Image]
    folder: Path

    def wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, call: Callable[[], Any]) -> float:
        self.wait()
        start = perf_counter()
        call()
        self.wait()
        return perf_counter() - start


def pictures(n: int) -> list[Image]:
    """One photograph, turned and shifted, so that no two calls see the same picture."""
    base = load_image(photograph("coffee", SIDE).image)
    return [np.ascontiguousarray(np.roll(np.rot90(base, k % 4), 7 * k, axis=1)) for k in range(n)]


def ceilings(setting: Setting) -> dict[str, float]:
    side = 8192 if setting.device == "cuda" else 1024
    a = torch.randn(side, side, device=setting.device, dtype=torch.bfloat16)
    rates = [2 * side**3 / setting.seconds(lambda: a @ a) / 1e12 for _ in range(20)]
    large = torch.empty(2**28 if setting.device == "cuda" else 2**24, device=setting.device)
    copies = [2 * large.nbytes / setting.seconds(large.clone) / 1e12 for _ in range(20)]
    return {"bf16_tflops": median(rates[5:]), "copy_tb_s": median(copies[5:])}


def alternated(setting: Setting, calls: Sequence[Callable[[Image], Any]]) -> list[list[float]]:
    """Seconds a picture of each call, A B A B over the pictures, after a warm-up."""
    for call in calls:
        for image in setting.images[:WARM_UP]:
            call(image)
    found: list[list[float]] = [[] for _ in calls]
    for image in setting.images:
        for times, call in zip(found, calls, strict=True):
            times.append(setting.seconds(lambda call=call, image=image: call(image)))
    return found


def agreement(ours: Sequence[np.ndarray], peer: Sequence[np.ndarray]) -> float:
    """Mean IoU of two lists of masks; two empty ones agree."""
    pairs = [((a & b).sum(), (a | b).sum()) for a, b in zip(ours, peer, strict=True)]
    return float(np.mean([common / union if union else 1.0 for common, union in pairs]))


def clipseg(setting: Setting) -> dict[str, Any]:
    write_repository(setting.folder, setting.images[0])
    naive, device = _naive(setting.folder), setting.device
    naive.model.to(device)
    ours = _loaded("clipseg", setting, threshold=0.5)
    peer = _OnDevice(naive.model, naive.processor, device=device)
    prompt = Prompt(ONE)
    single, of_peer = alternated(
        setting, [lambda image: ours.predict([image], [prompt])[0].foreground(), lambda image: peer.masks(image, ONE)]
    )
    offline = {size: _offline(setting, ours, prompt, size) for size in BATCHES if size <= len(setting.images)}
    best = max(offline.values(), default=1 / median(single))
    few = setting.images[:16]
    masks = [ours.predict([image], [prompt])[0].foreground() for image in few]
    return {
        "p50_ms": median(single) * 1e3, "peer_p50_ms": median(of_peer) * 1e3,
        "p50_ratio": median(of_peer) / median(single), "offline_ips": offline,
        "offline_ratio": best * float(np.mean(of_peer)), "dtype": ours.dtype,
        "agreement_iou": agreement(masks, [peer.masks(image, ONE)[0] for image in few]),
    }  # fmt: skip


@dataclass(frozen=True)
class _OnDevice(Naive):
    device: str = "cpu"

    def logits(self, image: Image, texts: tuple[str, ...]) -> Any:
        from PIL import Image as Pillow

        inputs = self.processor(text=list(texts), images=[Pillow.fromarray(image)] * len(texts), padding=True,
                                return_tensors="pt").to(self.device)  # fmt: skip
        with torch.inference_mode():
            return self.model(**inputs).logits.reshape(len(texts), 352, 352).cpu()


def _offline(setting: Setting, ours: Pipeline, prompt: Prompt, size: int) -> float:
    groups = [setting.images[i : i + size] for i in range(0, len(setting.images) - size + 1, size)]

    def run() -> None:
        for group in groups:
            for prediction in ours.predict(group, [prompt] * size):
                prediction.foreground()

    run()
    return size * len(groups) / setting.seconds(run)


def _loaded(name: str, setting: Setting, **params: Any) -> Pipeline:
    made = create(name, device=setting.device, weights=setting.folder, params=params)
    made.load()
    return made


def grounded_sam(setting: Setting) -> dict[str, Any]:
    words = LABEL.split()
    library = Library.random(words, device=setting.device, sam="vit_h")
    write_detector(setting.folder, DETECTORS[DETECTOR], words, library.detector)
    write_segmenter(setting.folder, SEGMENTERS[HUGE], library.predictor.model)
    write_segmenter(setting.folder, SEGMENTERS[LARGE])
    floor = _threshold(setting)
    params = {"detector": DETECTOR, "text_threshold": 0.0, "nms_iou": 1.0, "box_threshold": floor,
              "candidate_floor": floor, "max_candidates": BOXES}  # fmt: skip
    same, large = (_loaded("grounded_sam", setting, segmenter=name, **params) for name in (HUGE, LARGE))
    exact = _loaded("grounded_sam", setting, segmenter=HUGE, dtype="float32", **params)
    ask = [Prompt((LABEL,))]
    times = alternated(setting, [
        lambda image: same.predict([image], ask), lambda image: large.predict([image], ask),
        lambda image: library.masks(image, LABEL, floor),
    ])  # fmt: skip
    p50 = [median(one) * 1e3 for one in times]
    image = setting.images[0]
    union = library.masks(image, LABEL, floor).any(axis=0)
    return {
        "p50_ms": {HUGE: p50[0], LARGE: p50[1], "autodistill": p50[2]},
        "ratio_equal_weights": p50[2] / p50[0], "ratio_sam2.1_large": p50[2] / p50[1], "dtype": same.dtype,
        "agreement_iou_float32": agreement([exact.predict([image], ask)[0].foreground()], [union]),
        "agreement_iou": agreement([same.predict([image], ask)[0].foreground()], [union]),
        "masks": len(_masks(exact, image)),
    }  # fmt: skip


def _threshold(setting: Setting) -> float:
    """Between the eighth and the ninth score of the first picture."""
    params = {"detector": DETECTOR, "segmenter": HUGE, "dtype": "float32", "candidate_floor": 0.0, "box_threshold": 0.0}
    with _loaded("grounded_sam", setting, **params, max_candidates=BOXES + 1) as probe:
        scores = probe.infer([setting.images[0]], [Prompt((LABEL,))])[0].box_scores
    return float(np.sort(scores)[:2].mean())


def encoders(setting: Setting, ceiling_tflops: float) -> dict[str, Any]:
    from torch.utils.flop_counter import FlopCounterMode

    found = {}
    for name in (HUGE, LARGE) if setting.device == "cuda" else ("sam2.1-hiera-tiny",):
        with create("sam", device=setting.device, weights="random", params={"checkpoint": name}) as made:
            made.load()
            segmenter: Any = made._segmenter  # type: ignore[attr-defined]
            inputs = segmenter.preprocess(setting.images[:8])
            with FlopCounterMode(display=False) as counter:
                segmenter.encode(inputs)
            best = min(setting.seconds(lambda of=segmenter, it=inputs: of.encode(it)) for _ in range(10))
            rate = counter.get_total_flops() / best / 1e12
            found[name] = {"ms_an_image": best / len(inputs.sizes) * 1e3, "tflops": rate,
                           "share_of_ceiling": rate / ceiling_tflops, "dtype": made.dtype}  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--only", default="clipseg,grounded_sam,encoders")
    asked = parser.parse_args()
    wanted = asked.only.split(",")
    with TemporaryDirectory() as folder:
        setting = Setting(asked.device, pictures(asked.images), Path(folder))
        document: dict[str, Any] = {
            "date": datetime.now(UTC).date().isoformat(),
            "environment": environment(asked.device),
            "images": asked.images,
            "side": SIDE,
            "ceilings": ceilings(setting),
        }
        parts = {"clipseg": lambda: clipseg(setting), "grounded_sam": lambda: grounded_sam(setting),
                 "encoders": lambda: encoders(setting, document["ceilings"]["bf16_tflops"])}  # fmt: skip
        for name in wanted:
            document[name] = parts[name]()
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
