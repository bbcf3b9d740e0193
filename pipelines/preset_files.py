"""The files of presets: YAML that is read with limits, and changed in place by one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import ParameterError, RunLockedError, UsageError
from pipelines.files import acquired

MOST_BYTES = 256_000
"""Of a file of presets; a hundred of them are smaller, and more would take seconds to read."""

WAIT_S = 10.0
WIDTH = 120


MOST_LEVELS = 20


class _Loader(yaml.SafeLoader):
    """Plain values alone: no aliases, which let a small file stand for a huge one, no key twice, few levels."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level >= MOST_LEVELS:
            raise yaml.scanner.ScannerError(None, None, "nested too deeply", self.get_mark())
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not read", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """The text of a file of presets.

    Raises:
        ParameterError: it is too large, or not UTF-8.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise unreadable(path, f"it is larger than {MOST_BYTES // 1000} kB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise unreadable(path, f"it is not UTF-8 ({error})") from error


def parse(path: Path, text: str) -> dict[str, Any]:
    """What a file of presets says, by name of the preset, not validated yet.

    Raises:
        ParameterError: it is not YAML, torn, nested too deeply, holds aliases, or is not a mapping.
    """
    try:
        content = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:  # the last: of a tag that does not fit
        raise unreadable(path, " ".join(str(error).split())) from error
    except RecursionError as error:
        raise unreadable(path, "nested too deeply") from error
    if not isinstance(content, dict | None):
        raise unreadable(path, "it is not a mapping of names to presets")
    return {str(name): value for name, value in (content or {}).items()}


def unreadable(path: Path, why: str) -> ParameterError:
    """The error of a file that cannot be read."""
    return ParameterError(f"The preset file {path} cannot be read: {why}.", "Correct it, or move it away.")


def with_preset(path: Path, text: str, name: str, value: Mapping[str, Any]) -> str:
    """The text of a file of presets in which one is added, or stands in the place of the one of that name.

    All other presets keep their text, with their comments. Comments inside the one that is replaced are lost, and all
    comments where the file is not written as one preset under the other from the left edge.

    Args:
        path: of the file, for messages.
        text: of the file; may be empty.
        name: of the preset.
        value: what it says, plain values alone.
    """
    wanted = {**parse(path, text), name: dict(value)}
    changed = _spliced(text, name, _dumped({name: dict(value)}))
    try:
        return changed if parse(path, changed) == wanted else _dumped(wanted)
    except ParameterError:
        return _dumped(wanted)


def _dumped(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=WIDTH)


def _spliced(text: str, name: str, block: str) -> str:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    first, last = _place(text, name, lines)
    return "".join([*lines[:first], block, *lines[last:]])


def _place(text: str, name: str, lines: list[str]) -> tuple[int, int]:
    """The lines of a preset, from its name to the comments above the next one; the end of the file for a new one."""
    root = yaml.compose(text, Loader=_Loader)
    starts = [(key.value, key.start_mark.line) for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []
    ends = [*(start for _, start in starts[1:]), len(lines)]
    for (key, start), end in zip(starts, ends, strict=False):
        if key == name:
            while end > start + 1 and lines[end - 1].lstrip()[:1] in ("", "#") and not lines[end - 1].startswith(" "):
                end -= 1
            return start, end
    return len(lines), len(lines)


@contextmanager
def locked(path: Path, wait_s: float = WAIT_S) -> Iterator[None]:
    """Exclusive use of a file of presets, whose folder is made; the kernel lets go of it when its owner dies.

    Raises:
        RunLockedError: somebody else holds it all the time.
        UsageError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f".{path.name}.lock").open("a")
    except OSError as error:
        raise UsageError(f"Presets cannot be saved in {path.parent}: {error.strerror}.",
                         "Choose another folder, or change its rights.") from error  # fmt: skip
    with file:
        if not acquired(file.fileno(), wait_s):
            raise RunLockedError(f"Another process is writing {path}.", "Wait for it, then save again.")
        yield
