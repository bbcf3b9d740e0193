"""JSON files of a checkpoint: what they may not choose, what is told where they are broken, what is not read at all."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pipelines import create
from pipelines.checkpoints import clipseg, detectors, rmbg, sam3, segmenters
from pipelines.errors import UnavailableError
from pipelines.types import Weights
from pipelines.weights import DamagedWeightsError, Located, locate
from tests.tiny.birefnet import make_birefnet

CLIPSEG = clipseg.CHECKPOINTS["rd64-refined"].weights
DINO = detectors.CHECKPOINTS["grounding-dino-tiny"].weights
MM = detectors.CHECKPOINTS["mm-grounding-dino-tiny"].weights
OWL = detectors.CHECKPOINTS["owlv2-base"].weights
SAM = segmenters.CHECKPOINTS["sam-vit-base"].weights
SAM2 = segmenters.CHECKPOINTS["sam2.1-hiera-tiny"].weights
SAM3 = next(iter(sam3.CHECKPOINTS.values())).weights
KINDS = {
    CLIPSEG: "CLIPSegForImageSegmentation", DINO: "GroundingDinoForObjectDetection",
    MM: "MMGroundingDinoForObjectDetection", OWL: "Owlv2ForObjectDetection", SAM: "SamModel", SAM2: "Sam2Model",
    SAM3: "Sam3Model",
}  # fmt: skip
PUBLISHED = {
    "_name_or_path": "/tmp/facebook/model", "_attn_implementation_autoset": True, "torch_dtype": "float32",
    "dtype": "float32", "transformers_version": "4.31.0.dev0", "backbone": None, "backbone_kwargs": None,
    "use_timm_backbone": False, "use_pretrained_backbone": False, "quantization_config": None, "torchscript": False,
    "pruned_heads": {}, "tf_legacy_loss": False, "add_cross_attention": False, "auto_map": {"AutoModel": "a.B"},
}  # fmt: skip
"""What configurations hold that were published with older versions of transformers."""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a name is looked up: whatever tries is in the error."""

    def asked(*where: object, **_: object) -> None:
        raise AssertionError(f"the network was asked for: {where}")

    monkeypatch.setattr(socket.socket, "connect", asked)
    monkeypatch.setattr(socket, "getaddrinfo", asked)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)


@pytest.fixture
def own(tiny_weights: Path, tmp_path: Path) -> Callable[[Weights], Path]:
    """A copy of a tiny checkpoint that may be broken; returns its folder inside of the temporary folder."""

    def copied(weights: Weights) -> Path:
        shutil.copytree(tiny_weights / weights.repository, tmp_path / weights.repository)
        return tmp_path / weights.repository

    return copied


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


def parts(value: Any) -> list[dict[str, Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, dict) else []), *(part for one in inner for part in parts(one))]


def loaded(weights: Weights, root: Path) -> Any:
    import torch
    import transformers

    from pipelines.networks.pretrained import load_network

    kind = getattr(transformers, KINDS[weights])
    return load_network(kind, locate(weights, root), None, device="cpu", dtype=torch.float32)


def refusal(weights: Weights, root: Path) -> str:
    with pytest.raises(DamagedWeightsError) as raised:
        loaded(weights, root)
    assert raised.value.cure
    assert "/weights-" not in str(raised.value), "the user's own folder is named"
    return str(raised.value)


@pytest.mark.parametrize("weights", KINDS, ids=KINDS.values())
def test_what_published_configurations_hold_is_no_reason_to_refuse_them(
    weights: Weights, own: Callable[[Weights], Path], tmp_path: Path, tiny_weights: Path
) -> None:
    def older(told: dict[str, Any]) -> None:
        for part in [told, *(part for part in parts(told) if "model_type" in part)]:
            part.update({key: value for key, value in PUBLISHED.items() if key not in part})
        for name in ("prompt_encoder_config", "mask_decoder_config"):
            if name in told:
                told[name]["model_type"] = ""

    changed(own(weights) / "config.json", older)
    found, wanted = loaded(weights, tmp_path), loaded(weights, tiny_weights)
    state = wanted.state_dict()
    assert all(bool((values == state[name]).all()) for name, values in found.state_dict().items())
    assert found.config._attn_implementation == wanted.config._attn_implementation


TIMM = {"backbone_config": None, "backbone": "resnet18", "use_timm_backbone": True, "use_pretrained_backbone": True}


@pytest.mark.parametrize(
    ("told", "said"),
    [(TIMM, "backbone"), ({"backbone": "evil/backbone"}, "sets backbone to 'evil/backbone'"),
     ({"use_pretrained_backbone": True}, "use_pretrained_backbone"), ({"use_timm_backbone": True}, "fetch a network"),
     ({"backbone_config": {"model_type": "timm_backbone", "backbone": "resnet18"}}, "backbone"),
     ({"backbone_config": {"model_type": "timm_wrapper", "architecture": "hf-hub:evil/m"}}, "'timm_wrapper'"),
     ({"text_config": {"model_type": "detr"}}, "a part of the kind 'detr', which no grounding-dino has"),
     ({"text_config": {"model_type": "bert", "quantization_config": {"quant_method": "awq"}}}, "quantization_config"),
     ({"quantization_config": {"quant_method": "bitsandbytes"}}, "by code of another library"),
     ({"transformers_weights": "../../other.safetensors"}, "not listed")],
)  # fmt: skip
def test_a_configuration_that_asks_for_more_than_its_files_is_refused(
    own: Callable[[Weights], Path], tmp_path: Path, told: dict[str, Any], said: str
) -> None:
    changed(own(DINO) / "config.json", lambda config: config.update(told))
    assert said in refusal(DINO, tmp_path)


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"])
def test_a_configuration_does_not_choose_the_code_of_attention(
    own: Callable[[Weights], Path], tmp_path: Path, key: str
) -> None:
    def everywhere(told: dict[str, Any]) -> None:
        for part in [told, told["text_config"], told["vision_config"]]:
            part[key] = "evil/kernel"

    changed(own(CLIPSEG) / "config.json", everywhere)
    config = loaded(CLIPSEG, tmp_path).config
    for part in (config, config.text_config, config.vision_config):
        assert part._attn_implementation in ("sdpa", "eager")


def test_what_is_not_listed_is_not_read(own: Callable[[Weights], Path], tmp_path: Path) -> None:
    from pipelines.networks.captions import speller
    from pipelines.networks.clip_text import tokenizer
    from pipelines.networks.clipseg import MOST_TOKENS

    texts = ("coin",)
    ids = tokenizer(locate(CLIPSEG, own(CLIPSEG).parent.parent), MOST_TOKENS)(texts).ids.tolist()
    spelled = speller(locate(DINO, own(DINO).parent.parent))("coin cat")
    for weights in (CLIPSEG, DINO):
        folder = tmp_path / weights.repository
        for name, content in (
            ("added_tokens.json", {"coin": 7, "cat": 8}), ("chat_template.jinja", {}), ("adapter_config.json", {}),
            ("special_tokens_map.json", {"unk_token": "coin"}), ("generation_config.json", {"a": 1}),
            ("tokenizer.json", {"version": "1.0", "model": {"type": "WordLevel", "vocab": {"coin": 5}}}),
            ("processor_config.json", {"image_processor_type": "Evil"}),
        ):  # fmt: skip
            if name not in weights.files:
                (folder / name).write_text(json.dumps(content))
    assert tokenizer(locate(CLIPSEG, tmp_path), MOST_TOKENS)(texts).ids.tolist() == ids
    assert speller(locate(DINO, tmp_path))("coin cat") == spelled
    loaded(DINO, tmp_path)


BROKEN = ["[]", "[1]", "", "{", "\x00", '"text"', "null", "[" * 100_000]


@pytest.mark.parametrize("broken", [*(text.encode() for text in BROKEN), b'{"a": "\xff"}'],
                         ids=["list", "filled", "empty", "cut off", "zero", "text", "null", "deep", "latin"])  # fmt: skip
def test_a_broken_configuration_is_told_with_a_cure(
    own: Callable[[Weights], Path], tmp_path: Path, broken: bytes
) -> None:
    for weights in (CLIPSEG, SAM2, SAM3):
        (own(weights) / "config.json").write_bytes(broken)
        assert "config.json" in refusal(weights, tmp_path)


@pytest.mark.parametrize(
    ("weights", "told"),
    [(CLIPSEG, {"reduce_dim": "x"}), (CLIPSEG, {"reduce_dim": -3}), (CLIPSEG, {"text_config": "x"}),
     (CLIPSEG, {"text_config": {"hidden_act": "evil"}}), (SAM2, {"dtype": "os.system"}),
     (SAM, {"vision_config": [1]}), (DINO, {"backbone_config": 3}), (SAM3, {"detector_config": []}),
     (CLIPSEG, {"id2label": 3}), (DINO, {"backbone_config": json.loads("[" * 900 + "]" * 900)})],
)  # fmt: skip
def test_values_that_make_no_network_are_told_with_a_cure(
    own: Callable[[Weights], Path], tmp_path: Path, weights: Weights, told: dict[str, Any]
) -> None:
    changed(own(weights) / "config.json", lambda config: config.update(told))
    assert weights.repository in refusal(weights, tmp_path)


CHOICES: dict[str, tuple[Weights, ...]] = {"clipseg": (CLIPSEG,), "sam": (SAM2,), "sam3": (SAM3,),
                                           "grounded_sam": (DINO, SAM2)}  # fmt: skip


@pytest.mark.parametrize(
    "broken", [b"[1]", b"{", b"\xff\xfe", b'{"size": 3, "image_mean": [], "crop_size": "x"}', b"[]"]
)
@pytest.mark.parametrize("name", CHOICES)
def test_every_json_file_of_every_pipeline_may_be_broken(
    own: Callable[[Weights], Path], tmp_path: Path, name: str, broken: bytes
) -> None:
    for weights in CHOICES[name]:
        own(weights)
    for weights in CHOICES[name]:
        for file in (file for file in weights.files if file.endswith(".json")):
            path = tmp_path / weights.repository / file
            content = path.read_bytes()
            path.write_bytes(broken)
            pipeline = create(name, device="cpu", weights=tmp_path, params=_params(name))
            try:
                pipeline.load()
            except UnavailableError as error:
                assert error.cure and weights.repository in str(error)
            else:  # what says nothing of the network, such as the words of a tokenizer's template
                assert file in ("tokenizer_config.json", "special_tokens_map.json"), file
            pipeline.close()
            path.write_bytes(content)


def _params(name: str) -> dict[str, str]:
    return {"sam": {"checkpoint": "sam2.1-hiera-tiny"},
            "grounded_sam": {"detector": "grounding-dino-tiny", "segmenter": "sam2.1-hiera-tiny"}}.get(name, {})  # fmt: skip


@pytest.mark.parametrize("broken", [[1], {"sizes": [1]}, {"sizes": {"embed_dim": 8}}, {"sizes": "x"},
                                    {"sizes": {"embed_dim": "x", "depths": [1], "num_heads": [0], "window_size": 0,
                                               "width": 1, "branch": 1}}])  # fmt: skip
def test_a_broken_configuration_of_birefnet(tmp_path: Path, broken: Any) -> None:
    import torch

    from pipelines.networks.birefnet import load_birefnet

    checkpoint = next(one for one in rmbg.CHECKPOINTS.values() if one.settings.get("architecture") == "birefnet")
    weights = Weights("hub", "o/birefnet", "MIT", ("config.json", "model.safetensors"))
    folder = make_birefnet(tmp_path, weights.repository)
    (folder / "config.json").write_text(json.dumps(broken))
    with pytest.raises(DamagedWeightsError, match=r"config\.json"):
        load_birefnet(locate(weights, tmp_path), checkpoint.settings, device="cpu", dtype=torch.float32)


def graph(folder: Path, *, nested: bool) -> Path:
    """An ONNX model whose numbers lie in a second file, those of its outermost graph or of one inside of a node."""
    kept = helper.make_tensor("w", TensorProto.FLOAT, [1], [2.0])
    kept.ClearField("float_data")
    kept.data_location = TensorProto.EXTERNAL
    kept.external_data.add(key="location", value="w.data")
    np.ones(1, np.float32).tofile(folder / "w.data")
    given, found = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    constant = helper.make_node("Constant", [], ["c"], value=kept)
    nodes = [constant] if nested else []
    made = helper.make_graph([*nodes, helper.make_node("Add", ["x", "c" if nested else "w"], ["y"])], "g", [given],
                             [found], [] if nested else [kept])  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return folder / "net.onnx"


@pytest.mark.parametrize("nested", [False, True])
def test_an_onnx_file_whose_numbers_lie_elsewhere_is_refused(tmp_path: Path, nested: bool) -> None:
    folder = tmp_path / "o" / "net"
    folder.mkdir(parents=True)
    path = graph(folder, nested=nested)
    weights = Weights("hub", "o/net", "MIT", ("net.onnx",))
    with pytest.raises(DamagedWeightsError, match="in other files") as raised:
        locate(weights, tmp_path)
    assert "onnx.save" in raised.value.cure
    if not nested:  # the cure works
        onnx.save(onnx.load(path), path)
        assert isinstance(locate(weights, tmp_path), Located)


def test_the_folder_of_listed_files_is_gone_afterwards_and_may_hold_copies(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.weights.listed import only_listed

    folder = tiny_weights / CLIPSEG.repository
    with only_listed(folder, CLIPSEG.files, {"config.json": b"{}"}) as linked:
        assert sorted(path.name for path in linked.iterdir()) == sorted(CLIPSEG.files)
        assert (linked / "config.json").read_bytes() == b"{}"
    assert not linked.exists() and (folder / "config.json").stat().st_size > 2

    def refused(*_: object) -> None:
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refused)
    with only_listed(folder, CLIPSEG.files, {}) as copied:
        assert (copied / "vocab.json").read_bytes() == (folder / "vocab.json").read_bytes()
        assert not (copied / "vocab.json").is_symlink()
