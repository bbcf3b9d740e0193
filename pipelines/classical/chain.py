"""The stages of each method, with the parameters that each reads: what a sweep may reuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.classical import background, coarse, refine, scores, tone
from pipelines.stages import Stage

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

ADJUST = Stage("adjust", ("brightness_alpha", "brightness_beta"), tone.adjusted)
GREY = (
    ADJUST,
    Stage("clahe", ("clahe_clip", "clahe_tiles"), tone.equalised),
    Stage("blur", ("blur_kernel", "blur_sigma", "blur_first", "sharpen"), tone.filtered),
)
EDGES = (
    Stage("canny", ("canny_low", "canny_high"), scores.edges),
    Stage("contours", ("fill_contours",), scores.filled_edges),
)
BORDER = (
    ADJUST,
    Stage("features", ("work_size", "lightness_offset", "lightness_weight", "feature_sigma"), background.features),
    Stage(
        "background",
        ("border_width", "interior_weight", "mode_bandwidth", "inlier_distance", "noise_floor", "spread_limit",
         "surface_order", "shadow_weight", "half_distance"),
        background.border_score,
    ),
    Stage("cut", ("cut_bias", "cut_low", "cut_high"), refine.centred),
)  # fmt: skip
POLARITY = Stage("polarity", ("invert",), scores.polarised)
WORK_SIZE = Stage("resize", ("work_size",), refine.at_work_size)
GRABCUT = Stage(
    "grabcut",
    ("grabcut_iterations", "grabcut_colour", "grabcut_foreground", "grabcut_background", "lightness_offset"),
    refine.grabcut,
)
EDGED = Stage("edged", ("edge_contrast",), refine.edged)
COARSE = Stage("coarse", ("coarse_distance", "coarse_texture"), coarse.second_look)
GUIDED = Stage("guided", ("guided_radius", "guided_eps"), refine.guided)


def chain(params: ClassicalParams) -> tuple[Stage, ...]:
    """The stages that these parameters ask for; the last returns the score map, ``float32 (h, w)`` in [0, 1]."""
    stages = _score_stages(params)
    if params.method == "border":
        return stages + ((GRABCUT,) if params.grabcut_iterations else ()) + (EDGED, COARSE, GUIDED)
    if params.invert != "no":
        stages += (POLARITY,)
    if params.grabcut_iterations:
        stages += (WORK_SIZE, GRABCUT, GUIDED)
    return stages


def _score_stages(params: ClassicalParams) -> tuple[Stage, ...]:
    if params.method == "border":
        return BORDER
    if params.method == "canny":
        return GREY + EDGES
    score = {"otsu": scores.otsu_score, "adaptive": scores.adaptive_score}[params.method]
    reads = ("adaptive_block", "adaptive_offset") if params.method == "adaptive" else ()
    return (*GREY, Stage(params.method, reads, score))
