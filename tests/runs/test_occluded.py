"""The occluded evaluation through the command line: the same numbers in any number of processes and on any host."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from commands import checkout, opengait_mimic, write_yamls

from opengait_mimic.apps.inference import load
from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.evaluation.plda_model import read_plda
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config.reading import defaults, merge, read_yaml

OCCLUDED = {"who": "both", "repeats": 2, "severity": [0.3, 0.7], "generalizability": {"middle": ["middle"]}}
TESTS = ["occluded", "0.3", "0.7", "middle"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A trained teacher, VEN and mimic; 25 clips to test on, which neither 2 nor 3 processes divide evenly."""
    folder = tmp_path_factory.mktemp("occluded")
    root, partition = folder / "sils", folder / "sils.json"
    generate_walkers(root, partition, 6, 5, sequences=4, frames=12, gallery=2, probe=3, test_frames=8)
    write_yamls(folder, {"root": root, "partition": partition, "identities": 6})
    mimic = yaml.safe_load((folder / "mimic.yaml").read_text())
    mimic["evaluator_cfg"].update(
        eval_func="evaluate_recognition", occluded=OCCLUDED, likelihood={"draws": 1, "dimensions": 4}
    )
    (folder / "mimic.yaml").write_text(yaml.safe_dump(mimic))
    activate("embedded")
    from main import run

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in ("teacher", "ven", "mimic"):
            run(merge(defaults("embedded"), read_yaml(f"{stage}.yaml")), training=True)
    return folder


def results(folder: Path, host: str, processes: int) -> tuple[dict, dict]:
    """The result file of the mimic's test and the arrays beside it; by likelihood too, of clips and of persons."""
    hows = ("", "likelihood-", "persons-")
    written = [folder / f"output/GREW/MimicGait/mimic/results/mimic-{how}00004.json" for how in hows]
    for path in written:
        path.unlink(missing_ok=True)
    opengait_mimic(folder, "test", "--cfgs", "mimic.yaml", "--host", host, "--device", "cpu", "--nproc", str(processes))
    content, odds, persons = (json.loads(path.read_text()) for path in written)
    assert odds["method"] == f"{content['method']}, likelihood" and odds["tests"] != content["tests"]
    assert persons["method"] == f"{odds['method']} of persons" and persons["tests"] != odds["tests"]
    with np.load(written[0].with_suffix(".npz")) as arrays:
        return {**content, "likelihood": odds, "persons": persons}, dict(arrays)


@pytest.fixture(scope="module")
def alone(folder):
    return results(folder, "embedded", 1)


def test_the_command_line_has_every_test(folder, alone):
    content, arrays = alone
    assert [test["name"] for test in content["tests"]] == TESTS
    assert set(arrays) == {"names", "weights", "holistic/own", "holistic/teacher", *(f"{t}/hits" for t in TESTS)}
    assert len(arrays["names"]) == 15
    learned = read_plda(folder / "output/GREW/MimicGait/mimic/checkpoints/mimic-00004.identities.npz")
    assert learned.fingerprint == load(folder / "output/GREW/MimicGait/mimic").fingerprint
    for test in content["tests"]:
        assert [len(score["values"]) for score in test["scores"].values()] == [2] * 9


@pytest.mark.parametrize("host", ["embedded", "OpenGait"])
def test_generated_people_do_not_outnumber_recorded_ones(folder, alone, host):
    """Four of the six to learn from said to be generated: another model of identities, and the same network."""
    kept = folder / "output/GREW/MimicGait/mimic/checkpoints/mimic-00004.identities.npz"
    before = kept.read_bytes()
    partition = json.loads((folder / "sils.json").read_text())
    (folder / "sils.json").write_text(json.dumps({**partition, "GENERATED_SET": partition["TRAIN_SET"][:4]}))
    try:
        content, _ = results(folder, host if host == "embedded" else str(checkout(host)), 1)
        learned = read_plda(kept)
    finally:
        (folder / "sils.json").write_text(json.dumps(partition))

    def own(found):
        return {place: n for place, n in numbers(found).items() if not place.startswith(("likelihood", "persons"))}

    assert own(content) == pytest.approx(own(alone[0]), abs=1e-6)
    kept.write_bytes(before)
    assert np.abs(learned.plda.mean - read_plda(kept).plda.mean).max() > 1e-4


@pytest.mark.parametrize("processes", [2, 3])
def test_the_number_of_processes_changes_no_digit(folder, alone, processes):
    content, arrays = results(folder, "embedded", processes)
    assert content == alone[0]
    assert set(arrays) == set(alone[1])
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, alone[1][name], strict=True)


def numbers(content: dict) -> dict[str, float]:
    """Every number of a result's holistic accuracy and tests, by its place."""
    found = {}

    def walk(place: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{place}/{key}", inner)
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                walk(f"{place}/{i}", inner)
        elif isinstance(value, (int, float)):
            found[place] = value

    walk("holistic", content["holistic"])
    walk("tests", content["tests"])
    walk("likelihood", content["likelihood"]["tests"])
    walk("persons", content["persons"]["tests"])
    return found


def test_an_opengait_checkout_finds_the_same(folder, alone):
    content, arrays = results(folder, str(checkout("OpenGait")), 1)
    assert content["host"] == "OpenGait" and alone[0]["host"] == "embedded"
    assert numbers(content) == pytest.approx(numbers(alone[0]), abs=1e-6)
    for key in (
        "seed",
        "checkpoint",
        "teacher",
        "dataset",
        "backbone",
        "method",
        "protocol",
        "trained_kinds",
        "probes",
    ):
        assert content[key] == alone[0][key]
    assert arrays["names"].tolist() == alone[1]["names"].tolist()
    for name in set(arrays) - {"names"}:
        np.testing.assert_allclose(arrays[name], alone[1][name], atol=1e-6)
