"""How the figures came about and what they do not say, the machine, and the command that makes the run again."""

from __future__ import annotations

from typing import Any

from benchmarks.report import figures
from benchmarks.report.command_line import command_line
from benchmarks.report.contents import Report
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import table

LIMITS = (
    "The figures are of these images. Other images, lighting or objects may give another order.",
    "Times are of the machine below and of no other; compare them with each other, not with figures from elsewhere.",
    "A mask is only as right as the truth that it is compared with: look at the images before you trust a small lead.",
    "Parameters that were tuned on these same images flatter their pipeline.",
)


def method(report: Report) -> Markup:
    """What was measured and how, then the limits."""
    manifest = report.facts.manifest
    dataset, protocol = manifest.dataset, manifest.protocol
    prompt = f" Asked for: {', '.join(dataset.prompt)}." if dataset.prompt else ""
    part = "".join([f" Split: {dataset.split}." if dataset.split else "",
                    f" {figures.count(len(dataset.exclude), 'image')} excluded." if dataset.exclude else "",
                    f" A part of {dataset.limit} was taken, evenly spaced." if dataset.limit else ""])  # fmt: skip
    sizes = f" of {', '.join(map(str, protocol.batch_sizes))}" if protocol.batch_sizes else ""
    said = (
        f"Data: {dataset.name} ({dataset.format}), {dataset.n} images in {dataset.n_groups} groups.{part}{prompt}",
        "Every pipeline saw the same images in a process of its own. Masks are judged at the size of the image; both "
        "sides empty count as 1, one side empty as 0, and a failed image as 0.",
        "Intervals are 95 % bootstrap intervals that resample whole groups, since images of one scene are not "
        "independent. Two pipelines are compared image by image; one is better where the interval of the difference "
        "excludes 0 and the p-value, corrected for the number of pairs, is at most 0.05. Otherwise they tie.",
        f"Latency is the time from a decoded image to its mask, batch 1, after a warm-up, within {protocol.budget_s:g} "
        f"s for each pipeline. Throughput is that of the best batch{sizes}. "
        f"Order and resampling have the seed {protocol.seed}.",
        "Licences are those of the weights, as their publishers state them; this is no legal advice.",
    )  # fmt: skip
    return fragment(
        element("ul", [element("li", line) for line in said]),
        element("h3", "Limits"),
        element("ul", [element("li", line) for line in LIMITS]),
        _parameters(report),
    )


def _parameters(report: Report) -> Markup:
    """Every parameter that is not the same for all configurations of a pipeline, and all of them folded away."""
    rows: list[list[Child]] = []
    for one in report.facts.series:
        values = ", ".join(f"{name} {value}" for name, value in one.row.params.items())
        rows.append([one.label, one.row.preset, values or figures.NOTHING])
    drawn = table("Exact parameters", ("Pipeline", "Preset", "Parameters"), rows, kind="text")
    return element("details", element("summary", "Show the exact parameters"), drawn)


def machine(report: Report) -> Markup:
    """The environment of the run, the hashes that tell whether two runs are the same, and the weights."""
    manifest = report.facts.manifest
    environment = {name: _joined(value) for name, value in manifest.environment.items()}
    hashes = {
        "dataset hash": manifest.dataset.hash,
        **{f"sources of {name}": h for name, h in manifest.sources.items()},
    }
    rows: list[list[Child]] = [[str(key), str(value)] for key, value in {**environment, **hashes}.items()]
    return fragment(table("Where it ran", ("What", "Value"), rows, kind="text"), _weights(report))


def _joined(value: Any) -> str:
    """A table within the table on one line."""
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)


def _weights(report: Report) -> Markup | None:
    rows: list[list[Child]] = [
        [one.label, weights.repo, weights.revision or "not loaded", weights.licence, weights.note or figures.NOTHING]
        for one in report.facts.series
        for weights in one.row.weights
    ]
    if not rows:
        return None
    columns = ("Pipeline", "Weights", "Revision", "Licence", "Note")
    return fragment(
        element("h3", "Weights"), table("Weights and what may be done with them", columns, rows, kind="text")
    )


def reproduce(report: Report) -> Markup:
    """The command, and how this page is made again."""
    manifest = report.facts.manifest
    excluded = ", ".join(manifest.dataset.exclude)
    return fragment(
        element("p", "This command makes the run again; where nothing has changed it prints the stored rows:"),
        _command(command_line(manifest, shared=True), "Command that makes the run again"),
        element("p", f"FILE names these images, one a line: {excluded}.") if excluded else None,
        element("p", "And this one makes the page, with no model:"),
        _command(f"python -m benchmarks.report runs/{manifest.run_id}", "Command that makes this page"),
    )


def _command(line: str, named: str) -> Markup:
    return element("pre", element("code", line), tabindex=0, role="region", aria_label=named)


def footer(report: Report) -> Markup:
    """What the page is made of."""
    manifest = report.facts.manifest
    said = (f"Made from the records of run {manifest.run_id} (schema {manifest.schema_version}). The page holds all "
            "that it shows: nothing is fetched, and no script runs.")  # fmt: skip
    return element("footer", element("p", said))
