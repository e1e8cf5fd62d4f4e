from pathlib import Path

import numpy as np
import pytest

from opengait_mimic.data import mocap
from opengait_mimic.errors import DataError
from opengait_mimic.walkers.render import JOINTS, NOISY
from opengait_mimic.walkers.walkers import joints, sample_subject, sample_walk

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def walk(frames=60, heading=0.0, speed=1.2, seed=0):
    """A generated walk that covers ground, heading degrees away from +z towards +x."""
    rng = np.random.default_rng(seed)
    positions, _ = joints(sample_walk(sample_subject(rng), rng, condition="nm"), frames, fps=30)
    positions = positions.astype(float)
    positions[..., 2] += speed * np.arange(frames)[:, None] / 30
    angle = np.deg2rad(heading)
    x, z = positions[..., 0].copy(), positions[..., 2].copy()
    positions[..., 0] = x * np.cos(angle) + z * np.sin(angle)
    positions[..., 2] = -x * np.sin(angle) + z * np.cos(angle)
    return positions


def record(path, *trials, names=JOINTS, **changes):
    stored = {
        "fps": 30,
        "joints": np.array(names),
        "trials": np.array([f"{path.stem}_{i}" for i in range(len(trials))]),
        "cond": np.array(["nm"] * len(trials)),
        "lengths": np.array([len(trial) for trial in trials]),
        "pos": np.rint(1000 * np.concatenate(trials)).astype(np.int16),
    }
    stored.update(changes)
    np.savez(path, **{key: value for key, value in stored.items() if value is not None})
    return path


def test_trials_come_back_in_metres(tmp_path):
    first, second = walk(60), walk(45, seed=1)
    recording = mocap.load(record(tmp_path / "s1.npz", first, second))
    assert recording.subject == "s1" and recording.fps == 30
    assert list(recording.trials) == ["s1_0", "s1_1"]
    assert np.allclose(recording.trials["s1_1"], second, atol=6e-4)


def test_joints_are_found_by_name(tmp_path):
    order = np.random.default_rng(0).permutation(len(JOINTS))
    shuffled = record(tmp_path / "s1.npz", walk()[:, order], names=[JOINTS[i] for i in order])
    assert np.allclose(mocap.load(shuffled).trials["s1_0"], walk(), atol=6e-4)


@pytest.mark.parametrize("heading", [30, 90, 180, -135])
def test_a_view_means_the_same_whatever_way_the_walk_goes(tmp_path, heading):
    def render(turn, view):
        path = record(tmp_path / "s1.npz", walk(heading=turn))
        return next(mocap.clips(path, view, 30)).sils > 0

    for view in (0, 90):
        straight, turned = render(0, view), render(heading, view)
        different = [
            min((np.roll(b, shift, 1) != a).sum() for shift in (-1, 0, 1))
            for a, b in zip(straight, turned, strict=True)
        ]
        assert np.mean(different) < 0.06 * straight.sum() / len(straight)


def test_walking_on_the_spot_takes_the_direction_from_the_hips():
    turned = mocap.face_forward(walk(heading=70, speed=0.0))
    assert np.allclose(turned, walk(speed=0.0), atol=0.06)


def test_clips_cut_trials_and_know_where_they_come_from(tmp_path):
    path = record(tmp_path / "s1.npz", walk(60), walk(45, seed=1), walk(19, seed=2))
    found = list(mocap.clips(path, 90, 20))
    assert [(clip.trial, clip.start) for clip in found] == [
        ("s1_0", 0), ("s1_0", 20), ("s1_0", 40), ("s1_1", 0), ("s1_1", 20),
    ]  # fmt: skip
    assert all(clip.sils.shape == (20, 64, 64) and clip.sils.dtype == np.uint8 for clip in found)
    overlapping = [clip.start for clip in mocap.clips(path, 90, 20, stride=10) if clip.trial == "s1_0"]
    assert overlapping == [0, 10, 20, 30, 40]


def test_noise_depends_on_the_clip_not_on_the_order(tmp_path):
    path = record(tmp_path / "s1.npz", walk(60), walk(45, seed=1))
    coarse = {(c.trial, c.start): c.sils for c in mocap.clips(path, 90, 20, 20, noise=NOISY, seed=4)}
    fine = {(c.trial, c.start): c.sils for c in mocap.clips(path, 90, 20, 10, noise=NOISY, seed=4)}
    assert all(np.array_equal(fine[key], sils) for key, sils in coarse.items())
    other = next(mocap.clips(path, 90, 20, noise=NOISY, seed=5)).sils
    assert not np.array_equal(coarse["s1_0", 0], other)


def test_radii_follow_stature(tmp_path):
    small = mocap.build(mocap.load(record(tmp_path / "s1.npz", walk())))
    tall = mocap.build(mocap.load(record(tmp_path / "s2.npz", 1.2 * walk())))
    assert tall.thigh / small.thigh == pytest.approx(1.2, rel=0.01)
    assert tall.head / small.head == pytest.approx(1.2, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"lengths": None}, "lacks lengths"),
        ({"names": [*JOINTS[:-1], "tail"]}, "lacks r_toe"),
        ({"lengths": np.array([7])}, "do not fit"),
        ({"trials": np.array(["a", "a"])}, "repeats"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, changes, why):
    path = record(tmp_path / "s1.npz", walk(), walk(), **changes)
    with pytest.raises(DataError, match=rf"^{path}: .*{why}"):
        mocap.load(path)


def test_what_is_no_file_or_no_clip_is_said(tmp_path):
    with pytest.raises(DataError, match=r"no such recording: .*nobody"):
        mocap.load(tmp_path / "nobody.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(DataError, match=r"text\.npz: cannot be read"):
        mocap.load(tmp_path / "text.npz")
    with pytest.raises(ValueError, match="stride"):
        next(mocap.clips(record(tmp_path / "s5.npz", walk()), 90, 20, 0))


@pytest.mark.parametrize(
    "folder, name",
    [("cmu-walk", "cmu07"), ("cmu-walk", "cmu32"), ("tnsre18-walk", "tnA01"), ("tnsre18-walk", "tnD02")],
)
def test_recorded_walks_look_like_walking_people(folder, name):
    path = SHARED / folder / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"no recordings at {path.parent}")
    recording = mocap.load(path)
    assert 0.8 < mocap.build(recording).head / 0.085 < 1.25
    for positions in recording.trials.values():
        walked = mocap.face_forward(positions)
        pelvis = walked[:, JOINTS.index("pelvis")]
        assert pelvis[-1, 2] - pelvis[0, 2] > 1
        assert abs(pelvis[-1, 0] - pelvis[0, 0]) < 1e-3
        assert np.median(walked[:, JOINTS.index("l_hip"), 0] - walked[:, JOINTS.index("r_hip"), 0]) > 0.05
    side, front = (next(mocap.clips(path, view, 45)).sils > 0 for view in (90, 0))
    assert side.any(2)[:, [1, 62]].all()
    legs = side[:, 50:].any(1).sum(1)  # the stride opens and closes
    assert legs.max() > legs.min() + 8
    assert side[:, 50:].any(1).sum(1).max() > front[:, 50:].any(1).sum(1).max() + 5
    assert front[:, 12:28].sum((1, 2)).mean() > 1.2 * side[:, 12:28].sum((1, 2)).mean()  # shoulders
