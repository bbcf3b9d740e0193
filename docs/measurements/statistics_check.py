"""Whether the statistics keep what they say: false alarms, power, and how often intervals hold the truth.

    python docs/measurements/statistics_check.py [--replays 200] [--datasets 1000] [--real 0]

`--real N` also times `classical@coin-seed` against itself N times, in two new processes each time that take turns.
Prints one JSON document; the exit code is 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.statistics.intervals import interval
from benchmarks.statistics.paired import Difference, PerSample, difference
from benchmarks.statistics.paired_latency import Calls, ratio
from benchmarks.timing.percentiles import intervals

IMAGES, REPEATS, WINDOW = 150, 3, 30
LEVEL = 0.05
DRIFT_SD, DRIFT_KEEPS = 0.03, 0.9
"""Of the machine, on the logarithm and from one window to the next, on top of what is in the measured noise."""

PAIRED_SD = 0.03
MISSES = 0.05
Chance = np.random.Generator
Floats = np.ndarray


def timed() -> Iterator[tuple[int, float]]:
    """Image and milliseconds of calls of a fast pipeline, without end."""
    from benchmarks.datasets import open_dataset
    from benchmarks.timing.span import timed_calls
    from pipelines import create
    from pipelines.types import Prompt

    images = [sample.image for sample in open_dataset("coins")]
    with create("classical", preset="coin-seed") as pipeline:
        for image in images:
            timed_calls(pipeline, image, Prompt())
        while True:
            for place, image in enumerate(images):
                yield place, timed_calls(pipeline, image, Prompt()).latency_ms


def window(calls: Iterator[tuple[int, float]], seconds: float) -> tuple[list[int], list[float]]:
    """Images and milliseconds of the calls of so many seconds."""
    image, ms, begun = [], [], time.perf_counter()
    while time.perf_counter() - begun < seconds:
        place, took = next(calls)
        image.append(place)
        ms.append(took)
    return image, ms


def measured_noise(seconds: float) -> Floats:
    """What calls differ from the mean of their image, on the logarithm, in the order in which they were made."""
    of, ms = (np.array(column) for column in window(timed(), seconds))
    means = np.bincount(of, np.log(ms)) / np.bincount(of)
    return np.log(ms) - means[of]


def replay(noise: Floats, chance: Chance, slower: float = 1.0) -> Difference:
    """Two configurations that take turns at 150 images, three calls each: measured noise in blocks, and drift."""
    base, order = chance.normal(3, 0.6, IMAGES), np.tile(chance.permutation(IMAGES), REPEATS)
    turns = IMAGES * REPEATS // WINDOW
    drift = [0.0]
    for _ in range(2 * turns):
        drift.append(DRIFT_KEEPS * drift[-1] + chance.normal(0, DRIFT_SD * np.sqrt(1 - DRIFT_KEEPS**2)))
    starts = chance.integers(0, len(noise) - 2 * WINDOW, turns)
    ids, window = tuple(f"image {i}" for i in range(IMAGES)), np.repeat(np.arange(turns), WINDOW) + 1
    sides = []
    for side, factor in ((0, slower), (1, 1.0)):
        blocks = np.concatenate([noise[start + side * WINDOW : start + (side + 1) * WINDOW] for start in starts])
        level = np.repeat(np.array(drift)[1 + side :: 2][:turns], WINDOW)
        sides.append(Calls(ids, order, window, base[order] + blocks + level + np.log(factor)))
    return ratio(sides[0], sides[1], {})


def calm_replay(noise: Floats, chance: Chance, slower: float = 1.0) -> Difference:
    """A replay whose measured noise is made so small that the paired difference of an image has an SD of 0.03."""
    return replay(noise / noise.std() * PAIRED_SD / np.sqrt(2 / REPEATS), chance, slower)


def replay_by_image(noise: Floats, chance: Chance, slower: float = 1.0) -> Difference:
    """The same with independent images whose paired difference has an SD of 0.03 and nothing is known of windows."""
    base = chance.normal(3, 0.6, IMAGES)
    gaps = chance.normal(np.log(slower), PAIRED_SD, IMAGES)
    sides = [{f"image {i}": [float(np.exp(base[i] + gap[i]))] for i in range(IMAGES)} for gap in (gaps, 0 * gaps)]
    return ratio(Calls.by_image(sides[0]), Calls.by_image(sides[1]), {})


def quality(noise: Floats, chance: Chance, loss: float = 0.0) -> Difference:
    """IoU of two configurations on 150 images, of which one is worse by so much in the mean."""
    ious = chance.beta(8, 2, IMAGES)
    other = ious - loss + chance.normal(0, PAIRED_SD, IMAGES)
    ids = tuple(f"image {i}" for i in range(IMAGES))
    sides = [PerSample(ids, values, np.ones(IMAGES)) for values in (other, ious)]
    return difference(sides[0], sides[1], {name: name for name in ids}, limits=(0.0, 1.0))


def significant(make: Callable[..., Difference], noise: Floats, replays: int, planted: float) -> dict[str, int]:
    """In how many replays the p-value is below 5 %, and the interval excludes that nothing differs."""
    even = 0.0 if make is quality else 1.0
    found = [make(noise, np.random.default_rng(seed), planted) for seed in range(replays)]
    return {
        "replays": replays,
        "by_p": sum(one.p is not None and one.p <= LEVEL for one in found),
        "by_interval": sum(one.ci is not None and not one.ci[0] <= even <= one.ci[1] for one in found),
    }


def _turn_worker(pipe: Any, windows: int, window_s: float) -> None:
    calls = timed()
    next(calls)
    pipe.send("ready")
    for _ in range(windows):
        pipe.recv()
        next(calls)  # others have used the caches since
        pipe.send(window(calls, window_s))
    pipe.recv()  # the end of a process is work too: none may end while another is timed


def real(windows: int = 12, window_s: float = 0.08) -> Difference:
    """One pipeline against itself in two new processes that take turns."""
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in range(2)]
    workers = [context.Process(target=_turn_worker, args=(there, windows, window_s)) for _, there in ends]
    sides: list[list[tuple[list[int], list[float]]]] = [[], []]
    for worker, (here, _) in zip(workers, ends, strict=True):
        worker.start()
        here.recv()
    for _ in range(windows):
        for found, (here, _) in zip(sides, ends, strict=True):
            here.send("turn")
            found.append(here.recv())
    for worker, (here, _) in zip(workers, ends, strict=True):
        here.send("end")
        worker.join()
    return ratio(_calls(sides[0]), _calls(sides[1]), {})


def _calls(windows: list[tuple[list[int], list[float]]]) -> Calls:
    image, ms = (np.concatenate([one[side] for one in windows]) for side in range(2))
    number = np.repeat(np.arange(len(windows)), [len(one[1]) for one in windows]) + 1
    return Calls(tuple(f"image {i}" for i in range(int(image.max()) + 1)), image.astype(np.int64), number, np.log(ms))


def real_replays(replays: int) -> dict[str, Any]:
    """How often a pipeline differs from itself, by windows and images, and by images alone."""
    found = [real() for _ in range(replays)]
    return {
        "replays": replays,
        "by_p": sum(one.p is not None and one.p <= LEVEL for one in found),
        "ratios": [round(one.value or 0.0, 4) for one in found],
        "below_1": sum((one.value or 0.0) < 1 for one in found),
    }


def simulated_ious(chance: Chance, groups: int) -> tuple[Floats, Floats, Floats]:
    """IoU, union in pixels, and group of images: skewed, alike within groups, some missed altogether, sizes unlike."""
    group = np.repeat(np.arange(groups), chance.integers(1, 6, groups))
    level = chance.beta(9, 2, groups)[group]
    ious = chance.beta(12 * level, 12 * (1 - level))
    ious[chance.random(len(group)) < MISSES] = 0.0
    return ious, np.exp(chance.normal(9, 0.8, len(group))), group


def simulated_ms(chance: Chance, images: int) -> tuple[Floats, Floats]:
    """Milliseconds of three calls each of images that are unlike, and their image."""
    image = np.repeat(np.arange(images), REPEATS)
    return np.exp(3 + chance.normal(0, 0.5, images)[image] + chance.gamma(1, 0.03, len(image))), image


def truths() -> dict[str, float]:
    """What the figures of the simulations come to with no end of images."""
    chance = np.random.default_rng(99)
    ious, unions, _ = simulated_ious(chance, 400_000)
    return {
        "miou": float((1 - MISSES) * 9 / 11),
        "iou_pooled": float((ious * unions).sum() / unions.sum()),
        "latency_p50": float(np.median(simulated_ms(chance, 1_000_000)[0])),
        "difference": 0.01,
    }


def coverage(datasets: int, groups: int) -> dict[str, Any]:
    """In how many simulated datasets the 95 % interval holds the truth, and whether few groups are said to be few.

    That of `iou_pooled` is slightly short: with 50 to 100 groups it holds the truth in about 93 of 100, since large
    images weigh most and the groups that count are fewer. No promise is made smaller for it.
    """
    truth, held, few = truths(), dict.fromkeys(truths(), 0), 0
    for seed in range(datasets):
        chance = np.random.default_rng((groups, seed))
        ious, unions, group = simulated_ious(chance, groups)
        found = interval(ious, np.ones(len(ious)), group, limits=(0, 1))
        few += found.few_groups
        other = ious - 0.01 + (chance.gamma(2, 0.02, groups) - 0.04)[group] + chance.normal(0, 0.03, len(ious))
        ends = {
            "miou": found.ends,
            "iou_pooled": interval(ious * unions, unions, group, limits=(0, 1)).ends,
            "latency_p50": intervals(*simulated_ms(chance, groups))["p50"],
            "difference": _difference(ious, other, group).ci,
        }
        for name, pair in ends.items():
            held[name] += pair is not None and pair[0] <= truth[name] <= pair[1]
    return {"datasets": datasets, "groups": groups, "flagged_few": few,
            "held": {name: round(count / datasets, 4) for name, count in held.items()}}  # fmt: skip


def _difference(ious: Floats, other: Floats, group: Floats) -> Difference:
    ids = tuple(map(str, range(len(ious))))
    sides = [PerSample(ids, values, np.ones(len(ids))) for values in (ious, other)]
    groups = dict(zip(ids, group.tolist(), strict=True))
    return difference(sides[0], sides[1], groups, limits=(0.0, 1.0), flips=100)


def check(replays: int, datasets: int, real_ones: int, noise_s: float = 20) -> dict[str, Any]:
    """Everything, and what of it breaks a promise."""
    noise = measured_noise(noise_s)
    found: dict[str, Any] = {
        "noise": {"calls": len(noise), "sd": round(float(noise.std()), 4)},
        "latency_same": significant(replay, noise, replays, 1.0),
        "latency_3_percent_slower": significant(replay_by_image, noise, replays, 1.03),
        "latency_same_by_image": significant(replay_by_image, noise, replays, 1.0),
        "latency_same_calm": significant(calm_replay, noise, replays, 1.0),
        "latency_3_percent_slower_calm": significant(calm_replay, noise, replays, 1.03),
        "busy_machine_3_percent_slower": significant(replay, noise, replays, 1.03),
        "miou_same": significant(quality, noise, replays, 0.0),
        "miou_0.01_less": significant(quality, noise, replays, 0.01),
        "coverage": [coverage(datasets, groups) for groups in (100, 60, 20)],
    }
    if real_ones:
        found["latency_same_in_real_processes"] = real_replays(real_ones)
    found["broken"] = broken(found)
    return found


def broken(found: dict[str, Any]) -> list[str]:
    """Promises that were not kept: 8 % false alarms at most, 90 % power, 93-97 % or for few groups 90 % coverage.

    `busy_machine_3_percent_slower` is left out by its name: its measured noise is that of the machine on the day,
    beside which 3 % may not be seen, so that no power is promised; it is printed to show what such a machine costs.
    """
    wrong = []
    for name, one in found.items():
        if name.startswith(("latency", "miou")):
            share = one["by_p"] / one["replays"]
            same = "same" in name
            wrong += [f"{name}: {share:.3f}"] if (share > 0.08 if same else share < 0.9) else []
    for one in found["coverage"]:
        low, high = (0.90, 1.0) if one["groups"] < 50 else (0.93, 0.97)
        wrong += [f"{name} of {one['groups']} groups: {share}" for name, share in one["held"].items()
                  if not low <= share <= high]  # fmt: skip
        if one["groups"] < 50 and one["flagged_few"] != one["datasets"]:
            wrong.append(f"{one['groups']} groups: {one['flagged_few']} flagged few")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("--replays", 200), ("--datasets", 1000), ("--real", 0)):
        parser.add_argument(name, type=int, default=default)
    given = parser.parse_args()
    found = check(given.replays, given.datasets, given.real)
    print(json.dumps(found, indent=1))
    return int(bool(found["broken"]))


if __name__ == "__main__":
    sys.exit(main())
