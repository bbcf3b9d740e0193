"""The registry: cheap to list, open to installed plugins, and strict about names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import create, device, info, names
from pipelines.errors import ParameterError, UnknownNameError, UsageError
from pipelines.presets import USER_FOLDER_VARIABLE

HEAVY = "torch transformers onnxruntime gradio optuna wandb datasets pandas cv2 numpy"


def python(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True)


def clashing(site: Path, name: str, target: str, distribution: str = "other_plugin") -> Path:
    """A second installed distribution that registers a name."""
    folder = site / f"{distribution}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[segmentation_workbench.pipelines]\n{name} = {target}\n")
    return site


def test_listing_names_loads_nothing_heavy() -> None:
    found = python(
        f"import sys, pipelines; pipelines.names(); print([m for m in '{HEAVY}'.split() if m in sys.modules])"
    )
    assert found.stdout.strip() == "[]", found.stderr


def test_info_loads_no_network_package() -> None:
    heavy = HEAVY.replace(" cv2 numpy", "")
    code = f"import sys, pipelines; [pipelines.info(n) for n in pipelines.names()]; print([m for m in '{heavy}'.split() if m in sys.modules])"
    assert python(code).stdout.strip() == "[]"


def test_an_installed_plugin_is_a_pipeline_like_any_other(plugin_site: Path) -> None:
    code = "import pipelines as p; print(p.names(), p.info('bright').title, p.create('bright', preset='dim').params.threshold)"
    found = python(code, plugin_site)
    assert found.stdout.strip().endswith("Bright pixels 0.2"), found.stderr
    assert "'bright'" in found.stdout


def test_a_name_clash_is_an_error_that_names_both(plugin_site: Path, tmp_path: Path) -> None:
    site = clashing(tmp_path, "classical", "elsewhere:Pipeline")
    found = python("import pipelines; pipelines.names()", site)
    assert "RegistryError" in found.stderr
    assert "Two pipelines are named 'classical'" in found.stderr
    assert "pip uninstall other_plugin" in found.stderr
    two = clashing(tmp_path / "two", "bright", "elsewhere:Pipeline", "second_plugin")
    assert "Two pipelines are named 'bright'" in python("import pipelines; pipelines.names()", plugin_site, two).stderr


def test_a_plugin_that_cannot_be_imported_harms_only_itself(tmp_path: Path) -> None:
    site = clashing(tmp_path, "broken", "not_there:Pipeline")
    code = "import pipelines as p; print(p.info('classical').name); p.info('broken')"
    found = python(code, site)
    assert found.stdout.strip() == "classical"
    assert "UnavailableError" in found.stderr
    assert "No module named 'not_there'" in found.stderr


def test_whatever_a_plugin_raises_when_imported_is_its_own(tmp_path: Path) -> None:
    site = clashing(tmp_path, "raging", "raging_plugin:Pipeline")
    (site / "raging_plugin.py").write_text("raise ValueError('no')")
    found = python("import pipelines as p; print(p.info('classical').name); p.info('raging')", site)
    assert found.stdout.strip() == "classical"
    assert "UnavailableError: raging cannot be imported: ValueError: no." in found.stderr


def test_an_entry_point_that_leads_elsewhere_is_told(tmp_path: Path) -> None:
    found = python("import pipelines as p; p.info('odd')", clashing(tmp_path, "odd", "json:JSONDecoder"))
    assert "json:JSONDecoder is not a pipeline named 'odd'" in found.stderr


def test_unknown_names_suggest_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'classical'"):
        info("clasical")
    with pytest.raises(UnknownNameError, match="Did you mean 'coin-seed'"):
        create("classical", preset="coinseed")
    with pytest.raises(UnknownNameError, match="Known: .*classical"):
        create("zzz")
    assert "classical" in names()


def test_devices_that_cannot_be_had_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no CUDA device"):
        create("classical", device="cuda")
    for name in ("tpu", "gpu", ""):
        with pytest.raises(UsageError, match=f"no device '{name}'"):
            create("classical", device=name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert create("classical", device="cuda").device == "cpu"  # it has no use for CUDA, and says so
    assert create("classical", device="auto").device == "cpu"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch is asked in any case")
@pytest.mark.parametrize("driver", [True, False])
def test_auto_asks_torch_only_where_a_driver_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, driver: bool) -> None:
    import torch

    asked: list[str] = []

    def load(name: str) -> None:
        asked.append(name)
        if not driver:
            raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device.ctypes, "CDLL", load)
    monkeypatch.setattr(device, "AMD", tmp_path / "kfd")
    assert device.resolve("auto") == ("cuda" if driver else "cpu")
    assert asked == ["libcuda.so.1"]
    assert device.resolve("cuda") == "cuda"
    (tmp_path / "kfd").touch()
    assert device.resolve("auto") == "cuda"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine: {params: {nonsense: 1}}", "There is no parameter of classical@mine"),
        ("mine: {parms: {}}", "cannot be read"),
        ("mine: [", "cannot be read"),
        ("- 1", "cannot be read"),
        ("mine: {provenance: {}}", "cannot be read"),
    ],
)
def test_a_preset_that_is_wrong_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "classical.yaml").write_text(text)
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises((ParameterError, UnknownNameError), match=message):
        create("classical", preset="mine")


def test_a_preset_of_the_user_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "classical.yaml").write_text("mine: {params: {}, provenance: {source: me}}")
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path))
    assert create("classical", preset="mine").params == type(create("classical").params)()
