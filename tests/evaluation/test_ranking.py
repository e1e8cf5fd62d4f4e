"""Distances, and what a ranking by them is worth, against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from opengait_mimic.evaluation import ranking
from opengait_mimic.evaluation.ranking import NOWHERE, distance, hits_at, rank


def test_distances_are_means_over_parts(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 4, 3)).astype(np.float32), rng.normal(size=(7, 4, 3)).astype(np.float32)
    euclidean = np.linalg.norm(x[:, None] - y[None], axis=2).mean(-1)
    dots = (x[:, None] * y[None]).sum(2)
    cosine = 1 - (dots / np.linalg.norm(x, axis=1)[:, None] / np.linalg.norm(y, axis=1)[None]).mean(-1)
    for cells in (2**24, 7):  # all rows at once, row by row
        monkeypatch.setattr(ranking, "CELLS_AT_ONCE", cells)
        assert np.allclose(distance(x, y, "euc"), euclidean, atol=1e-6)
        assert np.allclose(distance(x, y, "cos"), cosine, atol=1e-6)
        assert distance(x, y).dtype == np.float32
    assert distance(x[:0], y).shape == (0, 7)


def test_a_clip_is_at_no_distance_from_itself():
    x = np.random.default_rng(1).normal(size=(40, 8, 2)).astype(np.float32)
    for metric in ("euc", "cos"):
        found = distance(x, x, metric)
        assert (found >= 0).all() and np.diag(found).max() < 1e-6


def test_distances_do_not_depend_on_the_number_of_threads():
    x = np.random.default_rng(2).normal(size=(300, 64, 4)).astype(np.float32)
    one = distance(x, x)
    try:
        torch.set_num_threads(2)
        two = distance(x, x)
    finally:
        torch.set_num_threads(1)
    assert np.array_equal(one, two)


def test_what_cannot_be_compared_is_refused():
    x = np.ones((2, 3, 1), np.float32)
    with pytest.raises(ValueError, match="unknown metric 'cosine'; allowed: euc, cos"):
        distance(x, x, "cosine")
    x[1, 0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        distance(x[:1], x)


def test_a_ranking_by_hand():
    distances = torch.tensor([[1.0, 2, 3, 4, 5], [5, 4, 3, 2, 1], [1, 1, 1, 1, 1], [1, 2, 3, 4, 5]])
    matches = torch.tensor([[1, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=torch.bool)
    found = rank(distances, matches)
    assert found.matches.tolist() == [2, 1, 2, 0]
    assert found.first.tolist() == [0, 4, 1, NOWHERE]
    # places 1, 3; place 5; with all distances equal the gallery's order, places 2, 5
    assert found.precision[:3] == pytest.approx([(1 + 2 / 3) / 2, 1 / 5, (1 / 2 + 2 / 5) / 2])
    assert found.penalty[:3] == pytest.approx([2 / 3, 1 / 5, 2 / 5])
    assert np.isnan(found.precision[3]) and np.isnan(found.penalty[3])
    assert hits_at(found.first, 9)[:, [0, 1, 4, 8]].tolist() == [
        [True, True, True, True],
        [False, False, True, True],
        [False, True, True, True],
        [False, False, False, False],
    ]


def test_what_is_removed_takes_no_place():
    distances = torch.tensor([[1.0, 2, 3, 4]])
    matches = torch.tensor([[False, False, True, True]])
    removed = torch.tensor([[True, False, False, False]])
    found = rank(distances, matches, removed)
    assert found.first.tolist() == [1]
    assert found.precision == pytest.approx([(1 / 2 + 2 / 3) / 2])
    assert found.penalty == pytest.approx([2 / 3])
