"""The app for tests: with the pipeline that does what it is told, on a free port."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.types import Image
from tests.workbench import acting
from workbench.settings import QUIET


@dataclass(frozen=True)
class Running:
    """An app that is served.

    Attributes:
        app: of ours.
        url: of it.
    """

    app: Any
    url: str

    @property
    def desk(self) -> Any:
        return self.app.desk

    def slot(self, name: str) -> Any:
        return next(slot for slot in self.desk.form.slots if slot.offer.name == name)

    def upload(self, image: Image, name: str = "x.png") -> str:
        from benchmarks.export.originals import png

        return str(self.app.shelf.put(name, png(image)))

    def compare(self, visitor: str, path: str | None, chosen: dict[str, dict[str, Any]], prompt: str = "",
                truth: str | None = None, look: tuple[Any, ...] = ("Overlay", "Checkerboard", 0.5, 0.0),
                cut: float = 0, kind: str = "mask") -> list[dict[Any, Any]]:  # fmt: skip
        """All updates of a comparison, as the browser asks for it."""
        return list(self.comparing(visitor, path, chosen, prompt, truth, look, cut, kind))

    def comparing(self, visitor: str, path: str | None, chosen: dict[str, dict[str, Any]], prompt: str = "",
                  truth: str | None = None, look: tuple[Any, ...] = ("Overlay", "Checkerboard", 0.5, 0.0),
                  cut: float = 0, kind: str = "mask") -> Iterator[dict[Any, Any]]:  # fmt: skip
        """The same, one after another."""
        rest: list[Any] = []
        for slot in self.desk.form.slots:
            fields = chosen.get(slot.offer.name)
            rest += [fields is not None, kind, "default"]
            rest += [(fields or {}).get(knob.name, knob.default) for knob in slot.offer.knobs]
        return iter(self.desk.compare(request(visitor), path, prompt, "", truth, cut, *look, *rest))


def request(visitor: str, **query: str) -> Any:
    import gradio as gr

    return gr.Request(session_hash=visitor, query_params=query)


@contextmanager
def running(folder: Path, service: Any = None, **said: Any) -> Iterator[Running]:
    """The app with the pipeline `acting`, until the block ends; with a service of its own, if none is given."""
    with pytest.MonkeyPatch.context() as patch:
        acting.installed(patch, folder)
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "temp"))
        for name, value in QUIET.items():
            patch.setenv(name, value)
        (folder / "temp").mkdir()
        from workbench.app import build
        from workbench.settings import Settings

        app = build(replace(Settings(port=0, device="cpu", look_s=20, kept=str(folder / "kept")), **said), service)
        try:
            yield Running(app, app.open())
        finally:
            app.close()
            with warnings.catch_warnings():  # of an event loop that Gradio leaves open
                warnings.simplefilter("ignore", ResourceWarning)
                del app
                gc.collect()
