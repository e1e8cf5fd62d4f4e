"""PLDA matching: the log-likelihood ratio of one identity against two, given what hides each clip.

Probabilistic linear discriminant analysis (Prince and Elder, ICCV 2007) whose factors and noise depend on the
occlusion. The embedding x of a clip of class k (an occlusion type as the VEN predicts it; 0 is clean) is modelled as

    x = μ_k + F_k y + ε,    y ~ N(0, I),    ε ~ N(0, Σ_k),

y being the subject's identity: what is hidden has small factors and large noise, and what is visible of one half of a
body says as much about the other as the two correlate in people. A clip enters by its statistics
h = F_kᵀ Σ_k⁻¹ (x - μ_k) and J_k = F_kᵀ Σ_k⁻¹ F_k alone, and the log-likelihood ratio of one identity against two is

    Λ = ½ [(h₁ + h₂)ᵀ (I + J₁ + J₂)⁻¹ (h₁ + h₂) - h₁ᵀ (I + J₁)⁻¹ h₁ - h₂ᵀ (I + J₂)⁻¹ h₂
           + log |I + J₁| + log |I + J₂| - log |I + J₁ + J₂|].

Clips are compared by D = log(1 + exp(-Λ)): minus the logarithm of the probability that they show one subject, at even
prior odds. Statistics of several clips of one subject add up, which gives subject-level (template) matching. All is
fitted in closed form on the training set, holistic and occluded; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from opengait_mimic.errors import DataError

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


class Vectors(NamedTuple):
    """How an embedding [c, p] becomes the vector x [d] that is modelled.

    Attributes:
        metric: "cos" scales each part to unit length first, "euc" leaves it.
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
    for batch in _batches(len(embeddings)):
        some = _parts(embeddings[batch], metric).transpose(2, 0, 1)
        first += some.sum(1)
        second += some.transpose(0, 2, 1) @ some
    first /= len(embeddings)
    spread = second / len(embeddings) - first[:, :, None] * first[:, None]
    directions = np.linalg.eigh(spread)[1][:, :, ::-1]  # largest first
    return Vectors(metric, np.ascontiguousarray(directions[:, :, : max(1, LARGEST // parts)]))


def _batches(count: int, size: int | None = None) -> Iterator[slice]:
    size = size or CLIPS_AT_ONCE
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _parts(embeddings: np.ndarray, metric: str) -> np.ndarray:
    embeddings = np.asarray(embeddings, dtype=np.float64)
    if not np.isfinite(embeddings).all():
        raise DataError("embeddings that are not finite numbers cannot be compared; the network has diverged")
    if metric == "cos":
        embeddings = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    return embeddings


class PLDA(NamedTuple):
    """The model of k classes, and last of all of them together.

    Attributes:
        vectors: of an embedding.
        mean: [k + 1, d] μ.
        projection: [k + 1, d, q] Σ⁻¹ F.
        precision: [k + 1, q, q] J.
        known: [k] bool, whether a class has a model of its own.
    """

    vectors: Vectors
    mean: np.ndarray
    projection: np.ndarray
    precision: np.ndarray
    known: np.ndarray

    def statistics(self, embeddings: np.ndarray, classes: np.ndarray) -> IdentityStatistics:
        """The statistics of clips for their identities.

        Args:
            embeddings: [n, c, p].
            classes: [n] int, of the occlusions as the VEN predicts them.

        Returns:
            Those of n clips.
        """
        models = np.where(self.known[classes], classes, len(self.known))
        h = np.empty((len(embeddings), self.precision.shape[1]))
        for batch in _batches(len(embeddings)):
            x, of, here = self.vectors(embeddings[batch]), models[batch], h[batch]
            for k in np.unique(of):
                here[of == k] = (x[of == k] - self.mean[k]) @ self.projection[k]
        return IdentityStatistics(h, models, np.eye(len(self.precision), dtype=np.int64), self.precision)


class IdentityStatistics(NamedTuple):
    """The sufficient statistics of n clips, or of all clips of n subjects, for their identities.

    Attributes:
        h: [n, q] float64.
        of: [n] int, the row of `clips` that each rests on.
        clips: [u, k + 1] int64, how many clips of each class's model.
        precision: [k + 1, q, q] J of one clip by each model.
    """

    h: np.ndarray
    of: np.ndarray
    clips: np.ndarray
    precision: np.ndarray

    def rows(self, chosen: np.ndarray) -> IdentityStatistics:
        """Those of some rows, by their places or [n] bool."""
        return self._replace(h=self.h[chosen], of=self.of[chosen])

    def per_subject(self, subjects: np.ndarray, count: int) -> IdentityStatistics:
        """The statistics of each subject's clips together: their sums.

        Args:
            subjects: [n] int, 0 … count - 1, the subject of each clip.
            count: how many subjects there are.

        Returns:
            Those of `count` subjects.
        """
        h, clips = np.zeros((count, self.h.shape[1])), np.zeros((count, self.clips.shape[1]), np.int64)
        np.add.at(h, subjects, self.h)
        np.add.at(clips, subjects, self.clips[self.of])
        clips, of = np.unique(clips, axis=0, return_inverse=True)
        return self._replace(h=h, of=of.reshape(-1), clips=clips)

    def groups(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The places of those that rest on the same models, and their I + J [q, q]."""
        for u in np.unique(self.of):
            yield np.flatnonzero(self.of == u), np.eye(self.h.shape[1]) + np.tensordot(self.clips[u], self.precision, 1)


class PLDAMatching(NamedTuple):
    """All that a comparison of probes with a gallery takes: see `recognition.evaluate_embeddings`.

    Attributes:
        probe: statistics of all clips as probes.
        gallery: statistics of all clips as gallery.
        subject_level: whether Λ is the mean of the clip's own and of that of all its subject's clips together. The
            nearest clip says more about a way to walk, all of them about the subject.
    """

    probe: IdentityStatistics
    gallery: IdentityStatistics
    subject_level: bool = False

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
            probes: [b] rows of probes.
            gallery: [m] rows of the gallery.
            labels: [n] int, identities of all clips.
            views: [n] int; subject-level matching leaves out a subject's clips of the probe's view. None leaves out
                none.
            device: to compute on.

        Yields:
            The places in `probes`, and their distances [b', m] float32 on the device, never negative.
        """
        theirs = self.gallery.rows(gallery)
        subjects, subject = np.unique(labels[gallery], return_inverse=True)
        for chosen in _batches(len(probes), max(1, CELLS_AT_ONCE // max(1, len(gallery)))):
            ours = self.probe.rows(probes[chosen])
            found = log_likelihood_ratio(ours, theirs, device)
            if self.subject_level:
                for mine, helping in _by_view(probes[chosen], gallery, views):
                    templates = theirs.rows(helping).per_subject(subject[helping], len(subjects))
                    helped = np.flatnonzero(np.isin(subject, subject[helping]))
                    at = torch.from_numpy(mine).to(device)[:, None], torch.from_numpy(helped).to(device)
                    by_subject = log_likelihood_ratio(ours.rows(mine), templates, device)
                    found[at] = (found[at] + by_subject[:, subject[helped]]) / 2
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


def log_likelihood_ratio(
    probe: IdentityStatistics, gallery: IdentityStatistics, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Λ of n probes and m clips (or subjects) of a gallery: [n, m] float64 on a device."""
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


def distances(ratios: torch.Tensor) -> torch.Tensor:
    """D = log(1 + exp(-Λ)), float32, of log-likelihood ratios Λ."""
    return F.softplus(-ratios, threshold=700).float()


class PLDAFit:
    """The closed-form fit, a batch of clips at a time.

    Args:
        holistic: [n, c, p] embeddings of the training set's holistic clips.
        subjects: [n] their subjects.
        classes: k.
        metric: "euc" or "cos".
        asked: the settings.
        generated: those subjects who were generated. Where there are others, too, each side's clips count for one
            half, however many they are: generated subjects tell how people differ, the others what clips of them are
            like.

    Raises:
        DataError: fewer than three subjects.
    """

    def __init__(
        self,
        holistic: np.ndarray,
        subjects: np.ndarray,
        classes: int,
        metric: str,
        asked: Likelihood,
        generated: Collection[str] = (),
    ):
        self.asked = asked
        self.vectors = vectors(holistic, metric)
        self.subjects, who = np.unique(subjects, return_inverse=True)
        if len(self.subjects) < 3:
            raise DataError(f"likelihood: {len(self.subjects)} subjects to learn from; it takes three at least")
        size = self.vectors(holistic[:1]).shape[1]
        means = np.zeros((len(self.subjects), size))
        for batch in _batches(len(holistic)):
            np.add.at(means, who[batch], self.vectors(holistic[batch]))
        clips = np.bincount(who)
        means /= clips[:, None]
        is_generated = np.isin(self.subjects, list(generated))
        self.weight = np.ones(len(clips))
        if is_generated.any() and not is_generated.all():
            for side in (is_generated, ~is_generated):
                self.weight[side] = clips.sum() / (2 * clips[side].sum())
        q = min(asked.dimensions, len(means) - 1, size)
        # Each subject's y: the main directions in which the means of subjects differ, with variance 1.
        self.y = np.linalg.svd(means - means.mean(0), full_matrices=False)[0][:, :q] * np.sqrt(len(means))
        self.count = np.zeros(classes)
        # Weighted sums of the products of (1, x, y) with itself over the clips of each class.
        self.moments = np.zeros((classes, 1 + size + q, 1 + size + q))

    def add(self, embeddings: np.ndarray, subjects: np.ndarray, classes: np.ndarray) -> None:
        """Learn from clips of known subjects: [n, c, p], [n], and [n] int classes."""
        for batch in _batches(len(embeddings)):
            x, of, who = (
                self.vectors(embeddings[batch]),
                classes[batch],
                np.searchsorted(self.subjects, subjects[batch]),
            )
            samples = np.hstack((np.ones((len(x), 1)), x, self.y[who]))
            for k in np.unique(of):
                mine = samples[of == k]
                self.count[k] += len(mine)
                self.moments[k] += mine.T @ (self.weight[who[of == k], None] * mine)

    def model(self) -> PLDA:
        """The model of what was added.

        Raises:
            DataError: nothing was.
        """
        if not self.count.any():
            raise DataError("likelihood: no clips to learn from")
        known = self.count >= FEWEST * self.y.shape[1]
        pooled = self._fitted(self.moments.sum(0))
        models = [self._fitted(moments) if own else pooled for own, moments in zip(known, self.moments, strict=True)]
        mean, projection, precision = (np.stack(part) for part in zip(*models, pooled, strict=True))
        return PLDA(self.vectors, mean, projection, precision, known)

    def _fitted(self, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """μ, Σ⁻¹ F and J: ridge regression of x on y."""
        size = len(moments) - 1 - self.y.shape[1]
        moments = moments / moments[0, 0]
        x, y = np.split(moments[0, 1:], [size])
        covariance = moments[1:, 1:] - np.outer(moments[0, 1:], moments[0, 1:])
        cxx, cxy, cyy = covariance[:size, :size], covariance[:size, size:], covariance[size:, size:]
        factors = np.linalg.solve(cyy + RIDGE * np.eye(len(y)), cxy.T).T
        noise = cxx - factors @ cxy.T - cxy @ factors.T + factors @ cyy @ factors.T
        noise += (self.asked.shrinkage * max(np.trace(noise), 0) / size + 1e-12) * np.eye(size)
        projection = np.linalg.solve(noise, factors)
        return x - factors @ y, projection, factors.T @ projection
