"""Windows that agree, and what others take of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.timing import nvidia, steadiness
from benchmarks.timing.rounds import MOST_REPEATED, Windows
from benchmarks.timing.steadiness import Reading, Watch, foreign, steady

pytestmark = pytest.mark.alone

IMAGES = 20


def calls(levels: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of unlike cost, scored once, then half of them in each window, which is slower by its level."""
    chance, of, rounds = np.random.default_rng(seed), list(range(IMAGES)), [0] * IMAGES
    for number in range(len(levels)):
        of += chance.permutation(IMAGES)[: IMAGES // 2].tolist()
        rounds += [number + 1] * (IMAGES // 2)
    cost = 10 * 3 ** np.linspace(0, 2, IMAGES)
    level = np.array([1.0, *levels])[rounds]
    return np.array(of), np.array(rounds), cost[of] * level * chance.normal(1, 0.01, len(of))


def test_windows_of_unlike_images_agree_and_a_drift_is_seen() -> None:
    assert steady(*calls([1, 1, 1, 1]))
    assert steady(*calls([2, 1.5, 1, 1, 1]))  # it settled
    assert not steady(*calls([1, 1, 1, 1.2]))
    assert not steady(*calls([1, 1.2, 1, 1]))
    assert steady(*calls([1, 1])) is None  # nothing shows whether it is


def test_a_window_with_one_long_pause_is_not_steady_in_throughput() -> None:
    of, rounds, ms = calls([1, 1, 1, 1])
    ms[np.flatnonzero(rounds == 4)[0]] *= 5
    assert not steady(of, rounds, ms)


def test_many_calls_are_judged_at_once() -> None:
    rounds = np.repeat(np.arange(1, 41), 3000)
    assert steady(np.arange(120_000) % 50_000, rounds, np.full(120_000, 5.0))


@pytest.mark.parametrize(
    ("busy_s", "own_s", "load", "disturbed"),
    [(1.0, 1.0, 9, False), (1.0, 0.5, 0, True), (2.0, 1.9, 0, False), (2.0, 1.9, 9, True), (2.0, 1.98, 9, False),
     (4.0, 4.0, 9, False), (0.9, 1.0, 9, False)],
)  # fmt: skip
def test_a_window_is_disturbed_by_what_others_take(busy_s: float, own_s: float, load: float, disturbed: bool) -> None:
    before, after = Reading(5, 100, 10), Reading(6, 100 + busy_s, 10 + own_s)
    assert (foreign(before, after, 4, load) is not None) == disturbed


def test_a_foreign_process_is_seen_and_our_own_work_is_not() -> None:
    if not Path("/proc/stat").is_file():
        pytest.skip("the system tells nothing")
    watch = Watch()
    watch.cores = 1
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        watch.begin()
        end = steadiness.perf_counter() + 0.6
        while steadiness.perf_counter() < end:
            os.getpid()
        assert "others took" in (watch.end() or "")
    finally:
        other.kill()
        other.wait()
    reading = steadiness.read()
    assert reading is not None
    assert reading.own_s <= reading.busy_s


def test_where_the_system_tells_nothing_nothing_is_disturbed() -> None:
    watch = Watch(reading=lambda: None)
    watch.begin()
    assert (watch.sees, watch.end()) == (False, None)


class Disturbed(Watch):
    def __init__(self, says: Iterator[str | None]) -> None:
        super().__init__(reading=lambda: None)
        self.says = says

    def end(self, living: int = 1) -> str | None:
        return next(self.says)


def test_a_disturbed_window_is_repeated_and_counted_but_not_for_ever() -> None:
    windows = Windows(Disturbed(iter([None, "x", None, *["x"] * 9])))
    counts = [windows.judged(lambda: 0)[1] for _ in range(12)]
    assert counts == [True, False, True, *[False] * (MOST_REPEATED - 1), *[True] * (10 - MOST_REPEATED)]
    assert (windows.timed, windows.disturbed, windows.kept) == (12, 10, 10 - MOST_REPEATED)


def test_repeats_take_no_more_time_than_they_are_given() -> None:
    windows = Windows(Disturbed(iter(["x"] * 9)))
    windows.allow(5, 0.28)
    assert [windows.judged(lambda: sleep(0.1))[1] for _ in range(3)] == [False, False, True]
    windows.allow(5, 0.05)
    assert windows.judged(lambda: sleep(0.1))[1]  # one slow call alone would take all the time there is


CARDS = {
    "--query-compute-apps=pid": ["7", "8"],
    "--query-gpu=clocks_throttle_reasons.active": ["0x0000000000000001"],
    "--query-compute-apps=pid,used_memory": [f"{os.getpid()}, 100", "8, 50"],
}


def test_the_driver_tells_of_others_and_of_clocks_held_down(monkeypatch: pytest.MonkeyPatch) -> None:
    said = dict(CARDS)
    monkeypatch.setattr(nvidia, "_lines", lambda query: said[query])
    assert nvidia.disturbance(living=2) is None
    assert nvidia.disturbance(living=1) == "1 other processes on the card"
    for reason, held in ((0x4, False), (0x20, True), (0x8 | 0x1, True)):
        said["--query-gpu=clocks_throttle_reasons.active"] = [hex(reason)]
        assert (nvidia.disturbance(living=2) is not None) == held
    said["--query-gpu=clocks_throttle_reasons.active"] = ["[N/A]"]
    assert nvidia.disturbance(living=2) is None
    assert nvidia.driver_mb() == pytest.approx(104.8576)
    said["--query-compute-apps=pid,used_memory"] = ["1, 5"]
    assert nvidia.driver_mb() is None


def test_the_driver_is_asked_at_the_end_of_each_window_and_only_of_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(nvidia, "disturbance", lambda living: asked.append(living) or "others")
    on_card, on_cpu = Watch("cuda", lambda: None), Watch("cpu", lambda: None)
    assert (on_card.end(3), on_card.end(3), on_cpu.end(3)) == ("others", "others", None)
    assert asked == [3, 3]


def test_the_driver_is_asked_of_our_own_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(nvidia, "_program", lambda: str(program))
    card = SimpleNamespace(is_available=lambda: True, current_device=lambda: 1,
                           get_device_properties=lambda index: SimpleNamespace(uuid=f"ab-{index}"))  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=card))
    assert nvidia._lines("--query") == ["--query --format=csv,noheader,nounits -i GPU-ab-1"]
    monkeypatch.delitem(sys.modules, "torch")
    assert nvidia._lines("--query") == ["--query --format=csv,noheader,nounits"]


def test_without_a_driver_it_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nvidia, "_program", lambda: None)
    assert (nvidia.disturbance(1), nvidia.driver_mb()) == (None, None)
    broken = tmp_path / "nvidia-smi"
    broken.write_text("#!/bin/sh\necho no driver\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setattr(nvidia, "_program", lambda: str(broken))
    assert nvidia.disturbance(1) is None
