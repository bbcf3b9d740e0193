"""The app: its tabs put together, and started with everything closed that need not be open."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import gradio as gr
from gradio import processing_utils

from workbench import routes, theme
from workbench.batches import served as of_batches
from workbench.boards import served as of_boards
from workbench.boards.stored import Boards
from workbench.door import refusals, sessions, worded
from workbench.examples import examples
from workbench.files.janitor import Janitor
from workbench.files.shelf import Shelf
from workbench.given import addresses
from workbench.given.decoding import decoders
from workbench.looks.inside import Inside
from workbench.plainly import shown
from workbench.service import Service
from workbench.settings import MAX_FILE_SIZE, STATES, WAITING, WAITING_QUICK, Settings, temp_folder
from workbench.studies import served as of_studies
from workbench.studies.store import Studies
from workbench.tabs import about, batch, compare, dataset, leaderboard, vote
from workbench.tabs.batch import BatchDesk
from workbench.tabs.dataset import DatasetDesk
from workbench.tabs.desk import Desk
from workbench.tabs.events import ADDRESSES, LOOKS, QUICK, QUICK_AT_ONCE, on
from workbench.visitors import Presence, Visits
from workbench.votes.duels import Duels, visitor_of

TITLE = "Segmentation workbench"
HEADER = "<h1>Segmentation workbench</h1><p>Compare segmentation pipelines on your own picture, side by side.</p>"
SHARE_OF_A_FILE = 0.75
"""Of the room for temporary files, at most: the janitor makes room for it by what is older."""

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
        batch: what happens in the tab Batch.
        dataset: what happens in the tab Dataset.
        boards: stored runs of the tab Leaderboard.
        kept: what programs may decide again.
        presence: who is there.
    """

    demo: gr.Blocks
    service: Service
    visits: Visits
    shelf: Shelf
    settings: Settings
    janitor: Janitor
    desk: Desk
    batch: BatchDesk
    dataset: DatasetDesk
    boards: Boards
    kept: routes.Kept
    presence: Presence

    def open(self) -> str:
        """Serve it, from threads of its own.

        Returns:
            Its address.
        """
        fetch_as_ours(self.shelf)
        self.janitor.start()
        self.batch.batches.start()
        guards = worded.served(refusals.guarded(self.janitor, self.presence))
        served, address, _ = self.demo.launch(**launching(self.settings), app_kwargs=guards, prevent_thread_lock=True)
        sessions.lighten(served)
        lines = {LOOKS: WAITING, ADDRESSES: WAITING}
        refusals.limit(self.demo, lines | dict.fromkeys((QUICK, vote.VOTES), WAITING_QUICK))
        routes.health(served, self.state)
        rows = of_boards.Rows(self.boards)
        of_boards.serve(served, rows)
        of_batches.serve(served, self.batch.batches)
        of_studies.serve(served, self.dataset.studies)
        self.dataset.studies.start()
        decoders().warm()
        Thread(target=rows.warm, daemon=True).start()  # so that nobody waits for them to be read
        return str(address)

    def state(self) -> dict[str, Any]:
        """What ``/healthz`` tells."""
        away = {name for page in list(self.presence.away) for name in (page, visitor_of(page))}
        return {"visitors": len(set(self.visits.held) - away), "working": self.service.pool.working,
                "evidence_mb": round(self.service.kept.used / 1e6, 1)}  # fmt: skip

    def close(self) -> None:
        """End it, with all processes."""
        self.demo.close(verbose=False)
        self.batch.batches.close()
        self.dataset.studies.close()
        self.service.close()
        self.janitor.close()
        decoders().close()


def build(settings: Settings | None = None, service: Service | None = None) -> App:
    """The app, not started yet.

    Args:
        settings: how it is set up.
        service: that looks and decides; one by the settings, if not given.
    """
    chosen = settings or Settings()
    folder = temp_folder()
    janitor = Janitor(folder, chosen.rules)
    shelf = Shelf(folder, janitor.room, chosen.temp_mb * SHARE_OF_A_FILE)
    made = service or Service(chosen.place, chosen.limits, chosen.half_mb)
    visits = Visits(chosen.half_mb, made.forget)
    with gr.Blocks(title=TITLE, analytics_enabled=False) as demo:
        gr.HTML(HEADER)
        with gr.Tab("Compare", id="compare"):
            desk = compare.build(made, visits, shelf, chosen)
        with gr.Tab("Blind vote", id="vote") as voting:
            duels = vote.build(voting, desk, chosen)
        with gr.Tab("Batch", id="batch"):
            batches = batch.build(made, shelf, chosen)
        with gr.Tab("Dataset", id="dataset"):
            studied = dataset.build(demo, made, chosen.studies(made.offers()))
        with gr.Tab("Leaderboard", id="leaderboard") as board:
            boards = Boards(Path(chosen.runs), own=studied.studies.runs_of)
            ranked = leaderboard.build(demo, board, boards)
        leaderboard.follow(studied.form.board, ranked)
        with gr.Tab("About", id="about"):
            about.build([slot.offer for slot in desk.form.slots], chosen, _address(chosen),
                        isinstance(made.pool, Inside))  # fmt: skip
        opened, filled = compare.link(desk.form, shelf)
        on(demo.load, opened, None, filled)
        kept = routes.attach(made, shelf, {"concurrency_id": LOOKS, "concurrency_limit": chosen.at_once},
                             {"concurrency_id": QUICK, "concurrency_limit": QUICK_AT_ONCE})  # fmt: skip
    demo.queue(max_size=None, api_open=False)  # `refusals.limit` limits each line
    worded.in_words(demo)
    presence = _presence(visits, duels, studied.studies, demo)
    janitor.also.append(presence.sweep)
    return App(demo, made, visits, shelf, chosen, janitor, desk, batches, studied, boards, kept, presence)


def _presence(visits: Visits, duels: Duels, studies: Studies, demo: gr.Blocks) -> Presence:
    def stop(page: str) -> None:
        visits.stop(page)
        visits.stop(visitor_of(page))

    def drop(page: str) -> None:
        visits.drop(page)
        duels.leave(page)
        studies.leave(page)
        sessions.forget(demo, page)

    return Presence(stop, drop)


def _address(settings: Settings) -> str:
    """As a visitor has it; a Space says under which name it is reached."""
    if "SPACE_HOST" in os.environ:
        return f"https://{os.environ['SPACE_HOST']}/"
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
    return f"http://{host}:{settings.port or 'PORT'}/"


def launching(settings: Settings) -> dict[str, Any]:
    """What Gradio is launched with."""
    return {
        "server_name": settings.host, "server_port": settings.port or None, "share": False, "quiet": True,
        "show_error": False, "strict_cors": True, "state_session_capacity": STATES, "max_file_size": MAX_FILE_SIZE,
        "allowed_paths": [], "mcp_server": False, "pwa": False, "ssr_mode": False, "enable_monitoring": False,
        "footer_links": ["api", "settings"], "theme": theme.theme(), "css": theme.css(examples().values()),
        "head": HEAD + theme.scripts(), "run_history": False,
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
