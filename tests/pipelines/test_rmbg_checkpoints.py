"""Every checkpoint says what models of background removal are published as: size, normalisation, licence, forms."""

from __future__ import annotations

import pytest

from pipelines import info
from pipelines.checkpoints.rmbg import CHECKPOINTS
from pipelines.rmbg import RmbgParams, chosen

IN = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5,) * 3, (1.0,) * 3)
ANIME = (IN[0], (1.0,) * 3)
NC, BRIA, MIT, APACHE = "CC-BY-NC-4.0", "BRIA RMBG-1.4", "MIT", "Apache-2.0"
ROWS = {
    "rmbg-2.0": ("briaai/RMBG-2.0", NC, False, True, (1024, 1024), IN),
    "rmbg-1.4": ("briaai/RMBG-1.4", BRIA, False, None, (1024, 1024), HALF),
    "birefnet": ("ZhengPeng7/BiRefNet", MIT, True, False, (1024, 1024), IN),
    "birefnet-lite": ("ZhengPeng7/BiRefNet_lite", MIT, True, False, (1024, 1024), IN),
    "birefnet-lite-2k": ("ZhengPeng7/BiRefNet_lite-2K", MIT, True, False, (1440, 2560), IN),
    "birefnet-512": ("ZhengPeng7/BiRefNet_512x512", MIT, True, False, (512, 512), IN),
    "birefnet-hr": ("ZhengPeng7/BiRefNet_HR", MIT, True, False, (2048, 2048), IN),
    "birefnet-dynamic": ("ZhengPeng7/BiRefNet_dynamic", MIT, True, False, (1024, 1024), IN),
    "birefnet-portrait": ("ZhengPeng7/BiRefNet-portrait", MIT, True, False, (1024, 1024), IN),
    "birefnet-dis5k": ("ZhengPeng7/BiRefNet-DIS5K", MIT, True, False, (1024, 1024), IN),
    "birefnet-dis5k-all": ("ZhengPeng7/BiRefNet-DIS5K-TR_TEs", MIT, True, False, (1024, 1024), IN),
    "birefnet-hrsod": ("ZhengPeng7/BiRefNet-HRSOD", MIT, True, False, (1024, 1024), IN),
    "birefnet-cod": ("ZhengPeng7/BiRefNet-COD", MIT, True, False, (1024, 1024), IN),
    "birefnet-matting": ("ZhengPeng7/BiRefNet-matting", MIT, True, False, (1024, 1024), IN),
    "birefnet-hr-matting": ("ZhengPeng7/BiRefNet_HR-matting", MIT, True, False, (2048, 2048), IN),
    "isnet": ("danielgatis/rembg", APACHE, None, False, (1024, 1024), HALF),
    "isnet-anime": ("danielgatis/rembg", "unclear", None, False, (1024, 1024), ANIME),
    "u2net": ("danielgatis/rembg", APACHE, True, False, (320, 320), IN),
    "u2netp": ("danielgatis/rembg", APACHE, True, False, (320, 320), IN),
    "u2net-human-seg": ("danielgatis/rembg", APACHE, True, False, (320, 320), IN),
    "silueta": ("danielgatis/rembg", "unclear", None, False, (320, 320), IN),
}


def test_the_table_is_the_one_that_was_read() -> None:
    found = {
        name: (
            one.weights.repository,
            one.weights.licence,
            one.weights.commercial,
            one.weights.gated,
            one.settings["pixels"]["size"],
            (one.settings["pixels"]["mean"], one.settings["pixels"]["std"]),
        )
        for name, one in CHECKPOINTS.items()
    }
    assert found == ROWS


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_forms_are_files_that_hold_no_code(name: str) -> None:
    checkpoint = CHECKPOINTS[name]
    forms = checkpoint.settings["forms"]
    assert next(iter(forms.values())) == checkpoint.weights
    assert forms.keys() <= {"onnx", "torch"}
    for engine, weights in forms.items():
        suffix = ".onnx" if engine == "onnx" else ".safetensors"
        assert weights.files[-1].endswith(suffix)
        assert weights.licence == checkpoint.weights.licence
        assert weights.commercial is checkpoint.weights.commercial
    assert checkpoint.settings["onnx_output"] == ("logits" if name.startswith("birefnet") else "probability")


def test_files_at_an_address_have_a_checksum_and_what_may_not_be_sold_a_substitute() -> None:
    for checkpoint in CHECKPOINTS.values():
        weights = checkpoint.weights
        if weights.source == "url":
            assert (weights.checksum or "").startswith("md5:")
            assert weights.address.endswith(weights.files[0])
        if weights.commercial is not True:
            assert weights.note
        if weights.commercial is False:
            assert weights.substitute == "ZhengPeng7/BiRefNet"


def test_auto_is_rmbg_2_and_birefnet_takes_its_place() -> None:
    about, auto = info("rmbg"), RmbgParams()
    assert [w.repository for w in about.weights_for(auto)] == ["briaai/RMBG-2.0"]
    substitute = about.substitute(auto)
    assert substitute is not None
    assert [w.repository for w in about.weights_for(substitute)] == ["ZhengPeng7/BiRefNet"]
    assert about.weights_for(substitute)[0].commercial is True
    assert about.substitute(substitute) is None
    assert about.substitute(RmbgParams(checkpoint="rmbg-2.0")) is None
    assert chosen(auto, "random").name == "u2net"
    assert chosen(RmbgParams(checkpoint="isnet"), "random").name == "isnet"


def test_the_engine_chooses_the_files() -> None:
    def files(checkpoint: str, engine: str) -> tuple[str, tuple[str, ...]]:
        weights = info("rmbg").weights_for(RmbgParams.model_validate({"checkpoint": checkpoint, "engine": engine}))[0]
        return weights.repository, weights.files

    assert files("rmbg-2.0", "auto") == ("briaai/RMBG-2.0", ("onnx/model.onnx",))
    assert files("rmbg-2.0", "torch") == ("briaai/RMBG-2.0", ("config.json", "model.safetensors"))
    assert files("birefnet", "auto") == ("ZhengPeng7/BiRefNet", ("config.json", "model.safetensors"))
    assert files("birefnet", "onnx") == ("onnx-community/BiRefNet-ONNX", ("onnx/model.onnx",))
    assert files("u2net", "torch") == ("xuebinqin/U-2-Net", ("u2net.safetensors",))


def test_architectures_are_those_of_the_names() -> None:
    for name, checkpoint in CHECKPOINTS.items():
        about = checkpoint.settings
        expected = "birefnet" if name.startswith("birefnet") or name == "rmbg-2.0" else "u2net"
        expected = "isnet" if name.startswith("isnet") or name == "rmbg-1.4" else expected
        assert about["architecture"] == ("" if name == "silueta" else expected)
        if expected == "birefnet":
            assert about["backbone"] == ("swin_v1_t" if "lite" in name else "swin_v1_l")
            late = {"birefnet-512", "birefnet-hr", "birefnet-dynamic", "birefnet-hr-matting"}
            assert about["patch_order"] == ("colour" if name in late else "column")
            assert checkpoint.parameters_m == (44.3 if "lite" in name else 220.2)
