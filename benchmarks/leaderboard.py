"""Records → rows: pure functions, to be called again at any time with no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.metrics import METRICS, Metric, class_metrics
from benchmarks.metrics.classes import CLASSES
from benchmarks.records import Configuration, RunManifest, SampleRecord
from benchmarks.rows import TUNED, MetricValue, Row
from benchmarks.statistics.intervals import FEW_GROUPS, GroupSums
from benchmarks.timing import times
from benchmarks.timing.record import Timing
from pipelines.weights import RANDOM

MOST_INTERVALS = 100
"""Classes with an interval: each takes a bootstrap of its own."""

HEADLINES = ("miou", "iou_pooled", "dice", "precision", "recall", "boundary_iou", "miss_rate")


class Tally:
    """What a row needs to know of its records, taken in one by one: memory does not grow with their number.

    Args:
        class_names: of the dataset, for the table by class.
    """

    def __init__(self, class_names: Sequence[str] = ()) -> None:
        self.n = self.scored = self.errors = self.not_shown = self.soft_maps = self.with_soft = 0
        self.first_error: str | None = None
        self.metrics = {name: Sums(metric) for name, metric in METRICS.items()}
        self.classes = ClassSums(class_names)

    def add(self, record: SampleRecord) -> None:
        """Take in one record."""
        self.n += 1
        self.errors += record.error is not None
        self.not_shown += record.error is None and bool(record.ms) and "latency" not in record.ms
        self.first_error = self.first_error or record.error
        self.with_soft += record.soft
        self.soft_maps += record.soft_map is not None
        if record.components is not None:
            self.scored += 1
            self.classes.add(record)
            for sums in self.metrics.values():
                sums.add(record)


class Sums:
    """The sums of one metric by group."""

    def __init__(self, metric: Metric) -> None:
        self.metric, self.groups = metric, GroupSums()

    def add(self, record: SampleRecord) -> None:
        """Take in one record; one without components of the metric's family says nothing."""
        components = (record.components or {}).get(self.metric.family.name)
        if components is not None:
            self.groups.add(record.group, *self.metric.terms(components))

    def value(self, seed: int) -> MetricValue:
        """The figure with its bootstrap interval over groups."""
        if not self.groups.n:
            return MetricValue(value=None, ci=None, n=0)
        found = self.groups.interval(seed=seed, combine=self.metric.combine, limits=self.metric.range)
        return MetricValue(value=self.groups.value(self.metric.combine), ci=found.ends, n=found.n)


class ClassSums:
    """The sums of the figures of all classes by group, added together.

    Args:
        names: classes of the dataset.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.metrics = class_metrics(names) if names else {}
        self.flat = [(name, kind, metric) for name, kinds in self.metrics.items() for kind, metric in kinds.items()]
        self.groups = GroupSums()

    def add(self, record: SampleRecord) -> None:
        """Take in one record; one that was not judged by class says nothing."""
        components = (record.components or {}).get(CLASSES.name)
        if components is not None and self.flat:
            tops, bottoms = zip(*(metric.terms(components) for _, _, metric in self.flat), strict=True)
            self.groups.add(record.group, tops, bottoms)

    def values(self, seed: int) -> dict[str, dict[str, MetricValue]] | None:
        """Class → kind → figure, with intervals for the first 100 classes; None where no image was judged by class."""
        if not self.groups.n:
            return None
        found: dict[str, dict[str, MetricValue]] = {name: {} for name in self.metrics}
        for index, (name, kind, metric) in enumerate(self.flat):
            sums = self.groups.column(index)
            told = index < MOST_INTERVALS * len(self.metrics[name])
            ci = sums.interval(seed=seed, limits=metric.range).ends if told else None
            found[name][kind] = MetricValue(value=sums.value(), ci=ci, n=sums.n)
        return found


def row(manifest: RunManifest, configuration: Configuration, records: Iterable[SampleRecord], timing: Timing | None,
        reason: str | None = None) -> Row:  # fmt: skip
    """One line of the leaderboard.

    Args:
        manifest: of the run.
        configuration: of the row.
        records: of the configuration, one an image; gone through once.
        timing: of the process that finished it, or None.
        reason: why the process ended early, or None.
    """
    about = _about(manifest, configuration, timing)
    if configuration.unavailable:
        return Row(**about, status="unavailable", reason=configuration.unavailable)
    tally = Tally(manifest.dataset.class_names)
    for record in records:
        tally.add(record.model_copy(update={"components": None}) if is_random(configuration) else record)
    whole = timing is not None and tally.n == manifest.dataset.n
    if reason or timing is None or not whole or tally.errors == tally.n:
        first = tally.first_error if whole else None
        return Row(**about, status="failed", reason=reason or first or "It did not finish.", errors=tally.errors)
    return Row(
        **about,
        status="ok",
        reason=configuration.as_ran(timing).substitute_why,
        scored=tally.scored,
        errors=tally.errors,
        **_quality(tally, manifest.protocol.seed),
        soft=tally.with_soft == tally.n - tally.errors - tally.not_shown,
        **times.columns(timing, manifest.protocol.seed),
        flags=_flags(manifest, configuration, tally, timing),
    )


def is_random(configuration: Configuration) -> bool:
    """Whether a configuration runs with random weights, so that its masks mean nothing and only its speed counts."""
    return configuration.weights_from == RANDOM and bool(configuration.weights)


def _about(manifest: RunManifest, configuration: Configuration, timing: Timing | None) -> dict[str, Any]:
    """What is known of a row before it is measured; what was really loaded wins over what was declared."""
    ran = configuration.as_ran(timing)
    about = ran.model_dump(include={"label", "pipeline", "preset", "params", "device", "substitute_for"})
    about |= {"n": manifest.dataset.n, "weights": ran.weights}
    return about if timing is None else about | {"dtype": timing.loaded.dtype, "size_mb": timing.loaded.size_mb}


def _quality(tally: Tally, seed: int) -> dict[str, Any]:
    metrics = {name: sums.value(seed) for name, sums in tally.metrics.items()}
    return {
        **{name: metrics[name].value for name in HEADLINES},
        "miou_ci": metrics["miou"].ci,
        "metrics": metrics,
        "classes": tally.classes.values(seed),
    }


def _flags(manifest: RunManifest, configuration: Configuration, tally: Tally, timing: Timing) -> tuple[str, ...]:
    allowed = {weights.commercial for weights in configuration.as_ran(timing).weights}
    flags: Mapping[str, bool] = {
        "non_commercial": False in allowed,
        "licence_unclear": None in allowed,
        "random_weights": is_random(configuration),
        "oracle_prompts": configuration.oracle,
        f"{TUNED}:{configuration.tuned_here} of {manifest.dataset.n}": configuration.tuned_here > 0,
        f"preset_prompt:{', '.join(configuration.prompt)}": bool(configuration.prompt),
        "few_groups": tally.scored > 0 and manifest.dataset.n_groups < FEW_GROUPS,
        "no_masks": not tally.scored and not is_random(configuration),
        "limited": manifest.dataset.limit is not None,
        **times.flags(timing, tally.n - tally.errors - tally.not_shown, len(manifest.protocol.batch_sizes)),
        "soft_maps_capped": tally.soft_maps < tally.with_soft,
    }
    return (*(name for name, raised in flags.items() if raised), *timing.flags)


def document(manifest: RunManifest, rows: Sequence[Row]) -> dict[str, Any]:
    """What ``--json`` prints, and ``summary.json`` keeps."""
    return {
        "schema_version": manifest.schema_version,
        "run_id": manifest.run_id,
        "dataset": manifest.dataset.model_dump(
            mode="json", include={"name", "format", "n", "n_groups", "hash", "split", "limit", "exclude"}
        ),
        "environment": manifest.environment,
        "rows": [row.model_dump(mode="json") for row in rows],
    }
