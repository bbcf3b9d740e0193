"""Checkpoints of background removal; each in the forms that our engines read, ONNX files and safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.checkpoints import Checkpoint, hub, table, url
from pipelines.types import Weights

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CENTRED = {"mean": (0.5, 0.5, 0.5), "std": (1.0, 1.0, 1.0)}
ANIME = {"mean": (0.485, 0.456, 0.406), "std": (1.0, 1.0, 1.0)}  # rembg/sessions/dis_anime.py

GRAPH = ("onnx/model.onnx",)
RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"
"""Where rembg publishes files of the U²-Net family; it states their md5 in ``rembg/sessions``."""

PARAMETERS_M = {"swin_v1_l": 220.2, "swin_v1_t": 44.3}
"""Of BiRefNet, in millions, by its backbone; counted in the architecture."""

SMALLEST = "u2net"
"""What ``--weights random`` builds where nothing else is said."""


def _forms(checkpoint: Checkpoint, **others: Weights) -> Checkpoint:
    """The same checkpoint with its weights in all forms, the one that a CPU prefers first."""
    first = "onnx" if checkpoint.weights.files[0].endswith(".onnx") else "torch"
    return replace(checkpoint, settings={**checkpoint.settings, "forms": {first: checkpoint.weights, **others}})


def _bria(name: str, repository: str, licence: str, pixels: Mapping[str, Any], architecture: str, size_mb: float,
          safetensors_mb: float, **about: Any) -> Checkpoint:  # fmt: skip
    """A repository that holds both forms; its ONNX file ends in a sigmoid."""
    made = hub(name, repository, licence, files=GRAPH, commercial=False, size_mb=size_mb, architecture=architecture,
               substitute="ZhengPeng7/BiRefNet", pixels={"size": (1024, 1024), **pixels}, onnx_output="probability",
               backbone="swin_v1_l", widths="full", **about)  # fmt: skip
    ours = replace(made.weights, files=("config.json", "model.safetensors"), size_mb=safetensors_mb)
    return _forms(made, torch=ours)


def _birefnet(name: str, repository: str, size: tuple[int, int] = (1024, 1024), backbone: str = "swin_v1_l",
              onnx: str = "", onnx_mb: float | None = None, size_mb: float | None = None,
              patch_order: str = "colour") -> Checkpoint:  # fmt: skip
    """A repository of BiRefNet's author, and the ONNX file that a third party made of it, where there is one."""
    made = hub(name, repository, "MIT", size_mb=size_mb, parameters_m=PARAMETERS_M[backbone], architecture="birefnet",
               backbone=backbone, pixels={"size": size, **IMAGENET}, onnx_output="logits",
               patch_order=patch_order)  # fmt: skip
    if not onnx:
        return _forms(made)
    note = f"Converted from {repository} by a third party."
    return _forms(made, onnx=Weights("hub", onnx, "MIT", GRAPH, commercial=True, size_mb=onnx_mb, note=note))


def _u2net(name: str, file: str, checksum: str, size_mb: float, licence: str = "Apache-2.0",
           commercial: bool | None = True, architecture: str = "u2net", widths: str = "full",
           project: str = "xuebinqin/U-2-Net", pixels: Mapping[str, Any] | None = None, side: int = 320,
           parameters_m: float | None = 44.0, note: str = "") -> Checkpoint:  # fmt: skip
    """An ONNX file of rembg's release, which ends in a sigmoid; and what a project's pickle becomes once converted."""
    made = url(name, f"{RELEASE}{file}.onnx", "danielgatis/rembg", licence, checksum=f"md5:{checksum}",
               commercial=commercial, size_mb=size_mb, parameters_m=parameters_m, note=note, architecture=architecture,
               widths=widths, pixels={"size": (side, side), **(pixels or IMAGENET)},
               onnx_output="probability")  # fmt: skip
    if not project:
        return _forms(made)
    ours = Weights("url", project, licence, (f"{file}.safetensors",), f"https://github.com/{project}",
                   commercial=commercial, note=note)  # fmt: skip
    return _forms(made, torch=ours)


EARLY = "column"
"""Of what was published before 5 November 2024, when the author's code changed the order of the patches of its input
(github.com/ZhengPeng7/BiRefNet, commit 5198d3f) and weights that were trained before did not. A wrong order raises no
error and costs quality; nobody here has seen these weights run."""

UNCHECKED = "Made by a third party; its licence was not checked."
DIS = (
    "The authors' code is Apache-2.0; they do not say so of the weights, and their training data has terms of its own."
)

CHECKPOINTS = table(
    [
        # the order of patches is that of the repository's own code, of which github.com/Sanster/IOPaint keeps a copy
        _bria("rmbg-2.0", "briaai/RMBG-2.0", "CC-BY-NC-4.0", IMAGENET, "birefnet", 1024, 885, gated=True,
              parameters_m=PARAMETERS_M["swin_v1_l"], patch_order=EARLY,
              note="Commercial use needs a contract with BRIA."),
        _bria("rmbg-1.4", "briaai/RMBG-1.4", "BRIA RMBG-1.4", CENTRED, "isnet", 176, 177, gated=None,
              parameters_m=44.0, note="Non-commercial; commercial use needs a contract with BRIA. An older card had a "
              "form to fill in first."),
        _birefnet("birefnet", "ZhengPeng7/BiRefNet", onnx="onnx-community/BiRefNet-ONNX", onnx_mb=973, size_mb=885,
                  patch_order=EARLY),
        _birefnet("birefnet-lite", "ZhengPeng7/BiRefNet_lite", backbone="swin_v1_t",
                  onnx="onnx-community/BiRefNet_lite-ONNX", onnx_mb=224, size_mb=178, patch_order=EARLY),
        _birefnet("birefnet-lite-2k", "ZhengPeng7/BiRefNet_lite-2K", (1440, 2560), "swin_v1_t", patch_order=EARLY),
        _birefnet("birefnet-512", "ZhengPeng7/BiRefNet_512x512", (512, 512),
                  onnx="onnx-community/BiRefNet_512x512-ONNX", onnx_mb=940),
        _birefnet("birefnet-hr", "ZhengPeng7/BiRefNet_HR", (2048, 2048)),
        _birefnet("birefnet-dynamic", "ZhengPeng7/BiRefNet_dynamic"),
        _birefnet("birefnet-portrait", "ZhengPeng7/BiRefNet-portrait", patch_order=EARLY),
        _birefnet("birefnet-dis5k", "ZhengPeng7/BiRefNet-DIS5K", patch_order=EARLY),
        _birefnet("birefnet-dis5k-all", "ZhengPeng7/BiRefNet-DIS5K-TR_TEs", patch_order=EARLY),
        _birefnet("birefnet-hrsod", "ZhengPeng7/BiRefNet-HRSOD", patch_order=EARLY),
        _birefnet("birefnet-cod", "ZhengPeng7/BiRefNet-COD", patch_order=EARLY),
        _birefnet("birefnet-matting", "ZhengPeng7/BiRefNet-matting", patch_order=EARLY),
        _birefnet("birefnet-hr-matting", "ZhengPeng7/BiRefNet_HR-matting", (2048, 2048)),
        _u2net("isnet", "isnet-general-use", "fc16ebd8b0c10d971d3513d564d01e29", 176, commercial=None,
               architecture="isnet", project="xuebinqin/DIS", pixels=CENTRED, side=1024, note=DIS),
        _u2net("isnet-anime", "isnet-anime", "6f184e756bb3bd901c8849220a83e38e", 176, "unclear", None, "isnet",
               project="", pixels=ANIME, side=1024, note=UNCHECKED),
        _u2net("u2net", "u2net", "60024c5c889badc19c04ad937298a77b", 176.3),
        _u2net("u2netp", "u2netp", "8e83ca70e441ab06c318d82300c84806", 4.7, widths="small", parameters_m=1.1),
        _u2net("u2net-human-seg", "u2net_human_seg", "c09ddc2e0104f800e3e1bb4652583d1f", 176),
        _u2net("silueta", "silueta", "55e59e0d8062d2f5d013f4725ee84782", 43, "unclear", None, "", project="",
               parameters_m=None, note=UNCHECKED),
    ]
)  # fmt: skip
"""By what the parameter `checkpoint` calls them; "auto" is the first, and "birefnet" where that may not be used."""
