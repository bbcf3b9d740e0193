"""What studies may take of this machine."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.studies.commands import Allowed

PROFILE, BENCHMARK = Allowed(600, 4000), Allowed(3600)
"""A benchmark has no limit of memory: what a driver of a GPU maps counts as data too, and one that is too low for the
largest network would end every run of it. What a stranger sends cannot grow there: its lists are held to 20 MB."""


@dataclass(frozen=True)
class Rules:
    """What studies may take.

    Attributes:
        profile: of a profile.
        benchmark: of a benchmark.
        lines: benchmarks, or profiles, that may wait or run at one time.
        data_mb: of an upload once it is unpacked, in 10**6 bytes.
        room_mb: of all studies together; those that were used longest ago go first.
        age_s: seconds after which a study that nobody uses goes.
        every_s: seconds from one look for such to the next.
    """

    profile: Allowed = PROFILE
    benchmark: Allowed = BENCHMARK
    lines: int = 8
    data_mb: int = 500
    room_mb: int = 5000
    age_s: float = 86_400.0
    every_s: float = 300.0
