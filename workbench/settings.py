"""How the app is set up, and what has to be set before Gradio is imported."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.images.limits import UPLOAD
from workbench.batches.intake import BatchLimits
from workbench.catalogue import Offer, Place
from workbench.files.janitor import Rules
from workbench.looks.pool import Limits
from workbench.studies.intake import named
from workbench.studies.store import Studies

TEMP = "GRADIO_TEMP_DIR"
MAX_FILE_SIZE = "200mb"
"""Of one upload: an archive of pictures. A picture by itself is held to 20 MiB by whoever opens it."""

STATES = 500
WAITING, WAITING_QUICK = 20, 200
"""Looks, and what needs no look, that may wait for their turn."""

JANITOR_EVERY_S = 5.0
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_ALLOWED_PATHS": "",
    "GRADIO_ANALYTICS_MAX_EVENTS": "100",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""After each event Gradio would import pandas and go through the last 10,000 of them, for a page that is closed."""


@dataclass(frozen=True)
class Settings:
    """What may be chosen on the command line.

    Attributes:
        host: address that is listened on.
        port: of it; 0 = any that is free.
        weights: folder that holds ``owner/name/`` as the hub does, "random", or None for the usual place.
        device: "auto", "cpu" or "cuda".
        commercial: whether weights that may not be used commercially are left out.
        room_mb: for pictures and what was seen in them, of all visitors, in 10**6 bytes.
        temp_mb: for temporary files, in 10**6 bytes.
        look_s: seconds after which a look is ended.
        most: pipelines that are kept loaded.
        at_once: visitors whose pictures are looked at at one time; more disturb the times that are shown.
        runs: folder of the runs that the leaderboard shows.
        kept: folder of what visitors leave and find again when the app is there again: batches, studies, votes.
        data: folders of datasets that every visitor may study, by their names.
        give_votes: whether visitors may download all votes.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    weights: str | None = None
    device: str = "auto"
    commercial: bool = False
    room_mb: float = 1000.0
    temp_mb: float = 600.0
    look_s: float = 120.0
    most: int = 3
    at_once: int = 1
    runs: str = "runs"
    kept: str = "runs/app"
    data: tuple[str, ...] = ()
    give_votes: bool = False

    @property
    def place(self) -> Place:
        """Where pipelines run."""
        device = "cpu" if self.device == "auto" and not has_gpu_driver() else self.device
        return Place(self.weights, device, self.commercial)

    @property
    def half_mb(self) -> float:
        """Of `room_mb`: one half is for pictures with their results, the other for what was seen in them."""
        return self.room_mb / 2

    @property
    def limits(self) -> Limits:
        """What a look may take."""
        return Limits(look_s=self.look_s, most=self.most)

    @property
    def batch_limits(self) -> BatchLimits:
        """What batches may take."""
        return BatchLimits(loaded=self.most)

    @property
    def batches(self) -> Path:
        """Folder of batches."""
        return Path(self.kept).absolute() / "batches"

    @property
    def votes(self) -> Path:
        """Folder of votes."""
        return Path(self.kept).absolute() / "votes"

    def studies(self, offers: Iterable[Offer]) -> Studies:
        """Studies of datasets, none of them open.

        Args:
            offers: pipelines; those that can run here may be asked for.

        Raises:
            UsageError: a folder of a dataset is not there, or two have one name.
        """
        known = [one.name if preset == "default" else f"{one.name}@{preset}"
                 for one in offers if one.reason is None for preset in one.presets]  # fmt: skip
        return Studies(Path(self.kept).absolute() / "studies", self.place, named(self.data), known)

    @property
    def rules(self) -> Rules:
        """What may stay in the folder of temporary files."""
        return Rules(cap_bytes=int(self.temp_mb * 1e6), every_s=JANITOR_EVERY_S)


def prepare() -> Path:
    """Set limits of pictures, the folder of temporary files, and no analytics; to be called before Gradio is imported.

    The folder is new, and goes when the process ends.

    Returns:
        The folder, in which every upload lies.
    """
    from PIL import Image as Pillow

    Pillow.MAX_IMAGE_PIXELS = UPLOAD.max_pixels
    warnings.filterwarnings("error", category=Pillow.DecompressionBombWarning)
    os.environ.update(QUIET)
    folder = Path(tempfile.mkdtemp(prefix="workbench-"))
    os.environ[TEMP] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def has_gpu_driver() -> bool:
    """Whether there is anything that torch could use: to import it, and to ask it, takes two seconds."""
    if Path("/dev/kfd").exists():  # of AMD
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    return True


def temp_folder() -> Path:
    """Where Gradio puts uploads, and the app its pictures and downloads."""
    return Path(os.environ[TEMP]) if TEMP in os.environ else prepare()
