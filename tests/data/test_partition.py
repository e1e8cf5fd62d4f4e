"""Which data set of the field a tree is laid out like."""

from __future__ import annotations

import json
import unicodedata

import pytest

from opengait_mimic.data.check_data import compare_partition
from opengait_mimic.data.partition import TYPES, dataset_of, read_partition, subjects_in
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation import protocols


def tree(folder, types, **partition):
    """A training subject with types of its own, and two test subjects with `types`."""
    for subject, kinds in (("0", ["x"]), ("1", types), ("2", types)):
        for kind in kinds:
            (folder / "sils" / subject / kind / "00").mkdir(parents=True)
    sets = {"TRAIN_SET": ["0"], "TEST_SET": [1, "2", "gone"], **partition}
    (folder / "sils.json").write_text(json.dumps(sets))
    return folder / "sils", folder / "sils.json"


@pytest.mark.parametrize(
    ("dataset", "types"),
    [
        ("GREW", ["01", "02"]),
        ("OUMVLP", ["00", "01"]),
        ("CASIA-B", ["nm-01", "nm-02", "nm-05", "bg-01", "cl-01"]),
        ("SUSTech1K", ["00-nm", "01-nm", "02-oc"]),
        ("CCPG", ["U0_D0", "U1_D1", "U0_D3", "U3_D3"]),
        ("GREW", ["01", "02", "00"]),  # OUMVLP has two types
    ],
)
def test_types_tell_a_data_set(tmp_path, dataset, types):
    assert dataset_of(*tree(tmp_path, types)) == dataset
    assert dataset in protocols.DATASETS


def test_listed_probes_tell_gait3d_whatever_its_types(tmp_path):
    assert dataset_of(*tree(tmp_path, ["01", "02"], PROBE_SET=["1-01-00"])) == "Gait3D"
    assert dataset_of(*tree(tmp_path / "none", ["01", "02"], PROBE_SET=[])) == "GREW"


def test_every_data_set_with_a_protocol_can_be_told():
    assert {*TYPES, "Gait3D"} == set(protocols.DATASETS)


@pytest.mark.parametrize("types", [["a", "b"], ["01"], []])
def test_types_of_none_of_them_are_named(tmp_path, types):
    with pytest.raises(DataError) as caught:
        dataset_of(*tree(tmp_path, types))
    assert f"cannot tell gallery from probe by the types {types}" in str(caught.value)
    assert "--gallery and --probe" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "[1]", '{"TRAIN_SET": []}', "nonsense"])
def test_what_is_no_partition_is_named(tmp_path, text):
    root, partition = tree(tmp_path, ["01", "02"])
    partition.write_text(text)
    with pytest.raises(DataError, match=r"sils\.json: no JSON with "):
        dataset_of(root, partition)
    partition.unlink()
    with pytest.raises(DataError, match=r"sils\.json: cannot be read"):
        dataset_of(root, partition)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_partition_is_read_in_every_encoding_of_json(tmp_path, encoding):
    path = tmp_path / "part.json"
    path.write_bytes('{"TRAIN_SET": ["José", 7], "TEST_SET": []}'.encode(encoding))
    assert read_partition(path, "TRAIN_SET") == ["José", "7"]


def test_accents_may_be_encoded_otherwise_than_in_the_folder(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))
    for name in (decomposed, "other", "file"):
        (tmp_path / "sils" / name).mkdir(parents=True)
    path = tmp_path / "part.json"
    path.write_text(json.dumps({"TRAIN_SET": [composed, "gone", "../sils", "other"], "TEST_SET": ["file"]}))
    assert subjects_in(tmp_path / "sils", path, "TRAIN_SET") == sorted([decomposed, "other"])
    told = [finding.problem for finding in compare_partition(path, {decomposed, "other", "file"})]
    assert any("encoded otherwise" in problem and composed in problem for problem in told)
    assert not any("not in the folder: José" in problem or "neither set" in problem for problem in told)
