"""Segmentation without a network: edges, thresholds, or the colour distance from the background at the border."""

from __future__ import annotations

from pipelines.base import Pipeline
from pipelines.classical.parameters import ClassicalParams
from pipelines.layers import Layers, of_soft
from pipelines.params import knobs
from pipelines.stages import run_stages
from pipelines.types import Evidence, EvidenceKind, Image, PipelineInfo, Prediction, Prompt

__all__ = ["Classical", "ClassicalParams"]

CLEANING = ("refill", "closing", "max_hole", "opening", "min_area", "largest")
"""Decide fields that change the mask after the cut where they are not 0, beside the kernel that smooths it."""


class Classical(Pipeline):
    """A score map by one of four methods, refined with the pixels if asked for; then masks, with no more pixels.

    `_infer` ends with the score map before the last cut: at the working size for the border method, at the size of the
    image for the others. Everything after the cut belongs to `_decide`, so that it can be swept over stored evidence.
    """

    info = PipelineInfo(
        name="classical",
        title="Classical (no network)",
        reference="Canny 1986; Otsu 1979; Rother et al. 2004 (GrabCut); He et al. 2010 (guided filter)",
    )
    Params = ClassicalParams

    @classmethod
    def relevant(cls, params: ClassicalParams) -> frozenset[str]:
        """What the stages of the method read, and what is done after the cut."""
        from pipelines.classical.chain import chain

        unread = ("instances", "split_depth", *(() if params.mask_kernel > 1 else ("mask_sigma_x", "mask_sigma_y")))
        decided = {one.name for one in knobs(cls.Params) if one.reads == "decide"} - {*unread}
        return frozenset(decided.union(*(stage.reads for stage in chain(params))))

    def _load(self) -> None:
        """Import what the steps need, so that the first image does not pay for it."""
        import pipelines.classical.chain
        import pipelines.classical.instances
        import pipelines.maps  # noqa: F401

    def _infer(self, images: list[Image], prompts: list[Prompt], params: ClassicalParams) -> list[Evidence]:
        from pipelines.classical.chain import chain

        stages = chain(params)
        maps = [run_stages(stages, image, params, self.cache, self.clock) for image in images]
        kind: EvidenceKind = "probability" if params.method == "border" else "score"  # edges and thresholds are no odds
        return [Evidence(image.shape[:2], kind, soft[None]) for image, soft in zip(images, maps, strict=True)]

    def _decide(self, evidence: Evidence, params: ClassicalParams) -> Prediction:
        from pipelines.classical.instances import to_prediction
        from pipelines.classical.regions import cut_and_clean
        from pipelines.maps import full_size

        soft = full_size(evidence.to_host())[0]
        return to_prediction(cut_and_clean(soft, params), soft, params)

    def _layers(self, evidence: Evidence, params: ClassicalParams) -> Layers | None:
        """Parting the mask into instances loses no pixel; all else after the cut may."""
        cleaned = params.mask_kernel > 1 or any(getattr(params, name) for name in CLEANING)
        return None if cleaned else of_soft(evidence.to_host())
