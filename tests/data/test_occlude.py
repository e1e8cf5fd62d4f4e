"""`opengait-mimic occlude`: Figure 1 on a clip of one's own."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from opengait_mimic.cli import commands
from opengait_mimic.data.read import read_clip
from opengait_mimic.data.tree import write_sequence
from opengait_mimic.errors import ConfigError, DataError
from opengait_mimic.walkers.walkers import walker_sequence


@pytest.fixture
def clip(tmp_path):
    return write_sequence(tmp_path / "sils", "001", "00", "000", walker_sequence(0, 0, 0, 8))


def occlude(*arguments):
    return CliRunner().invoke(commands, ["occlude", *map(str, arguments)], catch_exceptions=False)


def test_a_gif_has_every_frame_and_a_column_per_kind(clip, tmp_path):
    done = occlude(clip, "--kinds", "top", "bottom", "moving_patch", "-o", tmp_path / "grid.gif")
    assert done.exit_code == 0 and "3 kinds, 1 draws" in done.output
    with Image.open(tmp_path / "grid.gif") as grid:
        assert grid.n_frames == 8
        one = grid.width
    occlude(clip, "--kinds", "top", "-o", tmp_path / "narrow.gif")
    with Image.open(tmp_path / "narrow.gif") as grid:
        assert one - grid.width == 2 * (128 + 6)


def test_a_png_shows_six_frames_of_every_draw_and_the_seed_decides(clip, tmp_path):
    pictures = {}
    for name, arguments in {
        "one": ["--seed", 3], "again": ["--seed", 3], "other": ["--seed", 4], "two": ["--seeds", 2],
    }.items():  # fmt: skip
        occlude(clip, "--kinds", "moving_patch", *arguments, "-o", tmp_path / f"{name}.png")
        pictures[name] = np.asarray(Image.open(tmp_path / f"{name}.png"))
    assert np.array_equal(pictures["one"], pictures["again"])
    assert not np.array_equal(pictures["one"], pictures["other"])
    assert len(pictures["two"]) - len(pictures["one"]) == len(pictures["one"]) - 20


def test_the_amount_is_what_is_hidden(clip, tmp_path):
    occlude(clip, "--kinds", "top", "--amount", "0.25", "--refit", "-o", tmp_path / "refit.png")
    occlude(clip, "--kinds", "top", "--amount", "0.25", "-o", tmp_path / "quarter.png")
    column = np.asarray(Image.open(tmp_path / "quarter.png").convert("L"))[21 : 20 + 127, 60 + 134 + 64]
    assert not column[1:30].any() and column.any()
    assert (tmp_path / "refit.png").read_bytes() != (tmp_path / "quarter.png").read_bytes()


def test_a_folder_of_masks_is_a_clip(tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    for number in range(3):
        mask = np.zeros((90, 120), np.uint8)
        if number != 1:
            mask[10:80, 40:70] = 255
        Image.fromarray(mask).save(folder / f"{number}.png")
    sils = read_clip(folder)
    assert sils.shape == (2, 64, 64) and sils.max() == 255


def test_outlines_are_drawn_with_a_red_edge_bright_where_merged_and_may_be_ones_own(clip, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(np.full((20, 30), 255, np.uint8)).save(masks / "block.png")
    bright = {}
    for name, options in {"black": [], "merged": ["--merged"], "own": ["--outlines", masks]}.items():
        done = occlude(clip, "--kinds", "outline", "crossing_person", *options, "-o", tmp_path / f"{name}.png")
        assert done.exit_code == 0
        page = np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int)
        assert ((page[..., 0] > 200) & (page[..., 1] < 50)).any(), "red"
        bright[name] = (page[20:, 60 + 134 :].min(-1) == 255).sum()
    assert bright["merged"] > bright["black"] != bright["own"]


def test_mistakes_are_named(clip, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'bottom'"):
        occlude(clip, "--kinds", "top", "botom", "-o", tmp_path / "grid.gif")
    with pytest.raises(ConfigError, match="folder: nowhere: no such folder"):
        occlude(clip, "--kinds", "outline", "--outlines", "nowhere", "-o", tmp_path / "grid.gif")
    for option in (["--merged"], ["--outlines", "masks"]):
        done = occlude(clip, "--kinds", "top", *option, "-o", tmp_path / "grid.gif")
        assert done.exit_code == 2 and f"{option[0]} is for" in done.output
    with pytest.raises(ConfigError, match=r"amount: 2.0"):
        occlude(clip, "--kinds", "top", "--amount", "2", "-o", tmp_path / "grid.gif")
    clip.unlink()
    with pytest.raises(DataError, match=r"no \.pkl file in it, and no masks"):
        occlude(tmp_path, "-o", tmp_path / "grid.gif")
    assert "ends neither in .gif nor in .png" in occlude(clip, "-o", tmp_path / "grid.mp4").output
    assert "expected a number" in occlude(clip, "--amount", "much", "-o", tmp_path / "grid.gif").output
