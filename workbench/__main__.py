"""The app, on this machine. ``python -m workbench``"""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.command import application, main
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from workbench.app import App

app = application()

Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 = every one of this machine.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 = any that is free.")]
WeightsFrom = Annotated[
    str | None, typer.Option(help="Folder of weights (OWNER/NAME/...), or random.", show_default=False)
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Commercial = Annotated[bool, typer.Option(help="Leave out weights that may not be used commercially.")]
Room = Annotated[float, typer.Option(min=0, help="Room in memory for pictures and what was seen, in 10**6 bytes.")]
Temp = Annotated[float, typer.Option(min=1, help="Room for temporary files, in 10**6 bytes.")]
Seconds = Annotated[float, typer.Option(min=0.1, help="Seconds after which a look is ended.")]
Most = Annotated[int, typer.Option(min=1, help="Pipelines that are kept loaded.")]
AtOnce = Annotated[int, typer.Option(min=1, help="Looks at one time; more disturb the times that are shown.")]
Runs = Annotated[str, typer.Option(help="Folder of the runs that the leaderboard shows.")]
Kept = Annotated[str, typer.Option(help="Folder of what visitors find again: batches, studies of datasets, votes.")]
Data = Annotated[list[str] | None, typer.Option(help="Folder of a dataset that all may study; may be repeated.",
                                                show_default=False)]  # fmt: skip
GiveVotes = Annotated[bool, typer.Option(help="Let visitors download all votes.")]


@app.command()
def serve(host: Host = "127.0.0.1", port: Port = 7860, weights: WeightsFrom = None, device: Device = "auto",
          commercial: Commercial = False,
          room_mb: Room = 1000.0, temp_mb: Temp = 600.0, look_s: Seconds = 120.0, most: Most = 3,
          at_once: AtOnce = 1, runs: Runs = "runs", kept: Kept = "runs/app", data: Data = None,
          give_votes: GiveVotes = False) -> None:  # fmt: skip
    """Compare pipelines in the browser, on your own pictures."""
    _check(weights, device)
    from workbench.settings import Settings, prepare

    prepare()
    from workbench.app import build

    made = build(Settings(host, port, weights, device, commercial, room_mb, temp_mb, look_s, most, at_once, runs, kept,
                          tuple(data or ()), give_votes))  # fmt: skip
    try:
        typer.echo(f"The app is at {_opened(made, host, port)}")
        Event().wait()  # for Ctrl-C
    finally:
        made.close()


def _check(weights: str | None, device: str) -> None:
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"There is no device {device!r}.", "Choose auto, cpu or cuda.")
    if weights not in (None, "random") and not Path(str(weights)).is_dir():
        raise UsageError(
            f"There is no folder {weights}.", "Give one that holds OWNER/NAME/... as the hub does, or random."
        )


def _opened(made: App, host: str, port: int) -> str:
    try:
        return made.open()
    except OSError as error:
        raise UsageError(
            f"Nothing can be served at {host}:{port}: the port is in use, or the address is not of this machine.",
            "Give another --port, 0 for any that is free, or another --host.",
        ) from error


if __name__ == "__main__":
    main(app)
