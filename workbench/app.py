"""The app: its tabs put together, and started with everything closed that need not be open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio import processing_utils

from workbench import addresses, routes, theme
from workbench.examples import examples
from workbench.janitor import Janitor
from workbench.plainly import plainly, shown
from workbench.service import Service
from workbench.settings import MAX_FILE_SIZE, STATES, WAITING, Settings, temp_folder
from workbench.shelf import Shelf
from workbench.tabs import about, compare
from workbench.tabs.desk import Desk
from workbench.visitors import Visits

TITLE = "Segmentation workbench"
HEADER = "<h1>Segmentation workbench</h1><p>Compare segmentation pipelines on your own picture, side by side.</p>"
HEAD = '<meta name="viewport" content="width=device-width, initial-scale=1">'


@dataclass(frozen=True)
class App:
    """The app before it is started.

    Attributes:
        demo: of Gradio.
        service: that looks and decides.
        visits: what visitors have open.
        shelf: where files are given out from.
        settings: how it is set up.
        janitor: of its temporary files.
        desk: what happens in the tab Compare.
        kept: what programs may decide again.
    """

    demo: gr.Blocks
    service: Service
    visits: Visits
    shelf: Shelf
    settings: Settings
    janitor: Janitor
    desk: Desk
    kept: routes.Kept

    def open(self) -> str:
        """Serve it, from threads of its own.

        Returns:
            Its address.
        """
        fetch_as_ours(self.shelf)
        self.janitor.start()
        served, address, _ = self.demo.launch(**launching(self.settings), prevent_thread_lock=True)
        routes.health(served, self.state)
        return str(address)

    def state(self) -> dict[str, Any]:
        """What ``/healthz`` tells."""
        return {"visitors": len(self.visits.held), "evidence_mb": round(self.service.kept.used / 1e6, 1)}

    def close(self) -> None:
        """End it, with all processes."""
        self.demo.close(verbose=False)
        self.service.close()
        self.janitor.close()


def build(settings: Settings | None = None, service: Service | None = None) -> App:
    """The app, not started yet.

    Args:
        settings: how it is set up.
        service: that looks and decides; one by the settings, if not given.
    """
    chosen = settings or Settings()
    shelf = Shelf(temp_folder())
    made = service or Service(chosen.place, chosen.limits, chosen.room_mb)
    visits = Visits(chosen.room_mb, made.forget)
    with gr.Blocks(title=TITLE, analytics_enabled=False) as demo:
        gr.HTML(HEADER)
        with gr.Tab("Compare", id="compare"):
            desk = compare.build(made, visits, shelf, chosen)
        with gr.Tab("About", id="about"):
            about.build([slot.offer for slot in desk.form.slots], chosen, _address(chosen))
        opened, filled = compare.link(desk.form, shelf)
        demo.load(opened, None, filled, show_progress="hidden", api_visibility="private")
        demo.unload(_leave(visits))
        kept = routes.attach(made, shelf, {"concurrency_id": compare.LOOKS, "concurrency_limit": chosen.at_once},
                             {"concurrency_id": compare.QUICK, "concurrency_limit": compare.QUICK_AT_ONCE})  # fmt: skip
    demo.queue(max_size=WAITING, api_open=False)
    return App(demo, made, visits, shelf, chosen, Janitor(shelf.folder, chosen.rules), desk, kept)


def _leave(visits: Visits) -> Callable[..., None]:
    def left(request: gr.Request) -> None:
        visits.leave(str(request.session_hash))

    return plainly(left)


def _address(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    return f"http://{host}:{settings.port}/"


def launching(settings: Settings) -> dict[str, Any]:
    """What Gradio is launched with."""
    return {
        "server_name": settings.host, "server_port": settings.port or None, "share": False, "quiet": True,
        "show_error": False, "strict_cors": True, "state_session_capacity": STATES, "max_file_size": MAX_FILE_SIZE,
        "allowed_paths": [], "mcp_server": False, "pwa": False, "ssr_mode": False, "enable_monitoring": False,
        "footer_links": ["api", "settings"], "theme": theme.theme(), "css": theme.css(examples().values()),
        "head": HEAD, "run_history": False,
    }  # fmt: skip


def fetch_as_ours(shelf: Shelf) -> None:
    """Have Gradio fetch an address that stands in the place of an upload as ours are fetched.

    Its own fetch follows http and any port, and has no limit on bytes or on the whole time.

    Args:
        shelf: where what is fetched is put.
    """

    def fetched(url: str, cache_dir: str) -> str:
        try:
            return shelf.put("fetched", addresses.fetch(url))
        except Exception as error:
            raise shown(error) from error

    async def fetched_beside(url: str, cache_dir: str) -> str:
        import asyncio

        return await asyncio.to_thread(fetched, url, cache_dir)

    processing_utils.ssrf_protected_download = fetched
    processing_utils.async_ssrf_protected_download = fetched_beside
