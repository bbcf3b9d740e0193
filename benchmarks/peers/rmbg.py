"""Background removal against rembg: one ONNX file, a U²-Net of real size with random weights, run by both.

What is compared before times are: the network's own output on the input that rembg makes, bit for bit, and rembg's
whole mask from it by the steps that it adds. Ours leaves these out, so that the masks of both differ by design: rembg
resizes with a Lanczos filter, divides the picture by its own maximum, and stretches the map to its full range.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.classical import photograph
from benchmarks.peers.interleave import Contest, Row
from benchmarks.peers.threads import one_thread
from pipelines import create
from pipelines.images import load_image
from pipelines.maps import full_size
from pipelines.types import Image, Prompt

if TYPE_CHECKING:
    from pipelines.rmbg import Rmbg

PEER = "rembg, model kept"
RELOADED = "rembg, model loaded each time"
OURS = "rmbg, u2net, onnx"
MOST_ROUNDS = {PEER: 15, RELOADED: 7}
NEEDED = {"rembg": "the peer", "onnx": "writes the network that both run"}

Alpha = npt.NDArray[np.uint8]
"""``uint8 (H, W)``, 255 = foreground."""


def contests(sides: tuple[int, ...] = (600, 2000), checkpoint: str = "u2net") -> Iterator[Contest | Row]:
    """Contests at each size, or a row that says what is not installed.

    Args:
        sides: of the square pictures, in pixels.
        checkpoint: "u2net" or "u2netp"; rembg knows both by the same names.
    """
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        reason = "; ".join(f"{name} is not installed ({NEEDED[name]}): pip install {name}" for name in lacking)
        yield Row("picture to alpha", OURS, PEER, status="unavailable", reason=reason)
        return
    with tempfile.TemporaryDirectory() as folder, one_thread(), _where_rembg_looks(Path(folder)) as home:
        _write_network(checkpoint, home)
        ours = create("rmbg", weights=folder, params={"checkpoint": checkpoint, "engine": "onnx"})
        ours.load()
        session = _session(checkpoint)
        for side in sides:
            picture = load_image(photograph("astronaut", side).image)
            yield _contest(PEER, ours, lambda: session, picture)
            yield _contest(RELOADED, ours, lambda: _session(checkpoint), picture)


@contextmanager
def _where_rembg_looks(folder: Path) -> Iterator[Path]:
    """The folder of our own weights, with rembg told to look there, on one thread, and to check no hash."""
    home = folder / "danielgatis" / "rembg"
    home.mkdir(parents=True)
    told = {"U2NET_HOME": str(home), "MODEL_CHECKSUM_DISABLED": "1", "OMP_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield home
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _write_network(checkpoint: str, home: Path) -> None:
    import torch

    from pipelines.checkpoints.rmbg import CHECKPOINTS
    from pipelines.networks.onnx_engine import export_onnx
    from pipelines.networks.saliency import load_torch
    from pipelines.weights import Located

    chosen = CHECKPOINTS[checkpoint]
    network = load_torch(Located(chosen.weights, None), chosen, "cpu", torch.float32)
    export_onnx(network, home / chosen.weights.files[0], chosen.settings["pixels"]["size"])


def _session(checkpoint: str) -> Any:
    from rembg import new_session  # type: ignore[import-not-found,unused-ignore]

    return new_session(checkpoint, providers=["CPUExecutionProvider"])


def _contest(peer: str, ours: Any, session: Callable[[], Any], picture: Image) -> Contest:
    """Rembg is always given a session: without one it takes RMBG-2.0, and fetches it where it is not there."""
    from rembg import remove  # type: ignore[import-not-found,unused-ignore]

    def mask() -> Any:
        return remove(picture, session=session(), only_mask=True)

    def equal() -> bool:
        return _same_network(ours, session(), picture) and _same_mask(session(), picture, mask())

    name = f"picture to alpha, {len(picture)} px"
    return Contest(name, OURS, peer, lambda: alpha(ours, picture), mask, equal, most_rounds=MOST_ROUNDS[peer])


def alpha(pipeline: Any, picture: Image) -> Alpha:
    """The foreground at the picture's size, as a picture file would hold it."""
    evidence = pipeline.infer([picture], [Prompt()])[0]
    return np.asarray(full_size(evidence)[0] * 255, np.uint8)


def _same_network(ours: Rmbg, session: Any, picture: Image) -> bool:
    """Whether both give the same bits for rembg's own input."""
    import torch

    assert ours.network is not None
    given = _its_input(session, picture)
    found = ours.network.probabilities(torch.from_numpy(next(iter(given.values())))).numpy()
    return bool(np.array_equal(found, session.inner_session.run(None, given)[0]))


def _same_mask(session: Any, picture: Image, mask: npt.NDArray[Any]) -> bool:
    """Whether rembg's mask is what the network's output becomes by a stretch to its full range and a resize."""
    from PIL import Image as Pictures

    found = session.inner_session.run(None, _its_input(session, picture))[0][0, 0]
    stretched = (found - found.min()) / (found.max() - found.min())
    small = Pictures.fromarray((stretched * 255).astype(np.uint8))
    whole = small.resize(picture.shape[1::-1], Pictures.Resampling.LANCZOS)
    return bool(np.array_equal(np.asarray(whole), mask))


def _its_input(session: Any, picture: Image) -> dict[str, npt.NDArray[np.float32]]:
    from PIL import Image as Pictures

    imagenet = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    made: dict[str, npt.NDArray[np.float32]] = session.normalize(Pictures.fromarray(picture), *imagenet, (320, 320))
    return made
