"""Intervals cover what they should, and the paired test's p is what enumeration gives."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from opengait_mimic.evaluation import statistics
from opengait_mimic.evaluation.statistics import bootstrap_interval, paired_test, repeats_interval, rp_interval


def covered(intervals, truth):
    return np.mean([low <= truth <= high for low, high in intervals])


def test_students_interval_by_hand_and_by_simulation():
    # three repeats: mean 2, s 1, t(0.975; 2) = 4.302653
    assert repeats_interval([1, 2, 3]) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-6)
    assert repeats_interval([5.0, 5.0]) == (5, 5)
    draws = np.random.default_rng(0).normal(40, 2, size=(1000, 3))
    assert covered([repeats_interval(values) for values in draws], 40) == pytest.approx(0.95, abs=0.02)
    with pytest.raises(ValueError, match="at least two"):
        repeats_interval([1.0])


def test_the_bootstrap_covers_a_weighted_share(monkeypatch):
    monkeypatch.setattr(statistics, "DRAWS", 500)
    rng = np.random.default_rng(2)
    weights = np.repeat([3.0, 1.0], 100)
    intervals = [
        bootstrap_interval(np.concatenate([rng.random(100) < 0.6, rng.random(100) < 0.2]), weights) for _ in range(300)
    ]
    assert covered(intervals, (3 * 0.6 + 0.2) / 4) == pytest.approx(0.95, abs=0.03)


def test_rps_interval_is_paired(monkeypatch):
    monkeypatch.setattr(statistics, "DRAWS", 500)
    rng = np.random.default_rng(3)
    weights = np.full(200, 1 / 200)
    intervals = []
    for _ in range(300):
        holistic = rng.random(200) < 0.8
        intervals.append(rp_interval(holistic & (rng.random(200) < 0.5), holistic, weights))
    assert covered(intervals, 0.5) == pytest.approx(0.95, abs=0.03)
    # one method that keeps exactly half of every probe's score has no spread at all
    scores = rng.random(50)
    assert rp_interval(scores / 2, scores, np.full(50, 0.02)) == pytest.approx((0.5, 0.5))
    with pytest.raises(ValueError, match="denominator"):
        rp_interval(np.ones(5), np.zeros(5), np.ones(5))


def test_what_is_drawn_depends_on_nothing_but_the_values(monkeypatch):
    ours, theirs, weights = np.random.default_rng(4).random((3, 60))

    def all_three():
        return bootstrap_interval(ours, weights), rp_interval(ours, theirs, weights), paired_test(ours, theirs, weights)

    at_once = all_three()
    monkeypatch.setattr(statistics, "NUMBERS_AT_ONCE", 200)
    assert all_three() == at_once


def enumerated(parts):
    """The share of sign patterns whose sum is at least as far from 0."""
    sums = [abs(sum(s * p for s, p in zip(signs, parts, strict=True))) for signs in product((1, -1), repeat=len(parts))]
    return sum(s >= abs(sum(parts)) - 1e-9 for s in sums) / len(sums)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 3)), min_size=1, max_size=8))
def test_the_sign_flip_p_is_exact_on_few_probes(rows):
    ours, theirs, weights = np.array(rows, dtype=float).T
    found = paired_test(ours, theirs, weights)
    assert found.difference == pytest.approx((weights @ (ours - theirs)) / weights.sum())
    assert found.p == pytest.approx(enumerated(weights * (ours - theirs)))


def test_a_sampled_p_is_near_the_exact_one(monkeypatch):
    ours, theirs = np.random.default_rng(5).random((2, 13))
    ours += 0.25
    monkeypatch.setattr(statistics, "FLIPS", 8000)  # of 2^13 patterns
    found = paired_test(ours, theirs, np.full(13, 1 / 13)).p
    assert found == pytest.approx(enumerated((ours - theirs) / 13), abs=0.02)


def test_the_paired_test_is_mcnemars_on_hits():
    # 30 probes only ours finds, 12 only theirs, 500 both: the exact binomial test of 30 against 12
    ours, theirs = np.ones(542), np.ones(542)
    theirs[:30], ours[30:42] = 0, 0
    found = paired_test(ours, theirs, np.full(542, 1 / 542))
    assert found.difference == pytest.approx(18 / 542)
    assert found.p == pytest.approx(stats.binomtest(30, 42).pvalue, abs=0.003)
    assert found.interval.low > 0
    alike = paired_test(ours, ours, np.ones(542))
    assert (alike.difference, alike.interval, alike.p) == (0, (0, 0), 1)


def test_the_paired_test_rejects_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(statistics, "FLIPS", 400)
    rng = np.random.default_rng(6)
    rejected = [paired_test(*(rng.random((2, 80)) < 0.5), np.full(80, 1 / 80)).p <= 0.1 for _ in range(300)]
    assert np.mean(rejected) == pytest.approx(0.08, abs=0.04)
