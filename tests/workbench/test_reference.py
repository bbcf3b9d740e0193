"""The runs that come with the package: what was measured, for every pipeline, and nothing of the machine that did it."""

from __future__ import annotations

import re

import pytest

from benchmarks.leaderboard import is_random
from pipelines.presets import preset_names
from pipelines.registry import names, pipeline_class
from tests.conftest import ROOT
from workbench.boards.stored import REFERENCE, Boards, Entry, Found

MOST_BYTES = 2_000_000
PATHS = re.compile(r"/(home|root|work|tmp|Users|mnt)/|[A-Z]:\\\\")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What a visitor of a fresh app has on the leaderboard."""
    return Boards(tmp_path_factory.mktemp("runs")).look("somebody")


@pytest.fixture(scope="module")
def entries(found: Found) -> list[Entry]:
    return found.entries


def test_every_run_is_shown_and_says_that_it_was_shipped(found: Found) -> None:
    folders = [path for path in REFERENCE.iterdir() if path.is_dir()]
    assert len(found.runs) == len(folders) >= 2 and not found.refused
    assert {run.origin for run in found.runs} == {"reference"}
    ran = [(entry.row.pipeline, entry.row.preset) for entry in found.entries]
    assert len(ran) == len(set(ran)), "a run that was made anew is not there twice"


def test_every_preset_of_the_classical_pipeline_has_its_quality_on_the_whole_dataset(entries: list[Entry]) -> None:
    ran = {entry.row.preset: entry for entry in entries if entry.row.pipeline == "classical"}
    assert set(ran) == set(preset_names(pipeline_class("classical")))
    for entry in ran.values():
        assert entry.row.miou is not None and entry.row.miou_ci is not None and not is_random(entry.configuration)
        assert entry.row.n == entry.run.manifest.dataset.n == 31
    assert ran["default"].row.miou > ran["coin-seed"].row.miou  # type: ignore[operator]


def test_every_family_was_timed_and_says_that_its_weights_were_random(entries: list[Entry]) -> None:
    ran = {entry.row.pipeline: entry for entry in entries if entry.row.pipeline != "classical"}
    assert set(ran) == set(names()) - {"classical"}
    for name, entry in ran.items():
        assert entry.row.status == "ok" and is_random(entry.configuration), name
        assert "random_weights" in entry.row.flags and entry.row.miou is None, name
        assert entry.row.latency_ms["p50"] > 0 and entry.row.peak_memory_mb, name  # type: ignore[index,operator]


def test_nothing_names_the_machine_and_all_is_small() -> None:
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not PATHS.search(text) and str(ROOT) not in text, path
