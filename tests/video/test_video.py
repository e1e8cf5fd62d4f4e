"""From a street video, frames or masks to a data set: a small street is rendered, and its people are found again."""

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from street import FRAMES, HEIGHT, PEOPLE, WIDTH, street

from opengait_mimic.data.read import read_array
from opengait_mimic.data.video import convert as own_data
from opengait_mimic.data.video import segmenters, sources
from opengait_mimic.data.video.convert import Settings, make_silhouettes, partition
from opengait_mimic.data.video.crop import extent, silhouette
from opengait_mimic.data.video.quality import Rules
from opengait_mimic.data.video.tracking import Tracker, blobs
from opengait_mimic.errors import DataError
from opengait_mimic.opengait.activation import activate
from opengait_mimic.walkers.render import CLEAN
from opengait_mimic.walkers.walkers import walker_sequence


@pytest.fixture(scope="module")
def scene():
    return street()


@pytest.fixture(scope="module")
def video(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "street.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for frame in scene[0]:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


@pytest.fixture(scope="module")
def made(video):
    out = video.parent / "street"
    make_silhouettes([video], out, Settings())
    return out


def saved(folder, pictures):
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:03d}.png", compress_level=1)
    return folder


def found_in(out):
    """Of each sequence of a data set: subject, frame numbers, silhouettes."""
    summary = json.loads(out.with_name(f"{out.name}-summary.json").read_text())
    for recording in summary["recordings"]:
        for person in recording["people"]:
            for sequence in person["sequences"]:
                view = sequence["view"]
                file = out / person["subject"] / sequence["type"] / view / f"{view}.pkl"
                yield person["subject"], sequence["frames"], read_array(file)


def overlap(one, other):
    one, other = one > 127, other > 127
    return (one & other).sum() / (one | other).sum()


def owner(truth, frame, sil):
    """Who a silhouette is, and how well it fits that person's true one."""
    fits = {name: overlap(silhouette(masks[frame]), sil) for name, masks in truth.items() if masks[frame].sum() > 500}
    best = max(fits, key=fits.get)
    return best, fits[best]


def test_silhouettes_fill_the_height_and_are_centred_on_the_median_of_their_mass():
    mask = np.zeros((50, 90), bool)
    mask[5:37, 60:68] = True
    mask[30:37, 50:60] = True
    sil = silhouette(mask)
    assert sil.shape == (64, 64) and sil.dtype == np.uint8
    assert sil[0].any() and sil[-1].any()
    assert extent(sil > 127).width == 2 * 18
    mass = sil.sum(axis=0, dtype=int).cumsum()
    assert (2 * mass < mass[-1]).sum() == 32


def test_what_is_wider_than_the_picture_is_cut_and_nothing_is_refused():
    mask = np.ones((10, 300), bool)
    assert (silhouette(mask) == 255).all()
    with pytest.raises(ValueError, match="empty"):
        silhouette(np.zeros((4, 4), bool))


def test_the_people_of_a_street_are_found_and_look_like_themselves(scene, made):
    fits, who = [], {}
    for subject, frames, sils in found_in(made):
        assert sils.dtype == np.uint8 and sils.shape == (len(frames), 64, 64)
        for frame, sil in zip(frames, sils, strict=True):
            name, fit = owner(scene[1], frame, sil)
            fits.append(fit)
            who.setdefault(subject, Counter())[name] += 1
    # A body that is 12 pixels wide loses a sixth of its overlap with one pixel at its edge.
    assert np.mean(fits) > 0.8 and np.quantile(fits, 0.05) > 0.6
    assert {counts.most_common(1)[0][0] for counts in who.values()} == set(PEOPLE)


def test_nobody_becomes_somebody_else_when_two_people_cross(scene, video):
    """Either a track goes on with the same person, or it ends and another begins."""
    tracks, _ = own_data._tracked(sources.find_sources([video])[0], "background", Settings())
    assert 3 <= len(tracks) <= 5
    for track in tracks:
        who = Counter()
        for frame, blob in zip(track.frames, track.blobs, strict=True):
            box = blob.box
            inside = {
                name: masks[frame, box.top : box.bottom, box.left : box.right].sum() for name, masks in scene[1].items()
            }
            who[max(inside, key=inside.get)] += 1
        assert len(who) == 1, who


def test_a_blob_of_two_people_is_given_to_nobody(scene, made):
    red, blue = (scene[1][name] for name in ("red", "blue"))
    together = {frame for frame in range(FRAMES) if (red[frame] & blue[frame]).sum() > 50}
    assert len(together) >= 4
    crossing = {"red", "blue"}
    for _, frames, sils in found_in(made):
        for frame, sil in zip(frames, sils, strict=True):
            assert frame not in together or owner(scene[1], frame, sil)[0] not in crossing


def test_the_partition_and_the_folders_agree_and_the_training_reads_them(made):
    activate("embedded")
    from data.dataset import DataSet

    sets = json.loads(made.with_suffix(".json").read_text())
    assert sorted(sets["TRAIN_SET"] + sets["TEST_SET"]) == sorted(path.name for path in made.iterdir())
    assert sets["TRAIN_SET"] and sets["TEST_SET"]
    config = {"dataset_name": "own", "dataset_root": str(made), "dataset_partition": str(made.with_suffix(".json"))}
    training, test = DataSet(config, True), DataSet(config, False)
    assert set(training.types_set) == {"00"} and set(test.types_set) == {"01", "02"}
    for part in (training, test):
        for streams, _ in (part[i] for i in range(len(part))):
            assert len(streams[0]) >= 15


def test_the_contact_sheet_has_a_row_per_person(made):
    people_found = len(list(made.iterdir()))
    sheet = Image.open(made.with_suffix(".png"))
    assert sheet.height == people_found * 152 and sheet.width == 850


def test_the_same_recording_gives_the_same_bytes(video, made, tmp_path):
    make_silhouettes([video], tmp_path / "again", Settings())

    def content(out):
        return {path.relative_to(out): path.read_bytes() for path in out.rglob("*.pkl")}

    assert content(tmp_path / "again") == content(made)
    assert (tmp_path / "again.png").read_bytes() == made.with_suffix(".png").read_bytes()


def test_the_same_call_again_has_nothing_to_do_and_another_is_refused(video, made):
    before = {path: path.stat().st_mtime_ns for path in made.parent.rglob("*")}
    make_silhouettes([video], made, Settings())
    assert {path: path.stat().st_mtime_ns for path in made.parent.rglob("*")} == before
    with pytest.raises(DataError, match="remove both"):
        make_silhouettes([video], made, Settings(clip=20))


def test_an_interrupted_run_leaves_no_data_set_and_goes_on_with_the_next_recording(scene, tmp_path, monkeypatch):
    for name in ("one", "two"):
        saved(tmp_path / "in" / name, scene[1]["red"][20:60])
    frames_of, seen = sources.mask_frames, []

    def watched(source):
        seen.append(source.name)
        if seen[-1] == "two" and len(set(seen)) == 2:
            raise KeyboardInterrupt
        return frames_of(source)

    monkeypatch.setattr(sources, "mask_frames", watched)
    with pytest.raises(KeyboardInterrupt):
        make_silhouettes([tmp_path / "in"], tmp_path / "out", Settings())
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.json").exists()
    seen.clear()
    make_silhouettes([tmp_path / "in"], tmp_path / "out", Settings())
    assert set(seen) == {"two"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out", "out-summary.json", "out.json", "out.png"]


def test_the_folder_one_stands_in_is_there_already(video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="is there already"):
        make_silhouettes([video], ".", Settings())
    with pytest.raises(DataError, match="no files can stand beside it"):
        make_silhouettes([video], "/", Settings())


def test_a_folder_of_frames_is_a_video(scene, tmp_path):
    summary = make_silhouettes([saved(tmp_path / "frames", scene[0][::2])], tmp_path / "out", Settings())
    assert summary["recordings"][0]["segment"] == "background" and summary["subjects"] >= 2


def test_masks_of_a_street_are_told_apart(scene, tmp_path):
    folder = saved(tmp_path / "masks", np.any(list(scene[1].values()), axis=0))
    summary = make_silhouettes([folder], tmp_path / "out", Settings())
    assert summary["recordings"][0]["segment"] == "masks" and 3 <= summary["subjects"] <= 5


def test_a_casia_b_tree_of_masks_keeps_its_names_and_every_frame(scene, tmp_path):
    for subject, name in (("001", "red"), ("002", "blue")):
        for first in (20, 40):
            saved(tmp_path / "masks" / subject / f"nm-{first}" / "090", scene[1][name][first : first + 20])
    make_silhouettes([tmp_path / "masks"], tmp_path / "out", Settings())
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.pkl"))
    assert found == [f"{s}/{t}/090/090.pkl" for s in ("001", "002") for t in ("nm-20", "nm-40")]
    expected = [silhouette(mask) for mask in scene[1]["red"][40:60]]
    assert np.array_equal(read_array(tmp_path / "out/001/nm-40/090/090.pkl"), expected)
    assert json.loads((tmp_path / "out.json").read_text())["TEST_SET"] == ["002"]


def test_masks_of_one_person_each_belong_to_the_subject_of_their_folder(tmp_path):
    for subject in (1, 2):
        for clip in (20, 40):
            saved(tmp_path / f"train/00{subject}/clip{clip}", walker_sequence(0, subject, clip, 20, noise=CLEAN))
    summary = make_silhouettes([tmp_path / "train"], tmp_path / "out", Settings())
    assert summary["subjects"] == 2 and summary["sequences"] == 4
    assert (tmp_path / "out/001/00/clip20/clip20.pkl").is_file()
    assert (tmp_path / "out/002/02/clip40/clip40.pkl").is_file()


def test_an_installed_package_tells_people_apart(scene, video, tmp_path, monkeypatch):
    """The networks themselves are not run here: a stand-in gives the true masks."""
    given = iter(range(FRAMES))

    def stand_in(_):
        def cut_out(_):
            return np.stack([masks[frame] for frame in [next(given)] for masks in scene[1].values()])

        return cut_out

    monkeypatch.setitem(segmenters.SEGMENTERS, "maskrcnn", stand_in)
    make_silhouettes([video], tmp_path / "out", Settings(segment="maskrcnn"))
    fits = [
        owner(scene[1], frame, sil)[1]
        for _, frames, sils in found_in(tmp_path / "out")
        for frame, sil in zip(frames, sils, strict=True)
    ]
    assert np.mean(fits) > 0.98


def test_mask_rcnn_keeps_people_it_is_sure_of(monkeypatch):
    class Network(torch.nn.Module):
        def forward(self, pictures):
            assert pictures[0].shape == (3, 6, 8) and pictures[0].max() <= 1
            masks = torch.zeros(4, 1, 6, 8)
            masks[:, 0, 1:5, 2:6] = 0.9
            return [
                {"labels": torch.tensor([1, 3, 1, 1]), "scores": torch.tensor([0.9, 0.9, 0.3, 0.7]), "masks": masks}
            ]

    class Package:
        @staticmethod
        def maskrcnn_resnet50_fpn_v2(weights, **_):
            assert weights == "DEFAULT"
            return Network()

    monkeypatch.setattr(segmenters, "_package", lambda *_: Package)
    masks = segmenters.maskrcnn(None)(np.full((6, 8, 3), 255, np.uint8))
    assert masks.shape == (2, 6, 8) and masks.dtype == bool and masks[0].sum() == 16


def test_ultralytics_gets_its_colours_in_its_own_order_and_may_find_nobody(monkeypatch):
    seen = []

    class Network:
        def __init__(self, weights):
            assert weights == "yolo11n-seg.pt"

        def __call__(self, picture, classes, **_):
            assert classes == [0]
            seen.append(picture[0, 0].tolist())
            found = None if picture[0, 0, 0] else type("Masks", (), {"data": torch.ones(1, 6, 8)})
            return [type("Result", (), {"masks": found})]

    monkeypatch.setattr(segmenters, "_package", lambda *_: type("Package", (), {"YOLO": Network}))
    cut_out = segmenters.ultralytics(None)
    picture = np.zeros((6, 8, 3), np.uint8)
    picture[..., 0] = 7
    assert cut_out(picture).shape == (1, 6, 8) and seen == [[0, 0, 7]]
    assert cut_out(picture[..., ::-1]).shape == (0, 6, 8)


def test_a_couple_that_never_parts_is_no_person():
    couple = np.zeros((80, 44), bool)
    couple[:, :20] = couple[:, 24:] = couple[40:46] = True
    tracker = Tracker()
    for frame in range(40):
        mask = np.zeros((100, 300), bool)
        mask[10:90, 20 + 4 * frame : 64 + 4 * frame] = couple
        tracker.step(frame, blobs(mask, 20))
    (track,) = tracker.tracks()
    assert set(own_data.faults(track, Rules())) == {"a group"}


def test_who_turns_back_behind_somebody_becomes_another_track():
    """From the masks alone it cannot be told whether two people met and turned back, or passed."""

    def mask(*lefts):
        made = np.zeros((100, 400), bool)
        for left in lefts:
            made[10:90, left : left + 30] = True
        return made

    tracker = Tracker()
    for frame in range(60):
        a, b = (50 + 3 * frame, 300 - 3 * frame) if frame < 40 else (170 - 3 * (frame - 40), 180 + 3 * (frame - 40))
        tracker.step(frame, blobs(mask(a, b), 20))
    for track in tracker.tracks():
        places = [blob.box.left for blob in track.blobs]
        steps = np.sign(np.diff(places))
        assert len(set(steps.tolist())) <= 1


def test_small_hidden_and_cut_people_are_left_out_and_counted(video, tmp_path):
    settings = Settings(rules=Rules(min_height=40))
    summary = make_silhouettes([video], tmp_path / "out", settings)
    assert summary["left_out"]["at the border"] >= 10
    assert summary["left_out"]["merged with another person"] >= 5
    tall = replace(settings, rules=Rules(min_height=120))
    with pytest.raises(DataError, match="nobody was found in 1 recording"):
        make_silhouettes([video], tmp_path / "tall", tall)
    assert not list(tmp_path.glob("tall*"))


def test_only_who_has_two_sequences_can_be_tested():
    assert partition({"a": [1], "b": [1, 2], "c": [1, 2], "d": [1]}, 0.5) == {
        "TRAIN_SET": ["a", "b", "d"], "TEST_SET": ["c"],
    }  # fmt: skip
    assert partition({"a": [1, 2], "b": [1, 2]}, 1.0)["TEST_SET"] == ["a", "b"]
    assert partition({"a": [1, 2]}, 0.0)["TRAIN_SET"] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.mp4", "out"], "nothing.mp4: no such file or folder"),
        (["empty", "out"], "empty: neither a video"),
        (["text.avi", "out"], "text.avi: no frame can be decoded"),
        (["broken", "out"], "000.png: cannot be read as a picture"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("text.avi").write_text("no video")
    Path("broken").mkdir()
    Path("broken/000.png").write_text("no picture")
    ended = call("silhouettes", *arguments)
    assert ended.status == 2 and message in ended.err.strip().splitlines()[-1]
    assert "Traceback" not in ended.err and not Path("out").exists()


def test_without_opencv_the_pip_line_is_said(video, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DataError, match=r"pip install 'opengait-mimic\[video\]'"):
        next(sources.colour_frames(sources.find_sources([video])[0]))


def test_a_video_that_was_cut_short_is_told_with_both_numbers(video, tmp_path, capsys):
    short = tmp_path / "short.avi"
    short.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    (recording,) = make_silhouettes([short], tmp_path / "out", Settings())["recordings"]
    assert recording["announced"] == FRAMES > recording["frames"] > FRAMES / 2
    assert f"{recording['frames']} of the {FRAMES} frames" in capsys.readouterr().err
