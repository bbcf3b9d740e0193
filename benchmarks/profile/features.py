"""The features of a profile: their names, titles, units and what they mean, for whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """One number that each sample has.

    Attributes:
        name: key in the document, with the unit where there is one.
        title: for a heading.
        unit: for an axis; empty where it is a plain number.
        help: what it means, in a sentence.
        whole: values are whole numbers, which a histogram does not cut.
    """

    name: str
    title: str
    unit: str
    help: str
    whole: bool = False


IMAGE_FEATURES = (
    Feature("width_px", "Width", "px", "Width of the upright picture.", True),
    Feature("height_px", "Height", "px", "Height of the upright picture.", True),
    Feature("megapixels", "Size", "MP", "Width times height, in millions of pixels."),
    Feature("aspect", "Aspect", "", "Width divided by height."),
    Feature("brightness", "Brightness", "", "Mean luma (Rec. 601): 0 black, 1 white."),
    Feature("contrast", "Contrast", "", "Standard deviation of the luma, where white is 1."),
    Feature("clipped_dark", "Clipped dark", "share", "Share of pixels with a luma of 5 or less of 255."),
    Feature("clipped_light", "Clipped light", "share", "Share of pixels with a luma of 250 or more of 255."),
    Feature("sharpness", "Sharpness", "", "Variance of the Laplacian of the luma; depends on what is shown."),
    Feature("blur", "Blur", "", "Blur effect of Crété et al.: 0 sharp, 1 blurred; depends little on what is shown."),
    Feature("entropy", "Entropy", "bit", "Information of the histogram of the luma: 0 one level, 8 all alike."),
    Feature("structure", "Structure", "", "Spread of the luma of a copy of 32 x 32, less a slope."),
    Feature("colourfulness", "Colourfulness", "", "M3 of Hasler and Süsstrunk: 0 grey, above 100 very colourful."),
    Feature("file_kb", "File", "kB", "Size of the picture's file, in thousands of bytes."),
)  # fmt: skip

MASK_FEATURES = (
    Feature("area_share", "Area", "share", "Foreground as a share of the pixels that count."),
    Feature("objects", "Objects", "", "Connected areas of one label in a picture.", True),
    Feature("largest_object_share", "Largest object", "share", "The largest object's share of the foreground."),
    Feature("object_area_px", "Object area", "px", "Area of the median object of a picture."),
    Feature("object_side_share", "Object side", "share", "Square root of the median object's share of the picture."),
    Feature("compactness", "Compactness", "", "4 pi area / perimeter², by area: 0.9 a drawn disc, near 0 a thread."),
    Feature("convexity", "Convexity", "", "Area of the objects, holes filled, by that of their convex hulls."),
    Feature("holes", "Holes", "", "Holes in the foreground.", True),
    Feature("boundary_px", "Boundary", "px", "Foreground pixels with background at one of four sides."),
    Feature("touches_border", "Touches the border", "", "1 where foreground is at the picture's edge, else 0.", True),
    Feature("border_share", "Border", "share", "Share of the picture's outermost pixels that are foreground."),
    Feature("centre_x", "Centre, across", "share", "Centre of the foreground: 0 left, 1 right."),
    Feature("centre_y", "Centre, down", "share", "Centre of the foreground: 0 top, 1 bottom."),
    Feature("object_contrast", "Object contrast", "", "Distance of their mean colour to the ground's: 1 at most."),
    Feature("ignore_share", "Ignored", "share", "Share of pixels that count for nothing."),
)  # fmt: skip
