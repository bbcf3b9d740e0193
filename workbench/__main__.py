"""The app, on this machine. ``python -m workbench``"""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.command import application, main

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


@app.command()
def serve(host: Host = "127.0.0.1", port: Port = 7860, weights: WeightsFrom = None, device: Device = "auto",
          commercial: Commercial = False,
          room_mb: Room = 1000.0, temp_mb: Temp = 200.0, look_s: Seconds = 120.0, most: Most = 3,
          at_once: AtOnce = 1) -> None:  # fmt: skip
    """Compare pipelines in the browser, on your own pictures."""
    from workbench.settings import Settings, prepare

    prepare()
    from workbench.app import build

    made = build(Settings(host, port, weights, device, commercial, room_mb, temp_mb, look_s, most, at_once))
    try:
        typer.echo(f"The app is at {made.open()}")
        made.demo.block_thread()
    finally:
        made.close()


if __name__ == "__main__":
    main(app)
