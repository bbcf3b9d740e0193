"""What every command shares: the application, the exit codes, and one JSON document on stdout under ``--json``.

It imports little, so that ``--help`` answers at once; a command imports what it needs inside its function.
"""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

import typer
from typer.exceptions import TyperException

from pipelines.errors import ResourceError, UsageError, WorkbenchError

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
_document: TextIO | None = None
"""Where the JSON document goes while stdout is kept for it; None = stdout itself."""


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
    try:
        code = run_command(app)
        sys.stdout.flush()
    except OSError as error:  # of stdout itself: nobody reads, or what it goes to is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 0 if isinstance(error, BrokenPipeError) else ResourceError.exit_code
    sys.exit(code)


def run_command(app: typer.Typer) -> int:
    """Run the command that ``sys.argv`` says, and turn every expected end into an exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a batch system: leave as on Ctrl-C
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - closed by the shell; open to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may hold any character, whatever the terminal is set to
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    with _stdout_for_json() if "--json" in sys.argv[1:] else nullcontext():
        return _caught(app)


def _caught(app: typer.Typer) -> int:
    try:
        _check_arguments()
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
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # so Typer ends where the reader went away, as `head` does
            return 0
        raise
    except OSError as error:
        return _fail(_resource(error))


def _check_arguments() -> None:
    for argument in sys.argv[1:]:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise UsageError(f"The argument {argument!a} is not UTF-8.", "Rename the file, or set a UTF-8 locale.")


@contextmanager
def _stdout_for_json() -> Iterator[None]:
    """Keep stdout for the one document: whatever else writes to it, a plugin or a library, goes to stderr."""
    global _document
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(kept, "w", encoding="utf-8", closefd=False) as _document:
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        _document = None


def _interrupted() -> int:
    return _fail_with("interrupted", "Interrupted.", "Run the same command again to go on from here.", INTERRUPTED)


def _resource(error: OSError) -> WorkbenchError:
    """What an operating system error means to a user; one that means nothing to them goes on as it is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(
            "The disk is full; what was recorded is kept.", "Make room, then run the same command again."
        )
    if error.filename is not None:
        return UsageError(
            f"{error.filename} cannot be used: {error.strerror}.", "Choose another path, or change its rights."
        )
    raise error  # neither of a file nor of a disk: of stdout, or a fault of ours


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
    print(json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1), file=_document, flush=True)


def console(*, quiet: bool = False, to_stderr: bool = False) -> Console:
    """A Rich console; under --json everything but the document goes to stderr."""
    from rich.console import Console

    return Console(stderr=to_stderr, quiet=quiet, highlight=False)
