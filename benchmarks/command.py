"""What every command shares: the application, the exit codes, and one JSON document on stdout under ``--json``.

It imports little, so that ``--help`` answers at once; a command imports what it needs inside its function.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.exceptions import TyperException

from pipelines.errors import ResourceError, UsageError, WorkbenchError

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130


def application() -> typer.Typer:
    """A plain Typer application: no markup and no completion, which cost start-up time."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def main(app: typer.Typer) -> None:
    """Run a command and leave with its exit code; an expected error is one sentence, or one JSON document."""
    sys.exit(run_command(app))


def run_command(app: typer.Typer) -> int:
    """Run the command that ``sys.argv`` says, and turn every expected end into an exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a batch system: leave as on Ctrl-C
    try:
        code = int(app(standalone_mode=False) or 0)
        return _interrupted() if code == INTERRUPTED else code  # Typer turns Ctrl-C into this code
    except WorkbenchError as error:
        return _fail(error)
    except TyperException as error:
        words = error.format_message() if hasattr(error, "format_message") else str(error)
        return _fail(UsageError(f"{words.rstrip('.')}.", "See --help."))
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except MemoryError:
        return _fail(ResourceError("Memory is used up.", "Give --limit, smaller images, or a larger machine."))
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(_resource(error))


def _interrupted() -> int:
    return _fail_with("interrupted", "Interrupted.", "Run the same command again to go on from here.", INTERRUPTED)


def _resource(error: OSError) -> WorkbenchError:
    """What an operating system error means to a user; one that means nothing to them goes on as it is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(
            "The disk is full; what was recorded is kept.", "Make room, then run the same command again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG):
        return UsageError(
            f"{error.filename} cannot be used: {error.strerror}.", "Choose another path, or change its rights."
        )
    raise error


def _fail(error: WorkbenchError) -> int:
    return _fail_with(error.code, error.message, error.cure, error.exit_code)


def _fail_with(code: str, message: str, cure: str, exit_code: int) -> int:
    if "--json" in sys.argv[1:]:
        emit({"error": {"code": code, "message": message, "cure": cure}})
    else:
        print(f"{message} {cure}", file=sys.stderr)
    return exit_code


def emit(document: Any) -> None:
    """Print one JSON document on stdout. NaN is refused: what is not defined is null."""
    print(json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1))


def console(*, quiet: bool = False, to_stderr: bool = False) -> Console:
    """A Rich console; under --json everything but the document goes to stderr."""
    from rich.console import Console

    return Console(stderr=to_stderr, quiet=quiet, highlight=False)
