"""Segmentation without a network: edges, thresholds, or the colour distance from the background at the border."""

from __future__ import annotations

from pipelines.base import Pipeline
from pipelines.classical.parameters import ClassicalParams
from pipelines.stages import run_stages
from pipelines.types import Evidence, EvidenceKind, Image, PipelineInfo, Prediction, Prompt

__all__ = ["Classical", "ClassicalParams"]


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
