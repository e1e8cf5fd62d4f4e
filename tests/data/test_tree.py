"""Data sets that are written: generated walkers, alone or beside one's own people, and recorded motion."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from opengait_mimic.data import tree
from opengait_mimic.data.tree import generate_walkers, join_walkers, render_recordings, write_sequence
from opengait_mimic.errors import DataError
from opengait_mimic.walkers.render import JOINTS, Noise
from opengait_mimic.walkers.walkers import joints, sample_subject, sample_walk, walker_sequence

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SMALL = {"train_subjects": 3, "test_subjects": 2, "sequences": 3, "frames": 6, "seed": 7, "test_frames": 4}


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def read(path):
    return pickle.loads(path.read_bytes())


def times(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


@pytest.fixture
def made(tmp_path):
    generate_walkers(tmp_path / "sils", tmp_path / "part.json", **SMALL)
    return tmp_path


@pytest.fixture
def recordings(tmp_path):
    """Four subjects with 1, 2, 3 and 4 trials, of 40, 45, 50 and 55 frames."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(1, 5):
        person = sample_subject(rng)
        trials = [joints(sample_walk(person, rng, condition="nm"), 40 + 5 * i, 30)[0] for i in range(number)]
        np.savez(
            folder / f"s{number}.npz", fps=30, joints=np.array(JOINTS),
            trials=np.array([f"s{number}_{i:02d}" for i in range(number)]),
            lengths=np.array([len(trial) for trial in trials]),
            pos=np.rint(1000 * np.concatenate(trials)).astype(np.int16),
        )  # fmt: skip
    return folder


class TestGenerated:
    def test_layout_is_subject_type_view_and_a_plain_pickle(self, made):
        learn = [f"0000{n}/00/0{i}/0{i}.pkl" for n in range(3) for i in range(3)]
        gallery, probe = (
            [f"0000{n}/{t}/0{i}/0{i}.pkl" for n in (3, 4) for i in range(k)] for t, k in (("01", 2), ("02", 4))
        )
        assert sorted(contents(made / "sils")) == sorted(learn + gallery + probe)
        assert sorted(path.name for path in made.iterdir()) == ["part.json", "sils"], "nothing else is left"
        sils = read(made / "sils/00000/00/01/01.pkl")
        assert type(sils) is np.ndarray and sils.dtype == np.uint8 and sils.shape == (6, 64, 64)
        assert read(made / "sils/00003/02/03/03.pkl").shape == (4, 64, 64)
        partition = json.loads((made / "part.json").read_text())
        assert partition["TRAIN_SET"] == ["00000", "00001", "00002"] and partition["TEST_SET"] == ["00003", "00004"]

    def test_the_seed_decides_every_byte(self, made):
        generate_walkers(made / "again", made / "again.json", **SMALL)
        generate_walkers(made / "other", made / "other.json", **{**SMALL, "seed": 8})
        one, again, other = (contents(made / name) for name in ("sils", "again", "other"))
        assert one == again and one.keys() == other.keys() and one != other
        assert len(set(one.values())) == len(one) == 21, "people and sequences differ"

    def test_a_single_sequence_can_be_rendered_alone(self, made):
        assert np.array_equal(walker_sequence(7, 1, 2, 6), read(made / "sils/00001/00/02/02.pkl"))
        assert np.array_equal(walker_sequence(7, 4, 2 + 3, 4), read(made / "sils/00004/02/03/03.pkl"))

    def test_sequences_take_several_views_in_turn(self, tmp_path):
        generate_walkers(tmp_path / "sils", tmp_path / "part.json", **SMALL, views=(0.0, 90.0))
        for i, view in enumerate((0.0, 90.0, 0.0)):
            found = read(tmp_path / f"sils/00001/00/0{i}/0{i}.pkl")
            np.testing.assert_array_equal(found, walker_sequence(7, 1, i, 6, view=view))

    def test_44_wide_trees_are_the_centre_columns(self, made):
        generate_walkers(made / "narrow", made / "narrow.json", **SMALL, width=44)
        wide, narrow = (read(made / name / "00002/00/00/00.pkl") for name in ("sils", "narrow"))
        assert narrow.shape == (6, 64, 44) and np.array_equal(narrow, wide[:, :, 10:54])

    def test_the_same_call_again_has_nothing_to_do(self, made):
        before = times(made)
        assert generate_walkers(made / "sils", made / "part.json", **SMALL)["TEST_SET"] == ["00003", "00004"]
        assert times(made) == before

    def test_other_data_is_never_overwritten(self, made):
        (made / "text.json").write_text("my notes")
        for root, partition, seed, why in (
            ("sils", "part.json", 8, "part.json belongs to other data"), ("new", "text.json", 7, "text.json"),
            ("sils", "new.json", 7, "sils holds something else"),
        ):  # fmt: skip
            with pytest.raises(FileExistsError, match=why):
                generate_walkers(made / root, made / partition, **{**SMALL, "seed": seed})
        assert (made / "text.json").read_text() == "my notes" and not (made / "new").exists()

    def test_an_empty_folder_may_be_there_already(self, tmp_path):
        (tmp_path / "sils").mkdir()
        generate_walkers(tmp_path / "sils", tmp_path / "part.json", **SMALL)
        assert len(contents(tmp_path / "sils")) == 21

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="only /proc tells which call is still alive")
    def test_what_a_killed_call_left_is_removed(self, tmp_path):
        gone, alive, other = f"sils.unfinished-{2**30}", f"sils.unfinished-{os.getppid()}", f"others.unfinished-{2**30}"
        for name in (gone, alive, other):
            (tmp_path / name / "00000").mkdir(parents=True)
        generate_walkers(tmp_path / "sils", tmp_path / "part.json", **SMALL)
        assert {path.name for path in tmp_path.iterdir()} == {"sils", "part.json", alive, other}

    def test_an_interrupted_call_leaves_nothing(self, tmp_path, monkeypatch):
        def interrupted(folder, subject, *sequence):
            if subject == "00002":
                raise KeyboardInterrupt
            return write_sequence(folder, subject, *sequence)

        monkeypatch.setattr(tree, "write_sequence", interrupted)
        with pytest.raises(KeyboardInterrupt):
            generate_walkers(tmp_path / "sils", tmp_path / "part.json", **SMALL)
        assert list(tmp_path.iterdir()) == []

    def test_wrong_numbers_are_named(self, tmp_path):
        for wrong in ({"frames": 0}, {"gallery": 0}, {"width": 32}):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                generate_walkers(tmp_path / "sils", tmp_path / "part.json", **{**SMALL, **wrong})
        with pytest.raises(ValueError, match="no subjects"):
            generate_walkers(tmp_path / "sils", tmp_path / "part.json", 0, 0)
        with pytest.raises(ValueError, match="inside of root"):
            generate_walkers(tmp_path / "sils", tmp_path / "sils" / "part.json", **SMALL)
        assert list(tmp_path.iterdir()) == []


def test_only_silhouettes_are_written(tmp_path):
    path = write_sequence(tmp_path, "me", "nm-01", "090", np.zeros((3, 64, 44), np.uint8))
    assert path == tmp_path / "me/nm-01/090/090.pkl" and read(path).shape == (3, 64, 44)
    for wrong in (np.zeros((3, 64, 44)), np.zeros((3, 64, 32), np.uint8), np.zeros((0, 64, 64), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            write_sequence(tmp_path, "me", "nm-02", "090", wrong)


class TestJoined:
    """Two walkers more for the three that `made` learns from."""

    def join(self, made, into="more", own="sils", people=2, **how):
        how = {"sequences": 3, "frames": 5, "seed": 4, "views": (72.0, 90.0), **how}
        return join_walkers(made / into, made / f"{into}.json", made / own, made / "part.json", people, **how)

    def noise(self, made):
        return Noise(**json.loads((made / "more.json").read_text())["RECIPE"]["noise"])

    def test_those_to_learn_from_grow_and_the_tested_stay(self, made):
        sets = self.join(made)
        assert sets == {
            "TRAIN_SET": ["00000", "00001", "00002", "walker-00000", "walker-00001"],
            "TEST_SET": ["00003", "00004"],
            "GENERATED_SET": ["walker-00000", "walker-00001"],
        }
        stored = json.loads((made / "more.json").read_text())
        assert {name: stored[name] for name in sets} == sets
        joined, own = contents(made / "more"), contents(made / "sils")
        assert {name: joined[name] for name in own} == own
        assert set(joined) - set(own) == {f"walker-0000{n}/00/0{i}/0{i}.pkl" for n in range(2) for i in range(3)}
        for i, view in enumerate((72.0, 90.0, 72.0)):
            found = read(made / f"more/walker-00001/00/0{i}/0{i}.pkl")
            np.testing.assert_array_equal(found, walker_sequence(4, 1, i, 5, 64, view, self.noise(made)))

    def test_they_look_as_the_own_data_do(self, tmp_path):
        for number in range(2):
            sils = walker_sequence(0, number, 0, 4, 44) // 255
            write_sequence(tmp_path / "sils", f"p{number}", "00", "a", sils)
        (tmp_path / "part.json").write_text('{"TRAIN_SET": ["p0"], "TEST_SET": ["p1"]}')
        self.join(tmp_path)
        found = read(tmp_path / "more/walker-00000/00/00/00.pkl")
        np.testing.assert_array_equal(found, walker_sequence(4, 0, 0, 5, 44, 72.0, self.noise(tmp_path)) // 255)

    def test_the_own_files_are_linked_or_else_copied(self, made, monkeypatch):
        self.join(made)
        name = "00000/00/01/01.pkl"
        assert (made / "more" / name).samefile(made / "sils" / name)

        def other_disk(*_):
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "link", other_disk)
        self.join(made, into="copied")
        assert contents(made / "copied") == contents(made / "more")
        assert not (made / "copied" / name).samefile(made / "sils" / name)

    def test_links_are_followed_and_what_opengait_would_stop_at_is_left_behind(self, made):
        file = made / "sils/00000/00/01/01.pkl"
        file.rename(made / "elsewhere.pkl")
        file.symlink_to("../../../../elsewhere.pkl")
        file.with_name("notes.txt").write_text("mine")
        self.join(made, into="deeper/down/more")
        found = made / "deeper/down/more/00000/00/01/01.pkl"
        assert found.read_bytes() == (made / "elsewhere.pkl").read_bytes()
        assert [path.name for path in found.parent.iterdir()] == ["01.pkl"]

    def test_probe_sequences_of_gait3d_are_kept(self, made):
        partition = json.loads((made / "part.json").read_text())
        (made / "part.json").write_text(json.dumps({**partition, "PROBE_SET": ["00003-01-00"]}))
        assert self.join(made)["PROBE_SET"] == ["00003-01-00"]

    def test_the_same_call_has_nothing_to_do_and_another_is_refused(self, made):
        self.join(made)
        before = times(made)
        self.join(made)
        assert before == times(made)
        for other in ({"people": 3}, {"seed": 5}, {"views": (90.0,)}):
            with pytest.raises(FileExistsError, match=r"more\.json belongs to other data"):
                self.join(made, **other)
        write_sequence(made / "sils", "00000", "00", "new", walker_sequence(0, 0, 0, 4))
        with pytest.raises(FileExistsError, match=r"more\.json belongs to other data"):
            self.join(made)

    def test_data_that_walkers_cannot_join(self, made):
        def refused(why, partition=None):
            if partition:
                (made / "part.json").write_text(partition)
            with pytest.raises(DataError, match=why):
                self.join(made)
            assert not (made / "more").exists() and not (made / "more.json").exists()

        clip = made / "sils/00000/00/00/00.pkl"
        second = clip.with_name("second.pkl")
        second.write_bytes(clip.read_bytes())
        refused("00000/00/00 holds more than silhouettes")
        second.unlink()
        refused("has a subject walker-00001", '{"TRAIN_SET": ["00000", "walker-00001"], "TEST_SET": ["00003"]}')
        refused("no sequence of the subjects in its partition", '{"TRAIN_SET": ["somebody"], "TEST_SET": []}')
        refused("TEST_SET", '{"TRAIN_SET": ["00000"]}')
        clip.write_bytes(pickle.dumps(np.zeros((3, 128, 88), np.uint8)))
        refused("frames of 128×88, walkers have 64×64 or 64×44", '{"TRAIN_SET": ["00000"], "TEST_SET": []}')

    @pytest.mark.parametrize("name", ["../outside", "{}/outside", "sub/..", ""])
    def test_a_partition_cannot_name_what_is_outside(self, made, name):
        write_sequence(made, "outside", "a", "b", walker_sequence(0, 0, 0, 4))
        (made / "part.json").write_text(json.dumps({"TRAIN_SET": ["00000", name.format(made)], "TEST_SET": []}))
        before = contents(made)
        self.join(made, into="inner/more")
        new = contents(made).keys() - before.keys()
        assert all(path.startswith(("inner/more/", "inner/more.json")) for path in new)
        people = {path.name for path in (made / "inner/more").iterdir()}
        assert people == {"00000", "walker-00000", "walker-00001"}

    @pytest.mark.parametrize("how", [{"people": 0}, {"sequences": 0}, {"frames": 0}, {"views": ()}])
    def test_numbers_below_1(self, made, how):
        with pytest.raises(ValueError, match="must be at least 1"):
            self.join(made, **how)


class TestCommand:
    def test_a_data_set_of_their_own(self, call, tmp_path):
        ended = call("walkers", tmp_path / "try", "--people", 3, "--test-people", 2, "--frames", 4, "--width", 44)
        assert ended.status == 0 and "3 of them walkers" in ended.out
        assert read(tmp_path / "try/00000/00/00/00.pkl").shape == (4, 64, 44)
        assert json.loads((tmp_path / "try.json").read_text())["TEST_SET"] == ["00003", "00004"]

    def test_beside_ones_own_people(self, call, made):
        (made / "part.json").rename(made / "sils.json")
        ended = call("--json", "walkers", made / "more", "--join", made / "sils", "--people", 2, "--sequences", 1)
        assert json.loads(ended.out) == {
            "data": str(made / "more"), "partition": str(made / "more.json"), "walkers": 2, "train": 5, "test": 2,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            (["--partition", "part.json"], "--partition is that of --join"),
            (["--join", "sils", "--width", "44"], "are DATA's where walkers join it"),
            (["--join", "nothing"], "nothing.json: cannot be read"),
            (["--people", "0"], "--people"),
            (["--people", "1000000"], "--people"),
            (["--view", "90", "--view", "inf"], "--view"),
        ],
    )
    def test_mistakes_are_one_line(self, call, made, monkeypatch, options, why):
        monkeypatch.chdir(made)
        ended = call("walkers", "more", *options)
        assert ended.status == 2 and why in ended.err and "Traceback" not in ended.err
        assert not (made / "more").exists()

    def test_the_folder_one_stands_in(self, call, made, monkeypatch):
        (made / "part.json").rename(made / "sils.json")
        monkeypatch.chdir(made / "sils")
        ended = call("walkers", ".", "--people", 2)
        assert ended.status != 0 and "sils.json belongs to other data" in ended.err
        ended = call("walkers", "../more", "--join", ".", "--people", 2, "--sequences", 1)
        assert ended.status == 0 and (made / "more/walker-00001").is_dir()
        ended = call("walkers", "/", "--people", 2)
        assert ended.status == 2 and "no files can stand beside it" in ended.err


class TestRecorded:
    @staticmethod
    def check(root, sets):
        """No test subject is learned from, and no trial is in the gallery and among the probes."""
        assert not set(sets["TRAIN_SET"]) & set(sets["TEST_SET"])
        for subject in sets["TEST_SET"]:
            assert sorted(path.name for path in (root / subject).iterdir()) == ["01", "02"]
            gallery, probe = ({p.name.split("-")[0] for p in (root / subject / t).iterdir()} for t in ("01", "02"))
            assert gallery and probe and not gallery & probe
        for subject in sets["TRAIN_SET"]:
            assert [path.name for path in (root / subject).iterdir()] == ["00"]

    def test_they_are_split_by_subject_and_then_by_trial(self, recordings, tmp_path):
        root = tmp_path / "sils"
        sets = render_recordings(root, tmp_path / "part.json", recordings, [0, 90], 15, holdout=3)
        assert sets == {"TRAIN_SET": ["s1"], "TEST_SET": ["s2", "s3", "s4"]}
        self.check(root, sets)
        names = sorted(path.name for path in (root / "s1/00").iterdir())
        assert names == ["s1_00-0000-000", "s1_00-0000-090", "s1_00-0015-000", "s1_00-0015-090"]
        assert read(root / "s1/00/s1_00-0000-090/s1_00-0000-090.pkl").shape == (15, 64, 64)
        assert json.loads((tmp_path / "part.json").read_text())["TEST_SET"] == sets["TEST_SET"]

    def test_they_are_reproducible_and_reused(self, recordings, tmp_path):
        first = render_recordings(tmp_path / "a", tmp_path / "a.json", recordings, [90], 20, seed=3)
        again = render_recordings(tmp_path / "b", tmp_path / "b.json", recordings, [90], 20, seed=3)
        assert first == again and contents(tmp_path / "a") == contents(tmp_path / "b")
        assert render_recordings(tmp_path / "a", tmp_path / "a.json", recordings, [90], 20, seed=3) == first
        with pytest.raises(FileExistsError):
            render_recordings(tmp_path / "a", tmp_path / "a.json", recordings, [90], 10, seed=3)

    def test_trials_shorter_than_a_clip_do_not_count(self, recordings, tmp_path):
        sets = render_recordings(tmp_path / "a", tmp_path / "a.json", recordings, [90], 48, holdout=1)
        assert sets == {"TRAIN_SET": ["s3"], "TEST_SET": ["s4"]}
        with pytest.raises(ValueError, match="holdout is 2, but 1 subjects"):
            render_recordings(tmp_path / "b", tmp_path / "b.json", recordings, [90], 48, holdout=2)
        with pytest.raises(FileNotFoundError, match=r"no \.npz"):
            render_recordings(tmp_path / "c", tmp_path / "c.json", tmp_path / "a", [90], 10)

    @pytest.mark.parametrize("name", ["cmu-walk", "tnsre18-walk"])
    def test_real_ones(self, name, tmp_path):
        if not (SHARED / name).is_dir():
            pytest.skip(f"no recordings at {SHARED / name}")
        sets = render_recordings(tmp_path / "sils", tmp_path / "part.json", SHARED / name, [90], 40)
        self.check(tmp_path / "sils", sets)
        assert len(sets["TEST_SET"]) >= 4 and len(sets["TRAIN_SET"]) >= 10
