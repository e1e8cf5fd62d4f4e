"""The search finds what a full comparison in double precision finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_mimic.apps.inference import search
from opengait_mimic.apps.inference.search import Index, nearest_subjects
from opengait_mimic.errors import ConfigError, DataError
from opengait_mimic.evaluation.ranking import distance


def check(found, probe, gallery, metric, count, rounding=1e-6):
    """Compare with the same by sorting all distances. Equal ones may differ by a rounding, and then change places."""
    distances, places = found
    full = distance(probe, gallery, metric)
    nearest = np.sort(full, axis=1)[:, :count]
    close = {"rtol": 1e-6, "atol": rounding}
    np.testing.assert_allclose(distances, nearest, **close)
    np.testing.assert_allclose(np.take_along_axis(full, places, axis=1), nearest, **close)
    assert all(len(set(row)) == len(row) for row in places.tolist())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    metric=st.sampled_from(["euc", "cos"]),
    size=st.integers(1, 300),
    probes=st.integers(1, 7),
    count=st.integers(1, 40),
    copies=st.integers(1, 60),
    cells=st.sampled_from([1, 2**10, 2**22]),
)
def test_finds_the_nearest(seed, metric, size, probes, count, copies, cells):
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(-(-size // copies), 5, 3)).astype(np.float32).repeat(copies, axis=0)[:size]
    rng.shuffle(gallery)
    probe = np.concatenate([gallery[:1], rng.normal(size=(probes - 1, 5, 3)).astype(np.float32)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "CELLS_AT_ONCE", cells)
        patch.setattr(search, "PROBES_AT_ONCE", 4)
        found = Index(gallery, metric).nearest(probe, count)
    check(found, probe, gallery, metric, count)


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_keeps_more_candidates_where_rounding_could_lose_one(metric):
    """All of a gallery lies within a rounding of single precision of the probe, far away from the origin."""
    rng = np.random.default_rng(0)
    gallery = (1000 + rng.normal(size=(400, 4, 2), scale=0.01)).astype(np.float32)
    found = Index(gallery, metric).nearest(gallery[:3], 5)
    if metric == "euc":
        check(found, gallery[:3], gallery, metric, 5, rounding=1e-4)  # distances are around 0.03
    else:  # even double precision has few digits left
        np.testing.assert_allclose(found[0], np.sort(distance(gallery[:3], gallery, metric))[:, :5], atol=1e-13)


def test_a_gallery_smaller_than_asked_for_gives_all_it_has():
    distances, places = Index(np.zeros((2, 4, 3), np.float32)).nearest(np.ones((1, 4, 3), np.float32), 9)
    assert distances.tolist() == [[2, 2]] and places.tolist() == [[0, 1]]
    assert Index(np.zeros((0, 4, 3), np.float32)).nearest(np.ones((1, 4, 3), np.float32), 9)[0].shape == (1, 0)


def test_refuses_another_metric_and_embeddings_that_are_no_numbers():
    with pytest.raises(ConfigError, match="'l1'"):
        Index(np.zeros((1, 4, 3), np.float32), "l1")
    with pytest.raises(DataError, match="finite"):
        Index(np.full((1, 4, 3), np.nan, np.float32))


def test_a_subject_is_as_near_as_its_nearest_clip():
    at = np.array([5, 1, 2, 9, 3], np.float32)
    subjects = np.array(["a", "b", "b", "b", "c"])
    ((first, second), *_) = nearest_subjects(Index(at[:, None, None]), subjects, np.zeros((1, 1, 1), np.float32), 2)
    assert first == (1.0, 1) and second == (3.0, 4)
    (ranked,) = nearest_subjects(Index(at[:, None, None]), subjects, np.zeros((1, 1, 1), np.float32), 9)
    assert [subjects[place] for _, place in ranked] == ["b", "c", "a"]
