"""Write or check models.lock.json, where the hub can be reached: ``python -m pipelines.lock [NAMES] [--check]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import UnavailableError, UnknownNameError, UsageError, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.checkpoints import Checkpoint
    from pipelines.types import Weights
    from pipelines.weights.resolving import Outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: without the program's name; None = those of the process.

    Returns:
        The exit code: 0 written, or nothing differs; 1 nothing could be resolved, or something differs; 2 usage.
    """
    said = _parser().parse_args(arguments)
    try:
        return _check(said) if said.check else _write(said)
    except WorkbenchError as error:
        if said.json:
            print(json.dumps({"error": {"code": error.code, "message": error.message, "cure": error.cure}}))
        else:
            print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.lock",
        description="Ask the hub which commit each checkpoint is at and what its files hash to, and write it down. "
        "A lock that is present is enforced wherever weights are loaded.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="a family such as clipseg, or OWNER/NAME; the others keep what the lock says (default: "
                             "everything)")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("models.lock.json"), help="the lock (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="compare the lock with the hub and write nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _chosen(names: Iterable[str]) -> list[Weights]:
    """The checkpoints that the names mean; all of them for none."""
    from pipelines.checkpoints import families

    by_family = {family: [weights for one in checkpoints.values() for weights in _forms(one)]
                 for family, checkpoints in families().items()}  # fmt: skip
    everything = [weights for listed in by_family.values() for weights in listed]
    by_name = {**by_family, **{w.repository: [o for o in everything if o.repository == w.repository]
                               for w in everything}}  # fmt: skip
    wanted = list(names)
    for name in wanted:
        if name not in by_name:
            raise UnknownNameError("family or repository", name, by_name)
    return [weights for name in wanted for weights in by_name[name]] if wanted else everything


def _forms(checkpoint: Checkpoint) -> list[Weights]:
    """Everything that is published of a checkpoint: some are there as ONNX and as safetensors, in places of their own.

    A form whose address names no file is one that the user converts; there is nothing to ask for.
    """
    forms = dict.fromkeys([checkpoint.weights, *checkpoint.settings.get("forms", {}).values()])
    return [one for one in forms if one.source == "hub" or one.address.endswith(f"/{one.files[0]}")]


def _write(said: argparse.Namespace) -> int:
    from pipelines.weights.lockfile import merged, read_lock, write_lock
    from pipelines.weights.resolving import resolve

    old = read_lock(said.out) if said.names and said.out.is_file() else None
    outcome = resolve(_chosen(said.names))
    if not outcome.repositories:
        reason = next(iter(outcome.left_out.values()), "There is no checkpoint.")
        raise UnavailableError(f"Nothing could be resolved, and nothing is written. {reason}",
                               "Run it where the hub can be reached.")  # fmt: skip
    write_lock(said.out, merged(old, outcome.repositories))
    _tell(said, outcome, {"path": str(said.out), "locked": sorted(outcome.repositories)})
    return 1 if said.names and outcome.left_out else 0


def _check(said: argparse.Namespace) -> int:
    from pipelines.weights.lockfile import read_lock
    from pipelines.weights.resolving import differences, resolve

    if not said.out.is_file():
        raise UsageError(f"There is no lock {said.out}.", "Write it with `python -m pipelines.lock`.")
    lock = read_lock(said.out)
    outcome = resolve(w for w in _chosen(said.names) if said.names or w.repository in lock.repositories)
    found = differences(lock, outcome)
    _tell(said, outcome, {"path": str(said.out), "differences": found})
    return 1 if found or outcome.left_out else 0


def _tell(said: argparse.Namespace, outcome: Outcome, about: dict[str, Any]) -> None:
    if said.json:
        print(json.dumps({"schema_version": 1, **about, "left_out": dict(outcome.left_out),
                          "warnings": list(outcome.warnings)}))  # fmt: skip
        return
    for name in about.get("locked", ()):
        print(f"{name}  {outcome.repositories[name].commit or 'file at an address'}")
    for line in about.get("differences", ()):
        print(f"DIFFERS: {line}")
    for line in outcome.warnings:
        print(f"WARNING: {line}", file=sys.stderr)
    for repository, reason in outcome.left_out.items():
        print(f"LEFT OUT: {repository}: {reason}", file=sys.stderr)
    print(f"{said.out} {'differs' if about.get('differences') else 'is as the hub is' if said.check else 'written'}.")


if __name__ == "__main__":
    sys.exit(main())
