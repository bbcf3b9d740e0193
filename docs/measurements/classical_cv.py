"""Cross-validate the classical pipeline by leaving groups out: ``python docs/measurements/classical_cv.py FOLDER``.

FOLDER holds images, masks and a metadata.csv with file_name, mask_file_name, group and background. Candidates are
drawn at random from `SPACE`, with a fixed seed. For each group, the candidate that is best on the other groups (mean
IoU, backgrounds counting alike) is judged on that group; then the same with each background left out whole. The
defaults of the fields are no candidate: they come from such a run over all groups.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.statistics.intervals import interval
from pipelines import create
from pipelines.params import make_params
from pipelines.types import Image, Mask, Prompt

Floats = npt.NDArray[np.float64]

SPACE: dict[str, Any] = {  # a tuple is a range, "log" a range on a logarithmic scale, a list a choice
    "work_size": [256, 320],
    "lightness_weight": (0.5, 1.0),
    "lightness_offset": ("log", 30, 250),
    "feature_sigma": (0.7, 1.5),
    "interior_weight": (0.15, 0.6),
    "mode_bandwidth": (3.5, 5.5),
    "inlier_distance": (2.0, 3.0),
    "noise_floor": (1.0, 2.5),
    "spread_limit": (5.0, 10.0),
    "surface_order": [1, 2],
    "shadow_weight": (0.45, 1.0),
    "half_distance": ("log", 2.0, 4.6),
    "cut_bias": (0.08, 0.2),
    "cut_low": (0.45, 0.55),
    "cut_high": (0.65, 0.85),
    "grabcut_iterations": [2, 3],
    "grabcut_colour": ["chroma", "chroma", "lab"],
    "grabcut_foreground": (0.5, 0.9),
    "grabcut_background": (0.3, 0.75),
    "guided_radius": [0, 2, 4],
    "guided_eps": ("log", 2e-4, 4e-3),
    "max_hole": ("log", 0.0015, 0.006),
    "closing": [0.0, 0.006, 0.01],
    "opening": [0.006, 0.01, 0.0125],
}


def candidates(number: int, seed: int) -> Iterator[dict[str, Any]]:
    """Random draws; the fields outside `SPACE` keep their defaults."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        yield {name: draw(choice, rng) for name, choice in SPACE.items()}


def draw(choice: Any, rng: np.random.Generator) -> Any:
    """One value of a range or choice, to three significant digits."""
    if isinstance(choice, list):
        return choice[rng.integers(len(choice))]
    if choice[0] == "log":
        return float(f"{np.exp(rng.uniform(np.log(choice[1]), np.log(choice[2]))):.3g}")
    return float(f"{rng.uniform(*choice):.3g}")


def read(folder: Path) -> tuple[list[dict[str, str]], list[Image], list[Mask]]:
    """Rows of the table, pictures in RGB, masks."""
    with (folder / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = [np.asarray(cv2.imread(str(folder / r["file_name"]), cv2.IMREAD_COLOR_RGB), np.uint8) for r in rows]
    masks = [np.asarray(cv2.imread(str(folder / r["mask_file_name"]), cv2.IMREAD_GRAYSCALE)) > 127 for r in rows]
    return rows, images, masks


def iou(pred: Mask, target: Mask) -> float:
    """Intersection over union; two empty masks agree."""
    union = np.count_nonzero(pred | target)
    return np.count_nonzero(pred & target) / union if union else 1.0


def judge(values: dict[str, Any], images: list[Image], masks: list[Mask]) -> Floats:
    """IoU of every picture with one candidate."""
    pipeline = create("classical")
    params = make_params(pipeline.Params, values)
    found = (pipeline.predict([image], [Prompt()], params)[0].foreground() for image in images)
    return np.array([iou(pred, target) for pred, target in zip(found, masks, strict=True)])


def balanced(table: Floats, background: npt.NDArray[np.str_], rows: npt.NDArray[np.bool_]) -> Floats:
    """Mean IoU of each candidate over some rows, backgrounds counting alike."""
    kinds = np.unique(background[rows])
    return np.mean([table[:, rows & (background == kind)].mean(axis=1) for kind in kinds], axis=0)


def cross_validated(
    table: Floats, fold: npt.NDArray[np.str_], background: npt.NDArray[np.str_]
) -> tuple[Floats, dict[str, int]]:
    """IoU of each picture with the candidate that was chosen without its fold, and that candidate by fold."""
    values, chosen = np.zeros(table.shape[1]), {}
    for name in np.unique(fold):
        out = fold == name
        chosen[str(name)] = int(balanced(table, background, ~out).argmax())
        values[out] = table[chosen[str(name)], out]
    return values, chosen


def ends(values: Floats, group: npt.NDArray[np.str_]) -> list[float] | None:
    """The interval that a run prints: over groups, by Student's t where these are few; None for one group."""
    found = interval(values, np.ones(len(values)), group.tolist(), limits=(0, 1)).ends
    return None if found is None else [round(end, 4) for end in found]


def summary(values: Floats, group: npt.NDArray[np.str_], background: npt.NDArray[np.str_]) -> dict[str, Any]:
    """Mean and interval over all pictures, and over those of each background."""
    parts = {"all": np.ones(len(values), bool)} | {str(b): background == b for b in np.unique(background)}
    return {
        name: {
            "miou": round(float(values[rows].mean()), 4),
            "ci95": ends(values[rows], group[rows]),
            "n": int(rows.sum()),
            "groups": len(np.unique(group[rows])),
        }
        for name, rows in parts.items()
    }


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--candidates", type=int, default=79)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows, images, masks = read(options.folder)
    group, background = (np.array([row[name] for row in rows]) for name in ("group", "background"))
    drawn, start = list(candidates(options.candidates, options.seed)), perf_counter()
    table = np.array([judge(values, images, masks) for values in drawn])
    values, chosen = cross_validated(table, group, background)
    transferred, chosen_without = cross_validated(table, background, background)
    defaults = judge({}, images, masks)
    best = int(balanced(table, background, np.ones(len(rows), bool)).argmax())
    names = [Path(row["file_name"]).stem for row in rows]
    print(json.dumps({
        "cross_validated": summary(values, group, background),
        "background_left_out": summary(transferred, group, background),
        "defaults": summary(defaults, group, background),
        "best_on_all": {"params": drawn[best], **summary(table[best], group, background)},
        "candidate_chosen_by_fold": chosen | chosen_without,
        "images": {n: [round(float(x), 4) for x in pair] for n, *pair in zip(names, values, defaults, strict=True)},
        "candidates": {str(i): {"balanced": round(float(b), 4), "params": drawn[i]}
                       for i, b in enumerate(balanced(table, background, np.ones(len(rows), bool)))},
        "seconds": round(perf_counter() - start, 1),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
