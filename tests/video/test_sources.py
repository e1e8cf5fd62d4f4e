"""What lies on the disk is read for what it means: the order of frames, the colours of masks, the folders of a tree."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from opengait_mimic.data.read import read_clip
from opengait_mimic.data.video import sources
from opengait_mimic.data.video.sources import Source
from opengait_mimic.errors import DataError

PERSON = np.zeros((60, 40), bool)
PERSON[10:50, 15:25] = True
GREY = Image.fromarray(np.uint8(255) * PERSON)


def labels(*colours):
    """A palette of labels: the person is 1, a bag beside it 2."""
    picture = Image.fromarray(np.where(PERSON, 1, 0).astype(np.uint8), "P")
    picture.putpalette([*(0, 0, 0), *(value for colour in colours for value in colour)])
    return picture


def with_white_first():
    picture = Image.fromarray(np.where(PERSON, 0, 1).astype(np.uint8), "P")
    picture.putpalette([255, 255, 255, 0, 0, 0])
    return picture


FORMS = {
    "grey": GREY,
    "0 and 1": Image.fromarray(PERSON.astype(np.uint8)),
    "one bit": GREY.convert("1"),
    "colours": GREY.convert("RGB"),
    "palette, white first": with_white_first(),
    "palette, quantised": GREY.convert("RGB").quantize(2),
    "palette, labels": labels((128, 0, 0), (0, 128, 0)),
    "white on transparent": Image.merge("LA", [Image.new("L", GREY.size, 255), GREY]),
    "grey, opaque": Image.merge("RGBA", [GREY] * 3 + [Image.new("L", GREY.size, 255)]),
    "coloured on transparent": Image.merge("RGBA", [Image.new("L", GREY.size, 255)] * 3 + [GREY]),
    "16 bits": Image.fromarray(np.uint16(65535) * PERSON),
    "16 bits, 0 and 1": Image.fromarray(np.uint16(1) * PERSON),
    "32 bits": Image.fromarray(np.int32(255) * PERSON),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_mask_means_the_same_in_every_form(tmp_path, form):
    FORMS[form].save(tmp_path / "0.png")
    assert np.array_equal(sources.read_mask(tmp_path / "0.png") > 127, PERSON)
    assert sources.holds_masks(Source(tmp_path, "a"))
    sources.refuse_inverted(Source(tmp_path, "a"))
    assert read_clip(tmp_path).shape == (1, 64, 64)


def test_black_people_on_white_are_refused(tmp_path):
    ImageOps.invert(GREY).save(tmp_path / "0.png")
    for read in (read_clip, lambda folder: sources.refuse_inverted(Source(folder, "a"))):
        with pytest.raises(DataError, match=f"^{tmp_path}: .*white in the corners"):
            read(tmp_path)


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    names = [*(f"{number}.png" for number in range(12)), "a2-b3.png", "a2-b10.png", "a10-b1.png"]
    for name in reversed(names):
        (tmp_path / name).touch()
    assert [path.name for path in sources.picture_files(tmp_path)] == names


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_no_picture_starts_a_program(tmp_path, monkeypatch, name):
    """Pillow takes this for PostScript, whatever its name, and starts Ghostscript to draw it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/mark\n")
    (tmp_path / "gs").chmod(0o755)
    path = tmp_path / name
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(DataError, match=f"^{path}: cannot be read as a picture"):
        sources.read_mask(path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("tree", "given", "meant"),
    [
        ("DatasetB/silhouettes/001/nm-01/090", "DatasetB", "DatasetB/silhouettes"),
        ("DatasetB/silhouettes/001/nm-01/090", ".", "DatasetB/silhouettes"),
        ("GREW/train/00001/clip", "GREW", "GREW/train"),
        ("DatasetB/silhouettes/001/nm-01/090", "DatasetB/silhouettes", None),
        ("GREW/train/00001/clip", "GREW/train", None),
    ],
)
def test_a_folder_above_the_subjects_is_refused_with_the_one_that_was_meant(tmp_path, tree, given, meant):
    (tmp_path / tree).mkdir(parents=True)
    GREY.save(tmp_path / tree / "0.png")
    if meant is None:
        assert len(sources.find_sources([tmp_path / given])) == 1
    else:
        with pytest.raises(DataError, match=f"is {tmp_path / meant} the folder you mean"):
            sources.find_sources([tmp_path / given])
