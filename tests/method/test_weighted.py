"""Visibility-weighted matching: against a slow twin, and where it must be the plain distance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_mimic.apps.inference.gallery import Gallery, read_gallery, threshold, write_gallery
from opengait_mimic.apps.inference.search import Index, nearest_subjects
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation import ranking
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.ranking import distance
from opengait_mimic.evaluation.recognition import evaluate_embeddings, scores
from opengait_mimic.method.beyond.weighted import Weights

METRICS = pytest.mark.parametrize("metric", ["euc", "cos"])


def clips(n, m, c=5, p=6, seed=0):
    rng = np.random.default_rng(seed)
    probe, gallery = (rng.standard_normal((k, c, p)).astype(np.float32) for k in (n, m))
    seen = (rng.random((k, p)).astype(np.float32) * (rng.random((k, p)) < 0.7) for k in (n, m))
    return probe, gallery, Weights(*seen)


def one_pair(x, y, u, v, metric, epsilon):
    """D of two clips, part by part."""
    total = weight = 0.0
    for p in range(x.shape[1]):
        a, b = x[:, p].astype(float), y[:, p].astype(float)
        apart = np.linalg.norm(a - b) if metric == "euc" else 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        w = float(u[p]) * float(v[p]) + epsilon
        total, weight = total + w * apart, weight + w
    return total / weight


def slow(probe, gallery, weights, metric):
    sides = [list(zip(*side, strict=True)) for side in ((probe, weights.probe), (gallery, weights.gallery))]
    return np.array([[one_pair(x, y, u, v, metric, weights.epsilon) for y, v in sides[1]] for x, u in sides[0]])


@METRICS
def test_distances_are_those_of_the_definition(metric, monkeypatch):
    probe, gallery, weights = clips(7, 9)
    expected = slow(probe, gallery, weights, metric)
    np.testing.assert_allclose(distance(probe, gallery, metric, weights=weights), expected, rtol=1e-5, atol=1e-6)
    monkeypatch.setattr(ranking, "CELLS_AT_ONCE", 20)  # two probes at a time
    np.testing.assert_allclose(distance(probe, gallery, metric, weights=weights), expected, rtol=1e-5, atol=1e-6)


@METRICS
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_equal_visibilities_give_the_plain_distance(metric, share, seed):
    probe, gallery, _ = clips(3, 4, seed=seed)
    weights = Weights(np.full((3, 6), share), np.full((4, 6), 0.8))
    np.testing.assert_allclose(
        distance(probe, gallery, metric, weights=weights), distance(probe, gallery, metric), rtol=1e-5, atol=1e-6
    )


@METRICS
def test_without_a_part_visible_on_both_sides_it_is_the_plain_distance(metric):
    probe, gallery, _ = clips(3, 4)
    upper, lower = np.zeros((2, 4, 6))
    upper[:, :3], lower[:, 3:] = 1, 1
    found = distance(probe, gallery, metric, weights=Weights(upper[:3], lower))
    np.testing.assert_allclose(found, distance(probe, gallery, metric), rtol=1e-6)


def test_an_evaluation_uses_them():
    rng = np.random.default_rng(3)
    identity = rng.standard_normal((6, 5, 6)).astype(np.float32)
    embeddings = np.repeat(identity, 2, axis=0)
    seen = np.ones((12, 6), np.float32)
    for clip in range(12):  # one half of each clip is noise, the VEN says so
        hidden = slice(0, 2) if clip % 2 else slice(4, 6)
        embeddings[clip, :, hidden] = 5 * rng.standard_normal((5, 2))
        seen[clip, hidden] = 0
    names = [f"{i // 2:03}" for i in range(12)], ["01", "02"] * 6, ["v"] * 12
    asked = protocol("GREW")
    plain = evaluate_embeddings(embeddings, embeddings, *names, asked)
    weighted = evaluate_embeddings(embeddings, embeddings, *names, asked, weights=Weights(seen, seen, 1e-3))
    assert scores(weighted.headline)["Rank-1"] == pytest.approx(100)
    assert scores(plain.headline)["Rank-1"] < 60


@METRICS
def test_search_finds_what_the_distances_say(metric):
    probe, gallery, weights = clips(20, 300, p=8)
    index = Index(gallery, metric, visibility=weights.gallery)
    distances, places = index.nearest(probe, 7, weights.probe)
    exact = distance(probe, gallery, metric, weights=weights)
    order = np.argsort(exact, axis=1, kind="stable")[:, :7]
    np.testing.assert_array_equal(places, order)
    np.testing.assert_allclose(distances, np.take_along_axis(exact, order, 1), rtol=1e-6)
    subjects = np.array([f"{i % 50}" for i in range(300)])
    first = [rows[0][1] for rows in nearest_subjects(index, subjects, probe, 3, weights.probe)]
    assert first == order[:, 0].tolist()
    with pytest.raises(DataError, match="both"):
        index.nearest(probe, 7)


def test_a_gallery_keeps_the_visibilities_and_finds_its_threshold_with_them(tmp_path):
    _, embeddings, weights = clips(1, 40)
    subjects, empty = np.array([f"{i % 20}" for i in range(40)]), np.full(40, "")
    gallery = Gallery("f", "euc", embeddings, subjects, subjects, empty, np.zeros(40, np.float32), weights.gallery, 0.1)
    write_gallery(tmp_path / "g.npz", gallery)
    again = read_gallery(tmp_path / "g.npz")
    assert again.weighted == 0.1
    np.testing.assert_array_equal(again[3:5].visibility, weights.gallery[3:5])
    apart = slow(embeddings, embeddings, Weights(weights.gallery, weights.gallery, 0.1), "euc")
    impostors = np.sort([apart[i, j] for i in range(40) for j in range(i + 1, 40) if subjects[i] != subjects[j]])
    assert threshold(again, 0.1).value == pytest.approx(impostors[int(0.1 * len(impostors))], rel=1e-5)


def test_a_gallery_written_before_there_were_weights_is_read(tmp_path):
    _, embeddings, _ = clips(1, 3)
    names = np.array(["a", "b", "c"])
    np.savez(tmp_path / "old.npz", format=1, fingerprint="f", metric="euc", embeddings=embeddings, subjects=names,
             names=names, kind=names, amount=np.zeros(3, np.float32))  # fmt: skip
    old = read_gallery(tmp_path / "old.npz")
    assert old.weighted == 0 and old.weights(old) is None and old.visibility.shape == (3, 0)


@pytest.mark.parametrize("seen", [np.ones((3, 5)), np.ones((2, 6)), np.full((3, 6), 1.5), np.full((3, 6), np.nan)])
def test_weights_of_something_else_are_refused(seen):
    probe, gallery, _ = clips(3, 4)
    with pytest.raises(DataError, match="visibility"):
        distance(probe, gallery, weights=Weights(seen, np.ones((4, 6))))
