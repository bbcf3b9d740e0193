"""Specs ``hf:...`` and what ``datasets`` opens for them, its errors turned into ours and its chatter turned off."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.datasets.paths import near, shown
from pipelines.errors import DatasetError

SCHEMES = ("hf", "hf-stream")
BATCH = 16
"""Rows of parquet that a stream holds at once."""

BUFFER = 1 << 20

FORM = "Write hf:OWNER/NAME, hf:OWNER/NAME:SPLIT, hf:OWNER/NAME/CONFIG, or hf:FOLDER; hf-stream: reads row by row."
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}(/[\w.-]{1,95})?", re.ASCII)
_SPLIT = re.compile(r"[\w.-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    """What a spec asks for.

    Attributes:
        name: ``OWNER/NAME`` on the hub, or the folder's path.
        folder: the local folder, or None for one on the hub.
        config: the configuration, or None.
        split: the split, or None = all.
        streamed: read row by row.
    """

    name: str
    folder: Path | None = None
    config: str | None = None
    split: str | None = None
    streamed: bool = False


def parse_spec(spec: str) -> Wanted | None:
    """What a spec asks for; None if it does not begin with ``hf:`` or ``hf-stream:``.

    Raises:
        DatasetError: what follows is neither a name of the hub nor a folder.
    """
    scheme, colon, rest = spec.partition(":")
    if not colon or scheme not in SCHEMES:
        return None
    streamed, (head, _, split) = scheme == "hf-stream", rest.rpartition(":")
    for path, part in ((rest, None), (head, split)):
        if path and Path(path).expanduser().is_dir():
            return _checked(Wanted(path, Path(path).expanduser(), None, part, streamed), spec)
    name, part = (head, split) if head else (rest, None)
    if not _NAME.fullmatch(name) or ".." in name:
        raise DatasetError(f"{shown(spec)} names no dataset of the hub, and no folder.", FORM)
    owner, title, *config = name.split("/")
    return _checked(Wanted(f"{owner}/{title}", None, config[0] if config else None, part, streamed), spec)


def _checked(wanted: Wanted, spec: str) -> Wanted:
    if wanted.split is not None and not _SPLIT.fullmatch(wanted.split):
        raise DatasetError(f"{shown(spec)} names no split after its last colon.", FORM)
    return wanted


def saved_folder(path: Path) -> bool:
    """Whether ``save_to_disk`` of a Dataset or a DatasetDict wrote this folder."""
    one = (path / "state.json").is_file() and (path / "dataset_info.json").is_file()
    return one or (path / "dataset_dict.json").is_file()


def load_splits(wanted: Wanted) -> tuple[dict[str, Any], bool]:
    """The splits that are wanted, by name, and whether there are others.

    Returns:
        Name → ``datasets.Dataset``, memory-mapped, or ``datasets.IterableDataset``; a lone Dataset on disk is called
        by its own split, or ``""``.

    Raises:
        DatasetError: it cannot be found, reached or read, or has no such split or configuration.
    """
    try:
        with quiet(offline=wanted.folder is None and not _is_reachable()):
            splits = _load(wanted)
    except DatasetError:
        raise
    except Exception as error:  # each builder of `datasets` has errors of its own
        raise explained(error, wanted) from error
    if wanted.split is None:
        return splits, len(splits) > 1
    if wanted.split not in splits:
        names = ", ".join(name for name in splits if name) or "none"
        raise DatasetError(f"{shown(wanted.name)} has no split {shown(wanted.split)}.",
                           f"{near(wanted.split, splits)}Known: {names}.")  # fmt: skip
    return {wanted.split: splits[wanted.split]}, len(splits) > 1


def _load(wanted: Wanted) -> dict[str, Any]:
    import datasets

    if wanted.folder is not None and saved_folder(wanted.folder):
        found = datasets.load_from_disk(str(wanted.folder))
        splits = dict(found) if isinstance(found, dict) else {str(found.split or ""): found}
        return {k: v.to_iterable_dataset() for k, v in splits.items()} if wanted.streamed else splits
    target = str(wanted.folder.resolve()) if wanted.folder else wanted.name
    if not wanted.streamed:
        return dict(datasets.load_dataset(target, name=wanted.config))
    builder = datasets.load_dataset_builder(target, name=wanted.config)
    if hasattr(builder.config, "fragment_scan_options"):  # it reads parquet
        builder._generate_tables = partial(_parquet_tables, builder)
    return dict(builder.as_streaming_dataset())


def _parquet_tables(builder: Any, files: Iterable[str], row_groups_list: Any = None) -> Iterator[tuple[Any, Any]]:
    """Keys and tables of a few rows, in place of the reader of ``datasets``.

    Its scanner reads a whole file ahead into memory, and its threads abort or hang the interpreter if that ends in the
    middle of a pass. This one has no threads, and holds one batch.
    """
    import pyarrow as pa
    from datasets.builder import Key
    from datasets.utils.file_utils import xopen
    from pyarrow import parquet

    for number, file in enumerate(files):
        with xopen(file, "rb") as source, parquet.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER) as opened:
            for n, batch in enumerate(opened.iter_batches(batch_size=BATCH, use_threads=False)):
                yield Key(number, n), builder._cast_table(pa.Table.from_batches([batch]))


@contextmanager
def quiet(offline: bool = False) -> Iterator[None]:
    """No progress bars, no telemetry and no log lines of ``datasets`` meanwhile; no network where ``offline``."""
    import datasets
    from huggingface_hub import constants as hub

    config, bars = datasets.config, datasets.are_progress_bars_disabled()
    before = datasets.logging.get_verbosity(), hub.HF_HUB_DISABLE_TELEMETRY, hub.HF_HUB_OFFLINE
    with_torch = config.TORCH_AVAILABLE
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    hub.HF_HUB_DISABLE_TELEMETRY = True
    hub.HF_HUB_OFFLINE = config.HF_HUB_OFFLINE = before[2] or offline
    config.TORCH_AVAILABLE = False  # a stream would import torch, 500 MB, to be fit for its loaders
    try:
        yield
    finally:
        if not bars:
            datasets.enable_progress_bars()
        datasets.logging.set_verbosity(before[0])
        hub.HF_HUB_DISABLE_TELEMETRY, hub.HF_HUB_OFFLINE = before[1:]
        config.HF_HUB_OFFLINE, config.TORCH_AVAILABLE = before[2], with_torch


def _is_reachable() -> bool:
    """Whether the hub's name resolves: without it ``datasets`` tries for 23 seconds, even for what is in its cache."""
    from huggingface_hub import constants

    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True  # the proxy resolves it
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True


def explained(error: Exception, wanted: Wanted) -> DatasetError:
    """An error of ``datasets`` as ours, with what to do."""
    text = " ".join(str(error).split())[:300].rstrip(".")
    name, kinds = shown(wanted.name), {kind.__name__ for kind in type(error).__mro__}
    for known, what, cure in _KNOWN:
        if known in kinds or known in text:
            return DatasetError(f"{name} {what} ({text}).", cure.format(path="hf:FOLDER"))
    if "config" in text.lower():
        return DatasetError(f"{name} cannot be opened: {text}.", "Write hf:OWNER/NAME/CONFIG[:SPLIT].")
    return DatasetError(f"{name} cannot be read: {text or type(error).__name__}.",
                        "Check that datasets.load_dataset opens it, or save it with save_to_disk.")  # fmt: skip


_ELSEWHERE = (
    "Where there is a network, run datasets.load_dataset(NAME).save_to_disk(FOLDER), "
    "copy FOLDER here, and open its path."
)
_PUT = "Put parquet files, or pictures with a metadata.csv, into it."
_SCRIPT = "needs a script of its own, and code of datasets is never run"
_OFFLINE = "is not in the cache, and the hub could not be reached"
_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("scripts are no longer supported", _SCRIPT, _ELSEWHERE),
    ("trust_remote_code", _SCRIPT, _ELSEWHERE),
    ("GatedRepoError", "is gated", "Accept its terms on its page, and log in with hf auth login."),
    ("ConnectionError", _OFFLINE, _ELSEWHERE),
    ("OfflineModeIsEnabled", _OFFLINE, _ELSEWHERE),
    ("DatasetNotFoundError", "was not found on the hub", f"Check the name and that it is public, or log in. {FORM}"),
    ("EmptyDatasetError", "holds no files", _PUT),
    ("DataFilesNotFoundError", "holds no files that are read", _PUT),
    ("FileNotFoundError", "holds no files that are read", _PUT),
    ("ArrowInvalid", "holds a file that is damaged", "Write or copy it again."),
)  # fmt: skip


def features_of(splits: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Column → feature, the same in all splits.

    Raises:
        DatasetError: they differ, or are not known before rows are read.
    """
    found = [data.features for data in splits.values()]
    if any(features is None for features in found):
        raise DatasetError(f"The columns of {shown(name)} are not known before its rows are read.",
                           "Open it as hf: and not as hf-stream:, or store it as parquet.")  # fmt: skip
    if any(features != found[0] for features in found[1:]):
        raise DatasetError(f"The splits of {shown(name)} have different columns.", "Open one split: hf:...:SPLIT.")
    return dict(found[0])
