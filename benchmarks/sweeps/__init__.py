"""Exact counts at every threshold from one pass over the evidence of an image, and the curves that they make."""

from benchmarks.sweeps.counting import Counts, components, count
from benchmarks.sweeps.curves import mean_curve, plateau, terms
from benchmarks.sweeps.grid import Grid, grid_of

__all__ = ["Counts", "Grid", "components", "count", "grid_of", "mean_curve", "plateau", "terms"]
