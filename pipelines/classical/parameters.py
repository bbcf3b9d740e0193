"""Every knob of the classical pipeline, in the order of the steps; the defaults are the preset `default`."""

from __future__ import annotations

from typing import Literal

from pipelines.params import Params, knob

Method = Literal["border", "canny", "otsu", "adaptive"]
Sharpening = Literal["none", "kernel", "gaussian", "laplacian"]
Instances = Literal["one", "components", "distance", "watershed"]


class ClassicalParams(Params):
    """Parameters of `Classical`: "infer" where pixels or the score map are read, "decide" after the cut."""

    method: Method = knob(
        "border", reads="infer", group="method",
        help="Where the score comes from: distance from a background model learned at the border; filled Canny edges; "
             "Otsu's threshold; or an adaptive threshold.")  # fmt: skip

    brightness_alpha: float = knob(1.0, reads="infer", ge=0, le=3, group="tone",
        help="Contrast: factor on every value.")  # fmt: skip
    brightness_beta: float = knob(0.0, reads="infer", ge=-100, le=100, group="tone",
        help="Brightness: added to every value.")  # fmt: skip
    clahe_clip: float = knob(2.0, reads="infer", ge=0, le=10, group="tone",
        help="Clip limit of CLAHE; 0 clips nothing. Not read by border.")  # fmt: skip
    clahe_tiles: int = knob(8, reads="infer", ge=0, le=64, group="tone",
        help="CLAHE tiles along each side; 0 leaves CLAHE out. Not read by border.")  # fmt: skip
    sharpen: Sharpening = knob("none", reads="infer", group="tone",
        help="Sharpening of the grey image. Not read by border.")  # fmt: skip
    blur_kernel: int = knob(5, reads="infer", ge=1, le=31, odd=True, group="tone",
        help="Side of the Gaussian blur's kernel in pixels; 1 = none. Not read by border.")  # fmt: skip
    blur_sigma: float = knob(0.0, reads="infer", ge=0, le=15, group="tone",
        help="Sigma of the blur in pixels; 0 takes it from the kernel. Not read by border.")  # fmt: skip
    blur_first: bool = knob(False, reads="infer", group="tone",
        help="Blur before sharpening, not after. Not read by border.")  # fmt: skip

    canny_low: float = knob(40.0, reads="infer", ge=0, le=255, group="canny",
        help="First threshold of Canny; the two may come in any order.")  # fmt: skip
    canny_high: float = knob(120.0, reads="infer", ge=0, le=255, group="canny",
        help="Second threshold of Canny.")  # fmt: skip
    fill_contours: bool = knob(True, reads="infer", group="canny",
        help="Fill the outer contours of Canny's edges.")  # fmt: skip

    adaptive_block: int = knob(101, reads="infer", ge=3, le=999, odd=True, group="adaptive",
        help="Side in pixels of the surroundings that adaptive compares with.")  # fmt: skip
    adaptive_offset: float = knob(5.0, reads="infer", ge=-100, le=100, group="adaptive",
        help="How much brighter than its surroundings a pixel must be for adaptive.")  # fmt: skip
    invert: Literal["no", "yes", "auto"] = knob("no", reads="infer", group="method",
        help="Take the dark side; auto where most of the border would be foreground. Not read by border.")  # fmt: skip

    work_size: int = knob(256, reads="infer", ge=64, le=1024, group="border",
        help="Longer side in pixels at which the background model and GrabCut work.")  # fmt: skip
    lightness_offset: float = knob(80.0, reads="infer", ge=5, le=1000, log=True, group="border",
        help="Added to lightness before chroma is divided by it: 16 ignores shade, much more is plain "
             "Lab.")  # fmt: skip
    lightness_weight: float = knob(0.67, reads="infer", ge=0, le=2, group="border",
        help="Weight of lightness beside chroma.")  # fmt: skip
    feature_sigma: float = knob(1.3, reads="infer", ge=0.3, le=5, group="border",
        help="Blur of the features, sigma in pixels at the working size.")  # fmt: skip
    border_width: float = knob(0.05, reads="infer", ge=0.01, le=0.4, group="border",
        help="Width of the border that background is expected in, of the shorter side.")  # fmt: skip
    interior_weight: float = knob(0.4, reads="infer", ge=0, le=1, group="border",
        help="Weight of the interior in the background model; the border has the rest.")  # fmt: skip
    mode_bandwidth: float = knob(3.8, reads="infer", ge=1, le=20, group="border",
        help="Bandwidth, in units of Lab, of the search for the commonest colour.")  # fmt: skip
    inlier_distance: float = knob(2.4, reads="infer", ge=1, le=5, group="border",
        help="Standard deviations up to which a pixel shapes the background model.")  # fmt: skip
    noise_floor: float = knob(1.5, reads="infer", ge=0.2, le=6, group="border",
        help="Least spread of the background, in units of Lab.")  # fmt: skip
    spread_limit: float = knob(10.0, reads="infer", ge=2, le=40, group="border",
        help="Greatest spread of the background, in units of Lab.")  # fmt: skip
    surface_order: int = knob(2, reads="infer", ge=0, le=2, group="border",
        help="Order of the background's colour in x and y: 0 constant, 1 plane, 2 bent.")  # fmt: skip
    shadow_weight: float = knob(0.6, reads="infer", ge=0, le=1, group="border",
        help="Weight of being darker than the background; 0 ignores shadows and dark objects alike.")  # fmt: skip
    half_distance: float = knob(4.2, reads="infer", ge=0.5, le=20, log=True, group="border",
        help="Standard deviations from the background that score one half.")  # fmt: skip
    cut_bias: float = knob(0.12, reads="infer", ge=-0.3, le=0.4, group="border",
        help="Added to Otsu's threshold of the border score.")  # fmt: skip
    cut_low: float = knob(0.4, reads="infer", ge=0.05, le=0.95, group="border",
        help="Least threshold of the border score.")  # fmt: skip
    cut_high: float = knob(0.76, reads="infer", ge=0.05, le=0.95, group="border",
        help="Greatest threshold of the border score.")  # fmt: skip

    grabcut_iterations: int = knob(3, reads="infer", ge=0, le=10, group="grabcut",
        help="Rounds of GrabCut; 0 leaves it out.")  # fmt: skip
    grabcut_colour: Literal["chroma", "lab", "rgb"] = knob("chroma", reads="infer", group="grabcut",
        help="Colours that GrabCut sees; chroma plays down light and shade.")  # fmt: skip
    grabcut_foreground: float = knob(0.7, reads="infer", ge=0, le=1, group="grabcut",
        help="Share of the way from the cut to 1 above which a pixel is surely foreground.")  # fmt: skip
    grabcut_background: float = knob(0.55, reads="infer", ge=0, le=1, group="grabcut",
        help="Share of the way from 0 to the cut below which a pixel is surely background.")  # fmt: skip
    edge_contrast: float = knob(1.8, reads="infer", ge=0, le=20, group="border",
        help="Slope in Lab per pixel that a region at the rim must end in; vignettes do not. 0 = any.")  # fmt: skip
    coarse_distance: float = knob(4.5, reads="infer", ge=0, le=20, group="border",
        help="Standard deviations from a textured background, in averaged colour and grain, that make an object; "
             "0 = no second look.")  # fmt: skip
    coarse_texture: float = knob(1.2, reads="infer", ge=0, le=10, group="border",
        help="Least grain of the background, as a slope in Lab per pixel, for a second look.")  # fmt: skip
    guided_radius: int = knob(4, reads="infer", ge=0, le=32, group="grabcut",
        help="Radius in pixels of the guided filter at the working size, after the border model or "
             "GrabCut; 0 = none.")  # fmt: skip
    guided_eps: float = knob(0.0005, reads="infer", ge=1e-5, le=0.1, log=True, group="grabcut",
        help="Contrast, squared, below which the guided filter smooths.")  # fmt: skip

    threshold: float = knob(0.5, reads="decide", ge=0.01, le=1, group="mask",
        help="Score from which a pixel is foreground.")  # fmt: skip
    mask_kernel: int = knob(1, reads="decide", ge=1, le=31, odd=True, group="mask",
        help="Side of the kernel in pixels that smooths the mask; 1 = none.")  # fmt: skip
    mask_sigma_x: float = knob(10.0, reads="decide", ge=0, le=15, group="mask",
        help="Sigma of that kernel along x in pixels; 0 takes it from the kernel.")  # fmt: skip
    mask_sigma_y: float = knob(10.0, reads="decide", ge=0, le=15, group="mask",
        help="Sigma of that kernel along y in pixels; 0 = as along x.")  # fmt: skip
    refill: bool = knob(False, reads="decide", group="mask",
        help="After smoothing take all that the blur reached and fill it, not what is more than half.")  # fmt: skip
    closing: float = knob(0.0, reads="decide", ge=0, le=0.1, group="regions",
        help="Diameter of the closing, of the longer side; 0 = none.")  # fmt: skip
    max_hole: float = knob(0.0015, reads="decide", ge=0, le=1, group="regions",
        help="Holes up to this share of the picture are filled; 0 = none.")  # fmt: skip
    opening: float = knob(0.01, reads="decide", ge=0, le=0.1, group="regions",
        help="Diameter of the opening, of the longer side; 0 = none.")  # fmt: skip
    min_area: float = knob(0.002, reads="decide", ge=0, le=0.5, group="regions",
        help="Regions below this share of the picture are dropped.")  # fmt: skip
    largest: int = knob(0, reads="decide", ge=0, le=100, group="regions",
        help="Keep this many of the largest regions; 0 keeps all.")  # fmt: skip
    instances: Instances = knob("components", reads="decide", search=False, group="regions",
        help="Masks: one in all; one a connected region; or touching objects parted, by the nearest core "
             "or by a watershed.")  # fmt: skip
    split_depth: float = knob(0.25, reads="decide", ge=0.02, le=0.9, search=False, group="regions",
        help="How much narrower than the smaller of two objects their neck must be to part them.")  # fmt: skip
