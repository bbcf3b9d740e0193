"""The autodistill engine sees what the seed's library sees, leaves nothing behind, and fetches nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from transformers import BertModel

from pipelines import create, weights
from pipelines.candidates import masks_of
from pipelines.checkpoints.autodistill import DETECTOR, SEGMENTER, TEXT
from pipelines.errors import UnavailableError
from pipelines.networks import autodistill, autodistill_files
from pipelines.networks.autodistill import AutodistillEngine, detector_size
from pipelines.networks.autodistill_files import find, load_state
from pipelines.networks.autodistill_library import ENVIRONMENT, module, seed_library
from pipelines.stages import StageClock
from pipelines.types import Evidence, Prompt
from pipelines.weights import Located
from tests.tiny import autodistill as tiny

TEXTS = ("cat", "a dog")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Tiny random networks."""
    folder = tmp_path_factory.mktemp("text")
    tiny.save(folder)
    text = Located(TEXT.weights, folder / "google-bert" / "bert-base-uncased")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "locate", lambda *_: text)
        patch.setitem(module("segment_anything").sam_model_registry, tiny.SAM, tiny.sam())
        made = loaded("random")
    made.detector.transformer.decoder.norm.weight *= 0.02  # else random scores are all 1 to the last digit
    return made


def loaded(where: Any) -> AutodistillEngine:
    return AutodistillEngine.load(where=where, device="cpu", params=None, settings=tiny.SETTINGS, sam=tiny.SAM)


def picture(height: int = 24, width: int = 800) -> np.ndarray:
    """Thin, so that the detector, which wants 1333 pixels along the long side, has little to do."""
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def asked(floor: float, most: int = 300) -> Any:
    """What of the parameters the engine reads."""
    return SimpleNamespace(candidate_floor=floor, max_candidates=most)


def look(engine: AutodistillEngine, image: np.ndarray, floor: float, texts: tuple[str, ...] = TEXTS) -> Evidence:
    return engine.evidence([image], [Prompt(texts)], asked(floor), StageClock(), set())[0]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector's input small enough for square pictures."""
    monkeypatch.setattr(autodistill, "SHORT_SIDE", 64)
    monkeypatch.setattr(autodistill, "LONG_SIDE", 107)


def library(engine: AutodistillEngine) -> Any:
    """The seed's own class around the engine's networks; its constructor would fetch others."""
    seed = seed_library().grounded_sam
    model = object.__new__(seed.Model)
    model.model, model.device = engine.detector, "cpu"
    found = object.__new__(seed.GroundedSAM)
    found.ontology = seed.CaptionOntology({text: text for text in TEXTS})
    found.grounding_dino_model, found.box_threshold, found.text_threshold = model, 0.9, 0.25
    found.sam_predictor = seed.SamPredictor(engine.predictor.model)
    return found


@pytest.mark.filterwarnings("ignore:torch.meshgrid", "ignore:User provided device_type", "ignore:`torch.cuda.amp")
def test_boxes_scores_and_masks_are_the_librarys_own(engine: AutodistillEngine) -> None:
    image, peer = picture(), library(engine)
    set_image = peer.sam_predictor.set_image
    peer.sam_predictor.set_image = lambda bgr: set_image(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))  # its swap, undone
    peer.box_threshold = float(np.median([scores for _, scores in engine._detect(image, TEXTS, 0.0, set())]))
    theirs = peer.predict(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    ours = look(engine, image, peer.box_threshold)
    assert 2 <= len(theirs) < 12
    assert np.array_equal(ours.boxes, theirs.xyxy)
    assert np.array_equal(ours.prompt_index, theirs.class_id)
    assert np.array_equal(ours.scores.max(axis=1), theirs.confidence)
    logits = torch.from_numpy(ours.mask_maps)[:, None]
    full = engine.predictor.model.postprocess_masks(logits, (ours.window[3], ours.window[2]), ours.size)
    assert np.array_equal(full[:, 0] > 0, theirs.mask)
    assert (masks_of(ours, range(len(theirs))) != theirs.mask).mean() <= 1e-4  # resized by another library
    assert 0 < theirs.mask.mean() < 1


@pytest.mark.filterwarnings("ignore:torch.meshgrid", "ignore:User provided device_type", "ignore:`torch.cuda.amp")
def test_the_library_swaps_colours_and_the_engine_does_not(engine: AutodistillEngine) -> None:
    image, peer, seen = picture(), library(engine), []
    image[:] = (255, 10, 0)
    set_torch_image = engine.predictor.set_torch_image
    for predictor in (peer.sam_predictor, engine.predictor):
        predictor.set_torch_image = lambda pixels, size: (seen.append(pixels), set_torch_image(pixels, size))
    peer.sam_predictor.predict = lambda **_: (np.ones((1, 24, 800), np.bool_), np.ones(1), None)
    peer.box_threshold = 0.0
    try:
        peer.predict(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        look(engine, image, 0.0, ("cat",))
    finally:
        del engine.predictor.set_torch_image
    assert seen[0][0, :, 0, 0].tolist() == [0, 10, 255]
    assert seen[1][0, :, 0, 0].tolist() == [255, 10, 0]


def test_nothing_found_is_evidence_of_nothing(engine: AutodistillEngine, small: None) -> None:
    clock = StageClock()
    found = engine.evidence([picture(40, 50)], [Prompt(TEXTS)], asked(1.0), clock, set())[0]
    assert (found.boxes.shape, found.scores.shape, found.prompt_index.shape) == ((0, 4), (0, 2), (0,))
    assert found.mask_maps.shape == (0, 256, 256)
    assert "embed" not in clock.seconds


def test_only_the_strongest_are_decoded(engine: AutodistillEngine, small: None) -> None:
    image, clock = picture(40, 50), StageClock()
    scores = np.concatenate([scores for _, scores in engine._detect(image, TEXTS, 0.0, set())])
    found = engine.evidence([image], [Prompt(TEXTS)], asked(0.0, most=2), clock, set())[0]
    assert sorted(found.box_scores) == sorted(scores)[-2:]
    assert len(found.mask_maps) == len(found.boxes) == len(found.prompt_index) == 2


@pytest.mark.parametrize("size", [(1, 1), (313, 471), (20, 3000), (1, 3000), (3000, 1)])
def test_odd_pictures(engine: AutodistillEngine, small: None, size: tuple[int, int]) -> None:
    scores = look(engine, np.zeros((*size, 3), np.uint8), 0.0, ("cat",)).scores.ravel()
    found = look(engine, np.zeros((*size, 3), np.uint8), float(np.sort(scores)[-2]), ("cat",))
    assert len(found.boxes) <= 1
    assert found.size == size
    assert max(found.window) == 1024
    assert min(found.window[2:]) >= 1
    assert np.isfinite(found.mask_maps).all()


@pytest.mark.parametrize("size", [(600, 600), (601, 800), (800, 600), (313, 471), (20, 3000), (700, 1333), (1, 1)])
def test_the_detectors_input_has_the_librarys_size(size: tuple[int, int]) -> None:
    from PIL import Image as PillowImage

    resized, _ = module("groundingdino.datasets.transforms").RandomResize([800], max_size=1333)(
        PillowImage.new("RGB", size[::-1]), None
    )
    assert detector_size(*size) == resized.size[::-1]


def test_a_batch_is_its_images_and_a_long_text_is_cut(engine: AutodistillEngine, small: None) -> None:
    images, flags = [picture(40, 50), picture(50, 40)], set()
    prompts = [Prompt(("cat",)), Prompt(("größe 大 a " * 60 + "b c " * 100, "x" * 900))]
    floor = asked(0.5)
    both = engine.evidence(images, prompts, floor, StageClock(), flags)
    assert flags == {"text_truncated"}
    for image, prompt, evidence in zip(images, prompts, both, strict=True):
        alone = look(engine, image, 0.5, prompt.texts)
        assert np.array_equal(alone.boxes, evidence.boxes)
        assert np.array_equal(alone.mask_maps, evidence.mask_maps)


def test_the_library_is_imported_without_a_trace(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("autodistill")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    seed_library()
    assert "roboflow" not in sys.modules
    assert [os.environ.get(name) for name in ENVIRONMENT] == [None, "true"]
    assert capfd.readouterr().out == ""
    assert not hasattr(BertModel, "get_head_mask")


@pytest.mark.parametrize("name", ["groundingdino.models", "segment_anything", "timm"])
def test_without_the_extra_the_cure_is_its_install_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnavailableError, match=rf"{name}.*pip install .segmentation-workbench\[autodistill\]"):
        module(name)


def test_the_pipeline_with_this_engine_is_unavailable_without_its_files(tmp_path: Path) -> None:
    pipeline = create("grounded_sam", weights=tmp_path, params={"engine": "autodistill"})
    assert len(pipeline.info.weights_for(pipeline.params)) == 3
    with pytest.raises(UnavailableError, match="never fetched"):
        pipeline.load()


def test_what_is_missing_is_named_and_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"\.cache/autodistill/groundingdino/groundingdino_swint_ogc\.pth"):
        AutodistillEngine.load(where=None, device="cpu", params=None)
    with pytest.raises(UnavailableError, match=r"segment-anything/sam_vit_h_4b8939\.pth.*never fetched.*dl\.fbaipub"):
        find(SEGMENTER, tmp_path)
    assert list(tmp_path.iterdir()) == []
    own = tmp_path / ".cache" / "autodistill" / "segment_anything"
    own.mkdir(parents=True)
    (own / "sam_vit_h_4b8939.pth").write_bytes(b"x")
    assert find(SEGMENTER, None).sha256 == {"sam_vit_h_4b8939.pth": hashlib.sha256(b"x").hexdigest()}


def test_published_files_are_read_as_they_are(
    engine: AutodistillEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.save_checkpoints(tmp_path, engine.detector, engine.predictor.model)
    monkeypatch.setattr(weights, "locate", lambda *_: engine.loaded[2])
    monkeypatch.setitem(module("segment_anything").sam_model_registry, tiny.SAM, tiny.sam())
    monkeypatch.setattr("pipelines.networks.autodistill_networks.SEED", 1)
    again = loaded(tmp_path)
    assert [len(found.sha256) for found in again.loaded[:2]] == [1, 1]
    for ours, theirs in ((again.detector, engine.detector), (again.predictor.model, engine.predictor.model)):
        state = theirs.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in ours.state_dict().items())


def file(folder: Path, content: Any) -> Located:
    torch.save(content, folder / "sam_vit_h_4b8939.pth")
    return Located(SEGMENTER.weights, folder)


@dataclasses.dataclass
class Trap:
    """Makes a folder where it is unpickled."""

    path: str

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def test_a_torch_that_reads_pickles_unsafely_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.9.1+cu128")
    with pytest.raises(UnavailableError, match=r"torch 2.9.1\+cu128 does not do safely.*torch>=2.10"):
        find(DETECTOR, tmp_path)
    assert find(DETECTOR, "random").folder is None


def test_a_pickle_runs_no_code(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    located = file(tmp_path, {"weight": Trap(str(sprung))})
    with pytest.raises(UnavailableError, match=r"cannot be loaded.*Delete"):
        load_state(torch.nn.Linear(2, 2), located)
    assert not sprung.exists()


@pytest.mark.parametrize(("change", "why"), [({"bias": None}, "missing"), ({"other": torch.ones(1)}, "unexpected"),
                                             ({"weight": torch.ones(3, 3)}, "another shape")])  # fmt: skip
def test_other_weights_than_the_networks_are_refused(change: dict[str, Any], why: str, tmp_path: Path) -> None:
    state = {"weight": torch.ones(2, 2), "bias": torch.ones(2), **change}
    located = file(tmp_path, {name: value for name, value in state.items() if value is not None})
    with pytest.raises(UnavailableError, match=why):
        load_state(torch.nn.Linear(2, 2), located)
    load_state(torch.nn.Linear(2, 2), file(tmp_path, {"weight": torch.ones(2, 2), "bias": torch.ones(2)}))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_a_damaged_file_is_said_to_be_one(content: bytes, tmp_path: Path) -> None:
    located = file(tmp_path, {})
    located.file("sam_vit_h_4b8939.pth").write_bytes(content)
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        load_state(torch.nn.Linear(2, 2), located)
    with contextlib.suppress(UnavailableError):
        autodistill_files.find(DETECTOR, tmp_path)
