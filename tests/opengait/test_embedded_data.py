"""From files to batches in the embedded host."""

from __future__ import annotations

import itertools
import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_mimic.opengait.activation import activate

activate("embedded")

import utils  # noqa: E402
from data.collate_fn import CollateFn  # noqa: E402
from data.dataset import DataSet  # noqa: E402
from data.sampler import InferenceSampler, TripletSampler  # noqa: E402

from opengait_mimic.errors import ConfigError, DataError  # noqa: E402


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))


@pytest.fixture
def tree(tmp_path):
    """Three subjects on disk (two for training, one for test), two types, one view, two streams."""
    for subject, walk in itertools.product(["001", "002", "003"], ["nm-01", "nm-02"]):
        clip = np.full((4, 6, 5), int(subject), np.uint8)
        folder = tmp_path / "root" / subject / walk / "090"
        write(folder / "0-sil.pkl", clip)
        write(folder / "1-frames.pkl", np.arange(4).repeat(9).reshape(4, 3, 3))
    partition = tmp_path / "partition.json"
    partition.write_text(json.dumps({"TRAIN_SET": ["001", "002", "099"], "TEST_SET": ["003"]}))
    return {
        "dataset_name": "Toy",
        "dataset_root": str(tmp_path / "root"),
        "dataset_partition": str(partition),
    }


def test_the_training_part_prefixes_labels_with_the_data_sets_name(tree):
    data = DataSet(tree, training=True)
    assert data.label_list == ["Toy-001", "Toy-001", "Toy-002", "Toy-002"]
    assert data.types_list == ["nm-01", "nm-02"] * 2 and data.views_list == ["090"] * 4
    assert data.label_set == ["Toy-001", "Toy-002"]
    assert data.types_set == ["nm-01", "nm-02"] and data.views_set == ["090"]
    assert data.indices_dict == {"Toy-001": [0, 1], "Toy-002": [2, 3]}


@pytest.mark.parametrize("cache", [False, True])
def test_the_test_part_has_plain_labels(tree, cache):
    data = DataSet({**tree, "cache": cache}, training=False)
    streams, info = data[1]
    assert len(data) == 2 and info[:3] == ["003", "nm-02", "090"]
    assert [Path(path).name for path in info[3]] == ["0-sil.pkl", "1-frames.pkl"]
    assert streams[0].dtype == np.uint8 and (streams[0] == 3).all() and streams[1][:, 0, 0].tolist() == [0, 1, 2, 3]


def test_a_cached_set_no_longer_needs_its_files(tree):
    data = DataSet({**tree, "cache": True}, training=False)
    Path(data[0][1][3][0]).unlink()
    assert (data[0][0][0] == 3).all()


@pytest.mark.parametrize(
    ("in_use", "names"), [([False, True], ["1-frames.pkl"]), ([1, 0], ["1-frames.pkl", "0-sil.pkl"])]
)
def test_data_in_use_is_a_mask_or_a_list_of_positions(tree, in_use, names):
    info = DataSet({**tree, "data_in_use": in_use}, training=False)[0][1]
    assert [Path(path).name for path in info[3]] == names


@pytest.mark.parametrize("in_use", [[True], [2]])
def test_a_data_in_use_that_does_not_fit_is_refused(tree, in_use):
    with pytest.raises(ConfigError, match="data_in_use.*holds 2"):
        DataSet({**tree, "data_in_use": in_use}, training=False)


def test_a_data_set_without_any_sequence_is_named(tree, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no sequence.*empty.*partition.json"):
        DataSet({**tree, "dataset_root": str(tmp_path / "empty")}, training=True)


def test_streams_of_different_lengths_are_refused(tree):
    data = DataSet(tree, training=False)
    write(Path(data[0][1][3][1]), np.arange(3))
    with pytest.raises(ValueError, match=r"003.*different lengths \[3, 4\]"):
        data[0]


# Samplers


class Toy:
    """Five identities, identity i with i + 1 sequences."""

    label_set = list("abcde")
    indices_dict = {label: list(range(10 * i, 11 * i + 1)) for i, label in enumerate("abcde")}

    def __len__(self):
        return 7


def of_rank(monkeypatch, rank, world):
    monkeypatch.setattr(utils, "get_rank", lambda: rank)
    monkeypatch.setattr(utils, "get_world_size", lambda: world)


@pytest.mark.parametrize(("p", "k"), [(3, 2), (7, 3)])
def test_the_triplet_sampler_draws_p_identities_with_k_sequences(p, k):
    random.seed(0)
    for batch in itertools.islice(TripletSampler(Toy(), [p, k]), 20):
        groups = [[i // 10 for i in batch[j : j + k]] for j in range(0, p * k, k)]
        assert all(len(set(group)) == 1 for group in groups)
        identities = [group[0] for group in groups]
        assert len(identities) == p and (p > 5 or len(set(identities)) == p)
        for identity, start in zip(identities, range(0, p * k, k), strict=True):
            chosen = batch[start : start + k]
            assert set(chosen) <= set(Toy.indices_dict["abcde"[identity]])
            assert identity + 1 < k or len(set(chosen)) == k


def test_a_shuffled_batch_mixes_the_identities():
    random.seed(0)
    batch = next(iter(TripletSampler(Toy(), [5, 8], batch_shuffle=True)))
    identities = [i // 10 for i in batch]
    assert identities != [i for i in identities[::8] for _ in range(8)]
    assert sorted(identities) == [i for i in range(5) for _ in range(8)]


def test_each_rank_takes_its_share_of_rank_zeros_batch(monkeypatch):
    from data import sampler

    monkeypatch.setattr(sampler, "_from_rank_zero", lambda batch: list(range(8)))
    for rank in range(2):
        of_rank(monkeypatch, rank, 2)
        assert next(iter(TripletSampler(Toy(), [2, 4]))) == [rank, rank + 2, rank + 4, rank + 6]


def test_the_inference_sampler_is_sequential_and_fills_up_from_the_beginning(monkeypatch):
    shares = []
    for rank in range(2):
        of_rank(monkeypatch, rank, 2)
        sampler = InferenceSampler(Toy(), 4)
        shares.append(list(sampler))
        assert len(sampler) == 2 and sampler.batch_size == 4
    assert shares == [[[0, 2], [4, 6]], [[1, 3], [5, 0]]]


# Collation

NUMBERS = {"frames_num_fixed": 5, "frames_num_min": 3, "frames_num_max": 6}


def sequence(label, frames):
    """A silhouette stream whose frame t is all t, and a stream of frame numbers."""
    numbers = np.arange(frames)
    clip = np.broadcast_to(numbers[:, None, None], (frames, 2, 3)).astype(np.uint8)
    return [clip, numbers], [label, "nm-01", "090", []]


def collate(sample_type, lengths, **options):
    batch = [sequence("ab"[i % 2], frames) for i, frames in enumerate(lengths)]
    return CollateFn(["a", "b"], {"sample_type": sample_type, **NUMBERS, **options})(batch)


def split(stream, seqL):
    return np.split(stream[0], np.cumsum(seqL[0])[:-1])


@given(
    st.sampled_from(["fixed", "unfixed", "all"]),
    st.sampled_from(["ordered", "unordered"]),
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(0, 2**31),
)
def test_every_stream_takes_the_same_frames_and_the_layout_is_the_interfaces(number, order, lengths, seed):
    random.seed(seed)
    np.random.seed(seed)
    seqs, labels, types, views, seqL = collate(f"{number}_{order}", lengths)
    assert labels == [i % 2 for i in range(len(lengths))]
    assert types == ["nm-01"] * len(lengths) and views == ["090"] * len(lengths)
    if number == "fixed":
        assert seqL is None
        clips, frames = seqs
        assert all(clip.shape == (5, 2, 3) for clip in clips)
    else:
        assert seqL.shape == (1, len(lengths)) and all(len(stream) == 1 for stream in seqs)
        clips, frames = split(seqs[0], seqL), split(seqs[1], seqL)
        wanted = [set(range(3, 7))] * len(lengths) if number == "unfixed" else [{n} for n in lengths]
        assert all(int(n) in allowed for n, allowed in zip(seqL[0], wanted, strict=True))
    for clip, taken, length in zip(clips, frames, lengths, strict=True):
        assert (clip == taken[:, None, None]).all()
        enough = length >= len(taken)
        assert not enough or len(set(taken.tolist())) == len(taken)
        if order == "ordered" and enough:
            assert (np.diff(taken) == 1).all()
        if number == "all":
            assert taken.tolist() == list(range(length))


def test_a_short_ordered_sequence_is_repeated():
    seqs, *_ = collate("fixed_ordered", [2])
    assert seqs[1][0].tolist() in ([0, 1, 0, 1, 0], [1, 0, 1, 0, 1])


def test_skipping_keeps_the_order_within_a_longer_window():
    random.seed(0)
    np.random.seed(0)
    spans = set()
    for _ in range(50):
        taken = collate("fixed_ordered", [20], frames_skip_num=3)[0][1][0]
        assert (np.diff(taken) > 0).all()
        spans.add(int(taken[-1] - taken[0]))
    assert max(spans) == 7 and min(spans) < 7


def test_unfixed_lengths_cover_the_whole_range():
    random.seed(0)
    assert {int(collate("unfixed_ordered", [9])[4][0, 0]) for _ in range(60)} == {3, 4, 5, 6}


@pytest.mark.parametrize(("limit", "length"), [(4, 4), (-1, 9), (720, 9)])
def test_whole_sequences_may_be_limited(limit, length):
    seqs, *_, seqL = collate("all_ordered", [9], frames_all_limit=limit)
    assert seqL.tolist() == [[length]] and seqs[1][0].tolist() == list(range(length))
