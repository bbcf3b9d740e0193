"""Folders of weights that are missing, cut off, pickled, or that bring code along."""

from __future__ import annotations

import json
import pickle
from pathlib import Path


class _Runs:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.mark, "code ran")


def save(folder: Path, mark: Path) -> None:
    """One checkpoint of CLIPSeg that is whole and brings code along, and others that are not.

    Args:
        folder: of weights.
        mark: a file that is there afterwards if any code of the weights ran.
    """
    from tests.tiny import clipseg

    clipseg.save(folder)
    code = f"from pathlib import Path\nPath({str(mark)!r}).write_text('code ran')\n"
    whole = folder / "CIDAS" / "clipseg-rd64-refined"
    config = json.loads((whole / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (whole / "config.json").write_text(json.dumps(config))
    (whole / "evil.py").write_text(code)
    cut = folder / "CIDAS" / "clipseg-rd64" / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:5000])
    pickled = folder / "CIDAS" / "clipseg-rd16"
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(pickle.dumps(_Runs(mark)))
    half = folder / "facebook" / "sam-vit-base"
    half.mkdir(parents=True)
    (half / "config.json").write_text("{}")
    (folder / "briaai" / "RMBG-2.0").mkdir(parents=True)
    (folder / "briaai" / "RMBG-2.0" / "birefnet.py").write_text(code)
