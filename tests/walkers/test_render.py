import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opengait_mimic.walkers.render import CLEAN, JOINTS, NOISY, Build, Capsules, Noise, flesh, silhouettes
from opengait_mimic.walkers.walkers import joints, sample_subject, sample_walk


def body(seed=0, frames=30, condition="nm"):
    rng = np.random.default_rng(seed)
    positions, build = joints(sample_walk(sample_subject(rng), rng, condition=condition), frames)
    return flesh(positions, build)


def one_capsule(ax, ay, ar, bx, by, br):
    return Capsules(np.float32([[[ax, ay, 0]]]), np.float32([[[bx, by, 0]]]), np.float32([ar]), np.float32([br]))


def median_column(frame):
    columns = np.cumsum((frame > 0).sum(0))
    return int(np.searchsorted(columns, columns[-1] / 2))


def touched_rows(frame):
    rows = np.flatnonzero(frame.any(1))
    return rows[0], rows[-1]


@pytest.mark.parametrize("view", [0, 45, 90, 137.5, 180, 270, -30])
@pytest.mark.parametrize("width", [64, 44])
def test_silhouettes_are_bytes_of_two_values(view, width):
    sils = silhouettes(body(frames=7), view, width)
    assert sils.dtype == np.uint8 and sils.shape == (7, 64, width)
    assert set(np.unique(sils)) == {0, 255}


@pytest.mark.parametrize("view", [0, 45, 90, 180])
def test_body_fills_the_height_and_is_centred_on_its_median(view):
    for seed in range(5):
        for frame in silhouettes(body(seed, condition="bg"), view):
            first, last = touched_rows(frame)
            assert first <= 1 and last >= 62
            assert median_column(frame) == 32


def test_44_columns_are_the_centre_of_64():
    wide = silhouettes(body(), 60, 64, NOISY, np.random.default_rng(3))
    narrow = silhouettes(body(), 60, 44, NOISY, np.random.default_rng(3))
    assert np.array_equal(narrow, wide[:, :, 10:54])


across = st.floats(-0.3, 0.3)
upright = st.floats(-1, 1)
radius = st.floats(0.05, 0.5)


@settings(max_examples=100, deadline=None)
@given(ax=across, ay=upright, ar=radius, bx=across, by=upright, br=radius)
def test_a_capsule_is_the_hull_of_its_two_discs(ax, ay, ar, bx, by, br):
    top, bottom = max(ay + ar, by + br), min(ay - ar, by - br)
    scale = 64 / (top - bottom)
    assume((abs(bx - ax) + 2 * max(ar, br)) * scale < 60)  # it fits into the picture
    drawn = silhouettes(one_capsule(ax, ay, ar, bx, by, br), 0)[0] > 0

    along = np.linspace(0, 1, 400)[:, None, None]
    x = 32 + (along - 0.5) * (bx - ax) * scale
    y = (top - ay - along * (by - ay)) * scale
    r = (ar + along * (br - ar)) * scale
    pixels = np.arange(64) + 0.5
    hull = (np.hypot(pixels[None, None, :] - x, pixels[None, :, None] - y) <= r).any(0)
    shift = 32 - median_column(hull)
    differing = min((np.roll(hull, shift + one, 1) != drawn).sum() for one in (-1, 0, 1))
    assert differing <= 6  # pixels whose centre lies on the outline


def test_front_and_back_are_mirror_images():
    front, back = silhouettes(body(), 0), silhouettes(body(), 180)
    for a, b in zip(front, back[:, :, ::-1], strict=True):
        # Mirrored, column 32 is column 31; one more where a column ends on exactly half of the pixels.
        assert min((np.roll(b, shift, 1) != a).mean() for shift in (1, 2)) < 0.005


def test_side_view_walks_to_the_right_of_the_picture():
    # Feet point forwards: low down there is more to the right of the ankles than to the left.
    positions = np.zeros((1, 18, 3), np.float32)
    heights = {"pelvis": 0.95, "spine": 1.2, "neck": 1.4, "head": 1.6, "shoulder": 1.35, "elbow": 1.05,
               "wrist": 0.8, "hip": 0.88, "knee": 0.45, "ankle": 0.06, "toe": 0.02}  # fmt: skip
    for number, name in enumerate(JOINTS):
        side, part = (name[0], name[2:]) if name[1] == "_" else ("", name)
        positions[0, number] = [{"l": 0.1, "r": -0.1, "": 0.0}[side], heights[part], 0.15 * (part == "toe")]
    feet = silhouettes(flesh(positions, Build()), 90)[0, -2] > 0
    middle = 32
    assert feet[middle:].sum() > 2 * feet[:middle].sum()


def test_noise_is_seeded_and_clean_is_the_absence_of_it():
    again = [silhouettes(body(), 90, 64, NOISY, np.random.default_rng(5)) for _ in range(2)]
    other = silhouettes(body(), 90, 64, NOISY, np.random.default_rng(6))
    assert np.array_equal(*again)
    assert not np.array_equal(again[0], other)
    unused = np.random.default_rng(5)
    assert np.array_equal(silhouettes(body(), 90, 64, CLEAN, unused), silhouettes(body(), 90))


def test_edge_noise_changes_edges_only():
    clean = silhouettes(body(), 90) > 0
    rough = silhouettes(body(), 90, 64, Noise(edge=0.3, holes=0, crop=0), np.random.default_rng(0)) > 0
    assert 0.002 < (clean != rough).mean() < 0.03


def test_holes_only_take_away_from_the_body():
    clean = silhouettes(body(), 90) > 0
    holed = silhouettes(body(), 90, 64, Noise(edge=0, holes=0.4, crop=0), np.random.default_rng(0)) > 0
    changed = [i for i in range(len(clean)) if not np.array_equal(clean[i], holed[i])]
    assert 2 <= len(changed) <= 22
    assert holed.sum() < clean.sum()


def test_crop_noise_moves_the_box_by_about_a_pixel():
    jittered = silhouettes(body(), 90, 64, Noise(edge=0, holes=0, crop=0.5), np.random.default_rng(0))
    rows = np.array([touched_rows(frame) for frame in jittered])
    assert rows[:, 0].max() <= 3 and rows[:, 1].min() >= 60
    assert len({median_column(frame) for frame in jittered}) > 1


def test_a_frame_does_not_depend_on_the_length_of_the_clip():
    long = body(frames=60)
    first = Capsules(long.start[:5], long.end[:5], long.start_radius, long.end_radius)
    assert np.array_equal(silhouettes(long, 90)[:5], silhouettes(first, 90))


@pytest.mark.parametrize("bag", ["backpack", "shoulder bag", "hand bag"])
def test_bag_and_coat_add_to_the_body(bag):
    rng = np.random.default_rng(0)
    positions, _ = joints(sample_walk(sample_subject(rng), rng, condition="nm"), 30)
    plain = (silhouettes(flesh(positions, Build()), 90) > 0).sum()
    assert (silhouettes(flesh(positions, Build(bag=bag)), 90) > 0).sum() > 1.005 * plain
    assert (silhouettes(flesh(positions, Build(coat=True)), 90) > 0).sum() > 1.02 * plain


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="width is 32"):
        silhouettes(body(), 90, 32)
    with pytest.raises(ValueError, match="generator"):
        silhouettes(body(), 90, 64, NOISY)
    with pytest.raises(ValueError, match=r"\[s, 18, 3\]"):
        flesh(np.zeros((4, 17, 3)), Build())
    with pytest.raises(ValueError, match="'suitcase'"):
        flesh(np.zeros((4, 18, 3)), Build(bag="suitcase"))
    with pytest.raises(ValueError, match="no frames"):
        silhouettes(flesh(np.zeros((0, 18, 3)), Build()), 90)
