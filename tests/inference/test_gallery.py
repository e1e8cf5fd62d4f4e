"""Gallery files, and thresholds taken from a gallery's impostors."""

from __future__ import annotations

import pickle
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_mimic.apps.inference import gallery as rooms
from opengait_mimic.apps.inference.gallery import Gallery, find_clips, joined, read_gallery, threshold, write_gallery
from opengait_mimic.errors import DataError


def gallery(at, subjects, names=None, fingerprint="f" * 64):
    """Embeddings of one number each, so that distances are differences."""
    size = len(at)
    names = [f"clip {i}" for i in range(size)] if names is None else names
    return Gallery(
        fingerprint, "euc", np.array(at, np.float32).reshape(size, 1, 1), np.array(subjects, str), np.array(names, str),
        np.array(["top"] * size, str), np.full(size, 0.5, np.float32),
    )  # fmt: skip


class TestFile:
    def test_comes_back_as_it_was_written(self, tmp_path):
        written = gallery([1, 2], ["a", "Zoë"])
        write_gallery(tmp_path / "new" / "g.npz", written)
        found = read_gallery(tmp_path / "new" / "g.npz")
        for field in fields(Gallery):
            np.testing.assert_array_equal(getattr(found, field.name), getattr(written, field.name))
        assert len(list((tmp_path / "new").iterdir())) == 1

    def test_nothing_in_it_is_unpickled(self, tmp_path):
        class Exploit:
            def __reduce__(self):
                return open, (str(tmp_path / "executed"), "w")

        for content in (Exploit(), np.array([Exploit()], dtype=object)):
            (tmp_path / "g.npz").write_bytes(pickle.dumps(content))
            with pytest.raises(DataError, match="cannot be read"):
                read_gallery(tmp_path / "g.npz")
        np.savez(tmp_path / "g.npz", embeddings=np.array([Exploit()], dtype=object))
        with pytest.raises(DataError, match="cannot be read"):
            read_gallery(tmp_path / "g.npz")
        assert not (tmp_path / "executed").exists()

    def test_another_file_is_refused(self, tmp_path):
        (tmp_path / "empty.npz").touch()
        (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
        np.save(tmp_path / "array.npy", np.zeros(3))
        torch.save({"weight": torch.zeros(3)}, tmp_path / "weights.pt")
        for path in tmp_path.iterdir():
            with pytest.raises(DataError, match=f"{path.name}: cannot be read"):
                read_gallery(path)
        with pytest.raises(DataError, match="no such gallery"):
            read_gallery(tmp_path / "h.npz")

    def test_a_torn_one_and_one_of_other_arrays_are_refused(self, tmp_path):
        path = tmp_path / "g.npz"
        write_gallery(path, gallery([1, 2], ["a", "b"]))
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match="cannot be read"):
            read_gallery(path)
        path.write_bytes(whole)
        with np.load(path) as stored:
            arrays = dict(stored)
        changes = ({"subjects": np.array(["a"])}, {"amount": np.array(["a", "b"])}, {"more": np.zeros(2)},
                   {"format": [1, 1]}, {"metric": ["euc", "cos"]}, {"weighted": np.zeros(2)},
                   {"names": np.array([["a"], ["b"]])})  # fmt: skip
        for change in changes:
            np.savez(path, **{**arrays, **change})
            with pytest.raises(DataError, match="not a gallery file"):
                read_gallery(path)
        np.savez(path, **{**arrays, "format": 2})
        with pytest.raises(DataError, match="another version"):
            read_gallery(path)

    def test_a_sequence_of_the_same_name_is_replaced(self):
        both = joined(gallery([1, 2], ["a", "b"], ["x", "y"]), gallery([3, 4], ["b", "c"], ["y", "z"]))
        assert both.names.tolist() == ["x", "y", "z"] and both.embeddings.ravel().tolist() == [1, 3, 4]

    def test_another_models_embeddings_are_refused(self):
        with pytest.raises(DataError, match="embedded by another model"):
            joined(gallery([1], ["a"]), gallery([2], ["b"], fingerprint="0" * 64))


class TestThreshold:
    def test_by_hand(self):
        # impostor pairs: a-b 1, 3; a-c 7; b-c 6, 4; the genuine pair b-b 2 does not count
        people = gallery([0, 1, 3, 7], ["a", "b", "b", "c"])
        assert threshold(people, 0) == (1.0, 0.0, 5)
        assert threshold(people, 0.2) == (3.0, 0.2, 5)
        assert threshold(people, 0.39) == (3.0, 0.2, 5)
        assert threshold(people, 0.4) == (4.0, 0.4, 5)
        assert threshold(people, 1) == (float("inf"), 1.0, 5)

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), min_size=2, max_size=30), st.floats(0, 1))
    def test_accepts_no_larger_share_than_asked_for_and_the_next_would(self, clips, far):
        people = gallery([at for _, at in clips], [str(who) for who, _ in clips])
        apart = sorted(
            abs(a - b) for i, (who, a) in enumerate(clips) for other, b in clips[i + 1 :] if who != other
        )  # fmt: skip
        allowed = int(np.floor(far * len(apart) + 1e-6))
        if not apart or (far > 0 and not allowed):
            with pytest.raises(DataError, match="impostor pairs cannot tell"):
                threshold(people, far)
            return
        found = threshold(people, far)
        assert found.pairs == len(apart)
        accepted = sum(d < found.value for d in apart)
        assert accepted <= allowed and found.far == pytest.approx(accepted / len(apart))
        assert found.value == float("inf") or sum(d <= found.value for d in apart) > allowed

    def test_too_few_pairs_to_tell_a_rate_are_refused(self):
        with pytest.raises(DataError, match="3 impostor pairs cannot tell a FAR of 0.01"):
            threshold(gallery([0, 1, 2], ["a", "b", "c"]), 0.01)

    def test_of_a_large_gallery_clips_at_even_distances_are_paired(self, monkeypatch):
        monkeypatch.setattr(rooms, "PAIRED", 3)
        assert threshold(gallery([0, 50, 1, 50, 3], list("axbyc")), 0) == (1.0, 0.0, 3)


class TestFindClips:
    def test_a_data_set_a_folder_and_a_file(self, tmp_path):
        for name in ("b/01/000/000.pkl", "a/02/090/090.pkl", "a/01/000/00-sil.pkl", "a/01/000/01-map.pkl", "loose.pkl"):
            (tmp_path / "sils" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "sils" / name).touch()
        found = find_clips(tmp_path / "sils")
        assert [clip.name for clip in found] == ["a/01/000", "a/02/090", "b/01/000"]
        assert [clip.subject for clip in found] == ["a", "a", "b"]
        assert found[0].path.name == "00-sil.pkl", "of several streams the first holds the silhouettes"
        assert [clip.name for clip in find_clips(tmp_path / "sils", ["02"])] == ["a/02/090"]
        (one,) = find_clips(tmp_path / "sils" / "a" / "02" / "090")
        assert one.subject == "" and one.name.endswith("090.pkl")
        assert find_clips(one.path) == [one]
        assert [clip.path.stem for clip in find_clips(tmp_path / "sils" / "a")] == ["00-sil", "01-map", "090"]

    @pytest.mark.parametrize("path", ["nowhere", ""])
    def test_nothing_there_is_said(self, tmp_path, path):
        with pytest.raises(DataError, match="no such file|no silhouettes"):
            find_clips(tmp_path / path)
