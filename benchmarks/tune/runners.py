"""Who works on a trial, and whether anybody still does: processes of this machine are looked up, others give signs."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

RUNNER, SIGN = "runner", "sign"
"""Attributes of a trial: the process that works on it, and how many signs of life it gave."""

SIGN_S = 20.0
"""From one sign of life to the next; a trial that is done sooner gives none."""

SILENT_S = 120.0
"""Whoever gave no new sign for so long, by the clock of who waits, has ended or cannot be reached."""

UNSIGNED_S = 10.0
"""A trial that nobody has put a name to for so long was begun by a process that ended."""

STOPPED = "Tt"
"""States of a process that does nothing until somebody lets it: it may be for ever."""

ENDED = "ZXx"
"""States of a process that was killed and that its parent did not ask for, as in a container with no init."""


def runner() -> str:
    """Which process works on a trial: machine, process, and when that process began."""
    return f"{machine()}:{os.getpid()}:{_began(os.getpid())}"


@cache
def machine() -> str:
    """This machine since it was started, as this process sees it: containers of one name see other processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        processes = Path("/proc/self/ns/pid").readlink().name
    except OSError:  # a system that tells nothing of processes
        return socket.gethostname()
    return f"{socket.gethostname()}/{boot[:8]}/{processes.strip('pid:[]')}"


@dataclass
class Watch:
    """Tells which trials somebody still works on.

    Attributes:
        seen: last sign of each trial of another machine, and when it was first seen, by name of the study and number.
    """

    seen: dict[tuple[str, int], tuple[Any, float]] = field(default_factory=dict)

    def is_dead(self, study: str, trial: FrozenTrial) -> bool:
        """Whether the process that worked on an unfinished trial has ended, as far as can be told.

        Args:
            study: name of its study.
            trial: unfinished.
        """
        host, process, began = _signed(trial)
        key = study, trial.number
        if not host:  # its process ended between two writes, or is about to make the second
            return self._is_silent(key, "", UNSIGNED_S)
        if host != machine() or _state(int(process)) in STOPPED:
            return self._is_silent(key, trial.user_attrs.get(SIGN), SILENT_S)
        return _began(int(process)) != began

    def _is_silent(self, key: tuple[str, int], sign: Any, most_s: float) -> bool:
        """By the clock of this machine alone: those of others may be wrong."""
        last, since = self.seen.get(key, (None, None))
        if since is None or last != sign:
            self.seen[key] = sign, monotonic()
            return False
        return monotonic() - since > most_s

    def at_work(self, study: Study) -> list[FrozenTrial]:
        """The trials of a study that are finished or being worked on; those that were left lying are failed."""
        from optuna.trial import TrialState

        known = []
        for one in study.get_trials(deepcopy=False):
            if one.state == TrialState.RUNNING and self.is_dead(study.study_name, one):
                give_up(study, one.number)
            elif one.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING):
                known.append(one)
        return known


def is_unsigned(trial: FrozenTrial) -> bool:
    """Whether its process has not put its name to it yet."""
    return not trial.state.is_finished() and not trial.user_attrs.get(RUNNER)


@contextmanager
def working(study: Study, trial: Trial) -> Iterator[bool]:
    """Put this process's name to a trial, and give signs of life while it is worked on.

    Whatever ends the work early makes it a failed one, which counts as none. Where others took this process for dead,
    as they do with one that was suspended, they made the trial again: then what is done here counts for nothing.

    Args:
        study: of the trial.
        trial: that was just begun.

    Yields:
        Whether the trial is still this process's to work on.
    """
    from optuna.exceptions import UpdateFinishedTrialError

    over = Event()
    try:
        is_mine = _signed_by(trial)
        if is_mine:
            Thread(target=_signs, args=(trial, over), daemon=True).start()
        yield is_mine
    except UpdateFinishedTrialError:
        return
    except BaseException:
        give_up(study, trial.number)
        raise
    finally:
        over.set()


def _signed_by(trial: Trial) -> bool:
    from optuna.exceptions import UpdateFinishedTrialError

    try:
        trial.set_user_attr(RUNNER, runner())
    except UpdateFinishedTrialError:
        return False
    return True


def give_up(study: Study, number: int) -> None:
    """Make a trial a failed one, which counts as none."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    with suppress(UpdateFinishedTrialError):  # another process did so first
        study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def _signs(trial: Trial, over: Event) -> None:
    """Until the work is over; what keeps a sign from being written keeps the result too, and is told of there."""
    number = 0
    while not over.wait(SIGN_S):
        number += 1
        try:
            trial.set_user_attr(SIGN, number)
        except Exception:
            return


def _signed(trial: FrozenTrial) -> tuple[str, str, str]:
    (before, _, began) = str(trial.user_attrs.get(RUNNER, "")).rpartition(":")
    host, _, process = before.rpartition(":")
    return (host, process, began) if process.isdecimal() else ("", "", "")  # else nobody of this program wrote it


def _began(process: int) -> str:
    """When a process of this machine began, in ticks of its clock; empty where it has ended."""
    state, began = _stat(process)
    return "" if state in ENDED else began


def _state(process: int) -> str:
    return _stat(process)[0]


def _stat(process: int) -> tuple[str, str]:
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:  # it has ended, or the system tells nothing of processes
        return "X", ""
    state, *said = text.rpartition(")")[2].split()
    return state, said[18]
