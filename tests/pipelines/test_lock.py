"""The command that writes models.lock.json, against a stand-in hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import checkpoints, lock
from pipelines.checkpoints import Checkpoint, hub, table, url
from pipelines.types import Weights
from pipelines.weights import address, locate
from tests.pipelines.hub_server import COMMIT, ONNX, PICKLE, TENSORS, Repository, StandIn, sha256, standing_in

ROOT = Path(__file__).parent.parent.parent
FILES = {"config.json": b'{"a": 1}', "model.safetensors": TENSORS, "README.md": b"#"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(address, "SCHEMES", ("http",))
    monkeypatch.chdir(tmp_path)
    with standing_in(tmp_path, monkeypatch) as server:
        server.plain["/files/net.onnx"] = ONNX
        server.repositories = {"o/n": Repository(dict(FILES)), "o/m": Repository(dict(FILES), commit="a" * 40)}
        known(monkeypatch, [hub("n", "o/n", "MIT"), hub("m", "o/m", "MIT")],
              [url("net", f"{server.address}/files/net.onnx", "o/tool", "MIT", checksum=None)])  # fmt: skip
        yield server


def known(monkeypatch: pytest.MonkeyPatch, *tables: list[Checkpoint]) -> None:
    families = {name: table(lines) for name, lines in zip(("first", "second"), tables, strict=False)}
    monkeypatch.setattr(checkpoints, "families", lambda: families)


def written(path: str = "models.lock.json") -> dict[str, Any]:
    return json.loads(Path(path).read_text())["repositories"]  # type: ignore[no-any-return]


def test_commits_hashes_licences_and_gates_are_written(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock.main([]) == 0
    entry = written()["o/n"]
    assert (entry["commit"], entry["licence"], entry["gated"], entry["source"]) == (COMMIT, "mit", False, "hub")
    assert entry["files"] == {name: {"sha256": sha256(FILES[name]), "size_bytes": len(FILES[name])}
                              for name in ("config.json", "model.safetensors")}  # fmt: skip
    assert written()["o/tool"]["files"] == {"net.onnx": {"sha256": sha256(ONNX), "size_bytes": len(ONNX)}}
    assert written()["o/tool"]["commit"] is None
    assert not [path for _, path in server.asked if path.endswith("model.safetensors")], "the hub states their hash"
    monkeypatch.delenv("SEGMENTATION_WORKBENCH_LOCK")
    assert locate(checkpoints.families()["first"]["n"].weights, None).revision == COMMIT


def test_named_ones_are_renewed_and_the_others_kept(server: StandIn) -> None:
    assert lock.main(["--out", "a.lock"]) == 0
    for repository in server.repositories.values():
        repository.commit = "b" * 40
    assert lock.main(["o/n", "--out", "a.lock"]) == 0
    assert (written("a.lock")["o/n"]["commit"], written("a.lock")["o/m"]["commit"]) == ("b" * 40, "a" * 40)
    assert lock.main(["first", "--out", "a.lock"]) == 0
    assert written("a.lock")["o/m"]["commit"] == "b" * 40


def test_every_form_of_a_checkpoint_is_locked_but_one_that_is_published_nowhere(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = Weights("url", "o/project", "MIT", ("net.safetensors",), "https://example.org/o/project")
    forms = {"onnx": Weights("hub", "o/graphs", "MIT", ("onnx/model.onnx",)), "torch": converted}
    server.repositories["o/graphs"] = Repository({"onnx/model.onnx": ONNX})
    known(monkeypatch, [hub("n", "o/n", "MIT", forms=forms)])
    assert lock.main([]) == 0
    assert {name: list(entry["files"]) for name, entry in written().items()} == {
        "o/graphs": ["onnx/model.onnx"], "o/n": ["config.json", "model.safetensors"]}  # fmt: skip


@pytest.mark.parametrize("status", [(401, "GatedRepo"), (403, "GatedRepo"), (404, "RepoNotFound"), (500, "")])
def test_what_is_refused_is_left_out_with_its_reason(
    server: StandIn, capsys: pytest.CaptureFixture[str], status: tuple[int, str]
) -> None:
    server.repositories["o/n"].refuse_files = status
    assert lock.main([]) == 0
    assert sorted(written()) == ["o/m", "o/tool"]
    assert "LEFT OUT: o/n: " in capsys.readouterr().err
    assert lock.main(["o/n", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unavailable"
    assert sorted(written()) == ["o/m", "o/tool"]


def test_pickles_alone_and_what_is_no_model_are_left_out(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.repositories["o/n"].files = {"config.json": b"{}", "pytorch_model.bin": PICKLE}
    server.plain["/files/net.onnx"] = PICKLE
    assert lock.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["locked"] == ["o/m"]
    assert "pickle" in told["left_out"]["o/n"] and "pickle" in told["left_out"]["o/tool"]


def test_a_wrong_checksum_or_a_cut_off_file_is_never_locked(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.repositories["o/n"].cut = frozenset({"config.json"})
    known(monkeypatch, [hub("n", "o/n", "MIT"), hub("m", "o/m", "MIT"),
                        url("net", f"{server.address}/files/net.onnx", "o/tool", "MIT",
                            checksum="sha256:" + "0" * 64)])  # fmt: skip
    assert lock.main([]) == 0
    assert list(written()) == ["o/m"]
    told = capsys.readouterr().err
    assert "not what its publisher states" in told and "cut off" in told


def test_one_unresolved_file_of_a_project_leaves_the_whole_project_out(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, [hub("m", "o/m", "MIT"),
                        url("net", f"{server.address}/files/net.onnx", "o/tool", "MIT", checksum=None),
                        url("gone", f"{server.address}/x/gone/gone.onnx", "o/tool", "MIT", checksum=None)])  # fmt: skip
    assert lock.main([]) == 0
    assert list(written()) == ["o/m"]


@pytest.mark.parametrize("how", ["no network", "silent", "turned off"])
def test_without_the_hub_nothing_is_written(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    Path("models.lock.json").write_text("what was there")
    if how == "silent":
        server.silent = True
        monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    elif how == "no network":
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    else:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    start = time.monotonic()
    assert lock.main([]) == 1
    assert time.monotonic() - start < 5, "who does not answer once is not asked for the next repository"
    assert "Error: " in capsys.readouterr().err
    assert Path("models.lock.json").read_text() == "what was there"
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == ["models.lock.json"]


def test_a_licence_or_gate_that_differs_from_our_table_is_said(
    server: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    server.repositories["o/n"].licence = {"license": "other", "license_name": "bria-rmbg-1.4"}
    server.repositories["o/n"].gated = "auto"
    assert lock.main(["--json"]) == 0
    warnings = " ".join(json.loads(capsys.readouterr().out)["warnings"])
    assert "o/n says the licence is bria-rmbg-1.4; our table says MIT" in warnings
    assert "o/n is gated on the hub" in warnings and "o/m" not in warnings
    assert written()["o/n"]["licence"] == "bria-rmbg-1.4" and written()["o/n"]["gated"] is True


def test_check_tells_what_has_changed_and_writes_nothing(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock.main(["--check"]) == 2
    assert lock.main([]) == 0
    assert lock.main(["--check"]) == 0
    before = Path("models.lock.json").read_bytes()
    server.repositories["o/n"].commit = "d" * 40
    server.repositories["o/n"].files["config.json"] = b"{}"
    capsys.readouterr()
    assert lock.main(["--check", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["differences"]
    assert told == [f"o/n: commit was {COMMIT} and is {'d' * 40}.", "o/n: config.json has changed."]
    assert Path("models.lock.json").read_bytes() == before


def test_wrong_names_places_and_locks_are_usage_errors(server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock.main(["frist"]) == 2
    assert "Did you mean 'first'?" in capsys.readouterr().err
    assert lock.main(["--out", "nowhere/a.lock"]) == 2
    Path("models.lock.json").write_text("{")
    assert lock.main(["o/n"]) == 2
    assert Path("models.lock.json").read_text() == "{"


def test_help_answers_at_once() -> None:
    run = [sys.executable, "-X", "importtime", "-m", "pipelines.lock", "--help"]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ})
    assert "--check" in done.stdout
    for heavy in ("huggingface_hub", "numpy", "pydantic", "torch"):
        assert f"| {heavy}\n" not in done.stderr.replace(" ", "").replace("|", "| ")


def test_every_family_can_be_asked_for() -> None:
    for weights in lock._chosen([]):
        assert weights.repository.count("/") == 1 and weights.files and weights.licence
