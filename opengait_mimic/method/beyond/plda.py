"""Likelihood-ratio matching: how much likelier two clips are of one person than of two, given what hides each.

Probabilistic linear discriminant analysis (Prince and Elder, ICCV 2007) whose factors and noise depend on the
occlusion. The embedding x of a clip of class k (a kind of occlusion as the VEN tells it; 0 is clean) is taken as

    x = μ_k + F_k y + ε,    y ~ N(0, I),    ε ~ N(0, Σ_k),

y being the person's identity: what is hidden has small factors and large noise, and what is seen of one half of a
body tells of the other half as far as the two go together in people. A clip enters by h = F_kᵀ Σ_k⁻¹ (x - μ_k) and
J_k = F_kᵀ Σ_k⁻¹ F_k alone, and the logarithm of the likelihood ratio of one identity against two is

    Λ = ½ [(h₁ + h₂)ᵀ (I + J₁ + J₂)⁻¹ (h₁ + h₂) - h₁ᵀ (I + J₁)⁻¹ h₁ - h₂ᵀ (I + J₂)⁻¹ h₂
           + log |I + J₁| + log |I + J₂| - log |I + J₁ + J₂|].

Clips are compared by D = log(1 + exp(-Λ)): minus the logarithm of the probability that they show one person, at even
odds. What several clips of one person tell adds up: h and J are then the sums of theirs. All is fitted in closed form
on the training set, whole and occluded; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from opengait_mimic.errors import ConfigError, DataError, shown
from opengait_mimic.method.beyond.matching import switched

LARGEST = 2048  # numbers of an embedding that are modelled; each part of a larger one gives its main directions
RIDGE = 0.01  # of the factors, as a share of the number of clips
FEWEST = 2  # clips of a class per number of the identity; a class with fewer takes the model of all classes together
CELLS_AT_ONCE = 2**22
CLIPS_AT_ONCE = 4096


@dataclass(frozen=True)
class Likelihood:
    """`evaluator_cfg.likelihood`.

    Attributes:
        draws: occlusions drawn for each clip of the training set, at least 1.
        dimensions: most numbers of an identity y, at least 1.
        shrinkage: added to the noise of each number, as a share of its mean over all of them; above 0.
    """

    draws: int = 4
    dimensions: int = 100
    shrinkage: float = 1.0


def likelihood(value: object, where: str = "evaluator_cfg: likelihood") -> Likelihood | None:
    """Check and read `evaluator_cfg.likelihood`: true, false, or a mapping with draws, dimensions, shrinkage.

    Raises:
        ConfigError: anything else.
    """
    asked = switched(value, Likelihood.__dataclass_fields__, where)
    if asked is None:
        return None
    for key, number in asked.items():
        if key == "shrinkage":
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number <= 1e6:
                raise ConfigError(f"{where}: shrinkage: {shown(number)} is not a number above 0")
        elif isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 4096:
            raise ConfigError(f"{where}: {key}: {shown(number)} is not a whole number from 1 to 4096")
    return Likelihood(**asked)


class Vectors(NamedTuple):
    """How an embedding [c, p] becomes the vector x [d] that is modelled.

    Attributes:
        metric: "cos" makes each part a unit vector first, "euc" leaves it.
        directions: [p, c, r] of each part; None takes all of it.
    """

    metric: str
    directions: np.ndarray | None = None

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """[n, c, p] -> [n, d] float64."""
        parts = _parts(embeddings, self.metric)
        if self.directions is not None:
            parts = np.einsum("ncp,pcr->nrp", parts, self.directions)
        return parts.reshape(len(parts), -1)


def vectors(embeddings: np.ndarray, metric: str) -> Vectors:
    """For embeddings [n, c, p]: all their numbers, or the main directions of each part where these are too many."""
    _, channels, parts = embeddings.shape
    if channels * parts <= LARGEST:
        return Vectors(metric)
    first, second = np.zeros((parts, channels)), np.zeros((parts, channels, channels))
    for rows in _rows(len(embeddings)):
        some = _parts(embeddings[rows], metric).transpose(2, 0, 1)
        first += some.sum(1)
        second += some.transpose(0, 2, 1) @ some
    first /= len(embeddings)
    spread = second / len(embeddings) - first[:, :, None] * first[:, None]
    directions = np.linalg.eigh(spread)[1][:, :, ::-1]  # largest first
    return Vectors(metric, np.ascontiguousarray(directions[:, :, : max(1, LARGEST // parts)]))


def _rows(count: int) -> Iterator[slice]:
    return (slice(start, start + CLIPS_AT_ONCE) for start in range(0, count, CLIPS_AT_ONCE))


def _parts(embeddings: np.ndarray, metric: str) -> np.ndarray:
    embeddings = np.asarray(embeddings, dtype=np.float64)
    if not np.isfinite(embeddings).all():
        raise DataError("embeddings that are not finite numbers cannot be compared; the network has diverged")
    if metric == "cos":
        embeddings = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    return embeddings


class Identities(NamedTuple):
    """The model of k classes and all of them together, the last.

    Attributes:
        vectors: of an embedding. mean: [k + 1, d] μ. projection: [k + 1, d, q] Σ⁻¹ F. precision: [k + 1, q, q] J.
        known: [k] bool, whether a class has a model of its own.
    """

    vectors: Vectors
    mean: np.ndarray
    projection: np.ndarray
    precision: np.ndarray
    known: np.ndarray

    def evidence(self, embeddings: np.ndarray, classes: np.ndarray) -> Evidence:
        """What clips tell of identities.

        Args:
            embeddings: [n, c, p]. classes: [n] int, of the occlusions as the VEN tells them.
        """
        of = np.where(self.known[classes], classes, len(self.known))
        h = np.empty((len(embeddings), self.precision.shape[1]))
        for rows in _rows(len(embeddings)):
            x, its, here = self.vectors(embeddings[rows]), of[rows], h[rows]
            for k in np.unique(its):
                here[its == k] = (x[its == k] - self.mean[k]) @ self.projection[k]
        return Evidence(h, of, np.eye(len(self.precision), dtype=np.int64), self.precision)


class Evidence(NamedTuple):
    """What clips tell of identities, or what all clips of a person tell together.

    Attributes:
        h: [n, q] float64. of: [n] int, the row of `clips` that says what each rests on.
        clips: [u, k + 1] int64, how many clips of each model. precision: [k + 1, q, q] J of one clip of each model.
    """

    h: np.ndarray
    of: np.ndarray
    clips: np.ndarray
    precision: np.ndarray

    def some(self, rows: np.ndarray) -> Evidence:
        """Of some of them, by their places or [n] bool."""
        return self._replace(h=self.h[rows], of=self.of[rows])

    def together(self, who: np.ndarray, persons: int) -> Evidence:
        """What each person's clips tell together: of one identity h adds up, and so does J.

        Args:
            who: [n] int, 0 … persons - 1, whose clip each is.
        """
        h, clips = np.zeros((persons, self.h.shape[1])), np.zeros((persons, self.clips.shape[1]), np.int64)
        np.add.at(h, who, self.h)
        np.add.at(clips, who, self.clips[self.of])
        clips, of = np.unique(clips, axis=0, return_inverse=True)
        return self._replace(h=h, of=of.reshape(-1), clips=clips)

    def groups(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The places of those that rest on the same models, and their I + J [q, q]."""
        for u in np.unique(self.of):
            yield np.flatnonzero(self.of == u), np.eye(self.h.shape[1]) + np.tensordot(self.clips[u], self.precision, 1)


class Odds(NamedTuple):
    """All that a comparison of probes with a gallery takes: see `recognition.recognise`.

    Attributes:
        probe, gallery: what all clips tell, on either side.
        persons: whether a clip of the gallery is helped by the others of its person: Λ is then the mean of the clip's
            and of that of all the person's clips together. The nearest clip tells of a way to walk, all of them of
            who it is.
    """

    probe: Evidence
    gallery: Evidence
    persons: bool = False

    def blocks(
        self,
        probes: np.ndarray,
        gallery: np.ndarray,
        labels: np.ndarray,
        views: np.ndarray | None = None,
        device: torch.device | str = "cpu",
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Distances D of some rows of either side, in bounded memory.

        Args:
            labels: [n] int, who walks. views: [n] int, where they are seen from: a person's clips of the probe's view
                do not help then; None: all do.
        Yields:
            The places in `probes`, and their distances [b, m] float32 on the device, never negative.
        """
        theirs, rows = self.gallery.some(gallery), max(1, CELLS_AT_ONCE // max(1, len(gallery)))
        people, who = np.unique(labels[gallery], return_inverse=True)
        for start in range(0, len(probes), rows):
            chosen = slice(start, min(start + rows, len(probes)))
            ours = self.probe.some(probes[chosen])
            found = log_odds(ours, theirs, device)
            if self.persons:
                for mine, helps in _by_view(probes[chosen], gallery, views):
                    persons = theirs.some(helps).together(who[helps], len(people))
                    helped = np.flatnonzero(np.isin(who, who[helps]))
                    at = torch.from_numpy(mine).to(device)[:, None], torch.from_numpy(helped).to(device)
                    found[at] = (found[at] + log_odds(ours.some(mine), persons, device)[:, who[helped]]) / 2
            yield chosen, distances(found)


def _by_view(
    probes: np.ndarray, gallery: np.ndarray, views: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places of the probes of a view, and which of the gallery are of another [m] bool; without views, all."""
    if views is None:
        yield np.arange(len(probes)), np.ones(len(gallery), dtype=bool)
    else:
        for view in np.unique(views[probes]):
            yield np.flatnonzero(views[probes] == view), views[gallery] != view


def log_odds(probe: Evidence, gallery: Evidence, device: torch.device | str = "cpu") -> torch.Tensor:
    """Λ [n, m] float64 on a device, of evidence from one model of identities."""
    on = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(device)  # noqa: E731
    found = torch.zeros(len(probe.h), len(gallery.h), dtype=torch.float64, device=device)
    for ours, left in probe.groups():
        for theirs, right in gallery.groups():
            both = left + right - np.eye(len(left))
            joint = np.linalg.inv(both)
            shift = sum(np.linalg.slogdet(m)[1] * sign for m, sign in ((left, 1), (right, 1), (both, -1)))
            h1, h2 = on(probe.h[ours]), on(gallery.h[theirs])
            single = [
                torch.einsum("nq,qr,nr->n", h, on(joint - np.linalg.inv(alone)), h)
                for h, alone in ((h1, left), (h2, right))
            ]
            ratio = 0.5 * (single[0][:, None] + single[1] + 2 * (h1 @ on(joint) @ h2.T) + float(shift))
            found[on(ours)[:, None], on(theirs)] = ratio
    return found


def distances(odds: torch.Tensor) -> torch.Tensor:
    """D = log(1 + exp(-Λ)), float32, of odds Λ."""
    return F.softplus(-odds, threshold=700).float()


class Fit:
    """The closed-form fit, a batch of clips at a time.

    Args:
        whole: [n, c, p] embeddings of the training set's whole clips. subjects: [n] who walks in them.
        classes: k. metric: "euc" or "cos". asked: its settings.
        generated: those subjects who were generated. Where there are others, too, each side's clips count for one
            half, however many they are: generated people tell how people differ, the others what clips of them are
            like.
    Raises:
        DataError: fewer than three subjects.
    """

    def __init__(
        self,
        whole: np.ndarray,
        subjects: np.ndarray,
        classes: int,
        metric: str,
        asked: Likelihood,
        generated: Collection[str] = (),
    ):
        self.asked = asked
        self.vectors = vectors(whole, metric)
        self.subjects, who = np.unique(subjects, return_inverse=True)
        if len(self.subjects) < 3:
            raise DataError(f"likelihood: {len(self.subjects)} subjects to learn from; it takes three at least")
        size = self.vectors(whole[:1]).shape[1]
        means = np.zeros((len(self.subjects), size))
        for rows in _rows(len(whole)):
            np.add.at(means, who[rows], self.vectors(whole[rows]))
        clips = np.bincount(who)
        means /= clips[:, None]
        drawn = np.isin(self.subjects, list(generated))
        self.weight = np.ones(len(clips))
        if drawn.any() and not drawn.all():
            for side in (drawn, ~drawn):
                self.weight[side] = clips.sum() / (2 * clips[side].sum())
        q = min(asked.dimensions, len(means) - 1, size)
        # Each subject's y: the main directions in which the means of subjects differ, with variance 1.
        self.y = np.linalg.svd(means - means.mean(0), full_matrices=False)[0][:, :q] * np.sqrt(len(means))
        self.count, self.total = np.zeros(classes), np.zeros(classes)
        # Weighted sums over the clips of each class.
        self.x, self.xx, self.xy = (np.zeros((classes, size, *more)) for more in ((), (size,), (q,)))
        self.sum_y, self.yy = (np.zeros((classes, q, *more)) for more in ((), (q,)))

    def add(self, embeddings: np.ndarray, subjects: np.ndarray, classes: np.ndarray) -> None:
        """Learn from clips of subjects that are known: [n, c, p], [n], and [n] int classes."""
        for rows in _rows(len(embeddings)):
            self._add(self.vectors(embeddings[rows]), subjects[rows], classes[rows])

    def _add(self, x: np.ndarray, subjects: np.ndarray, classes: np.ndarray) -> None:
        who = np.searchsorted(self.subjects, subjects)
        for k in np.unique(classes):
            mine, its, weight = x[classes == k], self.y[who[classes == k]], self.weight[who[classes == k], None]
            self.count[k] += len(mine)
            self.total[k] += weight.sum()
            self.x[k] += (weight * mine).sum(0)
            self.sum_y[k] += (weight * its).sum(0)
            self.xx[k] += mine.T @ (weight * mine)
            self.xy[k] += mine.T @ (weight * its)
            self.yy[k] += its.T @ (weight * its)

    def identities(self) -> Identities:
        """The model of what was added.

        Raises:
            DataError: nothing was.
        """
        if not self.count.any():
            raise DataError("likelihood: no clips to learn from")
        known = self.count >= FEWEST * self.y.shape[1]
        sums = (self.total, self.x, self.xx, self.xy, self.sum_y, self.yy)
        models = [self._one(*(s[k] for s in sums)) if own else None for k, own in enumerate(known)]
        blank = self._one(*(s.sum(0) for s in sums))  # all classes together
        models.append(blank)
        mean, projection, precision = (np.stack(part) for part in zip(*(m or blank for m in models), strict=True))
        return Identities(self.vectors, mean, projection, precision, known)

    def _one(self, n, x, xx, xy, y, yy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """μ, Σ⁻¹ F and J of clips of weight n by their sums."""
        x, y = x / n, y / n
        cxx, cxy, cyy = xx / n - np.outer(x, x), xy / n - np.outer(x, y), yy / n - np.outer(y, y)
        factors = np.linalg.solve(cyy + RIDGE * np.eye(len(y)), cxy.T).T
        noise = cxx - factors @ cxy.T - cxy @ factors.T + factors @ cyy @ factors.T
        size = len(noise)
        noise += (self.asked.shrinkage * max(np.trace(noise), 0) / size + 1e-12) * np.eye(size)
        projection = np.linalg.solve(noise, factors)
        return x - factors @ y, projection, factors.T @ projection
