"""What a dataset is like and what is wrong with it, before any model. ``python -m benchmarks.profile DATASET``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from benchmarks.command import INTERRUPTED, application, console, emit, main
from pipelines.errors import WorkbenchError

if TYPE_CHECKING:
    from benchmarks.datasets import Dataset, Problem
    from benchmarks.profile.profiling import Progress

app = application()
Spec = Annotated[
    str, typer.Argument(metavar="DATASET", help="coins (embedded), a folder, a file (.json, data.yaml), hf:OWNER/NAME.")
]
Out = Annotated[Path | None, typer.Option(help="Folder of the files. Default: profiles/NAME.", show_default=False)]
ExcludeTo = Annotated[
    Path | None, typer.Option(help="Write the images to leave out, each with its reasons.", show_default=False)
]
Run = Annotated[Path | None, typer.Option(help="A run on it: do pipelines agree against a mask?", show_default=False)]
Against = Annotated[
    Path | None, typer.Option(help="profile.json of an earlier profile: what changed since.", show_default=False)
]


class StoppedError(WorkbenchError):
    """A profile that was interrupted."""

    code: ClassVar[str] = "interrupted"
    exit_code: ClassVar[int] = INTERRUPTED


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C is told as it is here: nothing is kept of a profile that is not whole."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise StoppedError(
            "Interrupted.", "A profile that is not whole is not kept: the same command begins anew."
        ) from stop


@app.command()
@_stoppable()
def profile(
    dataset: Spec,
    out: Out = None,
    split: Annotated[str | None, typer.Option(help="One split of the dataset.", show_default=False)] = None,
    html: Annotated[bool, typer.Option("--html/--no-html", help="Write the page, profile.html.")] = True,
    md: Annotated[bool, typer.Option("--md", help="Write the summary, profile.md.")] = False,
    exclude_to: ExcludeTo = None,
    run: Run = None,
    against: Against = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Quicker: copies that small pictures alone prove.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Threads. Default: the cores.", show_default=False)] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many images, evenly spaced.", show_default=False)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No table and no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> int:
    """Profile a dataset: what it is like, what is wrong with it, and what that means for the choice of a pipeline.

    A broken file is a finding and does not end it. profile.json holds every number; --against reads it. Suspects are to
    be looked at: of these, --exclude-to lists those that would distort scores, as run and tune read it with --exclude.
    """
    from benchmarks.profile.comparison import read_profile
    from benchmarks.profile.profiling import profile as profile_of
    from benchmarks.profile.written import finished, write
    from benchmarks.run_folder import find_run, newest_note
    from benchmarks.specs import check_writable

    before = read_profile(against) if against else None
    chosen = find_run(run) if run else None
    found, elsewhere = _opened(dataset, split, limit)
    folder = out or Path("profiles") / _folder_name(found)
    check_writable(folder, "--out")
    if exclude_to:
        check_writable(exclude_to.absolute().parent, "--exclude-to")
    screen = console(quiet=quiet, to_stderr=True)
    for note in (newest_note(run, chosen) if run and chosen else None, *found.notes):
        if note:
            screen.print(note, markup=False, soft_wrap=True)
    with _progress(quiet=quiet) as progress:
        seen = profile_of(found, run=chosen, jobs=jobs, verify=not no_verify, progress=progress)
    document = finished(seen, dataset, run=chosen, before=before, split=split, limit=limit, elsewhere=elsewhere)
    files = write(document, found, folder, html=html, md=md, exclude_to=exclude_to)
    if as_json:
        emit(document)
    _show(document, files, quiet=quiet, to_stderr=as_json)
    return 0


def _opened(spec: str, split: str | None, limit: int | None) -> tuple[Dataset, list[Problem]]:
    """The dataset with its problems as findings, and the problems of other splits, where their folders tell.

    Raises:
        DatasetError: it is none, or it is empty.
        UnknownNameError: there is no such split.
    """
    from benchmarks.datasets import Stream, open_dataset
    from benchmarks.datasets.splits import choose_split
    from benchmarks.profile.blocking import of_sample, of_splits
    from benchmarks.selection import spread
    from pipelines.errors import DatasetError

    whole = open_dataset(spec, strict=False)
    if whole.format == "unknown":
        open_dataset(spec, split=split)  # which says what is wrong
    if isinstance(whole.samples, Stream):
        if split is not None:
            open_dataset(spec, split=split)  # which says how the split of a stream is named
        return whole.select(whole.samples.without((), limit)), []
    if not len(whole) and not any(map(of_sample, whole.problems)):
        why = f": {whole.problems[0]}" if whole.problems else "."
        cure = whole.problems[0].cure if whole.problems else "Put pictures into it, or give another dataset."
        raise DatasetError(f"{whole.name} holds no images that can be used{why}", cure)
    kept = list(whole) if split is None else choose_split(tuple(whole), split)
    here, elsewhere = of_splits(whole, split)
    return replace(whole, samples=tuple(spread(kept, limit)), problems=tuple(here)), elsewhere


def _folder_name(found: Dataset) -> str:
    from benchmarks.file_names import folder_name

    return folder_name(found.name)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar on stderr, cleared at the end; nothing where nobody watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = console(quiet=quiet, to_stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:
        task = bars.add_task("looking at images", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _show(document: dict[str, Any], files: list[Path], *, quiet: bool, to_stderr: bool) -> None:
    from benchmarks.profile.screen import print_profile

    print_profile(console(quiet=quiet, to_stderr=to_stderr), document, files)


if __name__ == "__main__":
    main(app)
