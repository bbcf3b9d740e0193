"""What a user is told where weights cannot be had: gated, out of reach, cut off, no room; each with its cure."""

from __future__ import annotations

import errno
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pipelines.errors import UnavailableError
from pipelines.types import Weights

TOKEN_VARIABLE = "HF_TOKEN"
RETRIES = 2
RETRY_WITHIN_S = 3.0
"""A host that was waited for longer is not asked again, so that a machine without a network is told at once."""
_T = TypeVar("_T")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_IN_WORDS = re.compile(
    rf"No space left on device|[Qq]uota exceeded|StorageFull|os error ({'|'.join(map(str, _FULL))})\b"
)


def hub_error() -> type[Exception]:
    """The root of what the hub's library raises where it was refused or reached nobody; of the HTTP client it uses."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    return HTTPError


class DamagedWeightsError(UnavailableError):
    """They are there, and are cut off, broken or not what the lock, the hub or their publisher says.

    Nothing may take their place unasked, as it may where weights are gated, missing or out of reach: whoever put them
    there means these.
    """


class OutOfReach(UnavailableError):  # noqa: N818 - a kind of "unavailable"; the tree of errors stays as drawn
    """Nobody answered: what is asked for next will not be answered either."""


@contextmanager
def told(weights: Weights, folder: Path) -> Iterator[None]:
    """Turn what the hub's library raises inside into the one error that a pipeline can be left out for.

    Args:
        weights: what is being fetched.
        folder: where to.

    Raises:
        UnavailableError: with the cure.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except hub_error() as error:
        raise refused(weights, error) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise unreachable(weights, error) from error
    except OSError as error:
        raise unwritten(weights, folder, error) from error
    except (RuntimeError, ValueError, KeyError, TypeError) as error:  # of Xet, or of an answer that is not the hub's
        raise (no_room(weights, folder, None) if _says_full(error) else unreachable(weights, error)) from error


def _says_full(error: BaseException | None) -> bool:
    """Xet is compiled from Rust, and tells of a full disk in words alone, perhaps further down the chain."""
    while error is not None:
        if getattr(error, "errno", None) in _FULL or _FULL_IN_WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def refused(weights: Weights, error: Exception) -> UnavailableError:
    """What a user is told where the hub refused something or could not be reached.

    Args:
        weights: what was asked for.
        error: of the hub's library.
    """
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError) or (weights.gated and status in (401, 403, 404)):
        return _gated(weights, f"{weights.repository} is gated: its licence has to be accepted first ({status}).")
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        return _gated(weights, f"{weights.repository} was refused ({status}): it is gated or private, or it does not "
                               f"exist.")  # fmt: skip
    if status is not None and status != 404:
        return UnavailableError(f"The hub answered {status} for {weights.repository}.",
                                f"Try again later, or give --weights FOLDER; see {weights.page}.")  # fmt: skip
    if status == 404:
        return UnavailableError(f"The hub does not have this commit or file of {weights.repository}.",
                                f"See {weights.page}, and write the lock anew if one is in use.")  # fmt: skip
    return unreachable(weights, error)


def unreachable(weights: Weights, error: Exception) -> OutOfReach:
    """The error for a network that is not there, or too slow."""
    reason = getattr(error, "reason", error)  # urllib wraps what really happened
    why = (str(reason).splitlines() or [""])[0].rstrip(".") or type(error).__name__
    return OutOfReach(f"{weights.repository} is not on this machine, and could not be reached: {why}.",
                            fetch_it(weights))  # fmt: skip


def fetch_it(weights: Weights) -> str:
    """How a user gets a checkpoint without us."""
    by_hand = f"download {weights.address}" if weights.source == "url" else f"`hf download {weights.repository}`"
    return _sentence(f"{_accept_first(weights)}fetch it once where there is a network ({by_hand}), or give --weights "
                     f"FOLDER{_or_free(weights)}.")  # fmt: skip


def put_it(weights: Weights, folder: Path) -> str:
    """How a user fills a folder with a checkpoint."""
    if weights.source == "url":
        return _sentence(f"{_accept_first(weights)}put the file of {weights.address} there{_or_free(weights)}.")
    return _sentence(f"{_accept_first(weights)}put the files of {weights.page} there: `hf download "
                     f"{weights.repository} --local-dir {folder}`{_or_free(weights)}.")  # fmt: skip


def _accept_first(weights: Weights) -> str:
    return f"accept its licence at {weights.page}, set {TOKEN_VARIABLE}, and " if weights.gated else ""


def _or_free(weights: Weights) -> str:
    return f", or use {weights.substitute}, which is free" if weights.substitute else ""


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


def _gated(weights: Weights, message: str) -> UnavailableError:
    return UnavailableError(message, f"Accept its licence at {weights.page} and set {TOKEN_VARIABLE} to a token of "
                                     f"that account{_or_free(weights)}.")  # fmt: skip


def unwritten(weights: Weights, folder: Path, error: OSError) -> UnavailableError:
    """The error for a download that was cut off, or a folder that it could not be written to."""
    if _says_full(error):
        return no_room(weights, folder, None)
    if error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
        return UnavailableError(f"{weights.repository} cannot be kept in {folder}: {error.strerror}.",
                                "Choose another folder with HF_HOME or SEGMENTATION_WORKBENCH_CACHE.")  # fmt: skip
    return cut_off(weights)


def cut_off(weights: Weights) -> UnavailableError:
    """The error for a transfer that ended early, also when it was tried again."""
    return UnavailableError(
        f"The download of {weights.repository} was cut off, and nothing of that file is kept.", "Try again."
    )


def check_room(weights: Weights, folder: Path, needed_bytes: int) -> None:
    """Refuse a download that will not fit, before it starts.

    Raises:
        UnavailableError: too little is free where the folder is, or will be.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if shutil.disk_usage(there).free < needed_bytes:
        raise no_room(weights, folder, needed_bytes)


def no_room(weights: Weights, folder: Path, needed_bytes: int | None) -> UnavailableError:
    """The error for a full disk. It is not a `ResourceError`: other pipelines go on."""
    size_mb = weights.size_mb if needed_bytes is None else needed_bytes / 1e6
    needed = f"{size_mb:.0f} MB" if size_mb else "more than is free"
    return UnavailableError(
        f"The disk is full: {weights.repository} needs {needed} in {folder}.",
        "Free that much, or choose another folder with HF_HOME or SEGMENTATION_WORKBENCH_CACHE.",
    )


def retried(call: Callable[[], _T], network: type[Exception] | tuple[type[Exception], ...]) -> _T:
    """Ask again, twice at most, where nobody answered; an answer, whatever it says, is final.

    Args:
        call: what to do.
        network: errors of a network; those that hold an answer are raised at once.
    """
    start = time.monotonic()
    for _ in range(RETRIES):
        try:
            return call()
        except network as error:
            if _answered(error) or time.monotonic() - start > RETRY_WITHIN_S:
                raise
            time.sleep(random.uniform(0.1, 0.5))  # so that many that failed together do not come back together
    return call()


def _answered(error: Exception) -> bool:
    return hasattr(error, "response") or hasattr(error, "code")
