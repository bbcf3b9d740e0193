"""What compact evidence costs: ``python docs/measurements/evidence.py [DATASET ...] > evidence.json``.

Each pipeline looks once at each picture of the embedded coins and of the datasets named; networks have random weights
in real size, since only the codes are judged here. Then every threshold is tried on the evidence as it came and as it
comes back from the store: the cut of the dense map at 256 thresholds, counted from a histogram; `decide` itself at some
of them, with what it cleans up; masks of candidates by `decide` at 81 thresholds of their logits and some of their
boxes. Goal: mIoU changes by 0.001 at most. Random networks give maps that span little and move fast from all to
nothing: that is the hard case.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Sample
from benchmarks.environment import environment
from benchmarks.evidence import Compact, EvidenceStore, Origin, compact, evidence_key
from benchmarks.evidence.compact import MAPS
from benchmarks.selection import select
from benchmarks.soft_maps import levels, probabilities
from pipelines import create
from pipelines.base import Pipeline
from pipelines.maps import full_size
from pipelines.params import Params
from pipelines.types import Evidence, Mask, Prompt

GOAL = 0.001
STEPS = 256
EVERY = 16
LOGITS = [k / 4 for k in range(-40, 41)]
BOXES = 4
CANDIDATES = {
    "candidate_floor": 0.0,
    "max_candidates": 12,
    "max_boxes": 12,
    "box_threshold": 0.0,
    "text_threshold": 0.0,
}
FIELDS: dict[str, dict[str, Any]] = {
    "classical": {"method": "border"},
    "clipseg": {},
    "rmbg": {},
    "grounded_sam": CANDIDATES,
}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """One picture: its evidence as it came and as it came back, with what that took."""

    sample: Sample
    full: Evidence
    back: Evidence
    held: Compact
    bytes: int
    put_ms: float
    get_ms: float


def ms(call: Callable[[], Any]) -> tuple[Any, float]:
    start = perf_counter()
    found = call()
    return found, (perf_counter() - start) * 1e3


def looked_at(pipeline: Pipeline, samples: Iterable[Sample], store: EvidenceStore) -> Iterator[Seen]:
    origin = Origin.of(pipeline)
    for sample in samples:
        prompt = Prompt(sample.prompt.texts or ("coin",))
        full = pipeline.infer([sample.image], [prompt])[0].to_host()
        key = evidence_key(origin, pipeline.params, sample.image_hash, prompt)
        kept, put_ms = ms(lambda: store.put(key, full))  # noqa: B023 - called at once
        assert kept, "there is room"
        back, get_ms = ms(lambda: store.get(key))  # noqa: B023
        size = (store.folder / key[:2] / f"{key}.evidence").stat().st_size
        yield Seen(sample, full, back, compact(full), size, put_ms, get_ms)


def iou_at_all(soft: npt.NDArray[np.float32], target: Mask) -> Floats:
    """IoU at the thresholds k / 256: scaling by 256 is exact, so floor(256 p) >= k where p >= k / 256."""
    level = np.floor(soft * np.float32(STEPS)).astype(np.int64).ravel()
    counts = np.bincount(level + (STEPS + 1) * target.ravel(), minlength=2 * (STEPS + 1)).reshape(2, -1)
    false, true = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    union = target.sum() + false
    return np.asarray(np.where(union, true / np.maximum(union, 1), 1.0)[:STEPS])


def iou(pred: Mask, target: Mask) -> float:
    union = np.count_nonzero(pred | target)
    return np.count_nonzero(pred & target) / union if union else 1.0


def decided(pipeline: Pipeline, evidence: Evidence, grid: Sequence[Params], target: Mask) -> Floats:
    return np.array([iou(pipeline.decide(evidence, params).foreground(), target) for params in grid])


def grid_of(pipeline: Pipeline, seen: Sequence[Seen]) -> list[Params]:
    """Thresholds for `decide`; those of boxes spread over the scores that occur, from all boxes to few."""
    own = pipeline.params
    if "mask_threshold" not in type(own).model_fields:
        return [own.model_copy(update={"threshold": k / STEPS}) for k in range(0, STEPS, EVERY)]
    scores = np.sort(np.concatenate([one.full.box_scores for one in seen]))
    boxes = [0.0, *map(float, np.quantile(scores, np.linspace(0, 1, BOXES)[1:-1]))]
    return [own.model_copy(update={"mask_threshold": cut, "box_threshold": box}) for box in boxes for cut in LOGITS]


def change(full: list[Floats], back: list[Floats]) -> dict[str, Any]:
    """Tables of IoU, thresholds by column, as a mean over the pictures and of the worst of them."""
    a, b = np.array(full), np.array(back)
    off = np.abs(a.mean(axis=0) - b.mean(axis=0))
    return {"thresholds": a.shape[1], "thresholds_with_another_miou": int((off > 0).sum()),
            "largest_change_of_miou": float(off.max()), "at": int(off.argmax()),
            "largest_change_of_one_iou": float(np.abs(a - b).max()), "miou_best": float(a.mean(axis=0).max()),
            "miou_spread_over_thresholds": float(np.ptp(a.mean(axis=0)))}  # fmt: skip


def maps_of(evidence: Evidence) -> npt.NDArray[np.float32]:
    return np.concatenate([getattr(evidence, name).ravel() for name in MAPS if getattr(evidence, name) is not None])


def codes(seen: Sequence[Seen]) -> dict[str, Any]:
    """How the maps were held, how far values moved as they are and at the size of the picture, against the bound."""
    found = [(maps_of(one.full).astype(np.float64), maps_of(one.back)) for one in seen]
    ratios = [float(np.abs(b - a).max(initial=0)) / one.held.bound()
              for (a, b), one in zip(found, seen, strict=True) if one.held.bound()]  # fmt: skip
    spans = [float(np.ptp(a)) for a, _ in found if a.size]
    return {
        "coding": sorted({one.held.arrays[name].coding for one in seen for name in MAPS if name in one.held.arrays}),
        "largest_bound": max(one.held.bound() for one in seen),
        "largest_change_of_a_value": max(float(np.abs(b - a).max(initial=0)) for a, b in found),
        "largest_share_of_its_bound": max(ratios, default=0.0),
        "largest_change_at_full_size": max((float(np.abs(full_size(one.full) - full_size(one.back)).max())
                                            for one in seen if one.full.soft is not None), default=None),
        "span_of_a_picture": {"least": min(spans, default=0.0), "median": median(spans or [0.0]),
                              "most": max(spans, default=0.0)},
    }  # fmt: skip


def cost(seen: Sequence[Seen]) -> dict[str, Any]:
    """Room and time of a picture, and what a quick compression would save."""
    raw = [one.held.arrays[name].codes.tobytes() for one in seen for name in MAPS if name in one.held.arrays]
    packed, packing_ms = ms(lambda: [zlib.compress(codes, 1) for codes in raw])
    full = [sum(getattr(one.full, name).nbytes for name in one.held.arrays) for one in seen]
    return {
        "bytes": {"full": median(full), "file": median(one.bytes for one in seen)},
        "put_ms": median(one.put_ms for one in seen),
        "get_ms": median(one.get_ms for one in seen),
        "zlib_level_1": {"of_the_codes": sum(map(len, packed)) / max(1, sum(map(len, raw))),
                         "ms": packing_ms / max(1, len(raw))},
    }  # fmt: skip


def tables(pipeline: Pipeline, seen: Sequence[Seen], targets: Sequence[Mask], evidence: Sequence[Evidence],
           ) -> dict[str, list[Floats]]:  # fmt: skip
    """IoU of each picture at every threshold, by what was asked."""
    grid, pairs = grid_of(pipeline, seen), list(zip(evidence, targets, strict=True))
    found = {"decide": [decided(pipeline, one, grid, target) for one, target in pairs]}
    if evidence[0].soft is not None:
        found["cut"] = [iou_at_all(full_size(one)[0], target) for one, target in pairs]
    return found


def others(evidence: Evidence) -> dict[str, Evidence]:
    """What plainer codes would have given."""
    codes: dict[str, Callable[[Any], Any]] = {"float16": lambda maps: maps.astype(np.float16).astype(np.float32)}
    if evidence.soft is not None:
        codes["8 bit"] = lambda maps: probabilities(levels(maps))
        codes["16 bit, 1/65535"] = lambda maps: np.rint(maps * np.float32(65535)) / np.float32(65535)
    name = "mask_maps" if evidence.soft is None else "soft"
    return {code: replace(evidence, **{name: call(getattr(evidence, name))}) for code, call in codes.items()}


def judged(name: str, samples: Sequence[Sample]) -> dict[str, Any]:
    """One pipeline on one dataset."""
    weights = None if name == "classical" else "random"
    with TemporaryDirectory() as folder, create(name, weights=weights, params=FIELDS[name]) as pipeline:
        pipeline.load()
        seen = list(looked_at(pipeline, samples, EvidenceStore(Path(folder), 20_000)))
        of = partial(tables, pipeline, seen, [one.sample.target() for one in seen])
        full, back = of([one.full for one in seen]), of([one.back for one in seen])
        plain = [others(one.full) for one in seen]
        beside = {code: of([one[code] for one in plain]) for code in plain[0]}
    changes = {what: change(full[what], back[what]) for what in full}
    worst = max(found["largest_change_of_miou"] for found in changes.values())
    return {"images": len(seen), "params": FIELDS[name], "weights": weights, **changes, "within_goal": worst <= GOAL,
            "largest_change_of_miou_by_other_codes":
                {code: {what: change(full[what], table[what])["largest_change_of_miou"] for what in full}
                 for code, table in beside.items()},
            "maps": codes(seen), **cost(seen)}  # fmt: skip


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", help="beside the embedded coins; each needs masks")
    parser.add_argument("--pipelines", default=",".join(FIELDS))
    parser.add_argument("--limit", type=int, help="pictures of a dataset")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    names, found = options.pipelines.split(","), {}
    for spec in ("coins", *options.datasets):
        dataset = select(spec, None, options.limit, ())
        found[f"{dataset.name} ({dataset.format})"] = {
            name: judged(name, [one for one in dataset if one.has_truth]) for name in names
        }
    print(json.dumps({"goal": GOAL, "date": datetime.now(UTC).date().isoformat(), "environment": environment("cpu"),
                      "datasets": found}, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
