"""Matching by likelihood is probabilistic linear discriminant analysis whose noise depends on the occlusion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag
from scipy.stats import multivariate_normal

from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.plda_model import TrainedPLDA, read_plda, write_plda
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.ranking import distance
from opengait_mimic.evaluation.recognition import evaluate_embeddings, scores
from opengait_mimic.method.beyond import plda as module
from opengait_mimic.method.beyond.plda import (
    IdentityStatistics,
    Likelihood,
    PLDAFit,
    PLDAMatching,
    distances,
    log_likelihood_ratio,
    vectors,
)

SUBJECTS, CLIPS, CHANNELS, PARTS = 60, 6, 3, 4
TOP, BOTTOM = 1, 2


def people(seed: int, subjects: int = SUBJECTS, noise: float = 0.3):
    """Holistic clips [n, c, p] of people whose upper and lower parts go together, and who walks in them."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).standard_normal((5, CHANNELS * PARTS))
    each = (rng.standard_normal((subjects, 5)) @ mixing).reshape(subjects, CHANNELS, PARTS)
    who = np.repeat(np.arange(subjects), CLIPS)
    return each[who] + noise * rng.standard_normal((len(who), CHANNELS, PARTS)), who


def hidden(clips, classes, seed: int):
    """The parts that a class hides hold noise that tells nothing."""
    noise = np.random.default_rng(seed).standard_normal(clips.shape)
    found = clips.copy()
    found[classes == TOP, :, : PARTS // 2] = noise[classes == TOP, :, : PARTS // 2]
    found[classes == BOTTOM, :, PARTS // 2 :] = noise[classes == BOTTOM, :, PARTS // 2 :]
    return found


def fitted(seed: int = 1, **asked):
    clips, who = people(seed)
    fit = PLDAFit(clips, who, 3, "euc", Likelihood(**asked))
    fit.add(clips, who, np.zeros(len(who), int))
    for draw in range(3):
        classes = np.random.default_rng(draw).integers(1, 3, len(who))
        fit.add(hidden(clips, classes, draw), who, classes)
    return fit.model()


def identities_of(generated, times=1):
    """Of 20 people, with the clips of the first five `times` as often."""
    clips, who = people(6, 20)
    classes = np.random.default_rng(6).integers(0, 3, len(who))
    fit = PLDAFit(clips, who.astype(str), 3, "euc", Likelihood(dimensions=4), generated)
    for _ in range(times):
        fit.add(clips[who < 5], who[who < 5].astype(str), classes[who < 5])
    fit.add(clips[who >= 5], who[who >= 5].astype(str), classes[who >= 5])
    return fit.model()


def assert_close(found, expected):
    for one, other in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_generated_people_count_for_as_much_as_recorded_ones():
    """Fifteen of twenty are generated: as though each of the others had three times as many clips."""
    generated = {str(number) for number in range(5, 20)}
    assert_close(identities_of(generated), identities_of((), times=3))
    recorded = {str(number) for number in range(5)}
    assert_close(identities_of(recorded), identities_of((), times=3))  # which side is which does not matter


@pytest.mark.parametrize("generated", [map(str, range(20)), ["somebody"]])
def test_where_there_is_one_side_every_clip_counts_alike(generated):
    for one, other in zip(identities_of(list(generated))[1:], identities_of(())[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def gaussians(seed: int, classes: int, d: int, q: int = 2):
    """μ, F and Σ of each class, and what clips x [n, d] of classes [n] tell under them."""
    rng = np.random.default_rng(seed)
    means, factors = rng.standard_normal((classes, d)), rng.standard_normal((classes, d, q))
    noises = [np.cov(rng.standard_normal((d, 30))) for _ in range(classes)]
    projections = np.stack([np.linalg.solve(s, f) for s, f in zip(noises, factors, strict=True)])
    precisions = np.stack([f.T @ p for f, p in zip(factors, projections, strict=True)])

    def statistics(clips, of):
        h = np.stack([(x - means[k]) @ projections[k] for x, k in zip(clips, of, strict=True)])
        return IdentityStatistics(h, of, np.eye(classes, dtype=int), precisions)

    return (means, factors, noises), statistics


def log_density(clips, classes, means, factors, noises):
    """Of clips [n, d] of one subject, by the model itself."""
    stacked = np.concatenate([factors[k] for k in classes])
    return multivariate_normal(
        np.concatenate([means[k] for k in classes]),
        block_diag(*(noises[k] for k in classes)) + stacked @ stacked.T,
    ).logpdf(np.concatenate(clips))


def test_it_is_the_likelihood_ratio_of_the_model():
    """Against the densities themselves: of both clips together, and of each alone."""
    model, statistics = gaussians(3, 2, 5)
    clips, classes = np.random.default_rng(4).standard_normal((6, 5)), np.array([0, 1, 0, 1, 1, 0])
    both = statistics(clips, classes)
    found = distances(log_likelihood_ratio(both, both)).numpy()
    alone = [log_density(clips[[i]], classes[[i]], *model) for i in range(6)]
    for i in range(6):
        for j in range(6):
            same = log_density(clips[[i, j]], classes[[i, j]], *model)
            assert found[i, j] == pytest.approx(np.log1p(np.exp(alone[i] + alone[j] - same)), rel=1e-5)


@pytest.mark.parametrize("shrinkage", [0.25, 3.0])
def test_the_fit_is_ridge_regression_on_where_people_differ(shrinkage):
    """Against each class's regression on its own, of a class that some people are hardly in."""
    clips, who = people(4, 12)
    clips += 5 * np.random.default_rng(1).standard_normal(clips.shape[1:])
    classes = np.random.default_rng(2).integers(0, 2, len(who)) * (who < 8)
    fit = PLDAFit(clips, who, 2, "euc", Likelihood(dimensions=3, shrinkage=shrinkage))
    fit.add(clips, who, classes)
    model = fit.model()
    x = clips.reshape(len(clips), -1)
    means = np.stack([x[who == i].mean(0) for i in range(12)])
    directions = np.linalg.svd(means - means.mean(0))[2][:3]
    y = (means - means.mean(0)) @ directions.T
    y /= y.std(0)
    for k in (0, 1):
        mine, its = x[classes == k], y[who[classes == k]]
        n, size = mine.shape
        assert abs(its.mean(0)).max() > 0.1  # not everybody is in it alike
        middle, around = its.mean(0), its - its.mean(0)
        padded = np.concatenate([around, np.sqrt(module.RIDGE * n) * np.eye(3)])
        factors = np.linalg.lstsq(padded, np.concatenate([mine - mine.mean(0), np.zeros((3, size))]), rcond=None)[0].T
        rest = mine - mine.mean(0) - around @ factors.T
        noise = rest.T @ rest / n
        noise += shrinkage * np.trace(noise) / size * np.eye(size)
        np.testing.assert_allclose(model.mean[k], mine.mean(0) - factors @ middle, rtol=1e-8)
        projection = np.linalg.solve(noise, factors)
        # y's axes have no sign
        np.testing.assert_allclose(model.projection[k] @ model.projection[k].T, projection @ projection.T,
                                   rtol=1e-6, atol=1e-12)  # fmt: skip
        np.testing.assert_allclose(abs(model.precision[k]), abs(factors.T @ projection), rtol=1e-6, atol=1e-9)


def test_a_subject_seen_from_head_to_hip_is_found_by_the_legs():
    """Where nothing is seen on both sides, what goes together in people still tells; a distance cannot."""
    model = fitted()
    clips, who = people(7, 40)
    classes = np.tile([TOP, BOTTOM], len(who) // 2)
    seen = hidden(clips, classes, 9)
    probes, others = np.flatnonzero(classes == TOP), np.flatnonzero(classes == BOTTOM)
    statistics = model.statistics(seen, classes)
    (_, found), *_ = PLDAMatching(statistics, statistics).blocks(probes, others, who)
    plain = distance(seen[probes].astype(np.float32), seen[others].astype(np.float32))
    hits = [(who[others][d.argmin(1)] == who[probes]).mean() for d in (found.numpy(), plain)]
    assert hits[0] > 0.5 > 0.2 > hits[1]


MODEL = fitted()


def test_a_class_that_was_hardly_met_takes_the_model_of_all():
    clips, who = people(1)
    fit = PLDAFit(clips, who, 3, "euc", Likelihood())
    fit.add(clips, who, np.zeros(len(who), int))
    fit.add(clips[:3], who[:3], np.full(3, TOP))
    model = fit.model()
    assert model.known.tolist() == [True, False, False]
    assert model.statistics(clips[:3], np.array([0, TOP, BOTTOM])).of.tolist() == [0, 3, 3]


def test_large_embeddings_are_modelled_by_the_main_directions_of_each_part(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 8)
    rng = np.random.default_rng(0)
    clips = rng.standard_normal((50, 6, 4)) * np.array([5, 4, 0.01, 0.01, 0.01, 0.01])[:, None]
    found = vectors(clips, "euc")
    assert found.directions.shape == (4, 6, 2) and found(clips).shape == (50, 8)
    kept = np.square(found(clips) - found(clips).mean(0)).sum()
    assert kept / np.square(clips - clips.mean(0)).sum() > 0.99


def test_cosine_looks_at_the_direction_of_each_part_alone():
    clips, who = people(1)
    fit = PLDAFit(clips, who, 1, "cos", Likelihood())
    fit.add(clips, who, np.zeros(len(who), int))
    model = fit.model()
    longer = clips * np.array([1, 2, 3, 4])
    np.testing.assert_allclose(model.statistics(clips, who * 0).h, model.statistics(longer, who * 0).h, atol=1e-8)


def test_a_recognition_takes_it_in_place_of_a_distance():
    model = fitted()
    clips, who = people(11, 30)
    classes = np.random.default_rng(5).integers(0, 3, len(who))
    seen = hidden(clips, classes, 1)
    statistics = model.statistics(seen, classes)
    names = [f"{i:03d}" for i in who], ["01", "02"] * (len(who) // 2), ["v"] * len(who)
    plain, by_plda = (
        scores(evaluate_embeddings(seen, seen, *names, protocol("GREW"), weights=how).headline)
        for how in (None, PLDAMatching(statistics, statistics))
    )
    assert by_plda["Rank-1"] > plain["Rank-1"] + 10 and by_plda["TAR@0.01"] > plain["TAR@0.01"]


def test_what_several_clips_tell_of_a_subject_is_the_models_too():
    """Against the densities: of a probe and all clips of a subject together, and of both apart."""
    model, of = gaussians(8, 3, 4)
    clips, classes = np.random.default_rng(9).standard_normal((8, 4)), np.array([0, 1, 2, 1, 1, 0, 0, 2])
    statistics = of(clips, classes)
    who = np.array([0, 1, 0, 0, 2, 1])  # of the last six; the first two are probes
    subjects = statistics.rows(np.arange(2, 8)).per_subject(who, 3)
    found = log_likelihood_ratio(statistics.rows(np.arange(2)), subjects).numpy()
    for i in (0, 1):
        for subject in (0, 1, 2):
            theirs = 2 + np.flatnonzero(who == subject)
            all_of_them = [i, *theirs]
            expected = (
                log_density(clips[all_of_them], classes[all_of_them], *model)
                - log_density(clips[[i]], classes[[i]], *model)
                - log_density(clips[theirs], classes[theirs], *model)
            )
            assert found[i, subject] == pytest.approx(expected, rel=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.booleans(), st.booleans(), st.integers(1, 9))
def test_a_clip_is_helped_by_the_others_of_its_subject(seed, subject_level, by_view, rows):
    """One pair at a time: the mean of the clip's ratio and its subject's, without clips of the probe's view."""
    rng, n = np.random.default_rng(seed), 14
    embeddings, classes = 3 * rng.standard_normal((n, CHANNELS, PARTS)), rng.integers(0, 3, n)
    labels, views = rng.integers(0, 4, n), rng.integers(0, 3, n)
    statistics = MODEL.statistics(embeddings, classes)
    probes, gallery = rng.permutation(n)[:5], rng.permutation(n)[:9]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CELLS_AT_ONCE", 9 * rows)
        matching = PLDAMatching(statistics, statistics, subject_level)
        blocks = list(matching.blocks(probes, gallery, labels, views if by_view else None))
    assert len(blocks) == -(-5 // rows)
    found = np.concatenate([block.numpy() for _, block in blocks])
    assert (found >= 0).all()
    for i, probe in enumerate(probes):
        for j, clip in enumerate(gallery):
            helping = [g for g in gallery if labels[g] == labels[clip] and not (by_view and views[g] == views[probe])]
            ratio = log_likelihood_ratio(statistics.rows([probe]), statistics.rows([clip]))
            if helping and subject_level:
                subject = statistics.rows(helping).per_subject(np.zeros(len(helping), int), 1)
                ratio = (ratio + log_likelihood_ratio(statistics.rows([probe]), subject)) / 2
            assert found[i, j] == pytest.approx(float(distances(ratio)), rel=1e-5, abs=1e-7)


def test_clips_that_a_protocol_removes_do_not_help_either():
    """Without a probe's own clips of its view, what these show must not matter to it; to other probes it does."""
    clips, who = people(2, 20, noise=1.0)
    types, views = np.tile(["01", "01", "01", "01", "02", "02"], 20), np.tile(["a", "a", "b", "b", "a", "b"], 20)
    names = [f"{i:03d}" for i in who], types.tolist(), views.tolist()
    asked = protocol("Mine", gallery="01", probe="02", cross_view="exclude")
    changed = clips.copy()
    changed[(who == 0) & (types == "01") & (views == "a")] *= -1
    classes = np.zeros(len(who), int)
    hits, precision = [], []
    for seen in (clips, changed):
        statistics = MODEL.statistics(seen, classes)
        found = evaluate_embeddings(
            seen, seen, *names, asked, weights=PLDAMatching(statistics, statistics, True)
        ).headline
        hits.append(dict(zip(found.probes.tolist(), found.hits, strict=True)))
        precision.append(dict(zip(found.probes.tolist(), found.precision, strict=True)))
    from_a, from_b = (int(np.flatnonzero((who == 0) & (types == "02") & (views == view))[0]) for view in "ab")
    np.testing.assert_array_equal(hits[0][from_a], hits[1][from_a])
    assert precision[0][from_a] == precision[1][from_a] and precision[0][from_b] != precision[1][from_b]


def test_too_little_to_learn_from():
    clips, who = people(0, 2)
    with pytest.raises(DataError, match="2 subjects to learn from"):
        PLDAFit(clips, who, 1, "euc", Likelihood())
    clips, who = people(0, 3)
    PLDAFit(clips, who, 1, "euc", Likelihood()).add(clips, who, np.zeros(len(who), int))
    clips, who = people(0, 5)
    with pytest.raises(DataError, match="no clips"):
        PLDAFit(clips, who, 1, "euc", Likelihood()).model()
    with pytest.raises(DataError, match="not finite"):
        PLDAFit(clips * np.nan, who, 1, "euc", Likelihood())


@pytest.mark.parametrize("largest", [2048, 8])
def test_neither_order_nor_how_many_clips_are_taken_at_once_matter(monkeypatch, largest):
    monkeypatch.setattr(module, "LARGEST", largest)
    clips, who = people(1, 10)
    classes = np.random.default_rng(2).integers(0, 3, len(who))
    found = []
    for at_once, order in ((4096, np.arange(len(who))), (7, np.random.default_rng(3).permutation(len(who)))):
        monkeypatch.setattr(module, "CLIPS_AT_ONCE", at_once)
        fit = PLDAFit(clips, who, 3, "cos", Likelihood(dimensions=4))
        for part in np.array_split(order, 5):
            fit.add(clips[part], who[part], classes[part])
        statistics = fit.model().statistics(clips, classes)
        found.append(log_likelihood_ratio(statistics, statistics))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"format": np.array([1, 1])},
        {"metric": np.array(["euc", "euc"])},
        {"metric": np.array("manhattan")},
        {"fingerprint": np.array(["f"])},
        {"kinds": np.array("clean")},
        {"kinds": np.array([["clean"], ["top"], ["bottom"]])},
        {"directions": np.zeros((PARTS, CHANNELS, CHANNELS + 1))},
        {"mean": np.zeros(3)},
        {"known": np.ones(2, bool)},
        {"more": np.zeros(1)},
    ],
    ids=str,
)
def test_a_file_that_is_no_model_of_identities_is_refused(tmp_path, change):
    path = tmp_path / "identities.npz"
    write_plda(path, TrainedPLDA(fitted(dimensions=4), ("clean", "top", "bottom"), "f"))
    assert read_plda(path).kinds == ("clean", "top", "bottom")
    with np.load(path) as stored:
        np.savez(path, **{**stored, **change})
    with pytest.raises(DataError, match="not a model of identities"):
        read_plda(path)


def test_main_directions_come_back_with_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 8)
    model = fitted(dimensions=4)
    write_plda(tmp_path / "identities.npz", TrainedPLDA(model, ("clean", "top", "bottom"), "f"))
    found = read_plda(tmp_path / "identities.npz").plda.vectors.directions
    np.testing.assert_array_equal(found, model.vectors.directions)
    assert found.shape == (PARTS, CHANNELS, 2)
    learned = read_plda(tmp_path / "identities.npz")
    with pytest.raises(DataError, match=r"not one of embeddings \[4, 3\]"):
        learned.statistics(np.zeros((2, PARTS, CHANNELS)), ["top", "top"])
    assert len(learned.statistics(np.zeros((2, CHANNELS, PARTS)), ["top", "clean"]).h) == 2
