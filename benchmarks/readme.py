"""The generated parts of README.md, from what the code says of itself: ``python -m benchmarks.readme`` writes them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.command import application, main
from pipelines.registry import PIPELINES

app = application()
ROOT = Path(__file__).parent.parent


@app.command()
def write(
    readme: Annotated[Path, typer.Option(help="File whose marked parts are replaced.")] = Path("README.md"),
) -> None:
    """Replace every part of README.md between a ``generated`` marker and its end."""
    readme.write_text(refreshed(readme.read_text(encoding="utf-8")), encoding="utf-8")


def refreshed(text: str) -> str:
    """The text with its marked parts written anew."""
    for name, make in PARTS.items():
        pattern = rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, lambda match, make=make: match[1] + make() + match[2], text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def pipelines_table() -> str:
    """One line a pipeline: what it needs, under which licence."""
    from pipelines import names
    from pipelines.presets import preset_names
    from pipelines.registry import pipeline_class

    def cells() -> Iterator[tuple[str, ...]]:
        for name in (name for name in names() if name in PIPELINES):
            found = pipeline_class(name)
            weights = (
                ", ".join(f"{w.repository} ({w.licence})" for w in found.info.weights_for(found.Params())) or "none"
            )
            prompts = " or ".join(sorted(found.info.prompts)) or "none"
            presets = ", ".join(f"`{p}`" for p in preset_names(found))
            yield f"`{name}`", found.info.title, prompts, weights, found.info.licence, presets

    return _table(("pipeline", "what it is", "prompt", "weights", "code licence", "presets"), cells())


def models_table() -> str:
    """One line a checkpoint: where it comes from and what may be done with it."""
    from pipelines.checkpoints import families

    def cells() -> Iterator[tuple[str, ...]]:
        for family, checkpoints in families().items():
            for name, checkpoint in checkpoints.items():
                w = checkpoint.weights
                page = f"[{w.repository}]({w.page})"
                allowed = {True: "yes", False: "**no**", None: "unclear"}[w.commercial]
                gated = {True: "yes", False: "no", None: "unclear"}[w.gated]
                count = "" if checkpoint.parameters_m is None else f"{checkpoint.parameters_m:g}"
                yield family, f"`{name}`", page, w.licence, allowed, gated, count, w.note

    head = ("family", "checkpoint", "weights", "licence", "commercial use", "gated", "million parameters", "note")
    return _table(head, cells())


def results() -> str:
    """The newest committed run on the embedded dataset: the table, and on what it was measured."""
    path = max((ROOT / "docs" / "measurements").glob("*-embedded.json"))
    document = json.loads(path.read_text(encoding="utf-8"))
    dataset, machine = document["dataset"], document["environment"]
    packages = ", ".join(f"{name} {machine['packages'][name]}" for name in ("opencv-python", "numpy", "pillow"))
    head = ("pipeline", "mIoU [95 %]", "boundary IoU", "misses", "p50 ms", "images/s (batch)", "peak MB", "weights")
    said = (
        f"Embedded dataset `{dataset['name']}`, {dataset['n']} images in {dataset['n_groups']} groups, "
        f"on {path.name[:10]}: {machine['cpu']}, {machine['cores']} cores, no GPU; "
        f"Python {machine['python']}, {packages}; "
        f"[the whole document]({path.relative_to(ROOT).as_posix()}).\n\n"
    )
    return said + _table(head, map(_result, document["rows"]))


def _result(row: dict[str, Any]) -> tuple[str, ...]:
    (low, high), rate = row["miou_ci"], row["throughput_ips"]
    return (
        f"`{row['label']}`",
        f"**{row['miou']:.3f}** [{low:.3f}, {high:.3f}]",
        f"{row['boundary_iou']:.3f}",
        f"{row['miss_rate']:.1%}",
        f"{row['latency_ms']['p50']:.1f}",
        f"{rate['value']:.1f} ({rate['batch_size']})",
        f"{row['peak_memory_mb']['host']:.0f}",
        ", ".join(w["licence"] for w in row["weights"]) or "none",
    )


def parameters_table(name: str) -> str:
    """One line a parameter, with the value of the default preset."""
    from pipelines.params import knobs
    from pipelines.presets import preset
    from pipelines.registry import pipeline_class

    found = pipeline_class(name)
    values, _ = preset(found)
    rows = (
        (f"`{k.name}`", f"`{json.dumps(getattr(values, k.name))}`", k.bounds, k.reads, k.help)
        for k in knobs(found.Params)
    )
    return _table(("parameter", "default preset", "values", "read by", "what it does"), rows)


def metrics_table() -> str:
    """One line a metric; the mean over the images with a target stands beside the mean over all."""
    from benchmarks.metrics import METRICS

    def cells() -> Iterator[tuple[str, ...]]:
        for name, metric in METRICS.items():
            if not name.endswith("_pos"):
                names = f"`{name}`" + (f", `{name}_pos`" if f"{name}_pos" in METRICS else "")
                low, high = (f"{end:g}" for end in metric.range)
                yield names, metric.title, f"{metric.direction}, {low} to {high}", metric.needs

    return _table(("metric", "what it is", "better", "looks at"), cells())


def file_tree() -> str:
    """Every source file with the first line of its docstring."""
    lines = [line for folder in ("pipelines", "benchmarks", "workbench") for line in _branch(ROOT / folder, "")]
    return "```\n" + "\n".join(lines) + "\n```\n"


def _branch(folder: Path, indent: str) -> Iterator[str]:
    yield _leaf(f"{indent}{folder.name}/", folder / "__init__.py")
    for path in sorted(folder.iterdir(), key=lambda p: (p.is_dir(), p.name)):
        if path.is_dir() and (path / "__init__.py").is_file():
            yield from _branch(path, indent + "    ")
        elif path.suffix == ".py" and path.name != "__init__.py":
            yield _leaf(f"{indent}    {path.name}", path)


def _leaf(name: str, path: Path) -> str:
    said = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    return f"{name:<28} {said}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


PARTS: dict[str, Callable[[], str]] = {
    "results": results,
    "pipelines": pipelines_table,
    "models": models_table,
    "metrics": metrics_table,
    "files": file_tree,
    **{f"parameters of {name}": partial(parameters_table, name) for name in PIPELINES},
}

if __name__ == "__main__":
    main(app)
