"""Search parameters on labelled images, at no more inference than needed. ``python -m benchmarks.tune PIPELINE``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.command import application, console, emit, main

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.datasets import Dataset
    from benchmarks.tune.outcome import Outcome
    from benchmarks.tune.planning import Plan
    from benchmarks.tune.task import Task
    from pipelines.errors import WorkbenchError

app = application()


class Copies(StrEnum):
    """What counts as a copy of a picture."""

    near = "near"
    exact = "exact"


Split = Annotated[str | None, typer.Option(help="Split to tune on. Default: tune or train.", show_default=False)]
Span = Annotated[
    float, typer.Option(min=0.01, max=1, help="Part of a field's range to search on either side; 1 = all.")
]
Prompts = Annotated[list[str] | None, typer.Option(help="What to look for; may be repeated.", show_default=False)]
Wording = Annotated[list[str] | None, typer.Option(help="A wording to try; may be repeated.", show_default=False)]

Fields = Annotated[
    str | None, typer.Option(help="Fields to search, such as threshold,min_area. Default: those that matter.")
]
Wordings = Annotated[Path | None, typer.Option(help="File of wordings to try, one a line.", show_default=False)]
Excluded = Annotated[Path | None, typer.Option(help="File of sample ids to leave out, one a line.", show_default=False)]
Weights = Annotated[str | None, typer.Option(help="Folder of weights (OWNER/NAME/...), or random.", show_default=False)]
Slowest = Annotated[
    float | None, typer.Option(min=0, help="With miou,latency_ms: keep nothing slower.", show_default=False)
]
Kept = Annotated[
    str | None,
    typer.Option(help="Where trials are kept: sqlite:///FILE, a database, a journal. Shared by all who name it.",
                 show_default=False),
]  # fmt: skip


@app.command()
def tune(
    pipeline: Annotated[str, typer.Argument(help="NAME[@PRESET][:field=value;...]: where the search begins.")],
    dataset: Annotated[
        str, typer.Option(help="coins (embedded), a folder or a file; every image needs a mask.")
    ] = "coins",
    split: Split = None,
    objective: Annotated[str, typer.Option(help="Metric to make as good as can be; or METRIC,latency_ms.")] = "miou",
    trials: Annotated[int, typer.Option(min=1, max=1_000_000, help="Of all folds together.")] = 100,
    folds: Annotated[int, typer.Option(min=0, max=1000, help="Parts of which each is left out once; 0 = none.")] = 5,
    fields: Fields = None,
    span: Span = 0.25,
    prompt: Prompts = None,
    wording: Wording = None,
    wordings: Wordings = None,
    timeout: Annotated[float, typer.Option(min=1, max=10_000_000, help="Seconds; no trial begins after.")] = 86_400,
    jobs: Annotated[int, typer.Option(min=0, max=256, help="Processes; 0 = as many as suit the pipeline.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of folds and proposals.")] = 0,
    storage: Kept = None,
    exclude: Excluded = None,
    limit: Annotated[int | None, typer.Option(help="So many images, evenly spaced.", show_default=False)] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    weights: Weights = None,
    max_latency_ms: Slowest = None,
    evidence_mb: Annotated[
        float, typer.Option(min=0, max=1e9, help="Room for what networks saw, from one search to the next.")
    ] = 2000,
    copies: Annotated[
        Copies, typer.Option(help="What may not be on both sides: pictures that look the same too, or the same bytes.")
    ] = Copies.near,
    allow_tuned: Annotated[
        bool, typer.Option("--allow-tuned", help="Begin with a preset tuned on these images.")
    ] = False,
    save: Annotated[str | None, typer.Option(help="Save the result as this preset.", show_default=False)] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Save over a preset of that name.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of the studies.")] = Path("runs"),
    wandb: Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases; offline without a key.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No table and no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> int:
    """Search parameters and say honestly what the result gives on images that had no say in it.

    Thresholds are swept exactly; other fields that a decision reads are searched on kept evidence, and only those that
    the network itself reads cost passes over the images. The same command goes on with an interrupted search.
    """
    from benchmarks import specs
    from benchmarks.tune.planning import Request, plan_task

    specs.check_writable(out, "--out")
    names = tuple(name.strip() for name in fields.split(",") if name.strip()) if fields is not None else None
    request = Request(pipeline, dataset, split, exclude, limit, tuple(prompt or ()), _words(wording, wordings),
                      objective, names, span, trials, folds, seed, device, weights, max_latency_ms, allow_tuned,
                      out / "evidence" if evidence_mb else None, evidence_mb, copies is Copies.near)  # fmt: skip
    planned = plan_task(request)
    task, samples, notes = planned.task, planned.dataset, planned.notes
    screen = console(quiet=quiet, to_stderr=True)
    for note in (*samples.notes, *notes):
        screen.print(note, markup=False, soft_wrap=True)
    if save is not None:
        check_saved(task, save, replace=replace)
    folder = out / f"tune-{task.key()}"
    outcome = _search(planned, folder, storage, jobs, timeout, quiet=quiet)
    return _tell(outcome, samples, folder, save, replace=replace, wandb=wandb, quiet=quiet, as_json=as_json)


def check_saved(task: Task, name: str, *, replace: bool) -> None:
    """Refuse before the search, and not after, what cannot be saved: chance, or under a name that will not do."""
    from benchmarks.leaderboard import is_random
    from pipelines.errors import UsageError
    from pipelines.presets import check_saving
    from pipelines.registry import pipeline_class

    if is_random(task.configuration):
        raise UsageError("What random weights make seem best is chance, and cannot be saved.",
                         "Leave out --save, or give real weights.")  # fmt: skip
    check_saving(pipeline_class(task.configuration.pipeline), name, replace=replace, study=task.key())


def _words(given: list[str] | None, path: Path | None) -> tuple[str, ...]:
    from pipelines.errors import UsageError

    lines: list[str] = []
    if path is not None:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"--wordings {path} cannot be read: {error}.", "Give a text file, one wording a line."
            ) from error
    said = [line.strip() for line in (*(given or ()), *(line for line in lines if not line.startswith("#")))]
    words = tuple(dict.fromkeys(line for line in said if line))
    if not words and (given or path is not None):
        raise UsageError(f"There is no wording in {path or '--wording'}.", "Give at least one, one a line.")
    return words


def _search(planned: Plan, folder: Path, storage: str | None, jobs: int, timeout: float, *, quiet: bool) -> Outcome:
    from time import monotonic

    from benchmarks.tune.crew import Crew, jobs_for
    from benchmarks.tune.outcome import search
    from benchmarks.tune.search import Search
    from benchmarks.tune.storage import open_storage, reached

    folder.mkdir(parents=True, exist_ok=True)
    screen = console(quiet=quiet, to_stderr=True)
    kept = open_storage(storage, folder)
    with reached(storage), Crew(planned.task, jobs or jobs_for(planned.task), planned.ready) as crew:
        finder = Search(planned.task, crew, kept, monotonic() + timeout, lambda line: screen.print(line, markup=False))
        return search(finder)


def _tell(outcome: Outcome, samples: Dataset, folder: Path, save: str | None, *, replace: bool, wandb: bool,
          quiet: bool, as_json: bool) -> int:  # fmt: skip
    import json

    from benchmarks.store import write_whole
    from benchmarks.tune import document
    from benchmarks.tune.page import write_report
    from benchmarks.tune.saving import save as save_as

    def write(preset: document.Saved | None) -> tuple[dict[str, Any], Path]:
        whole = document.document(outcome, preset, folder)
        public = document.public(outcome, whole)
        write_whole(folder / "tuned.json", json.dumps(public, allow_nan=False, ensure_ascii=False, indent=1))
        return public, write_report(outcome, whole, folder)

    said, page = write(None)  # what was found is safe before anything else can fail
    if save is not None and not outcome.nothing:
        said, page = write(save_as(outcome, save, samples, replace=replace))
    screen = console(quiet=quiet, to_stderr=as_json)
    document.show(outcome, screen)
    if said["preset"]:
        screen.print(f"saved as {said['saved_as']} in {said['preset']}", markup=False, soft_wrap=True)
    screen.print(f"report in {page}", markup=False, soft_wrap=True)
    failure = _track(outcome, said, folder, quiet=quiet) if wandb else None
    if as_json:
        error = {"error": {"code": failure.code, "message": failure.message, "cure": failure.cure}} if failure else {}
        emit({**said, **error})
    elif failure:
        raise failure
    return failure.exit_code if failure else int(outcome.nothing)


def _track(outcome: Outcome, said: Mapping[str, Any], folder: Path, *, quiet: bool) -> WorkbenchError | None:
    from functools import partial

    from benchmarks.tracking.studies import track_study
    from benchmarks.tune.document import trials

    screen = console(quiet=quiet, to_stderr=True)
    return track_study(said, trials(outcome), folder, partial(screen.print, markup=False, soft_wrap=True))


if __name__ == "__main__":
    main(app)
