"""Weights & Biases as every log of ours uses it: nothing of the machine is told, and a failure takes no result away."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.tracking.scrubbed import utf8
from pipelines.errors import UnavailableError

PROJECT = "segmentation-workbench"
LONGEST_NAME = 128
FINISH_S, INIT_S = 600.0, 30.0
LONGEST_REASON = 300

Say = Callable[[str], None]


def attempted(folder: Path, log: Callable[[], None]) -> UnavailableError | None:
    """Log something; what kept W&B from taking it, or None.

    Args:
        folder: where W&B keeps its files.
        log: imports W&B and gives it what there is.
    """
    with _surroundings(folder.absolute() / "wandb"):
        try:
            log()
        except ImportError as error:
            return UnavailableError(f"Weights & Biases cannot be imported: {error}.", "pip install 'wandb>=0.31'")
        except Exception as error:  # whatever a client of a network service meets takes no result away
            return UnavailableError(
                f"Weights & Biases failed: {type(error).__name__}: {' '.join(str(error).split())[:LONGEST_REASON]}.",
                "The results are kept: run the same command again, or set WANDB_MODE=offline.",
            )
    return None


@contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    """What W&B keeps outside of its run goes into a folder of ours, and no crash reports go anywhere."""
    ours = {"WANDB_DATA_DIR": str(folder), "WANDB_CACHE_DIR": str(folder), "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "true"}  # fmt: skip
    added = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def mode_of(wandb: Any, say: Say) -> str:
    """What the environment says; online only where W&B finds a key, without ever asking for one."""
    said = (os.environ.get("WANDB_MODE") or "online").lower()
    mode = {"dryrun": "offline", "run": "online"}.get(said, said)
    if mode == "online" and not wandb.login(prompt=False, verify=False):
        say("No key for Weights & Biases is known, so that nothing is sent")
        return "offline"
    return mode


def begun(wandb: Any, folder: Path, group: str, name: str, kind: str, mode: str, config: Mapping[str, Any]) -> Any:
    """A run of theirs that takes what is given to it, and looks at nothing of this machine by itself.

    Args:
        wandb: the module.
        folder: where its files lie.
        group: what their runs are joined by.
        name: that people read.
        kind: of what is logged.
        mode: as `mode_of` says.
        config: JSON-ready.
    """
    settings = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_job_creation=True, save_code=False, label_disable=True,
        symlink=False, host="", x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True,
        x_save_requirements=False, init_timeout=INIT_S, finish_timeout=FINISH_S, finish_timeout_raises=True,
    )  # fmt: skip
    return wandb.init(
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        dir=os.environ.get("WANDB_DIR", str(folder.absolute())),
        name=utf8(name)[:LONGEST_NAME],
        group=group,
        job_type=kind,
        config=config,
        mode=mode,
        reinit="create_new",
        settings=settings,
    )
