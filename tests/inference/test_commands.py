"""embed, enroll, identify and verify on the command line."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import environment

from opengait_mimic.apps.inference import gallery, load
from opengait_mimic.apps.inference.gallery import read_gallery, write_gallery
from opengait_mimic.evaluation.plda_model import TrainedPLDA, read_plda, write_plda
from opengait_mimic.evaluation.ranking import distance
from opengait_mimic.method.beyond.plda import Likelihood, PLDAFit, distances, log_likelihood_ratio

MIMIC = "output/GREW/MimicGait/mimic"
PROBE = "sils/00007/02/00/00.pkl"


@pytest.fixture
def command(call, run, tmp_path, monkeypatch):
    """Run a command in a folder of its own that sees the models and the data."""
    for name in ("output", "sils"):
        (tmp_path / name).symlink_to(run / name)
    monkeypatch.chdir(tmp_path)

    def called(*arguments, status=0):
        ended = call(*arguments)
        assert ended.status == status, ended.err
        assert "Traceback" not in ended.err
        return ended

    return called


@pytest.fixture
def enrolled(command):
    command("enroll", "--checkpoint", MIMIC, "sils", "--type", "01", "--gallery", "gallery.npz", "-q")
    return read_gallery("gallery.npz")


def test_embed_writes_every_sequence(command):
    printed = command("embed", "--checkpoint", MIMIC, "sils", "-o", "out/e.npz", "--visible", "0")
    found = read_gallery("out/e.npz")
    assert printed.out == "Embedded 48 clips of 10 subjects into out/e.npz.\n"
    assert "00007/02/00" in found.names and found.embeddings.shape == (48, 8, 16)
    clip = pickle.loads(Path(PROBE).read_bytes())
    (row,) = np.flatnonzero(found.names == "00007/02/00")
    np.testing.assert_array_equal(found.embeddings[row], load(MIMIC).embed(clip).embeddings[0])


def test_low_visibility_is_said_and_quiet_says_nothing_else(command):
    asked = ("embed", "--checkpoint", MIMIC, PROBE, "-o", "e.npz", "--quiet")
    printed = command(*asked, "--visible", "1")
    assert (
        printed.out == "" and printed.err.startswith("warning: low visibility: 1 of 1 clips") and PROBE in printed.err
    )
    assert command(*asked, "--visible", "0").err == ""


def test_enroll_makes_extends_and_replaces(command, enrolled):
    assert set(enrolled.subjects) == {f"{i:05d}" for i in (6, 7, 8, 9)} and len(enrolled) == 8
    shutil.copy(PROBE, "someone.pkl")
    asked = ("enroll", "--checkpoint", MIMIC, "someone.pkl", "--gallery", "gallery.npz", "--json")
    assert "--subject" in command(*asked, status=2).err
    for _ in range(2):
        told = json.loads(command(*asked, "--subject", "Kim").out)
        assert (told["added"], told["clips"], told["subjects"]) == (1, 9, 5)


def test_identify_ranks_subjects_by_their_nearest_clip(command, enrolled):
    asked = ("identify", "--checkpoint", MIMIC, "--gallery", "gallery.npz", "sils", "--type", "02", "--top", "3")
    answers = json.loads(command(*asked, "--json", "-q").out)["probes"]
    assert len(answers) == 16
    model = load(MIMIC)
    for answer in answers[::5]:
        seen = model.embed(pickle.loads(next(Path("sils", answer["name"]).glob("*.pkl")).read_bytes()))
        apart = distance(seen.embeddings, enrolled.embeddings, model.metric)[0]
        best = sorted((float(apart[enrolled.subjects == who].min()), who) for who in set(enrolled.subjects))[:3]
        assert [(near["distance"], near["subject"]) for near in answer["ranks"]] == best
        assert answer["visible"] == pytest.approx(1 - seen.amount[0]) and answer["occlusion"] == seen.kind[0]
    table = command(*asked).out.splitlines()
    assert table[0].split() == ["probe", "visible", "occlusion", "1", "2", "3"] and len(table) == 17


def test_identify_takes_embeddings_without_the_model(command, enrolled):
    command("embed", "--checkpoint", MIMIC, PROBE, "-o", "e.npz", "-q")
    by_file = command("identify", "--gallery", "gallery.npz", "e.npz", "--json").out
    assert by_file == command("identify", "--checkpoint", MIMIC, "--gallery", "gallery.npz", PROBE, "--json").out


def test_verify_compares_with_the_gallerys_threshold(command, enrolled):
    asked = ("verify", "--checkpoint", MIMIC, PROBE, "sils/00008/02/01/01.pkl")
    told = json.loads(command(*asked, "--gallery", "gallery.npz", "--far", "0.5", "--json").out)
    assert told["impostor_pairs"] == 24 and told["far"] <= 0.5
    assert told["same"] == (told["distance"] < told["threshold"])
    assert [clip["name"] for clip in told["clips"]] == [PROBE, "sils/00008/02/01/01.pkl"]
    assert command(*asked, "--threshold", "0").out.startswith("different: distance ")
    assert command(*asked, "--threshold", "99").out.startswith("same: distance ")
    assert "cannot tell a FAR of 0.001" in command(*asked, "--gallery", "gallery.npz", "--far", "0.001", status=2).err
    assert "--gallery" in command(*asked, status=2).err


@pytest.fixture
def learned(command, enrolled) -> TrainedPLDA:
    """A model of identities of the mimic's embeddings, in identities.npz."""
    command("embed", "--checkpoint", MIMIC, "sils", "-o", "all.npz", "-q")
    found, model = read_gallery("all.npz"), load(MIMIC)
    kinds = model.description.kinds
    fit = PLDAFit(found.embeddings, found.subjects, len(kinds), model.metric, Likelihood(dimensions=4))
    fit.add(found.embeddings, found.subjects, np.array([kinds.index(kind) for kind in found.kind]))
    learned = TrainedPLDA(fit.model(), kinds, model.fingerprint)
    write_plda("identities.npz", learned)
    return learned


def by_likelihood(learned, probe, enrolled, subject_level=False):
    """Distances of clips to a gallery's, by likelihood."""
    ours, theirs = (learned.statistics(side.embeddings, side.kind) for side in (probe, enrolled))
    found = log_likelihood_ratio(ours, theirs)
    if subject_level:
        subjects, who = np.unique(enrolled.subjects, return_inverse=True)
        found = (found + log_likelihood_ratio(ours, theirs.per_subject(who, len(subjects)))[:, who]) / 2
    return distances(found).numpy()


def test_identify_by_likelihood_takes_all_clips_of_a_subject_together(command, enrolled, learned):
    assert len(enrolled) == 2 * len(set(enrolled.subjects))
    asked = ("identify", "--checkpoint", MIMIC, "--gallery", "gallery.npz", "sils", "--type", "02", "--top", "3")
    told = json.loads(command(*asked, "--likelihood", "identities.npz", "--json").out)
    assert told["metric"] == "likelihood"
    found = read_gallery("all.npz")
    found = found[np.array([name.split("/")[1] == "02" for name in found.names])]
    apart = by_likelihood(learned, found, enrolled, subject_level=True)
    assert len(told["probes"]) == len(found) == 16
    for answer, row in zip(told["probes"], apart, strict=True):
        best = sorted((float(row[enrolled.subjects == who].min()), who) for who in set(enrolled.subjects))[:3]
        assert [near["subject"] for near in answer["ranks"]] == [who for _, who in best]
        assert [near["distance"] for near in answer["ranks"]] == pytest.approx([d for d, _ in best], rel=1e-5)
        for near in answer["ranks"]:
            (place,) = np.flatnonzero(enrolled.names == near["name"])
            assert row[place] == pytest.approx(near["distance"]) and enrolled.subjects[place] == near["subject"]
    assert told != json.loads(command(*asked, "--json").out)


def test_verify_by_likelihood_compares_with_its_own_threshold(command, enrolled, learned):
    other = "sils/00008/02/01/01.pkl"
    asked = ("verify", "--checkpoint", MIMIC, PROBE, other, "--likelihood", "identities.npz", "--json")
    told = json.loads(command(*asked, "--gallery", "gallery.npz", "--far", "0.5").out)
    apart = by_likelihood(learned, enrolled, enrolled)
    later = np.triu(enrolled.subjects[:, None] != enrolled.subjects, 1)
    assert told["impostor_pairs"] == 24 and told["threshold"] == np.sort(apart[later])[12]
    found = read_gallery("all.npz")
    first, second = (found[[found.names.tolist().index(name)]] for name in ("00007/02/00", "00008/02/01"))
    assert told["distance"] == pytest.approx(float(by_likelihood(learned, first, second)[0, 0]), rel=1e-5)


def test_a_model_of_identities_comes_back_as_it_was_written(learned):
    again = read_plda("identities.npz")
    assert (again.kinds, again.fingerprint) == (learned.kinds, learned.fingerprint)
    for before, after in zip(learned.plda[1:], again.plda[1:], strict=True):
        np.testing.assert_array_equal(before, after)
    assert again.plda.vectors == learned.plda.vectors


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": np.array("another")}, "learned from embeddings of another model"),
        ({"kinds": lambda kinds: np.char.add("x", kinds)}, "kind '[a-z_]+' is not one of xclean, x"),
        ({"known": np.zeros(9, bool)}, "identities.npz: not a model of identities"),
        ({"mean": lambda mean: mean * np.nan}, "identities.npz: numbers that are not finite"),
        ({"precision": np.array([{}], dtype=object)}, "identities.npz: cannot be read"),
        ({"more": np.zeros(3)}, "identities.npz: not a model of identities"),
        ({"format": lambda version: version + 1}, "identities.npz: a model of identities of another version"),
        (None, "identities.npz: cannot be read"),
    ],
)
def test_a_wrong_model_of_identities_is_refused(command, enrolled, learned, change, words):
    if change is None:
        Path("identities.npz").write_bytes(Path("identities.npz").read_bytes()[:1000])
    else:
        with np.load("identities.npz") as content:
            changed = {k: v(content[k]) if callable(v) else v for k, v in change.items()}
            np.savez("changed.npz", **{**content, **changed})
        Path("changed.npz").rename("identities.npz")
    asked = ("identify", "--checkpoint", MIMIC, "--gallery", "gallery.npz", "sils", "--likelihood", "identities.npz")
    printed = command(*asked, status=2)
    assert re.search(words, printed.err) and printed.err.count("\n") == 1
    assert "no such model of identities: nowhere.npz" in command(*asked[:-1], "nowhere.npz", status=2).err


def test_a_model_without_ven_says_nothing_of_visibility(command):
    teacher = "output/GREW/Baseline/teacher"
    command("enroll", "--checkpoint", teacher, "sils", "--type", "01", "--gallery", "g.npz")
    printed = command("identify", "--checkpoint", teacher, "--gallery", "g.npz", PROBE, "--json")
    (answer,) = json.loads(printed.out)["probes"]
    assert answer["visible"] is None and answer["low_visibility"] is None and answer["occlusion"] is None
    assert (
        command("identify", "--checkpoint", teacher, "--gallery", "g.npz", PROBE).out.splitlines()[1].split()[1] == "-"
    )


@pytest.mark.parametrize("name", ["enroll", "identify", "verify"])
def test_another_models_gallery_is_refused(command, enrolled, name):
    asked = {
        "enroll": ("sils", "--gallery", "gallery.npz"),
        "identify": (PROBE, "--gallery", "gallery.npz"),
        "verify": (PROBE, PROBE, "--gallery", "gallery.npz"),
    }
    printed = command(name, "--checkpoint", "output/GREW/MimicGait/vanilla", *asked[name], status=2)
    assert "gallery.npz was embedded by another model" in printed.err and printed.err.count("\n") == 1


def test_an_empty_gallery_and_a_missing_checkpoint_are_said(command, enrolled):
    write_gallery("empty.npz", enrolled[:0])
    assert "nobody is enrolled" in command("identify", "--gallery", "empty.npz", PROBE, status=2).err
    assert "--checkpoint" in command("identify", "--gallery", "gallery.npz", PROBE, status=2).err
    assert "no such file or folder" in command("embed", "--checkpoint", MIMIC, "x.pkl", "-o", "e.npz", status=2).err


def test_help_does_not_wait_for_torch():
    program = "import sys, opengait_mimic.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], env=environment()).returncode == 0


def test_who_it_is_is_asked_before_anything_is_embedded(command, monkeypatch):
    monkeypatch.setattr(gallery, "read_frames", None)
    asked = ("enroll", "--checkpoint", MIMIC, PROBE, "--gallery", "gallery.npz")
    assert "who is this?" in command(*asked, status=2).err
