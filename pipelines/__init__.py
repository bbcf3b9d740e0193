"""Interchangeable segmentation pipelines: image and prompt in, evidence and prediction out."""

from pipelines.registry import create, info, names

__all__ = ["create", "info", "names"]
