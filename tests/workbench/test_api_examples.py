"""Every example of docs/api.md, taken from the document and run against a served app; and what the endpoints are."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any
from urllib.request import urlopen

import pytest

from benchmarks.datasets import open_dataset
from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from pipelines import create
from pipelines.types import Prompt
from tests.conftest import ROOT
from tests.workbench.apps import Running, running
from workbench.given import addresses

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning",
                                        "ignore:__array__ implementation:DeprecationWarning")  # fmt: skip
DOCUMENT = ROOT / "docs" / "api.md"
ADDRESS = "http://127.0.0.1:7860"
SAMPLE = next(iter(open_dataset("coins")))
SNAPSHOT = Path(__file__).with_name("endpoints.json")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(found) >= 4, "the document has examples"
    return found


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("examples")) as found:
        yield found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the picture of the examples; its address is answered without a network."""
    (tmp_path / "coins.png").write_bytes(png(SAMPLE.image))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(addresses, "fetch", lambda url: fetched(url, tmp_path))
    return tmp_path


def fetched(url: str, folder: Path) -> bytes:
    assert url == "https://pictures.example.com/coins.png"
    return (folder / "coins.png").read_bytes()


def mask(**params: Any) -> bytes:
    with create("classical", **params) as plain:
        return png(mask_pixels(plain.predict([SAMPLE.image], [Prompt()])[0].foreground()))


def shorter() -> list[str]:
    """The examples of the README and of the tab About."""
    from workbench.tabs.about import HOME

    text = (ROOT / "README.md").read_text(encoding="utf-8") + HOME.format(address=ADDRESS)
    found = [
        block
        for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if "gradio_client" in block
    ]
    assert len(found) == 2
    return found


def test_the_examples_in_python(app: Running, here: Path) -> None:
    for block in shorter():
        names: dict[str, Any] = {}
        exec(block.replace(ADDRESS, app.url.rstrip("/")), names)
        assert base64.b64decode(names["other"]["mask_png"]) == mask(params={"threshold": 0.7})
    names = {}
    for block in blocks("python"):
        exec(compile(block.replace(ADDRESS, app.url.rstrip("/")), "docs/api.md", "exec"), names)
    assert (here / "mask.png").read_bytes() == mask(params={"threshold": 0.6})
    assert base64.b64decode(names["other"]["mask_png"]) == mask(params={"threshold": 0.7})
    assert names["other"]["instances"] is None and names["whole"]["rle"] == names["other"]["rle"]
    assert len(names["whole"]["instances"]) == names["whole"]["found"]
    assert png(mask_pixels(names["union"].astype(bool))) == mask(params={"threshold": 0.6})
    assert base64.b64decode(names["by_address"]["mask_png"]) == mask()
    assert base64.b64decode(names["by_text"]["mask_png"]) == mask(preset="coin-seed")
    assert [one["status"] for one in names["many"]] == ["ok", "ok", "failed"] and names["many"][2]["reason"]
    assert names["clicked"]["status"] == "unavailable", "there are no weights here"


def test_the_examples_for_curl(app: Running, here: Path) -> None:
    assert which("curl"), "Install curl (Debian: apt-get install curl): the examples of docs/api.md are run with it."
    script = "\n".join(["set -euo pipefail", *blocks("bash")]).replace(ADDRESS, app.url.rstrip("/"))
    done = subprocess.run(["bash", "-c", script], cwd=here, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (here / "mask_by_curl.png").read_bytes() == mask()
    found = {path.stem: json.loads(path.read_text()) for path in here.glob("*.json") if path.stem != "request"}
    told = {name: one[0] if isinstance(one, list) and len(one) == 1 else one for name, one in found.items()}
    assert "classical" in {one["name"] for one in told["pipelines"]}
    assert base64.b64decode(told["by_address"]["mask_png"]) == mask()
    assert base64.b64decode(told["other"]["mask_png"]) == mask(params={"threshold": 0.7})
    assert [one["status"] for one in told["many"]] == ["ok", "failed"]


def test_the_endpoints_are_those_that_were_promised(app: Running) -> None:
    """Names, parameters, types and defaults. A change breaks programs: make it on purpose, and say so in the changelog."""
    with urlopen(f"{app.url}gradio_api/info") as answer:
        described = json.load(answer)
    found = {name: endpoint(one) for name, one in sorted(described["named_endpoints"].items())}
    assert found == json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert not described["unnamed_endpoints"]


def endpoint(one: dict[str, Any]) -> dict[str, Any]:
    taken = {parameter["parameter_name"]: told(parameter) for parameter in one["parameters"]}
    return {"takes": taken, "returns": [part["python_type"]["type"] for part in one["returns"]]}


def told(parameter: dict[str, Any]) -> dict[str, Any]:
    usual = {"default": parameter["parameter_default"]} if parameter["parameter_has_default"] else {}
    return {"type": parameter["python_type"]["type"], **usual}


def test_machines_are_told_the_same(app: Running) -> None:
    with urlopen(f"{app.url}gradio_api/openapi.json") as answer:
        paths = json.load(answer)["paths"]
    for name, one in json.loads(SNAPSHOT.read_text(encoding="utf-8")).items():
        (path,) = [path for path in paths if path.endswith(f"/call/v2{name}")]
        schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert list(schema.get("properties", {})) == list(one["takes"])
