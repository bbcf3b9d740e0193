"""``python -m benchmarks.run --wandb`` with no network and no account, read back from the files of their library."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.conftest import ROOT, Run


def stored(path: Path) -> Iterator[Any]:
    """What their library wrote for `wandb sync`: protocol buffers in the log of LevelDB, blocks of 32 kB."""
    from wandb.proto import wandb_internal_pb2

    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield wandb_internal_pb2.Record.FromString(parts)
            parts = b""


def test_offline_their_own_files_hold_it_all_and_a_second_time_nothing_is_added(
    command: Run, plugin_site: Path, photographs: Path, tmp_path: Path
) -> None:
    bench = ("benchmarks.run", "--dataset", str(photographs), "--pipelines", "bright", "--budget-s", "0.2",
             "--batch-sizes", "1", "--wandb", "--json")  # fmt: skip
    home = tmp_path / "home"
    home.mkdir()
    around = {"PYTHONPATH": f"{plugin_site}:{ROOT}", "HOME": str(home), "WANDB_MODE": "offline", "WANDB_API_KEY": "",
              "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}  # fmt: skip
    done = command(*bench, **around)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)["rows"][0]
    assert "bright: 6 of 6 pictures" in done.stderr
    (folder,) = (path.parent for path in tmp_path.glob("runs/*/manifest.json"))
    assert not list(home.rglob("*.*"))
    files = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == 2
    records = {path: list(stored(path)) for path in files}
    found = {about.display_name: all_ for all_ in records.values() for one in all_ if (about := one.run).display_name}
    assert set(found) == {"bright", "leaderboard"}
    (run,) = (one.run for one in found["bright"] if one.run.display_name)
    assert (run.project, run.run_group, run.host) == ("segmentation-workbench", folder.name, "")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["pipeline"] == "bright"
    assert str(tmp_path) not in json.dumps(config)
    summary = {item.key or item.nested_key[0]: json.loads(item.value_json)
               for one in found["bright"] for item in one.summary.update}  # fmt: skip
    assert (summary["miou"], summary["images_shown"]) == (shown["miou"], 6)
    contents = {item.path: item.local_path for one in found["bright"] for item in one.artifact.manifest.contents}
    assert all(Path(path).is_relative_to(folder) for path in contents.values())
    table = json.loads(Path(contents["images.table.json"]).read_text())
    assert [cells[:2] for cells in table["data"]] == [[f"p{place}", 1.0] for place in range(6)]
    masks = {name: cv2.imread(contents[mask["path"]], cv2.IMREAD_GRAYSCALE)
             for name, mask in table["data"][3][2]["masks"].items()}  # fmt: skip
    truth = cv2.imread(str(photographs / "masks" / "p3.png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(masks["predictions"], truth > 0)
    assert np.array_equal(masks["ground_truth"], truth > 0)
    again = command(*bench, **around)
    assert again.returncode == 0
    assert "was given this run before" in again.stderr
    assert sorted(folder.glob("wandb/offline-run-*/*.wandb")) == files
    (folder / "wandb.json").unlink()
    broken = command(*bench, **{**around, "WANDB_MODE": "nonsense"})
    said = json.loads(broken.stdout)
    assert broken.returncode == 1
    assert said["rows"][0]["miou"] == shown["miou"]
    assert said["error"]["message"].startswith("Weights & Biases failed: ")
    assert "WANDB_MODE=offline" in said["error"]["cure"]
