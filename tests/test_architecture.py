"""The shape of the code: layers, light imports, quick help, honest documents."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

from benchmarks.readme import PARTS, refreshed

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("pipelines", "benchmarks", "workbench") for path in (ROOT / folder).rglob("*.py"))
COMMANDS = [f"benchmarks.{name}" for name in ("run", "peers", "report", "compare", "recommend", "rescore")]
QUICK_S = 0.3
HEAVY = ("torch", "torchvision", "transformers", "onnxruntime", "gradio", "optuna", "wandb", "datasets", "pandas")


def test_modules_say_what_they_are_and_stay_small() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), path
        assert len(text.splitlines()) <= 300, path
        assert path.stem not in {"utils", "helpers", "common", "misc", "manager"}, path


@pytest.mark.parametrize("module", ["pipelines", "pipelines.classical", "pipelines.images", "benchmarks.datasets",
                                    "benchmarks.worker", "benchmarks.plan"])  # fmt: skip
def test_imports_load_no_network_package(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.alone
@pytest.mark.parametrize("command", COMMANDS)
def test_help_answers_at_once(command: str) -> None:
    seconds = []
    for _ in range(5):
        start = perf_counter()
        done = subprocess.run([sys.executable, "-m", command, "--help"], cwd=ROOT, capture_output=True, text=True)
        seconds.append(perf_counter() - start)
        assert done.returncode == 0
        assert "--json" in done.stdout
        if seconds[-1] <= QUICK_S:
            return
    idle = os.getloadavg()[0] < (os.cpu_count() or 1)
    assert min(seconds) <= (QUICK_S if idle else 3 * QUICK_S), f"median {statistics.median(seconds):.2f} s"


def test_generated_parts_of_the_readme_are_current() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"<!-- generated: {part} -->" in readme for part in PARTS)
    assert refreshed(readme) == readme, "run python -m benchmarks.readme"


def test_readme_names_only_files_that_are_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    here = {
        path.name for folder in ("pipelines", "benchmarks", "workbench", "docs") for path in (ROOT / folder).rglob("*")
    }
    here |= {path.name for path in ROOT.iterdir()}
    for name in re.findall(r"[\w./-]+\.(?:py|md|toml)\b|docs/[\w./-]+", readme):
        assert Path(name).name in here, f"README names {name}, which is not there"
    for text in (readme, *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))):
        assert not re.search(r"^[A-Z]{5,}$|@[a-z]+@ s", text, re.MULTILINE), "a placeholder is left"
