"""IoU and suppression of boxes against torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms, box_iou

from pipelines.boxes import iou_of, suppressed


def some_boxes(random: np.random.Generator, n: int) -> np.ndarray:
    corner = random.random((n, 2)) * 80
    return np.concatenate([corner, corner + random.random((n, 2)) * 60], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(10))
def test_suppression_equals_torchvisions(seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(50):
        n = int(random.integers(1, 60))
        boxes, scores, labels = some_boxes(random, n), random.random(n).astype(np.float32), random.integers(0, 3, n)
        limit = float(random.random() * 0.9)
        wanted = batched_nms(torch.tensor(boxes), torch.tensor(scores), torch.tensor(labels), limit).numpy()
        assert suppressed(boxes, scores, labels, limit).tolist() == wanted.tolist()


def test_iou_equals_torchvisions() -> None:
    random = np.random.default_rng(0)
    a, b = some_boxes(random, 40), some_boxes(random, 30)
    assert np.allclose(iou_of(a, b), box_iou(torch.tensor(a), torch.tensor(b)).numpy(), atol=1e-6)


def test_ends() -> None:
    none = np.zeros((0, 4), np.float32)
    assert len(suppressed(none, np.zeros(0), np.zeros(0, int), 0.5)) == 0
    same = np.array([[0, 0, 9, 9]] * 3, np.float32)
    assert suppressed(same, np.array([0.1, 0.9, 0.5]), np.zeros(3, int), 1).tolist() == [1, 2, 0]
    assert suppressed(same, np.array([0.1, 0.9, 0.5]), np.array([0, 1, 0]), 0.5).tolist() == [1, 2]
    line = np.array([[0, 0, 9, 0]] * 2, np.float32)
    assert iou_of(line, line).tolist() == [[0, 0], [0, 0]]
