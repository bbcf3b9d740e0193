"""The command that makes a run again, from its manifest."""

from __future__ import annotations

import re
import shlex

from benchmarks.records import Configuration, DatasetRecord, Protocol, RunManifest
from benchmarks.tracking.scrubbed import last_part


def command_line(manifest: RunManifest, *, shared: bool = False) -> str:
    """The command, quoted for a shell; what the defaults say is left out.

    Args:
        manifest: of the run.
        shared: whether it goes to others: then of an absolute path only the last part is told.
    """
    told = last_part if shared else str
    dataset, protocol, first = manifest.dataset, manifest.protocol, manifest.configurations[:1]
    parts = ["--dataset", told(dataset.spec), "--pipelines", ",".join(_entry(one) for one in manifest.configurations)]
    parts += [*_of_dataset(dataset), *_of_protocol(protocol)]
    if first and first[0].weights_from is not None:
        parts += ["--weights", told(first[0].weights_from)]
    parts += ["--allow-tuned"] if any(one.tuned_here for one in manifest.configurations) else []
    devices = {one.device for one in manifest.configurations if one.unavailable is None}
    if len(devices) == 1:
        parts += ["--device", *devices]
    return "python -m benchmarks.run " + " ".join(shlex.quote(part) for part in parts)


def _entry(configuration: Configuration) -> str:
    """As ``--pipelines`` takes it: the number that tells two equal entries apart is not part of it."""
    return re.sub(r"#\d+$", "", configuration.label)


def _of_dataset(dataset: DatasetRecord) -> list[str]:
    classes = dataset.prompt_classes or (None,) * len(dataset.prompt or ())
    parts = []
    for words, name in zip(dataset.prompt or (), classes, strict=True):
        parts += ["--prompt", f"{name}={words}" if name is not None else words]
    for option, value in (
        ("--prompt-from", dataset.prompt_from),
        ("--split", dataset.split),
        ("--limit", dataset.limit),
    ):
        parts += [option, str(value)] if value is not None else []
    return [*parts, "--exclude", "FILE"] if dataset.exclude else parts


def _of_protocol(protocol: Protocol) -> list[str]:
    usual = Protocol()
    said = {"--seed": (protocol.seed, usual.seed), "--budget-s": (f"{protocol.budget_s:g}", f"{usual.budget_s:g}"),
            "--batch-sizes": (",".join(map(str, protocol.batch_sizes)), ",".join(map(str, usual.batch_sizes))),
            "--soft-maps-mb": (f"{protocol.soft_maps_mb:g}", f"{usual.soft_maps_mb:g}")}  # fmt: skip
    return [part for option, (value, default) in said.items() if value != default for part in (option, str(value))]
