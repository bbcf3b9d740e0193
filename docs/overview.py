"""Draws the picture of the README from the records of a run: ``python docs/overview.py RUN_FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from benchmarks.export import foreground
from benchmarks.metrics import METRICS
from benchmarks.records import SampleRecord
from benchmarks.selection import open_selected
from benchmarks.store import RunStore

SIDE = 220
RIGHT, WRONG, MISSED = (0, 158, 115), (230, 159, 0), (0, 114, 178)  # colours that colour-blind eyes tell apart


def tile(image: np.ndarray) -> np.ndarray:
    """The picture within a white square."""
    scale = SIDE / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    square = np.full((SIDE, SIDE, 3), 255, np.uint8)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def overlay(image: np.ndarray, mask: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Right, wrong and missed pixels in their colours over a grey picture."""
    shown = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2) // 2 + 100
    for where, colour in ((mask & target, RIGHT), (mask & ~target, WRONG), (~mask & target, MISSED)):
        shown[where] = shown[where] // 3 + np.array(colour, np.uint8) // 3 * 2
    return shown


def caption(square: np.ndarray, text: str) -> np.ndarray:
    """The square under a line of text."""
    strip = np.full((24, SIDE, 3), 255, np.uint8)
    cv2.putText(strip, text, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack((strip, square))


def chosen(records: dict[str, SampleRecord]) -> list[str]:
    """By rule: a crop, the scene, and the composed pictures at the worst, the lower quarter and the median."""

    def iou(name: str) -> float:
        return METRICS["miou"].value((records[name].components or {})["overlap"]) or 0.0

    composed = sorted((name for name in records if name.startswith("composed/")), key=iou)
    others = sorted(name for name in records if not name.startswith("composed/"))
    return [others[len(others) // 2], others[-1], *(composed[len(composed) * part // 4] for part in (0, 1, 2))]


def main(folder: Path, wanted: list[str], path: Path) -> None:
    """Draw one row a sample: picture, truth, and each configuration with its IoU."""
    store = RunStore(folder)
    manifest = store.manifest()
    dataset = open_selected(manifest.dataset)
    found = [{r.id: r for r in store.records(c.id)} for c in manifest.configurations]
    rows = []
    for name in wanted or chosen(found[0]):
        image, target = dataset[name].image, dataset[name].target()
        squares = [caption(tile(image), name), caption(tile(np.where(target[..., None], image, 255)), "truth")]
        for configuration, records in zip(manifest.configurations, found, strict=True):
            mask = foreground(records[name])
            iou = (mask & target).sum() / max((mask | target).sum(), 1)
            squares.append(caption(tile(overlay(image, mask, target)), f"{configuration.label}: IoU {iou:.2f}"))
        rows.append(np.hstack(squares))
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:], Path(__file__).with_name("overview.png"))
