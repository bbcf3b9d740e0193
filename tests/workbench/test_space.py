"""What a Space needs: front matter that the hub accepts, packages as the project names them, an entry that starts."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any, Literal

import numpy as np
import pytest
import yaml

from pipelines.params import knob
from pipelines.registry import PIPELINES, pipeline_class
from pipelines.types import Prompt
from tests.conftest import ROOT
from tests.workbench import acting, pretended
from workbench.catalogue import Order, Place, configuration, offers
from workbench.looks.inside import Inside
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


def test_the_version_of_gradio_is_one_that_these_tests_ran_with_or_older(front: dict[str, Any]) -> None:
    installed = version("gradio").split(".")
    assert [int(part) for part in front["sdk_version"].split(".")] <= [int(part) for part in installed]
    assert front["sdk_version"].split(".")[0] == installed[0]


def test_nothing_is_preloaded_at_a_revision_that_nobody_looked_up(front: dict[str, Any]) -> None:
    for line in front.get("preload_from_hub", []):
        repository, _, revision = line.split()
        assert repository in front["models"] and re.fullmatch(r"[0-9a-f]{40}", revision)


def test_examples_are_small_and_their_licence_is_stated(tmp_path: Path) -> None:
    from workbench.examples import examples
    from workbench.files.shelf import Shelf

    files = [Path(path) for one in examples().values() for path in one.put(Shelf(tmp_path))]
    assert 0 < sum(path.stat().st_size for path in files) < 1_000_000
    card = (ROOT / "benchmarks" / "datasets" / "embedded" / "CARD.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", card.split("## Origin and licences")[1], re.MULTILINE))
    for name in examples():
        stated = rows["coins" if name == "coin" else name]  # the one coin is cut from the photograph
        assert stated in ("CC0", '"No known copyright restrictions"'), name
    assert "CARD.md" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("variables", [{"WORKBENCH_WEIGHTS": "/nowhere/at/all"}, {"WORKBENCH_DEVICE": "cuda"}, {}])
def test_without_weights_or_a_gpu_every_pipeline_is_offered_and_says_what_it_lacks(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import spaces_app

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with spaces_app.service(spaces_app.settings()) as made:
        offers = {one.name: one for one in made.offers()}
        card = made.look("v", np.full((6, 8, 3), 200, np.uint8), Prompt(("coin",)), Order("clipseg"))
    assert offers["classical"].reason is None
    for name in ("clipseg", "rmbg", "grounded_sam", "sam", "sam3"):
        assert offers[name].reason and offers[name].reason.endswith(".") and offers[name].knobs
    assert card.status == "unavailable" and card.reason == offers["clipseg"].reason
    if variables.get("WORKBENCH_DEVICE"):
        assert "torch sees no CUDA device" in card.reason and "nvidia-smi" in card.reason


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


OF_GRADIO = ("workbench.app", "workbench.tabs.")


def test_only_the_gradio_files_import_gradio() -> None:
    found = sorted(path for path in (ROOT / "workbench").rglob("*.py") if path.name != "__init__.py")
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found]
    light = [name for name in modules if not name.startswith(OF_GRADIO)]
    assert len(light) > 40
    code = "import sys, importlib\nfor name in sys.argv[1:]:\n importlib.import_module(name)\n"
    code += " assert not {'gradio', 'torch'} & set(sys.modules), name"
    done = subprocess.run([sys.executable, "-c", code, *light], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Unavailable(acting.ActingParams):
    size: Literal["small", "large", "none"] = knob("none", help="Checkpoint.", reads="load")


def test_a_space_with_machines_of_its_own_loads_what_it_can_before_anybody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import spaces_app

    acting.installed(monkeypatch, tmp_path)
    only = [one for one in offers(Place(device="cpu")) if one.name == "acting"]
    with Service(Place(device="cpu")) as made:
        monkeypatch.setattr(made, "offers", lambda: only)
        spaces_app.warming(made).join(30)
        assert not capsys.readouterr().err
        card = made.look("v", np.full((6, 8, 3), 200, np.uint8), Prompt(), Order("acting"))
        assert card.status == "ok" and card.load_ms is None, "it was loaded"
        monkeypatch.setattr(acting.Acting, "Params", Unavailable)
        spaces_app.warming(made).join(30)
        assert "acting is not loaded: There is no checkpoint of that size." in capsys.readouterr().err


def test_a_space_that_ends_waits_for_nothing_that_is_being_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import spaces_app

    acting.installed(monkeypatch, tmp_path)
    only = [one for one in offers(Place(device="cpu")) if one.name == "acting"]
    with Service(Place(device="cpu")) as made:
        monkeypatch.setattr(made, "offers", lambda: only)
        thread = spaces_app.warming(made)
    thread.join(10)
    assert not thread.is_alive() and not made.pool.places and not capsys.readouterr().err


def test_in_one_process_pipelines_find_the_same_and_are_called_off_before_they_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on ZeroGPU, with a wrapper that pickles as that one does."""
    acting.installed(monkeypatch, tmp_path)
    pretended.gpu(monkeypatch)
    lent: list[str] = []

    def wrap(function: Any) -> Any:
        def lend(*given: Any) -> Any:
            lent.append(given[0])
            return pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(given)))))

        return lend

    place, picture = Place(device="cuda"), np.full((6, 8, 3), 200, np.uint8)
    with Service(place, pool=Inside(wrap)) as inside, Service(Place(device="cpu")) as outside:
        orders = [Order("acting"), Order("acting", fields={"act": "raise"}), Order("acting", fields={"size": "none"})]
        cards = [list(one.compare("v", picture, Prompt(), orders)) for one in (inside, outside)]
        assert (
            [card.status for card in cards[0]] == [card.status for card in cards[1]] == ["ok", "failed", "unavailable"]
        )
        assert [card.reason for card in cards[0]] == [card.reason for card in cards[1]]
        assert np.array_equal(cards[0][0].foreground, cards[1][0].foreground)
        assert len(lent) == 3 and cards[0][0].load_ms is not None
        off = Event()
        off.set()
        assert inside.look("v", picture, Prompt(), Order("acting", fields={"gain": 2.0}), off).status == "cancelled"
        configurations = [configuration(order, place) for order in orders[::2]]
        assert list(inside.pool.warm(configurations)) == ["acting"]
