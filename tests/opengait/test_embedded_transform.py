"""The embedded host's augmentations: shapes, ranges, one geometry for a whole clip."""

from __future__ import annotations

import random

import numpy as np
import pytest

from opengait_mimic.opengait.activation import activate

activate("embedded")

from data import transform  # noqa: E402
from data.transform import get_transform, rotate, stretch  # noqa: E402


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)


def test_scaling_brings_grey_values_to_0_1(clip):
    out = get_transform({"type": "BaseSilTransform"})(clip)
    assert out.dtype == np.float32 and np.allclose(out, clip / 255)
    assert get_transform({"type": "BaseSilTransform", "img_shape": [1, 64, 64]})(clip).shape == (3, 1, 64, 64)


@pytest.mark.parametrize(
    ("width", "options", "left"), [(64, {}, 10), (128, {}, 20), (44, {}, 0), (64, {"cutting": 3}, 3)]
)
def test_cutting_takes_10_columns_per_64_off_each_side(width, options, left):
    clip = np.broadcast_to(np.arange(width, dtype=np.uint8), (2, 5, width))
    out = get_transform({"type": "BaseSilCuttingTransform", "divsor": 1.0, **options})(clip)
    assert out.dtype == np.float32
    assert out[1, 3].tolist() == list(range(left, width - left))


@pytest.mark.parametrize("name", ["RandomHorizontalFlip", "RandomRotate", "RandomPerspective", "RandomErasing"])
def test_at_probability_0_nothing_changes(clip, name):
    out = get_transform({"type": name, "prob": 0})(clip)
    assert out.dtype == clip.dtype and np.array_equal(out, clip)


@pytest.mark.parametrize("name", ["RandomRotate", "RandomPerspective"])
@pytest.mark.parametrize("shape", [(1, 64, 64), (4, 64, 44), (2, 32, 22)])
def test_a_warped_clip_keeps_shape_and_range_and_has_one_geometry(name, shape):
    random.seed(1)
    frame = np.random.default_rng(0).integers(0, 256, shape[1:], dtype=np.uint8)
    out = get_transform({"type": name, "prob": 1})(np.broadcast_to(frame, shape))
    assert out.shape == shape and out.dtype == np.float32
    assert out.min() >= 0 and out.max() <= 255.001
    assert all(np.array_equal(other, out[0]) for other in out)


def test_flipping_mirrors_the_columns_and_keeps_the_dtype(clip):
    out = get_transform({"type": "RandomHorizontalFlip", "prob": 1})(clip)
    assert out.dtype == np.uint8 and np.array_equal(out, clip[:, :, ::-1])


def test_rotation_by_a_quarter_turn_is_anticlockwise(clip):
    assert np.allclose(rotate(clip, 90), np.rot90(clip, axes=(1, 2)), atol=0.1)


def test_rotation_moves_a_dot_by_the_angle():
    clip = np.zeros((1, 65, 65), np.float32)
    clip[0, 32, 62] = 1.0  # 30 columns right of the centre
    rows, columns = np.nonzero(rotate(clip, 10)[0] > 0.05)
    assert abs(columns.mean() - (32 + 30 * np.cos(np.deg2rad(10)))) < 0.6
    assert abs(rows.mean() - (32 - 30 * np.sin(np.deg2rad(10)))) < 0.6


def test_rotation_angles_stay_within_the_degree(monkeypatch, clip):
    angles = []
    monkeypatch.setattr(transform, "rotate", lambda c, angle: angles.append(angle) or c)
    for _ in range(200):
        get_transform({"type": "RandomRotate", "prob": 1, "degree": 7})(clip)
    assert -7 <= min(angles) < -5 and 5 < max(angles) <= 7


def test_stretching_maps_the_quadrilaterals_corners_to_the_frames():
    clip = np.zeros((2, 40, 44), np.float32)
    for row, column in ((0, 4), (0, 33), (39, 43), (39, 8)):
        clip[:, row, column] = 1.0
    out = stretch(clip, [4, 10, 0, 8])
    assert np.allclose(out[:, [0, 0, -1, -1], [0, -1, -1, 0]], 1.0, atol=1e-3)


def test_stretching_by_nothing_is_the_identity(clip):
    assert np.allclose(stretch(clip, [0, 0, 0, 0]), clip, atol=0.05)


@pytest.mark.parametrize(("width", "most"), [(44, 10), (88, 20), (64, 10)])
def test_perspective_moves_corners_inwards_by_10_columns_per_44(monkeypatch, width, most):
    shifts = []
    monkeypatch.setattr(transform, "stretch", lambda c, inwards: shifts.extend(inwards) or c)
    for _ in range(100):
        get_transform({"type": "RandomPerspective", "prob": 1})(np.zeros((1, 64, width)))
    assert len(shifts) == 400 and 0 <= min(shifts) < 1 and most - 1 < max(shifts) <= most


def test_erasing_blacks_out_one_rectangle_of_the_asked_share_in_all_frames():
    clip = np.full((3, 64, 44), 255, np.uint8)
    erase = get_transform({"type": "RandomErasing", "prob": 1, "sl": 0.1, "sh": 0.2})
    random.seed(0)
    sizes = []
    for _ in range(50):
        out = erase(clip)
        black = out == 0
        assert out.dtype == clip.dtype and (clip == 255).all() and (black == black[0]).all()
        rows, columns = black[0].any(1), black[0].any(0)
        assert np.array_equal(black[0], rows[:, None] & columns), "one rectangle"
        sizes.append((rows.sum(), columns.sum()))
    shares = [rows * columns / (64 * 44) for rows, columns in sizes]
    assert 0.09 < min(shares) < 0.12 and 0.18 < max(shares) < 0.21
    assert min(rows / columns for rows, columns in sizes) < 0.7 and max(r / c for r, c in sizes) > 2
    large = get_transform({"type": "RandomErasing", "prob": 1, "sl": 1.0, "sh": 1.0, "r1": 1.0})(clip)
    assert (large == 0).mean() == 53 / 64, "a square of 53 pixels, of which 44 columns fit"


def test_randomness_comes_from_pythons_generator(clip):
    outs = []
    for _ in range(2):
        random.seed(5)
        outs.append(get_transform({"type": "RandomRotate"})(clip))
    assert np.array_equal(*outs)


def test_compose_applies_in_order_and_a_list_gives_one_transform_per_stream(clip):
    cut = {"type": "BaseSilCuttingTransform"}
    out = get_transform({"type": "Compose", "trf_cfg": [{"type": "RandomHorizontalFlip", "prob": 1}, cut]})(clip)
    assert np.allclose(out, clip[:, :, 10:54][:, :, ::-1] / 255)
    first, second = get_transform([cut, None])
    assert first(clip).shape == (3, 64, 44) and second(clip) is clip


def test_transforms_are_looked_up_when_used(monkeypatch, clip):
    monkeypatch.setattr(transform, "Negative", lambda: lambda c: 255 - c, raising=False)
    assert np.array_equal(get_transform({"type": "Negative"})(clip), 255 - clip)


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"type": "RandomRotat"}, "unknown transform 'RandomRotat'; did you mean 'RandomRotate'"),
        ({"type": "RandomRotate", "degrees": 3}, "transform RandomRotate.*degrees"),
    ],
)
def test_a_wrong_transform_is_refused(cfg, message):
    with pytest.raises(ValueError, match=message):
        get_transform(cfg)
