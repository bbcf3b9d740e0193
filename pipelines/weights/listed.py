"""A folder that holds exactly the files that a checkpoint lists, for libraries that read whatever lies beside them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipelines.weights.formats import gather


@contextmanager
def only_listed(folder: Path, names: Iterable[str], instead: Mapping[str, bytes]) -> Iterator[Path]:
    """Links to the files in a folder of our own, which is gone afterwards.

    A tokenizer, a template or an adapter that lies beside them is in no hash and in no lock, so nobody shall read it.

    Args:
        folder: of one repository.
        names: as the checkpoint lists them; shards of an index come with it, and what is not there is left out.
        instead: name → what is read in place of the file.

    Raises:
        DamagedWeightsError: an index of shards is damaged.
    """
    found = gather(folder, names)[0]
    with tempfile.TemporaryDirectory(prefix="weights-") as made:
        for name in found:
            target = Path(made) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if name in instead:
                target.write_bytes(instead[name])
            else:
                _link((folder / name).resolve(), target)
        yield Path(made)


def _link(file: Path, target: Path) -> None:
    try:
        target.symlink_to(file)
    except OSError:  # Windows asks for a right of its own, and some file systems have none
        shutil.copyfile(file, target)
