"""A command of ours in a process that ends when the app ends, and that may take no more memory than it is given.

``python -m workbench.studies.tied ROOM_MB benchmarks.run --dataset coins``
"""

from __future__ import annotations

import resource
import runpy
import sys
from collections.abc import Sequence


def main(room_mb: int, module: str, arguments: Sequence[str]) -> None:
    """Become the command, as ``python -m MODULE ARGUMENTS`` would.

    Args:
        room_mb: for data in memory, in 10**6 bytes; 0 = no limit. Each process that it starts may have as much.
        module: of the command.
        arguments: of it.
    """
    from benchmarks.worker import end_with_parent

    end_with_parent()
    if room_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (room_mb * 10**6, room_mb * 10**6))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("workbench.studies.tied is started by the app.")
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
