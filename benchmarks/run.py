"""The main job: every pipeline on a dataset, quality and speed side by side. ``python -m benchmarks.run``."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.command import application, console, emit, main

if TYPE_CHECKING:
    from benchmarks.datasets import Dataset
    from benchmarks.records import RunManifest
    from benchmarks.rows import Row
    from benchmarks.store import RunStore
    from pipelines.errors import WorkbenchError

app = application()


class PromptFrom(StrEnum):
    """Values of ``--prompt-from``."""

    text = "text"
    boxes = "boxes"
    points = "points"


Pipelines = Annotated[
    str | None, typer.Option(help="NAME[@PRESET][:field=value;field=value],... Default: all.", show_default=False)
]
Prompts = Annotated[
    list[str] | None, typer.Option(help="What to look for, or class=words; may be repeated.", show_default=False)
]
From = Annotated[
    PromptFrom | None,
    typer.Option(help="texts alone; or boxes or points: the sample's, else its masks'.", show_default=False),
]
Excluded = Annotated[Path | None, typer.Option(help="File of sample ids to leave out, one a line.", show_default=False)]
Limit = Annotated[
    int | None, typer.Option(help="So many images, evenly spaced; the first of a stream.", show_default=False)
]
WeightsFrom = Annotated[
    str | None, typer.Option(help="Folder of weights (OWNER/NAME/...), or random.", show_default=False)
]
SoftMaps = Annotated[
    float, typer.Option(min=0, help="Room for the soft maps of each pipeline, from which thresholds can be moved.")
]
ALLOW_TUNED = "Judge presets on images that they were tuned on all the same; their rows are marked."
Exports = Annotated[
    str | None,
    typer.Option(help="Write predictions to FOLDER: png,soft,rgba,crop,coco,yolo,voc:FOLDER.", show_default=False),
]


@app.command()
def run(
    dataset: Annotated[
        str, typer.Option(help="coins (embedded), a folder, a file (.json, data.yaml), hf:OWNER/NAME or hf-stream:...")
    ] = "coins",
    pipelines: Pipelines = None,
    prompt: Prompts = None,
    prompt_from: From = None,
    split: Annotated[str | None, typer.Option(help="One split of the dataset.", show_default=False)] = None,
    exclude: Excluded = None,
    limit: Limit = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda; cuda fails where there is none.")] = "auto",
    weights: WeightsFrom = None,
    batch_sizes: Annotated[
        str, typer.Option(help="Batches tried for the throughput; auto: 1,2,4,... until it no longer rises.")
    ] = "auto",
    budget_s: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds for the timing of each pipeline.")] = 60,
    timeout_s: Annotated[
        float, typer.Option(min=1, max=86_400, help="No sign of life for so long: the pipeline is ended.")
    ] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of images and of the bootstrap.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again instead of resuming.")] = False,
    commercial: Annotated[bool, typer.Option("--commercial", help="Only what may be used commercially.")] = False,
    allow_tuned: Annotated[bool, typer.Option("--allow-tuned", help=ALLOW_TUNED)] = False,
    soft_maps_mb: SoftMaps = 1000,
    export: Exports = None,
    wandb: Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases; offline without a key.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No table and no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List pipelines and presets, then stop.")] = False,
) -> int:
    """Run pipelines on a dataset and print quality with intervals, latency, throughput, memory and licences.

    The same command resumes an interrupted run; a finished one prints its stored rows.
    """
    from benchmarks import plan, specs
    from benchmarks.records import Protocol

    if list_:
        return _list(as_json=as_json)
    exports = specs.parse_export(export, specs.dataset_folder(dataset) if export else None)
    specs.check_writable(out, "--out")
    sizes = () if batch_sizes == "auto" else specs.parse_batch_sizes(batch_sizes)
    protocol = Protocol(seed=seed, budget_s=budget_s, batch_sizes=sizes, soft_maps_mb=soft_maps_mb)
    request = plan.Request(dataset, pipelines, tuple(prompt or ()), split, exclude, limit, device, weights, commercial,
                           prompt_from.value if prompt_from else None, protocol, allow_tuned)  # fmt: skip
    manifest, samples = plan.plan(request)
    for note in () if quiet else samples.notes:
        console(to_stderr=True).print(note, markup=False)
    return _execute(manifest, samples, exports, out, timeout_s, wandb=wandb, fresh=fresh, quiet=quiet,
                    as_json=as_json)  # fmt: skip


def _execute(manifest: RunManifest, samples: Dataset, exports: tuple[tuple[str, ...], Path] | None, out: Path,
             timeout_s: float, *, wandb: bool, fresh: bool, quiet: bool, as_json: bool) -> int:  # fmt: skip
    """Do what is not done yet, print, and write what was asked for; a failure of that takes no result away."""
    from benchmarks import runner, table
    from benchmarks.leaderboard import document
    from benchmarks.loading import outdated
    from benchmarks.store import RunStore, run_folder

    changed = outdated(run_folder(out, manifest.run_id, fresh=False), manifest)
    for label in () if quiet else changed:
        console(to_stderr=True).print(f"{label}: its weights changed, so that a new run begins", markup=False)
    store = RunStore(run_folder(out, manifest.run_id, fresh=fresh or bool(changed)))
    manifest = manifest.model_copy(update={"run_id": store.folder.name})
    if exports:
        _check(exports, manifest)
    with table.progress(console(quiet=quiet, to_stderr=True), len(samples)) as report:
        rows = runner.execute(store, manifest, samples, report, timeout_s)
    _show(manifest, rows, store, quiet=quiet, to_stderr=as_json)
    failure = _export(exports, store, samples, quiet=quiet) if exports else None
    unlogged = _track(store, rows, samples, quiet=quiet) if wandb else None
    if failure and unlogged:
        console(to_stderr=True).print(str(unlogged), markup=False, soft_wrap=True)
    failure = failure or unlogged
    if as_json:
        error = {"error": {"code": failure.code, "message": failure.message, "cure": failure.cure}} if failure else {}
        emit({**document(manifest, rows), **error})
    elif failure:
        raise failure
    return failure.exit_code if failure else runner.exit_code(rows, manifest.configurations)


def _show(manifest: RunManifest, rows: list[Row], store: RunStore, *, quiet: bool, to_stderr: bool) -> None:
    from benchmarks.table import print_leaderboard

    screen = console(quiet=quiet, to_stderr=to_stderr)
    print_leaderboard(screen, manifest, rows)
    screen.print(f"records: {store.folder}", markup=False)


def _check(exports: tuple[tuple[str, ...], Path], manifest: RunManifest) -> None:
    from benchmarks.export import check
    from benchmarks.specs import dataset_folder

    formats, folder = exports
    check(folder, formats, manifest.configurations, dataset_folder(manifest.dataset.spec))


def _export(exports: tuple[tuple[str, ...], Path], store: RunStore, samples: Dataset, *,
            quiet: bool) -> WorkbenchError | None:  # fmt: skip
    """Write the predictions of every pipeline; what ended it, or None."""
    from benchmarks import table
    from benchmarks.export import export
    from pipelines.errors import WorkbenchError

    (formats, folder), manifest = exports, store.manifest()
    screen, said = console(quiet=quiet, to_stderr=True), set[str]()
    screen.print(f"exporting {', '.join(formats)} to {folder}", markup=False, soft_wrap=True)
    try:
        with table.progress(screen, len(samples)) as report:
            for one in manifest.configurations:
                written = export(
                    folder, formats, one, manifest, store, samples, partial(report, one, {"event": "sample"})
                )
                report(one, {"event": "finished"})
                notes = [f"{name}: {note}" for name, n in written.files.items() if n for note in written.notes[name]]
                for line in (f"{one.label}: {written}", *(note for note in notes if note not in said)):
                    screen.print(line, markup=False, soft_wrap=True)
                said.update(notes)
    except WorkbenchError as error:
        return error
    return None


def _track(store: RunStore, rows: list[Row], samples: Dataset, *, quiet: bool) -> WorkbenchError | None:
    """Log to Weights & Biases what was not logged before; what kept it from that, or None."""
    from benchmarks.tracking import track

    screen = console(quiet=quiet, to_stderr=True)
    return track(store, rows, samples, partial(screen.print, markup=False, soft_wrap=True))


def _list(*, as_json: bool) -> int:
    from pipelines import names

    listed = [_about(name) for name in names()]
    if as_json:
        emit({"pipelines": listed})
        return 0
    for about in listed:
        said = f"{about['title']}; presets: {', '.join(about['presets'])}" if "title" in about else about["unavailable"]
        print(f"{about['name']:<16} {said}")
    return 0


def _about(name: str) -> dict[str, Any]:
    """What a pipeline is; a plugin that cannot be imported hides none of the others."""
    from pipelines.errors import UnavailableError
    from pipelines.presets import preset_names
    from pipelines.registry import pipeline_class

    try:
        found = pipeline_class(name)
    except UnavailableError as error:
        return {"name": name, "unavailable": str(error)}
    return {**found.info.to_json(), "presets": preset_names(found)}


if __name__ == "__main__":
    main(app)
