"""How sure a figure is: intervals over repeats and over probes, and a paired test between two methods.

Everything here is deterministic: what is drawn has a fixed seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95  # of every interval
DRAWS = 2000
FLIPS = 10_000
NUMBERS_AT_ONCE = 2**22


class Interval(NamedTuple):
    low: float
    high: float


class Difference(NamedTuple):
    """Two methods compared.

    Attributes:
        difference: weighted mean of the first method minus that of the second.
        interval: its paired bootstrap interval.
        p: two-sided, see `paired_test`.
    """

    difference: float
    interval: Interval
    p: float


def repeats_interval(values) -> Interval:
    """Student's interval of the mean of r repeats: mean ± t · s / √r.

    s is the standard deviation with r - 1 in the denominator, t the (1 + LEVEL) / 2 quantile of Student's
    distribution with r - 1 degrees of freedom.

    Args:
        values: [r], r at least 2.

    Returns:
        The interval.

    Raises:
        ValueError: a single value has no spread.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        raise ValueError("an interval over repeats needs at least two of them")
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(float(values.mean() - half), float(values.mean() + half))


def bootstrap_interval(values: np.ndarray, weights: np.ndarray) -> Interval:
    """Percentile bootstrap of a weighted mean over probes.

    Each of DRAWS draws takes k probes with replacement, all equally likely, and forms Σ w v / Σ w over them; the
    interval lies between the (1 - LEVEL) / 2 and (1 + LEVEL) / 2 quantiles of the draws.

    Args:
        values: [k].
        weights: [k], not all 0.

    Returns:
        The interval.
    """
    weights = np.asarray(weights, dtype=np.float64)
    return _ratio_interval(weights * values, weights)


def rp_interval(occluded: np.ndarray, holistic: np.ndarray, weights: np.ndarray) -> Interval:
    """Paired percentile bootstrap of RP = OP / HP over probes.

    Each draw takes the same probes, with replacement, for both: Σ w o / Σ w h. Draws in which HP is 0 have no RP
    and are left out.

    Args:
        occluded: [k] what each probe scores under occlusion.
        holistic: [k] what the holistic network scores on the same probes.
        weights: [k].

    Returns:
        The interval.

    Raises:
        ValueError: HP is 0.
    """
    weights = np.asarray(weights, dtype=np.float64)
    return _ratio_interval(weights * occluded, weights * holistic)


def paired_test(ours: np.ndarray, theirs: np.ndarray, weights: np.ndarray) -> Difference:
    """Compare two methods on the same probes.

    The p value is that of the sign-flip randomisation test of D = Σ w (ours - theirs): under the hypothesis that
    the methods are exchangeable, each probe's difference has either sign with equal chance. p is the share of sign
    patterns with |D| at least as large as observed. Where the probes that differ have at most FLIPS patterns all
    are counted, and p is exact; else FLIPS are drawn, and p = (1 + count) / (1 + FLIPS). Without any difference
    p is 1. The interval is the bootstrap of D over probes.

    Args:
        ours: [k] what each probe scores by one method.
        theirs: [k] what it scores by the other.
        weights: [k], not all 0.

    Returns:
        The difference, its interval and p.
    """
    weights = np.asarray(weights, dtype=np.float64)
    weights = weights / weights.sum()
    differences = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    parts = weights * differences
    return Difference(float(parts.sum()), bootstrap_interval(differences, weights), _sign_flip_p(parts[parts != 0]))


def _sign_flip_p(parts: np.ndarray) -> float:
    # Sums of the same parts in another order differ by rounding; those count as equal.
    observed = abs(parts.sum()) - 1e-12 * np.abs(parts).sum()
    if 2 ** min(len(parts), 62) <= FLIPS:
        patterns = np.arange(2 ** len(parts))[:, None] >> np.arange(len(parts)) & 1
        return float((np.abs((2 * patterns - 1) @ parts) >= observed).mean())
    rng = np.random.default_rng(0)
    count = 0
    for rows in _chunks(FLIPS, len(parts)):
        signs = 2.0 * rng.integers(0, 2, size=(rows, len(parts)), dtype=np.int8) - 1
        count += int((np.abs(signs @ parts) >= observed).sum())
    return (1 + count) / (1 + FLIPS)


def _ratio_interval(above: np.ndarray, below: np.ndarray) -> Interval:
    if not below.sum() > 0:
        raise ValueError("an interval of a ratio needs a denominator above 0")
    rng = np.random.default_rng(0)
    ratios = []
    for rows in _chunks(DRAWS, len(below)):
        chosen = rng.integers(len(below), size=(rows, len(below)))
        numerator, denominator = above[chosen].sum(1), below[chosen].sum(1)
        ratios.append(numerator[denominator > 0] / denominator[denominator > 0])
    low, high = np.quantile(np.concatenate(ratios), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _chunks(total: int, width: int) -> Iterator[int]:
    """Sizes that sum to `total`, so that rows of `width` numbers stay bounded."""
    most = max(1, NUMBERS_AT_ONCE // width)
    for start in range(0, total, most):
        yield min(most, total - start)
