"""Small pipelines and pictures that the tests of tuning search, as a plugin that workers find too."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import zlib
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest

from benchmarks.tune.crew import Crew
from benchmarks.tune.outcome import Outcome, search
from benchmarks.tune.planning import Request, plan_task
from benchmarks.tune.search import Search
from benchmarks.tune.storage import open_storage
from benchmarks.tune.task import Task
from pipelines.base import Pipeline
from pipelines.layers import Layers, of_candidates, of_soft
from pipelines.params import Params, knob
from pipelines.types import Evidence, Image, PipelineInfo, Prediction, Prompt

NOTES = "TUNE_TEST_NOTES"
"""Variable that names the file in which loads and passes are noted."""

TIMES = ("pass_s", "decision_s", "study", "preset")
ENTRY_POINTS = "[segmentation_workbench.pipelines]\n" + "".join(
    f"{name} = tests.benchmarks.tuning:{name.title()}\n" for name in ("smooth", "wordy", "boxes", "lottery")
)


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The pipelines of this module are known here and in workers, and nobody else's presets are."""
    monkeypatch.syspath_prepend(str(plugin(folder / "site")))
    monkeypatch.setenv(NOTES, str(folder / "notes"))
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_PRESETS", str(folder / "presets"))


def note(text: str) -> None:
    if os.environ.get(NOTES):
        with Path(os.environ[NOTES]).open("a") as file:
            file.write(text + "\n")


def plugin(folder: Path) -> Path:
    """A folder on the path that makes the pipelines of this module known, as an installer would."""
    about = folder / "tuning-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tuning\nVersion: 1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


class SmoothParams(Params):
    size: Literal["small", "large"] = knob("small", help="Checkpoint.", reads="load")
    path: str = knob("", help="A text that a load reads.", reads="load")
    gain: float = knob(1.0, help="Of the brightness.", reads="infer", ge=0.25, le=4, log=True)
    fault: Literal["none", "odd", "all", "nan", "killed", "exit", "memory"] = knob(
        "none", help="What to do wrong.", reads="infer", search=False
    )
    threshold: float = knob(0.5, help="Cut.", reads="decide", ge=0, le=1)
    erode: int = knob(0, help="Pixels taken off the mask's edge.", reads="decide", ge=0, le=8)
    refuse: bool = knob(False, help="Whether to fail while deciding.", reads="decide", search=False)
    free: float = knob(0.0, help="Without bounds.", reads="decide", search=False)


class Smooth(Pipeline):
    """Brightness as evidence; with a word it is that word's channel."""

    info = PipelineInfo(name="smooth", title="Smooth", prompts=frozenset())
    Params = SmoothParams

    def _load(self) -> None:
        note(f"load {self.params.size}")

    def _infer(self, images: list[Image], prompts: list[Prompt], params: SmoothParams) -> list[Evidence]:
        return [self._look(image, prompt, params) for image, prompt in zip(images, prompts, strict=True)]

    def _look(self, image: Image, prompt: Prompt, params: SmoothParams) -> Evidence:
        note(f"look {params.gain:.6g} {' '.join(prompt.texts)}")
        odd = image[0, 0, 0] % 2 == 1
        if params.fault == "all" or (params.fault == "odd" and odd):
            raise RuntimeError("the bulb is broken")
        if params.fault == "killed" and odd:
            os.kill(os.getpid(), signal.SIGKILL)
        if params.fault == "exit" and odd:
            os._exit(7)
        if params.fault == "memory" and odd:
            raise MemoryError
        channel = {"red": 0, "green": 1, "blue": 2}.get(prompt.texts[0] if prompt.texts else "red", 0)
        soft = cv2.GaussianBlur(image[..., channel].astype(np.float32) / 255, (9, 9), 2.0) * np.float32(params.gain)
        soft = np.clip(soft * (1.1 if params.size == "large" else 1.0), 0, 1).astype(np.float32)
        return Evidence(image.shape[:2], soft=soft[None] * np.float32(np.nan if params.fault == "nan" else 1))

    def _decide(self, evidence: Evidence, params: SmoothParams) -> Prediction:
        if params.refuse:
            raise RuntimeError("will not decide")
        mask = np.asarray(evidence.soft)[0] >= params.threshold
        if params.erode:
            mask = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=params.erode) > 0
        masks = mask[None] if mask.any() else np.zeros((0, *evidence.size), np.bool_)
        return Prediction.of(masks, np.ones(len(masks), np.float32), np.zeros(len(masks), np.int64))

    def _layers(self, evidence: Evidence, params: SmoothParams) -> Layers | None:
        return None if params.erode or params.refuse else of_soft(evidence)


class Wordy(Smooth):
    """The same, and it takes words."""

    info = PipelineInfo(name="wordy", title="Wordy", prompts=frozenset(("text",)))


class BoxesParams(Params):
    floor = ("candidate_floor", "box_threshold")
    candidate_floor: float = knob(0.6, help="Weaker ones get no mask.", reads="infer", ge=0, le=1, search=False)
    box_threshold: float = knob(0.6, help="Weaker ones are dropped.", reads="decide", ge=0, le=1)
    mask_threshold: float = knob(0.0, help="Cut of the logits.", reads="decide", ge=-10, le=10)


class Boxes(Pipeline):
    """Four candidates, each a blurred rectangle with a score; the weaker ones are noise."""

    info = PipelineInfo(name="boxes", title="Boxes")
    Params = BoxesParams

    def _load(self) -> None:
        return

    def _infer(self, images: list[Image], prompts: list[Prompt], params: BoxesParams) -> list[Evidence]:
        return [self._look(image, params) for image in images]

    def _look(self, image: Image, params: BoxesParams) -> Evidence:
        height, width = image.shape[:2]
        chance = np.random.default_rng(zlib.crc32(image.tobytes()))
        bright = cv2.GaussianBlur(image[..., 0].astype(np.float32), (0, 0), 3) / 16 - 7
        maps = [bright, bright + 1, *(chance.normal(-6, 4, (2, height, width)).astype(np.float32))]
        scores = np.array([0.5, 0.35, *chance.uniform(0.05, 0.45, 2)], np.float32)
        order = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] >= params.candidate_floor]
        kept = np.array([maps[i] for i in order], np.float32).reshape(-1, height, width)
        note(f"floor {params.candidate_floor:g}")
        boxes = np.tile(np.array([0, 0, width, height], np.float32), (len(order), 1))
        return Evidence(image.shape[:2], boxes=boxes, scores=scores[order][:, None], kind="logit",
                        prompt_index=np.zeros(len(order), np.int64), mask_maps=kept)  # fmt: skip

    def _decide(self, evidence: Evidence, params: BoxesParams) -> Prediction:
        scores = np.asarray(evidence.scores)[:, 0]
        masks = np.asarray(evidence.mask_maps)[scores > np.float32(params.box_threshold)] > params.mask_threshold
        kept = masks.any(axis=(1, 2))
        return Prediction.of(masks[kept], scores[: len(masks)][kept], np.zeros(int(kept.sum()), np.int64))

    def _layers(self, evidence: Evidence, params: BoxesParams) -> Layers | None:
        scores = np.asarray(evidence.scores)[:, 0]
        return of_candidates(evidence, np.arange(len(scores)), scores, rank="box_threshold")


class LotteryParams(Params):
    ticket: int = knob(0, help="Which one.", reads="decide", ge=0, le=1_000_000)


class Lottery(Pipeline):
    """All or nothing by chance: there is nothing to learn."""

    info = PipelineInfo(name="lottery", title="Lottery")
    Params = LotteryParams

    def _load(self) -> None:
        return

    def _infer(self, images: list[Image], prompts: list[Prompt], params: LotteryParams) -> list[Evidence]:
        return [Evidence(image.shape[:2], soft=image[None, ..., 0].astype(np.float32) / 255) for image in images]

    def _decide(self, evidence: Evidence, params: LotteryParams) -> Prediction:
        drawn = hashlib.sha256(np.asarray(evidence.soft).tobytes() + str(params.ticket).encode()).digest()[0] & 1
        return Prediction.of(np.ones((drawn, *evidence.size), np.bool_), np.ones(drawn), np.zeros(drawn, np.int64))

    def _layers(self, evidence: Evidence, params: LotteryParams) -> Layers | None:
        return None


def write(folder: Path, name: str, image: Image, mask: np.ndarray) -> None:
    for part, pixels in (("images", image), ("masks", mask)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / part / f"{name}.png"), pixels)


def discs(folder: Path, n: int = 6, *, height: int = 32, width: int = 40) -> Path:
    """Bright discs of several brightnesses, each on a ground of its own: no threshold suits all, and none is a copy."""
    for index in range(n):
        chance = np.random.default_rng(index)
        mask = np.zeros((height, width), np.uint8)
        centre = int(width // 2 + chance.integers(-3, 4)), height // 2
        cv2.circle(mask, centre, int(chance.integers(height // 5, height // 3)), 255, -1)
        ground = cv2.resize(
            chance.integers(0, 130, (6, 6, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
        )
        image = np.where(mask[..., None] > 0, np.uint8(chance.integers(110, 230)), ground)
        image = image + chance.integers(0, 25, (height, width, 3), np.uint8)
        image[0, 0] = index
        write(folder, f"d{index:02d}", image, mask)
    return folder


def chances(folder: Path, n: int, seed: int) -> Path:
    """Pictures of noise, half of them with a mask of everything and half with one of nothing."""
    chance = np.random.default_rng(seed)
    for index, full in enumerate(chance.permutation(np.arange(n) % 2)):
        write(
            folder, f"c{index:02d}", chance.integers(0, 255, (8, 8, 3), np.uint8), np.full((8, 8), 255 * full, np.uint8)
        )
    return folder


def task_of(dataset: Path | str, pipeline: str, **request: Any) -> Task:
    planned = plan_task(Request(pipeline, str(dataset), **{"device": "cpu", **request}))
    planned.ready.close()
    return planned.task


def finder(task: Task, crew: Crew, folder: Path, until: float = float("inf"), storage: str | None = None) -> Search:
    folder.mkdir(parents=True, exist_ok=True)
    return Search(task, crew, open_storage(storage, folder), until, lambda _: None)


def tuned(folder: Path, dataset: Path | str, pipeline: str, *, jobs: int = 1, **request: Any) -> Outcome:
    task = task_of(dataset, pipeline, **request)
    with Crew(task, jobs) as crew:
        return search(finder(task, crew, folder))


def told(text: str) -> dict[str, Any]:
    """The document of ``--json`` without times and places."""
    document: dict[str, Any] = json.loads(text)
    return {name: value for name, value in document.items() if name not in TIMES}
