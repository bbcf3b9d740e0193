"""What is done for a study: a profile, or a benchmark, by the commands that do it for everybody."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Event

from benchmarks.profile.exclusions import line
from benchmarks.run_folder import MANIFEST
from benchmarks.store import write_whole
from workbench.catalogue import Place
from workbench.studies import commands
from workbench.studies.commands import Allowed
from workbench.studies.study import PROFILE, RUNS, Study, Wanted

SOFT_MAPS_MB = 50
LEFT_OUT = "left_out.txt"
"""What the benchmark leaves out; the list for people is another file, which changes while a benchmark waits."""


def profile(found: Study, spec: str, allowed: Allowed, off: Event) -> None:
    """Profile the dataset of a study; one that is not whole is not kept.

    Args:
        found: the study.
        spec: of the dataset.
        allowed: what it may take.
        off: set by whoever calls it off.

    Raises:
        WorkbenchError: it cannot be profiled, took too much, or was called off.
    """
    begun = found.folder / f"{PROFILE}.new"
    shutil.rmtree(begun, ignore_errors=True)
    commands.run("benchmarks.profile", [spec, "--out", begun.name, "--jobs=1"], found.folder, allowed, off)
    shutil.rmtree(found.profile_folder, ignore_errors=True)
    begun.rename(found.profile_folder)


def benchmark(found: Study, spec: str, place: Place, allowed: Allowed, off: Event) -> str:
    """Run what the study's record asks for; whatever is recorded already is not done again.

    Args:
        found: the study.
        spec: of the dataset.
        place: where pipelines run.
        allowed: what it may take.
        off: set by whoever calls it off.

    Returns:
        The id of the run.

    Raises:
        WorkbenchError: it cannot be run, took too long, or was called off.
    """
    wanted = found.record.wanted
    assert wanted is not None  # `Studies.benchmark` has noted it
    write_whole(found.folder / LEFT_OUT, "".join(f"{line(name, 'left out')}\n" for name in wanted.left_out))
    document = commands.run("benchmarks.run", arguments(spec, wanted, place), found.folder, allowed, off)
    return _newest(found, document["run_id"])


def arguments(spec: str, wanted: Wanted, place: Place) -> list[str]:
    """Of the run's command line. The same ones go on with a run that was ended.

    Args:
        spec: of the dataset.
        wanted: what is asked for.
        place: where pipelines run.
    """
    asked = ["--dataset", spec, "--out", RUNS, "--pipelines", ",".join(wanted.pipelines), "--device", place.device,
             f"--budget-s={wanted.budget_s:g}", f"--soft-maps-mb={SOFT_MAPS_MB}",
             *(f"--prompt={text}" for text in wanted.prompts)]  # fmt: skip
    asked += ["--limit", str(wanted.limit)] if wanted.limit else []
    asked += ["--prompt-from", wanted.prompt_from] if wanted.prompt_from else []
    asked += ["--exclude", LEFT_OUT] if wanted.left_out else []
    asked += ["--weights", _whole(place.weights)] if place.weights else []
    return asked + ["--commercial"] * place.commercial


def _whole(weights: str) -> str:
    return weights if weights == "random" else str(Path(weights).absolute())


def _newest(found: Study, run_id: str) -> str:
    """The run as its folder is called: of several with one key the newest."""
    manifests = found.runs.glob(f"{run_id}*/{MANIFEST}")
    return max(manifests, key=lambda path: path.stat().st_mtime_ns).parent.name
