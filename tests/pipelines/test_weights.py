"""Weights in the user's own folder: what is found, what is told where something is lacking, what a lock adds."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.errors import UnavailableError, UsageError
from pipelines.types import Weights
from pipelines.weights import DamagedWeightsError, Located, check_lock, locate, missing, stamp
from tests.pipelines.hub_server import COMMIT, ONNX, TENSORS, sha256

NEEDED = Weights("hub", "o/n", "MIT", ("config.json", "model.safetensors"))
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_LOCK", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, {"config.json": b"{}", "model.safetensors": TENSORS})
    return tmp_path


def put(root: Path, files: dict[str, bytes], repository: str = "o/n") -> None:
    for name, content in files.items():
        path = root / repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def lock(root: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], repository: str = "o/n") -> None:
    listed = {name: {"sha256": sha256(content), "size_bytes": len(content)} for name, content in files.items()}
    entry = {"source": "hub", "commit": COMMIT, "licence": "mit", "gated": False, "files": listed}
    path = root / "models.lock.json"
    path.write_text(json.dumps({"schema_version": 1, "written": "2026-01-01", "repositories": {repository: entry}}))
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_LOCK", str(path))


def refusal(where: Path, weights: Weights = NEEDED) -> str:
    with pytest.raises(UnavailableError) as raised:
        locate(weights, where)
    return str(raised.value)


def test_random_needs_no_file() -> None:
    assert locate(NEEDED, "random") == Located(NEEDED, None)
    assert locate(NEEDED, Path("random")).random
    assert missing(NEEDED, "random") is None
    with pytest.raises(UnavailableError, match="is random"):
        locate(NEEDED, "random").file("config.json")


def test_a_folder_is_unpinned_and_hashed(folder: Path) -> None:
    found = locate(NEEDED, folder)
    assert (found.revision, found.sha256) == (None, {"model.safetensors": sha256(TENSORS)})
    assert found.file("config.json").read_text() == "{}"
    assert locate(NEEDED, str(folder)).folder == folder / "o" / "n"
    assert missing(NEEDED, folder) is None


def test_what_is_lacking_is_listed_with_where_it_belongs(folder: Path) -> None:
    (folder / "o" / "n" / "config.json").unlink()
    message = refusal(folder)
    assert "lacks config.json in" in message and str(folder / "o" / "n") in message
    assert "hf download o/n --local-dir" in message
    assert str(missing(NEEDED, folder)) == message


def test_a_near_folder_a_folder_too_deep_and_a_cache_are_recognised(folder: Path) -> None:
    other = Weights("hub", "o/nn", "MIT", NEEDED.files)
    assert "There is o/n; is that meant?" in refusal(folder, other)
    assert "holds OWNER/NAME/" in refusal(folder / "o" / "n")
    (folder / "models--big--one").mkdir()
    assert f"HF_HUB_CACHE={folder}" in refusal(folder, Weights("hub", "big/one", "MIT", NEEDED.files))
    assert "there is no folder" in refusal(folder / "nowhere")


def test_a_file_at_an_address_lies_in_the_folder_of_its_project(tmp_path: Path) -> None:
    weights = Weights("url", "o/tool", "MIT", ("net.onnx",), "https://example.org/net.onnx", "md5:" + "0" * 32)
    assert "Put the file of https://example.org/net.onnx there" in refusal(tmp_path, weights)
    put(tmp_path, {"net.onnx": ONNX}, "o/tool")
    assert locate(weights, tmp_path).sha256 == {"net.onnx": sha256(ONNX)}


def test_shards_count_as_the_file_that_they_make_up(tmp_path: Path) -> None:
    index = json.dumps({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}).encode()
    put(tmp_path, {"config.json": b"{}", "model.safetensors.index.json": index, "m-1.safetensors": TENSORS})
    assert "lacks m-2.safetensors" in refusal(tmp_path)
    put(tmp_path, {"m-2.safetensors": TENSORS})
    assert set(locate(NEEDED, tmp_path).sha256) == {"m-1.safetensors", "m-2.safetensors"}
    put(tmp_path, {"model.safetensors.index.json": b"[]"})
    assert "damaged: it lists no weights" in refusal(tmp_path)


def test_a_lock_gives_a_folder_its_commit_and_is_enforced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(folder, monkeypatch, {"config.json": b"{}", "model.safetensors": TENSORS})
    assert locate(NEEDED, folder).revision == COMMIT
    put(folder, {"config.json": b"{ }"})
    message = refusal(folder)
    assert f"config.json of o/n is not what the lock says: expected {sha256(b'{}')[:12]}" in message
    assert f"got {sha256(b'{ }')[:12]}" in message and COMMIT[:12] in message
    lock(folder, monkeypatch, {"model.safetensors": TENSORS})
    assert "config.json of o/n is not in the lock" in refusal(folder)
    lock(folder, monkeypatch, {}, repository="another/one")
    assert locate(NEEDED, folder).revision is None


def test_the_lock_of_the_current_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(folder, monkeypatch, {"config.json": b"{}", "model.safetensors": TENSORS})
    monkeypatch.delenv("SEGMENTATION_WORKBENCH_LOCK")
    monkeypatch.chdir(folder)
    assert locate(NEEDED, folder).revision == COMMIT


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"schema_version": 2, "written": "", "repositories": {}}',
                                    '{"schema_version": 1, "written": "", "repositories": {"o/n": {"source": "hub", '
                                    '"files": {"a": {"sha256": "guess", "size_bytes": 1}}}}}'],
                         ids=["empty", "cut off", "list", "later version", "no hash"])  # fmt: skip
def test_a_broken_lock_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    (folder / "a.lock").write_text(broken)
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_LOCK", str(folder / "a.lock"))
    with pytest.raises(UsageError, match=r"a\.lock cannot be read: .+ `python -m pipelines\.lock"):
        locate(NEEDED, folder)
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_LOCK", str(folder / "gone.lock"))
    with pytest.raises(UsageError, match="is no file"):
        locate(NEEDED, folder)
    with pytest.raises(UsageError, match="is no file"):
        check_lock()


def test_a_lock_can_be_checked_before_anything_is_planned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_lock()
    lock(folder, monkeypatch, {"config.json": b"{}"})
    check_lock()
    (folder / "models.lock.json").write_text("{")
    with pytest.raises(UsageError, match=r"models\.lock\.json cannot be read") as raised:
        check_lock()
    assert raised.value.exit_code == 2 and "python -m pipelines.lock" in raised.value.cure


@pytest.mark.parametrize("index", [b"{", b"[]", b"\xff", b'{"weight_map": {"a": "../../../etc/passwd"}}',
                                   b'{"weight_map": {"a": 1}}', b"[" * 100_000])  # fmt: skip
def test_a_damaged_index_is_returned_and_ends_nothing(tmp_path: Path, index: bytes) -> None:
    put(tmp_path, {"config.json": b"{}", "model.safetensors.index.json": index})
    found = missing(NEEDED, tmp_path)
    assert isinstance(found, DamagedWeightsError) and "is damaged: it lists" in found.message and found.cure
    assert stamp(NEEDED, tmp_path) is None
    with pytest.raises(DamagedWeightsError):
        locate(NEEDED, tmp_path)


def test_what_is_lacking_is_told_apart_from_what_is_damaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(folder, monkeypatch, {"config.json": b"{}", "model.safetensors": b"other"})
    with pytest.raises(DamagedWeightsError, match="not what the lock says"):
        locate(NEEDED, folder)
    put(folder, {"model.safetensors": TENSORS[:-1]})
    with pytest.raises(DamagedWeightsError, match="is damaged"):
        locate(NEEDED, folder)
    (folder / "o" / "n" / "model.safetensors").unlink()
    lacking = missing(NEEDED, folder)
    assert lacking is not None and not isinstance(lacking, DamagedWeightsError)


def test_an_empty_folder_names_the_licence_the_token_and_the_free_one(tmp_path: Path) -> None:
    for weights, page in (
        (Weights("hub", "o/gated", "NC", NEEDED.files, gated=True, substitute="free/one"), "https://huggingface.co/o/gated"),
        (Weights("url", "o/gated", "NC", ("a.onnx",), "https://x.org/a.onnx", gated=True, substitute="free/one"),
         "https://x.org/a.onnx"),
    ):  # fmt: skip
        cure = getattr(missing(weights, tmp_path), "cure", "")
        assert cure.startswith(f"Accept its licence at {page}, set HF_TOKEN, and put the file")
        assert cure.endswith(", or use free/one, which is free.")
        (tmp_path / "o" / "gated").mkdir(parents=True, exist_ok=True)
        assert getattr(missing(weights, tmp_path), "cure", "") == cure
        (tmp_path / "o" / "gated").rmdir()


@pytest.mark.alone
def test_what_is_missing_is_told_at_once_and_imports_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pipelines.types import Weights; from pipelines.weights import missing\n"
        f"needed = Weights('hub', 'o/n', 'MIT', {NEEDED.files!r})\n"
        "start = time.perf_counter()\n"
        f"assert missing(needed, None) and missing(needed, {str(tmp_path)!r})\n"
        "assert time.perf_counter() - start < 0.05\n"
        "assert not {'huggingface_hub', 'torch', 'transformers', 'safetensors'} & set(sys.modules)\n"
    )
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", script], env=env, timeout=60).returncode == 0


class _Writes:
    """A pickle that leaves a trace when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.trace,)


def test_no_code_of_a_repository_is_ever_run(tiny_weights: Path, tmp_path: Path) -> None:
    import torch
    from transformers import CLIPSegForImageSegmentation

    from pipelines.checkpoints.clipseg import FILES
    from pipelines.networks.pretrained import load_network

    trace = tmp_path / "trace"
    weights = Weights("hub", "CIDAS/clipseg-rd64-refined", "MIT", FILES)
    there = tiny_weights / weights.repository
    put(tmp_path, {path.name: path.read_bytes() for path in there.iterdir()}, weights.repository)
    here = tmp_path / weights.repository
    config = json.loads((here / "config.json").read_text())
    config["auto_map"] = dict.fromkeys(("AutoModel", "AutoConfig", "AutoTokenizer"), "modeling.Evil")
    code = f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
    put(tmp_path, {"config.json": json.dumps(config).encode(), "modeling.py": code.encode(),
                   "pytorch_model.bin": pickle.dumps(_Writes(trace))}, weights.repository)  # fmt: skip
    located = locate(weights, tmp_path)
    load_network(CLIPSegForImageSegmentation, located, {}, device="cpu", dtype=torch.float32)
    assert not trace.exists()
    (here / "model.safetensors").unlink()
    assert "pytorch_model.bin, a pickle, which is refused" in refusal(tmp_path, weights)
    (here / "model.safetensors").write_bytes(pickle.dumps(_Writes(trace)))
    assert "pickle under another name" in refusal(tmp_path, weights)
    assert not trace.exists()


def test_a_pickle_is_not_judged_before_it_is_located(tmp_path: Path) -> None:
    weights = Weights("url", "o/old", "MIT", ("net.pth",), "https://example.org/net.pth")
    assert missing(weights, tmp_path) is None
    assert "net.pth, a pickle, which is refused" in refusal(tmp_path, weights)


@pytest.mark.alone
def test_hashing_is_not_slower_than_the_disk_it_reads_from(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"U8","shape":[50000000],"data_offsets":[0,50000000]}}'
    content = len(header).to_bytes(8, "little") + header + bytes(50_000_000)
    put(tmp_path, {"config.json": b"{}", "model.safetensors": content})
    start = time.perf_counter()
    locate(NEEDED, tmp_path)
    assert time.perf_counter() - start < 2
