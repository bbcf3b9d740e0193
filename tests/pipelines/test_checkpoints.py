"""What may be done with each checkpoint, as its page or its authors say; and what one further line brings about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.plan import Request, plan
from pipelines.checkpoints import families
from pipelines.types import Weights

APACHE = "Apache-2.0"
READ: dict[str, tuple[str, bool | None, bool | None]] = {
    "CIDAS/clipseg-": (APACHE, True, False),
    "IDEA-Research/grounding-dino-": (APACHE, True, False),
    "IDEA-Research/GroundingDINO": (APACHE, True, False),
    "facebookresearch/segment-anything": (APACHE, True, False),
    "google-bert/bert-base-uncased": (APACHE, True, False),
    "openmmlab-community/mm_grounding_dino_": (APACHE, None, False),  # nobody confirmed it
    "iSEE-Laboratory/llmdet_": (APACHE, True, False),
    "google/owlv2-base-": (APACHE, True, False),
    "google/owlv2-large-": (APACHE, None, False),  # nobody confirmed it
    "facebook/sam-vit-": (APACHE, True, False),
    "facebook/sam2.1-hiera-": (APACHE, True, False),
    "facebook/sam3": ("SAM License", None, True),
    "briaai/RMBG-1.4": ("BRIA RMBG-1.4", False, None),
    "briaai/RMBG-2.0": ("CC-BY-NC-4.0", False, True),
    "ZhengPeng7/BiRefNet": ("MIT", True, False),
}
"""Beginning of the repository → licence, commercial use, gate. The files of rembg's release are held one by one, in
test_rmbg_checkpoints."""

ALL: dict[str, Weights] = {
    f"{family}/{name}": one.weights for family, known in families().items() for name, one in known.items()
}


@pytest.mark.parametrize("name", [name for name, one in ALL.items() if one.repository != "danielgatis/rembg"])
def test_licence_gate_and_commercial_use_are_those_that_were_read(name: str) -> None:
    weights = ALL[name]
    said = max((start for start in READ if weights.repository.startswith(start)), key=len)
    assert (weights.licence, weights.commercial, weights.gated) == READ[said]


@pytest.mark.parametrize("name", ALL)
def test_what_is_unclear_or_forbidden_is_explained(name: str) -> None:
    weights = ALL[name]
    assert weights.commercial is True or weights.note


def test_every_kind_is_still_there() -> None:
    for start in READ:
        assert any(weights.repository.startswith(start) for weights in ALL.values()), start


COMMERCIAL = {
    "clipseg": True,
    "grounded_sam": True,
    "grounded_sam:engine=autodistill": True,
    "grounded_sam:detector=mm-grounding-dino-tiny": False,
    "grounded_sam:detector=owlv2-large": False,
    "rmbg": True,  # BiRefNet takes its place
    "rmbg:checkpoint=rmbg-2.0": False,
    "rmbg:checkpoint=rmbg-1.4": False,
    "rmbg:checkpoint=isnet": False,
    "rmbg:checkpoint=silueta": False,
    "rmbg:checkpoint=u2netp": True,
    "sam": True,
    "sam3": False,
}


@pytest.mark.parametrize("asked", COMMERCIAL)
def test_commercial_leaves_out_what_may_not_be_used_and_what_is_unclear(asked: str) -> None:
    request = Request(pipelines=asked, limit=1, weights="random", commercial=True, prompts=("coin",))
    (one,) = plan(request)[0].configurations
    assert (one.unavailable is None) is COMMERCIAL[asked], one.unavailable
    assert COMMERCIAL[asked] or "--commercial leaves it out" in str(one.unavailable)


FURTHER_LINE = """
import sys
from pipelines.checkpoints import hub
from pipelines.checkpoints.clipseg import CHECKPOINTS

known = CHECKPOINTS["rd64-refined"]
CHECKPOINTS["mine"] = hub("mine", known.weights.repository, "MIT", files=known.weights.files, **known.settings)

from benchmarks.readme import models_table, parameters_table
from pipelines import create

assert "| clipseg | `mine` | [CIDAS/clipseg-rd64-refined]" in models_table()
assert "rd16, mine" in parameters_table("clipseg")
with create("clipseg", params={"checkpoint": "mine"}, weights=sys.argv[1]) as pipeline:
    pipeline.load()
    print(pipeline.loaded[0].weights.licence)
"""


def test_a_further_checkpoint_is_one_line(tiny_weights: Path) -> None:
    """It is in the README's tables, a value of the parameter, and loads; in a process of its own, as an edit would be."""
    command = [sys.executable, "-c", FURTHER_LINE, str(tiny_weights)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stdout.strip()) == (0, "MIT"), done.stderr
