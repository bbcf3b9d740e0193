"""What a Space needs: front matter that the hub accepts, packages as the project names them, an entry that starts."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import yaml

from pipelines.registry import PIPELINES, pipeline_class
from pipelines.types import Prompt
from tests.conftest import ROOT
from tests.workbench import acting
from workbench.catalogue import Order, Place, configuration
from workbench.inside import Inside
from workbench.service import Service

COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
KEYS = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file",
        "suggested_hardware", "startup_duration_timeout", "short_description", "models", "datasets", "tags", "license",
        "disable_embedding", "hf_oauth", "pinned", "header", "fullWidth", "thumbnail", "preload_from_hub"}  # fmt: skip


@pytest.fixture(scope="module")
def front() -> dict[str, Any]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    found = yaml.safe_load(text.split("---\n", 2)[1])
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_front_matter_is_what_the_hub_accepts(front: dict[str, Any]) -> None:
    assert set(front) <= KEYS and front["sdk"] == "gradio"
    assert {front["colorFrom"], front["colorTo"]} <= COLOURS
    assert 0 < len(front["short_description"]) <= 60 and len(front["title"]) <= 60
    assert re.fullmatch(r"\d+\.\d+\.\d+", front["sdk_version"]) and front["python_version"] == "3.12.12"
    assert re.fullmatch(r"\d+[mh]", front["startup_duration_timeout"]) and len(front["emoji"]) <= 2
    assert (ROOT / front["app_file"]).is_file()


def test_the_front_matter_says_what_the_project_says(front: dict[str, Any], project: dict[str, Any]) -> None:
    assert front["license"] == project["license"].lower()
    (gradio,) = [one for one in project["dependencies"] if one.startswith("gradio")]
    low, high = re.findall(r"\d+(?:\.\d+)*", gradio)
    as_numbers = [tuple(map(int, text.split("."))) for text in (low, front["sdk_version"], high)]
    assert as_numbers == sorted(as_numbers)
    ours = [pipeline_class(name) for name in PIPELINES]
    known = {one.repository for kind in ours for one in kind.info.weights_for(kind.Params())}
    known |= {one.substitute for kind in ours for one in kind.info.weights_for(kind.Params())}
    assert set(front["models"]) <= known


def test_no_model_that_is_gated_or_not_for_commerce_is_named(front: dict[str, Any]) -> None:
    for kind in map(pipeline_class, PIPELINES):
        for one in kind.info.weights_for(kind.Params()):
            assert one.repository not in front["models"] or (one.commercial and not one.gated)


def test_a_space_installs_what_the_project_names(project: dict[str, Any]) -> None:
    """Without Gradio, which comes with the Space, and with the OpenCV that needs no screen."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")
    expected = [one.replace("opencv-python", "opencv-python-headless") for one in project["dependencies"]]
    assert [line for line in lines if line] == [one for one in expected if not one.startswith("gradio")]


def test_debian_packages_are_names_alone() -> None:
    """A remark would be taken for a name."""
    lines = (ROOT / "packages.txt").read_text(encoding="utf-8").splitlines()
    assert lines and all(re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", line) for line in lines)


def test_the_entry_builds_with_no_weights_and_lists_its_endpoints(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", str(ROOT / "spaces_app.py"), "--check"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["/decide", "/pipelines", "/segment", "/segment_many"]
    assert not list(tmp_path.iterdir())


def test_limits_and_folders_are_set_before_gradio_is_imported() -> None:
    code = (
        "import sys, os; from workbench.settings import prepare; folder = prepare(); from PIL import Image;"
        "assert 'gradio' not in sys.modules; print(Image.MAX_IMAGE_PIXELS, os.environ['GRADIO_TEMP_DIR'] == str(folder),"
        "os.environ['GRADIO_ANALYTICS_ENABLED'], oct(folder.stat().st_mode)[-3:]); print(folder)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    said, folder = done.stdout.splitlines()
    assert said == "25000000 True False 700"
    assert not Path(folder).exists(), "the folder goes with the process"


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['workbench', '--help']; import workbench.__main__; print([m for m in ('gradio', 'torch', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["settings", "visitors", "cards", "routes", "plainly", "theme", "examples", "taken"])
def test_only_the_gradio_files_import_gradio(module: str) -> None:
    code = f"import sys, workbench.{module}; print('gradio' in sys.modules or 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_in_one_process_pipelines_find_the_same_and_are_called_off_before_they_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on ZeroGPU, with a wrapper that pickles as that one does."""
    acting.installed(monkeypatch, tmp_path)
    lent: list[str] = []

    def wrap(function: Any) -> Any:
        def lend(*given: Any) -> Any:
            lent.append(given[0])
            return pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(given)))))

        return lend

    place, picture = Place(device="cpu"), np.full((6, 8, 3), 200, np.uint8)
    with Service(place, pool=Inside(wrap)) as inside, Service(place) as outside:
        orders = [Order("acting"), Order("acting", fields={"act": "raise"}), Order("acting", fields={"size": "none"})]
        cards = [list(one.compare("v", picture, Prompt(), orders)) for one in (inside, outside)]
        assert (
            [card.status for card in cards[0]] == [card.status for card in cards[1]] == ["ok", "failed", "unavailable"]
        )
        assert [card.reason for card in cards[0]] == [card.reason for card in cards[1]]
        assert np.array_equal(cards[0][0].foreground, cards[1][0].foreground)
        assert len(lent) == 2 and cards[0][0].load_ms is not None
        off = Event()
        off.set()
        assert inside.look("v", picture, Prompt(), Order("acting", fields={"gain": 2.0}), off).status == "cancelled"
        configurations = [configuration(order, place) for order in orders[::2]]
        assert list(inside.pool.warm(configurations)) == ["acting"]
