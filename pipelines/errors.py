"""Every error that a user can cause or cure, as one tree; each message ends in what to do.

WorkbenchError                 the root: catch this one
├── UsageError                 an option, a name or a value is wrong                (exit 2)
│   ├── UnknownNameError       no such pipeline, preset, metric or parameter
│   ├── ParameterError         a parameter is unknown or out of its bounds
│   └── PromptError            a prompt that the pipeline cannot take
├── DatasetError               the dataset cannot be used as it stands              (exit 2)
│   └── LeakError              images were tuned on that are to judge the result
├── ImageError                 a picture or mask is refused                         (exit 2)
│   ├── ImageFormatError       not a picture, or of a format that is not read
│   ├── ImageLimitError        too many pixels or bytes, a side too long
│   └── ImageDamagedError      cut off or corrupt
├── RegistryError              two pipelines of one name, or a plugin that cannot be imported (exit 2)
├── UnavailableError           a pipeline cannot run here: package, weights, licence or prompt is missing (exit 1)
├── ContractError              a pipeline broke the interface                       (exit 1)
├── RunLockedError             another process writes this run                      (exit 3)
└── ResourceError              disk or memory is used up                            (exit 4)
"""

import difflib
from collections.abc import Iterable
from typing import ClassVar


class WorkbenchError(Exception):
    """The root of the tree.

    Args:
        message: what is wrong, in one sentence.
        cure: what the reader can do about it, in one sentence.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message, cure)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message} {self.cure}"


class UsageError(WorkbenchError):
    """An option, a name or a value is wrong."""

    code, exit_code = "usage", 2


class UnknownNameError(UsageError):
    """A name that is not known; the cure names the nearest one.

    Args:
        kind: what was looked for, such as "pipeline".
        name: what was given.
        known: every name that would have been right.
    """

    code = "unknown_name"

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        cure = f"Did you mean {near[0]!r}? " if near else ""
        listed = ", ".join(names) if names else "none"
        super().__init__(f"There is no {kind} {name!r}.", f"{cure}Known: {listed}.")


class ParameterError(UsageError):
    """A parameter is unknown or out of its bounds."""

    code = "parameter"


class PromptError(UsageError):
    """A prompt that the pipeline cannot take."""

    code = "prompt"


class DatasetError(WorkbenchError):
    """The dataset cannot be used as it stands; the message names the row."""

    code, exit_code = "dataset", 2


class LeakError(DatasetError):
    """Images were tuned on that are to judge the result; the message names the pairs."""

    code = "leak"


class ImageError(WorkbenchError):
    """A picture or mask is refused."""

    code, exit_code = "image", 2


class ImageFormatError(ImageError):
    """Not a picture, or of a format that is not read."""

    code = "image_format"


class ImageLimitError(ImageError):
    """Too many pixels or bytes, or a side too long."""

    code = "image_limit"


class ImageDamagedError(ImageError):
    """Cut off or corrupt."""

    code = "image_damaged"


class RegistryError(WorkbenchError):
    """Two pipelines of one name, or a plugin that cannot be imported."""

    code, exit_code = "registry", 2


class UnavailableError(WorkbenchError):
    """A pipeline cannot run here: a package, weights, a licence or a prompt is missing."""

    code = "unavailable"


class ContractError(WorkbenchError):
    """A pipeline returned something that the interface does not allow."""

    code = "contract"


class RunLockedError(WorkbenchError):
    """Another process writes this run."""

    code, exit_code = "locked", 3


class ResourceError(WorkbenchError):
    """Disk or memory is used up."""

    code, exit_code = "resource", 4
