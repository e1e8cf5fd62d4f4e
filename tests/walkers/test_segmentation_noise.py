"""How rough outlines are, measured on silhouettes, and walkers made alike."""

import json

import numpy as np
import pytest

from opengait_mimic.data.read import read_frames
from opengait_mimic.data.tree import join_walkers, write_sequence
from opengait_mimic.walkers.render import CLEAN, NOISY, Noise
from opengait_mimic.walkers.segmentation_noise import HIGHEST, measured, noise_like
from opengait_mimic.walkers.walkers import walker_sequence


def drawn(*rows):
    return np.array([[[255 if c == "#" else 0 for c in row] for row in rows]], dtype=np.uint8)


class TestMeasure:
    def test_a_straight_outline_never_turns_back(self):
        assert measured([drawn("..##..", "..##..", ".####.", "######")]).edge == 0.0

    def test_each_side_counts_the_rows_where_it_goes_one_way_and_back(self):
        # of the four inner rows, the left side turns back in two, the right side in none: 2 of 8
        found = measured([drawn(".###", "..##", ".###", ".###", "..##", ".###")])
        assert found.edge == 2 / 8

    def test_rows_next_to_an_empty_one_do_not_count(self):
        assert measured([drawn(".###", "..##", ".###", "....", ".###", "..##")]).edge == 1 / 2

    def test_blank_rows_at_the_head_and_at_the_feet(self):
        assert measured([drawn("....", ".##.", ".##.")]).crop == 1 / 2
        assert measured([drawn("....", ".##.", "....")]).crop == 1.0
        assert measured([drawn(".##.", "....", ".##.")]).crop == 0.0

    def test_frames_without_anybody_do_not_count(self):
        with_and_without = np.concatenate([drawn("....", "....", "...."), drawn(".##.", ".##.", ".##.")])
        assert measured([with_and_without]) == (0.0, 0.0)
        assert measured([drawn("....", "....", "....")]) == (0.0, 0.0)

    def test_one_and_255_and_grey_borders_are_alike(self):
        sils = walker_sequence(0, 0, 0, 8)
        soft = np.where(sils > 0, 255, 90).astype(np.uint8)
        assert measured([sils]) == measured([sils // 255]) == measured([soft])


@pytest.mark.parametrize("views", [(90.0,), (0.0, 45.0, 110.0)])
@pytest.mark.parametrize("width", [64, 44])
def test_walkers_are_found_to_be_as_rough_as_they_were_made(views, width):
    def others(noise):  # people that the measure does not compare with
        return [walker_sequence(5, n, n, 20, width, views[n % len(views)], noise) for n in range(30)]

    smooth = noise_like(others(CLEAN), views, width)
    assert smooth.edge <= 0.05 and smooth.holes <= 0.1 and smooth.crop == 0.0
    usual = noise_like(others(NOISY), views, width)
    assert usual.edge == pytest.approx(NOISY.edge, rel=0.15)
    assert usual.holes / NOISY.holes == pytest.approx(usual.edge / NOISY.edge, abs=0.03)
    assert usual.crop == pytest.approx(NOISY.crop, rel=0.25)
    # boxes and outlines are measured each on its own
    loose = noise_like(others(Noise(0.0, 0.0, NOISY.crop)), views, width)
    assert loose.edge <= 0.05 and loose.crop == pytest.approx(NOISY.crop, rel=0.25)


def test_no_silhouettes_are_rougher_than_the_roughest_walkers():
    scattered = np.random.default_rng(0).integers(0, 2, (20, 64, 64), dtype=np.uint8) * 255
    assert noise_like([scattered], (90.0,), 64).edge == pytest.approx(HIGHEST * NOISY.edge)


class TestJoined:
    """Walkers that join a data set have as much noise as those in it who are learned from."""

    @staticmethod
    def joined(root, train, test, **noises) -> dict:
        """The noise of walkers that join subjects with these noises."""
        for subject, noise in noises.items():
            for i in range(10):
                sils = walker_sequence(3, i, 0, 20, noise=noise)
                write_sequence(root / "sils", subject, "00", f"{i:02d}", sils)
        (root / "sils.json").write_text(json.dumps({"TRAIN_SET": train, "TEST_SET": test}))
        join_walkers(root / "more", root / "more.json", root / "sils", root / "sils.json", 2, sequences=2)
        return json.loads((root / "more.json").read_text())["RECIPE"]["noise"]

    def test_smooth_ones_beside_smooth_silhouettes(self, tmp_path):
        assert self.joined(tmp_path, ["a"], [], a=CLEAN)["edge"] < 0.05
        made = [read_frames(path) for path in (tmp_path / "more").glob("walker-*/*/*/*.pkl")]
        usual = [walker_sequence(0, n, i, 30) for n in range(2) for i in range(2)]
        assert len(made) == 4 and measured(made).edge < measured(usual).edge / 3

    def test_the_subjects_of_the_test_do_not_count(self, tmp_path):
        assert self.joined(tmp_path, ["a"], ["b"], a=CLEAN, b=Noise(0.6, 0.8, 0.7))["edge"] < 0.05

    def test_but_they_do_where_there_is_nobody_else(self, tmp_path):
        assert self.joined(tmp_path, ["away"], ["b"], b=NOISY)["edge"] == pytest.approx(NOISY.edge, rel=0.5)
