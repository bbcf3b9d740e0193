"""Every metric again from the records of a run, with no model. ``python -m benchmarks.rescore RUN``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.command import application, console, emit, main

if TYPE_CHECKING:
    from benchmarks.records import RunManifest
    from benchmarks.rows import Row
    from benchmarks.store import RunStore

app = application()


@app.command()
def rescore(
    run: Annotated[Path, typer.Argument(help="Folder of a run, as benchmarks.run names it.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="No table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> int:
    """Count every metric of this version again, from stored predictions and the dataset, and print the rows.

    Nothing is written. Metrics of the probability are of the stored 8 bits.
    """
    from benchmarks.leaderboard import document
    from benchmarks.store import RunStore
    from benchmarks.table import print_leaderboard

    store = RunStore(run)
    manifest = store.manifest()
    rows = rescored_rows(store, manifest)
    if as_json:
        emit(document(manifest, rows))
    print_leaderboard(console(quiet=quiet, to_stderr=as_json), manifest, rows)
    return 0


def rescored_rows(store: RunStore, manifest: RunManifest) -> list[Row]:
    """One row a configuration, from predictions and targets alone.

    Raises:
        DatasetError: the dataset is gone or is not what the run saw, or a soft map is gone.
    """
    from benchmarks.leaderboard import row
    from benchmarks.metrics import METRICS
    from benchmarks.records import Configuration
    from benchmarks.scoring import Scoring, rescored
    from benchmarks.selection import classes_of, open_selected
    from pipelines.errors import DatasetError

    dataset = open_selected(manifest.dataset)
    if dataset.hash != manifest.dataset.hash:
        raise DatasetError(f"{dataset.name} is not what the run saw.", "Bring back its files, or run again.")
    about = manifest.dataset

    def scoring(configuration: Configuration) -> Scoring:
        classes = classes_of(about, configuration.prompt)
        return Scoring(list(METRICS.values()), lambda _: "", classes, about.class_names)

    return [
        row(manifest, one, rescored(store, one, dataset, scoring(one)), store.timing(one.id))
        for one in manifest.configurations
    ]


if __name__ == "__main__":
    main(app)
