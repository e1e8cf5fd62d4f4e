import numpy as np
import pytest

from opengait_mimic.walkers.render import BAGS, JOINTS
from opengait_mimic.walkers.walkers import TRAITS, Walk, joints, sample_subject, sample_walk, walker_sequence

AVERAGE = Walk(np.zeros(len(TRAITS)), 90.0, 0.0, 1.0, 1.0, 1.0, False, None, 0.1)


def person(seed):
    return sample_subject(np.random.default_rng(seed))


def walks(count, condition="mixed"):
    rng = np.random.default_rng(1)
    return [sample_walk(sample_subject(rng), rng, 90, condition) for _ in range(count)]


def joint(positions, name):
    return positions[:, JOINTS.index(name)].astype(float)


def flexion(positions, upper, middle, lower):
    """Degrees by which a limb is bent at its middle joint."""
    a = joint(positions, middle) - joint(positions, upper)
    b = joint(positions, lower) - joint(positions, middle)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_traits_are_standard_scores_with_twelve_shared_dimensions():
    traits = np.array([person(seed) for seed in range(2000)])
    assert np.abs(traits.mean(0)).max() < 0.12
    assert np.allclose(traits.std(0), 1, atol=0.12)
    variance = np.linalg.eigvalsh(np.cov(traits.T))[::-1]
    assert 0.75 < variance[:12].sum() / variance.sum() < 0.9


def test_upper_body_predicts_lower_body():
    traits = np.array([person(seed) for seed in range(1500)])
    below = ("hip_", "knee_", "ankle_", "thigh_", "shank_", "calf_", "foot_")
    lower = [i for i, name in enumerate(TRAITS) if name.startswith(below)]
    upper = [i for i in range(len(TRAITS)) if i not in lower]
    weights, *_ = np.linalg.lstsq(traits[:1000, upper], traits[:1000, lower], rcond=None)
    residual = traits[1000:, lower] - traits[1000:, upper] @ weights
    assert 1 - residual.var() / traits[1000:, lower].var() > 0.6


def test_sequences_of_a_person_spread_by_three_tenths_of_the_population():
    rng = np.random.default_rng(0)
    subject = person(0)
    scores = np.array([sample_walk(subject, rng).traits for _ in range(400)]) - subject
    assert 0.29 < scores.std() < 0.31


def test_views_bags_speed_and_clothing_vary_as_stated():
    drawn = walks(1500)
    views = np.array([walk.view for walk in drawn])
    assert views.min() >= 78 and views.max() <= 102 and views.std() > 6
    assert 0.2 < np.mean([walk.bag is not None for walk in drawn]) < 0.3
    assert {walk.bag for walk in drawn} == {None, *BAGS}
    assert 0.045 < np.std([walk.pace for walk in drawn]) < 0.055
    assert 0.036 < np.std([walk.upper for walk in drawn]) < 0.044
    low, middle, high = np.quantile([walk.cycle for walk in drawn], [0.05, 0.5, 0.95])
    assert 0.9 < low < 1.05 < middle < 1.15 < high < 1.35


def test_conditions():
    assert all(walk.bag is None and not walk.coat for walk in walks(20, "nm"))
    assert all(walk.bag in BAGS for walk in walks(20, "bg"))
    assert all(walk.coat and walk.bag is None for walk in walks(20, "cl"))
    with pytest.raises(ValueError, match="'running'"):
        sample_walk(person(0), np.random.default_rng(0), 90, "running")


def test_average_walk_follows_the_normative_curves():
    positions, _ = joints(AVERAGE, 100, fps=100 / AVERAGE.cycle)
    knee = flexion(positions, "l_hip", "l_knee", "l_ankle")
    assert 55 < knee.max() < 65 and 65 < knee.argmax() < 80  # swing
    assert 14 < knee[5:30].max() < 24  # loading response
    assert knee[35:45].min() < 8
    thigh = joint(positions, "l_knee") - joint(positions, "l_hip")
    hip = np.degrees(np.arctan2(thigh[:, 2], -thigh[:, 1]))
    assert 28 < hip.max() < 34 and -13 < hip.min() < -7
    assert 15 < flexion(positions, "l_shoulder", "l_elbow", "l_wrist").min() < 20


def test_left_and_right_are_half_a_cycle_apart_and_arms_swing_against_legs():
    for walk in walks(10):
        positions, _ = joints(walk, 100, fps=100 / walk.cycle)
        left, right = (joint(positions, name)[:, 2] for name in ("l_ankle", "r_ankle"))
        turn = np.angle(np.fft.rfft(left)[1] / np.fft.rfft(right)[1])
        assert abs(turn) > np.pi - 0.3
        assert np.corrcoef(left, np.roll(right, 50))[0, 1] > 0.9
    positions, _ = joints(AVERAGE, 100, fps=100 / AVERAGE.cycle)
    assert np.corrcoef(joint(positions, "l_ankle")[:, 2], joint(positions, "l_wrist")[:, 2])[0, 1] < -0.8


def test_a_walk_repeats_after_its_cycle():
    for walk in walks(5):
        positions, _ = joints(walk, 41, fps=20 / walk.cycle)
        assert np.allclose(positions[:21], positions[20:], atol=1e-4)
        assert np.abs(positions[0] - positions[10]).max() > 0.05


def test_the_lower_foot_stands_on_the_floor_and_bones_keep_their_length():
    for walk in walks(5):
        positions, _ = joints(walk, 40)
        assert positions.dtype == np.float32 and positions.shape == (40, 18, 3)
        assert np.allclose(positions[..., 1].min(1), 0, atol=1e-6)
        assert 1.2 < positions[..., 1].max() < 2.1
        bones = ("l_hip", "l_knee"), ("r_knee", "r_ankle"), ("l_shoulder", "l_elbow"), ("pelvis", "neck")
        for a, b in bones:
            length = np.linalg.norm(joint(positions, a) - joint(positions, b), axis=1)
            assert length.std() < 0.02 * length.mean()


def test_a_sequence_is_determined_by_its_numbers():
    first, again, other = (walker_sequence(0, 3, number, 12) for number in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.shape == (12, 64, 64)


def test_a_walk_has_a_frame_at_least():
    with pytest.raises(ValueError, match="frames must be >= 1"):
        joints(AVERAGE, 0)


def nearest_neighbour(gallery, probe):
    """Rank-1 of pictures [subjects, sequences, 64, 64] by Euclidean distance."""
    subjects, per_gallery, per_probe = len(gallery), gallery.shape[1], probe.shape[1]
    g, p = gallery.reshape(subjects * per_gallery, -1), probe.reshape(subjects * per_probe, -1)
    distance = (p**2).sum(1)[:, None] + (g**2).sum(1) - 2 * p @ g.T
    return np.mean(distance.argmin(1) // per_gallery == np.arange(len(p)) // per_probe)


def test_people_can_be_told_apart_but_not_from_a_single_frame():
    sils = np.array([[walker_sequence(0, i, j, 30) for j in range(6)] for i in range(40)])
    energy, single = sils.mean(2), sils[:, :, 0].astype(float)
    assert 0.5 < nearest_neighbour(energy[:, :2], energy[:, 2:]) < 0.98
    assert 1.5 / 40 < nearest_neighbour(single[:, :2], single[:, 2:]) < 0.4
