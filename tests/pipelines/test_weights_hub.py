"""Weights from the hub's cache and from the hub, played by a real server on this machine."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines import weights as subject
from pipelines.errors import UnavailableError
from pipelines.types import Weights
from pipelines.weights import DamagedWeightsError, locate, missing, stamp
from tests.pipelines.hub_server import COMMIT, PICKLE, TENSORS, Repository, StandIn, sha256, standing_in

NEEDED = Weights("hub", "o/n", "MIT", ("config.json", "model.safetensors"), size_mb=12, substitute="free/one")
FILES = {"config.json": b"{}", "model.safetensors": TENSORS, "modeling.py": b"raise SystemExit", "README.md": b"#"}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with standing_in(tmp_path, monkeypatch) as server:
        server.repositories["o/n"] = Repository(dict(FILES))
        yield server


def refusal(weights: Weights = NEEDED) -> str:
    with pytest.raises(UnavailableError) as raised:
        locate(weights, None)
    return str(raised.value)


def kept(tmp_path: Path) -> list[str]:
    """Names of files in the cache that are or were on the way to be a blob."""
    return [path.name for path in (tmp_path / "home").rglob("blobs/*") if path.is_file()]


def lock(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], commit: str = COMMIT) -> None:
    listed = {name: {"sha256": sha256(content), "size_bytes": len(content)} for name, content in files.items()}
    entry = {"source": "hub", "commit": commit, "licence": "mit", "gated": False, "files": listed}
    (folder / "a.lock").write_text(json.dumps({"schema_version": 1, "written": "2026-01-01",
                                               "repositories": {"o/n": entry}}))  # fmt: skip
    monkeypatch.setenv("SEGMENTATION_WORKBENCH_LOCK", str(folder / "a.lock"))


def test_what_is_listed_is_fetched_once_and_nothing_else(hub: StandIn, tmp_path: Path) -> None:
    found = locate(NEEDED, None)
    assert found.revision == COMMIT
    assert found.sha256 == {"model.safetensors": sha256(TENSORS)}
    assert sorted(path.name for path in found.file("config.json").parent.iterdir()) == sorted(NEEDED.files)
    assert not [path for _, path in hub.asked if path.endswith((".py", ".md"))]
    asked = len(hub.asked)
    assert locate(NEEDED, None) == found
    assert len(hub.asked) == asked
    assert not any("torch/" in agent for agent in hub.agents)


def test_what_is_cached_loads_with_the_network_turned_off(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lacking = missing(NEEDED, None)
    assert lacking is not None and "HF_HUB_OFFLINE" in lacking.message and "hf download o/n" in lacking.cure
    assert refusal() == str(lacking)
    assert not hub.asked
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert missing(NEEDED, None) is None
    locate(NEEDED, None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "YES")
    asked = len(hub.asked)
    assert missing(NEEDED, None) is None
    assert locate(NEEDED, None).revision == COMMIT
    assert len(hub.asked) == asked


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
def test_the_cache_is_where_the_hubs_own_variables_say(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    folder = locate(NEEDED, None).folder
    assert folder == tmp_path / "elsewhere" / "models--o--n" / "snapshots" / COMMIT


def test_weights_in_shards_are_fetched_with_their_index(hub: StandIn) -> None:
    index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    shards = dict.fromkeys(index["weight_map"].values(), TENSORS)
    hub.repositories["o/n"].files = {"config.json": b"{}", **shards,
                                     "model.safetensors.index.json": json.dumps(index).encode()}  # fmt: skip
    assert sorted(locate(NEEDED, None).sha256) == sorted(shards)
    asked = len(hub.asked)
    locate(NEEDED, None)
    assert len(hub.asked) == asked


def test_an_index_that_leads_elsewhere_is_refused(hub: StandIn) -> None:
    index = json.dumps({"weight_map": {"a": "../../../evil.safetensors"}}).encode()
    hub.repositories["o/n"].files = {"config.json": b"{}", "model.safetensors.index.json": index}
    assert "it lists '../../../evil.safetensors'" in refusal()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(401, "GatedRepo", "is gated"), (403, "GatedRepo", "is gated"), (403, "", "gated or private"),
     (401, "", "it does not exist"), (404, "RepoNotFound", "it does not exist")],
)  # fmt: skip
@pytest.mark.parametrize("of", ["refuse", "refuse_files"])
def test_a_refusal_names_the_page_the_token_and_the_free_one(
    hub: StandIn, status: int, code: str, said: str, of: str
) -> None:
    setattr(hub.repositories["o/n"], of, (status, code))
    message = refusal()
    assert said in message
    for cure in ("https://huggingface.co/o/n", "HF_TOKEN", "free/one"):
        assert cure in message
    assert len(hub.asked) <= 3, "a refusal is final"


def test_a_file_or_commit_that_the_hub_lacks(hub: StandIn) -> None:
    del hub.repositories["o/n"].files["config.json"]
    assert "does not hold config.json" in refusal()
    hub.repositories["o/n"].refuse = (404, "RevisionNotFound")
    assert "does not have this commit" in refusal()
    hub.repositories["o/n"].refuse = (500, "")
    assert "answered 500" in refusal()


def test_a_repository_of_pickles_is_refused_and_nothing_is_fetched(hub: StandIn, tmp_path: Path) -> None:
    hub.repositories["o/n"].files = {"config.json": b"{}", "pytorch_model.bin": PICKLE}
    message = refusal()
    assert "pytorch_model.bin, a pickle, which is refused" in message
    assert "Convert it to safetensors" in message
    assert len(hub.asked) == 1 and not kept(tmp_path)


@pytest.mark.parametrize(
    "content",
    [PICKLE, b"PK\x03\x04" + bytes(60), TENSORS[:-3], b""],
    ids=["pickle", "zip", "truncated", "empty"],
)
def test_what_is_no_safetensors_file_is_refused_and_not_kept(hub: StandIn, tmp_path: Path, content: bytes) -> None:
    hub.repositories["o/n"].files["model.safetensors"] = content
    assert "pickle under another name" in refusal() or "damaged" in refusal()
    assert sha256(content) not in kept(tmp_path)


def test_a_wrong_hash_is_refused_and_fetched_again_next_time(hub: StandIn, tmp_path: Path) -> None:
    hub.repositories["o/n"].files["model.safetensors"] = TENSORS
    hub.repositories["o/n"].corrupt = frozenset({"model.safetensors"})
    assert "damaged" in refusal()
    assert sha256(TENSORS) not in kept(tmp_path)
    hub.repositories["o/n"].corrupt = frozenset()
    assert locate(NEEDED, None).sha256 == {"model.safetensors": sha256(TENSORS)}


def test_a_cached_file_that_rotted_is_refused(hub: StandIn) -> None:
    path = locate(NEEDED, None).file("model.safetensors").resolve()
    path.write_bytes(TENSORS[:-1] + b"\x01")
    assert "the hub says that it hashes to" in refusal()


def test_a_download_that_is_cut_off_leaves_nothing_in_place(hub: StandIn, tmp_path: Path) -> None:
    hub.repositories["o/n"].cut = frozenset({"model.safetensors"})
    assert "cut off" in refusal()
    assert sha256(TENSORS) not in kept(tmp_path)
    assert not [name for name in kept(tmp_path) if "incomplete" in name]
    hub.repositories["o/n"].cut = frozenset()
    assert locate(NEEDED, None).revision == COMMIT


def test_no_network_is_told_within_seconds(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    message = refusal()
    assert time.monotonic() - start < 5
    assert "could not be reached" in message and "hf download o/n" in message and "--weights FOLDER" in message


def test_a_host_that_never_answers_is_given_up(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.silent = True
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", "1")
    start = time.monotonic()
    assert "could not be reached" in refusal()
    assert time.monotonic() - start < 5
    assert len(hub.asked) <= 3


def test_too_little_room_is_told_before_anything_is_fetched(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10))
    message = refusal()
    assert "disk is full" in message and "MB in" in message and "HF_HOME" in message
    assert not kept(tmp_path)


def test_a_disk_that_fills_up_on_the_way(hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    message = refusal()
    assert "disk is full: o/n needs 12 MB in" in message
    assert not kept(tmp_path)


@pytest.mark.parametrize("said", ["CAS Client Error: I/O error: No space left on device (os error 28)",
                                  "Data processing error: os error 28", "Disk quota exceeded (os error 122)"])  # fmt: skip
@pytest.mark.parametrize("deeper", [False, True])
def test_a_disk_that_fills_up_under_xet_is_no_network_that_is_missing(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch, said: str, deeper: bool
) -> None:
    def full(*_: object, **__: object) -> None:
        if deeper:
            raise RuntimeError("transfer failed") from RuntimeError(said)
        raise RuntimeError(said)

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    message = refusal()
    assert "disk is full: o/n needs 12 MB in" in message and "reached" not in message


def test_a_transfer_that_fails_otherwise_under_xet_is_no_full_disk(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(*_: object, **__: object) -> None:
        raise RuntimeError("Data processing error: CAS service error (os error 111)")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", failed)
    assert "could not be reached" in refusal()


@pytest.mark.parametrize(
    "noted", [b"\xff\xfe", b"", b"../../../../etc", b"main", COMMIT.encode() + b"0", b"C" * 40, b"\x00"]
)
def test_a_note_of_the_cache_that_is_no_commit_counts_as_not_there(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch, noted: bytes
) -> None:
    folder = locate(NEEDED, None).folder
    assert folder is not None and stamp(NEEDED, None)
    (folder.parent.parent / "refs" / "main").write_bytes(noted)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lacking = missing(NEEDED, None)
    assert lacking is not None and "is not on this machine" in lacking.message
    assert stamp(NEEDED, None) is None and refusal() == str(lacking)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert locate(NEEDED, None).revision == COMMIT


def test_a_damaged_index_in_the_cache_is_returned_and_ends_nothing(hub: StandIn) -> None:
    folder = locate(NEEDED, None).folder
    assert folder is not None
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../../etc/passwd"}}')
    assert isinstance(missing(NEEDED, None), DamagedWeightsError)
    assert stamp(NEEDED, None) is None


def test_without_a_network_the_free_one_is_named(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    lacking = missing(NEEDED, None)
    assert lacking is not None and lacking.cure.endswith("or give --weights FOLDER, or use free/one, which is free.")


def test_the_commit_of_the_lock_is_asked_for_and_its_hashes_hold(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(tmp_path, monkeypatch, {name: FILES[name] for name in NEEDED.files})
    assert locate(NEEDED, None).revision == COMMIT
    assert hub.asked[0][1].endswith(f"/revision/{COMMIT}")
    lock(tmp_path, monkeypatch, {"config.json": b"{}", "model.safetensors": b"other"})
    message = refusal()
    assert f"expected {sha256(b'other')[:12]}, got {sha256(TENSORS)[:12]}" in message
    assert "python -m pipelines.lock o/n" in message


def test_a_download_that_is_not_what_the_lock_says_is_not_kept(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(tmp_path, monkeypatch, {"config.json": b"{}", "model.safetensors": b"other"})
    assert "not what the lock says" in refusal()
    assert sha256(TENSORS) not in kept(tmp_path)


def test_a_table_that_lists_a_pickle_is_refused_without_a_request(hub: StandIn) -> None:
    for name in ("model.pth", "x/model.bin", "code.py", "../model.safetensors", "/etc/x.json"):
        with pytest.raises(UnavailableError):
            subject.locate(Weights("hub", "o/n", "MIT", (name,)), None)
    assert not hub.asked
