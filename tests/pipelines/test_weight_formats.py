"""What counts as a whole, harmless file of weights."""

from __future__ import annotations

import io
import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidProtobuf
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipelines.errors import UnavailableError
from pipelines.weights.formats import PICKLES, SUFFIXES, check_file, check_names
from tests.pipelines.hub_server import ONNX, TENSORS


def accepted(path: Path, content: bytes) -> bool:
    path.write_bytes(content)
    try:
        check_file(path)
    except UnavailableError as error:
        assert str(path) in error.message and error.cure
        return False
    return True


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"w": [1.0]}))
    return file.getvalue()


def test_every_length_but_the_right_one_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.safetensors", TENSORS), ("a.onnx", ONNX)):
        assert accepted(tmp_path / name, content)
        assert not any(accepted(tmp_path / name, content[:end]) for end in range(len(content)) if end != 2)
        assert not accepted(tmp_path / name, content + b"\x00")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_are_refused_by_any_name(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps({"weights": list(range(300))}, protocol)
    for name in ("a.safetensors", "a.onnx"):
        assert not accepted(tmp_path / name, content)
        assert not accepted(tmp_path / name, zipped())


def test_a_pickle_and_a_pointer_are_called_so(tmp_path: Path) -> None:
    for content, said in ((zipped(), "pickle"), (pickle.dumps([0] * 50), "pickle"),
                          (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull")):  # fmt: skip
        for name in ("a.safetensors", "a.onnx"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(UnavailableError, match=said):
                check_file(tmp_path / name)


def test_what_is_accepted_is_read_by_the_library_and_what_it_refuses_as_cut_is_refused(tmp_path: Path) -> None:
    """Bytes of the header changed at random: nothing is accepted whose numbers do not fill the file."""
    chance = random.Random(0)
    tensors = save({"a": np.ones((3, 4), np.float32), "b": np.zeros(5, np.int64)}, {"format": "pt"})
    for _ in range(300):
        content = bytearray(tensors)
        content[chance.randrange(8 + 200) % len(content)] = chance.randrange(256)
        if accepted(tmp_path / "a.safetensors", bytes(content)):
            continue
        with pytest.raises((SafetensorError, KeyError, ValueError)):
            load(bytes(content))


@pytest.mark.parametrize("header", [b"[]", b"3", b'{"w": 1}', b'{"w": {"data_offsets": [4, 0]}}', b"\xff\xff",
                                    b'{"w": {"data_offsets": [0]}}', b"[" * 50_000])  # fmt: skip
def test_odd_headers_are_refused(tmp_path: Path, header: bytes) -> None:
    assert not accepted(tmp_path / "a.safetensors", len(header).to_bytes(8, "little") + header)


def test_a_header_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    assert not accepted(tmp_path / "a.safetensors", (1 << 62).to_bytes(8, "little") + b"{}")


def test_random_bytes_are_no_model(tmp_path: Path) -> None:
    chance = random.Random(1)
    for _ in range(200):
        content = chance.randbytes(chance.randrange(400))
        assert not accepted(tmp_path / "a.safetensors", content)
        if accepted(tmp_path / "a.onnx", content):
            with pytest.raises(InvalidProtobuf):
                onnxruntime.InferenceSession(content)


def test_only_known_names_pass() -> None:
    check_names("o/n", [f"part/file{suffix}" for suffix in SUFFIXES])
    for name in (*(f"net{suffix}" for suffix in PICKLES), "net.PTH", "code.py", "run.sh", "net", "../a.json",
                 "/a.json", "a/../../b.json", "a\\b.json", "C:a.json", "net.so", "net.zip"):  # fmt: skip
        with pytest.raises(UnavailableError):
            check_names("o/n", [name])
