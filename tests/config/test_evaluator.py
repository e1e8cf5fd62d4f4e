"""What a test of ours reads in evaluator_cfg beside the host's own."""

from __future__ import annotations

import pytest

from opengait_mimic.errors import ConfigError
from opengait_mimic.evaluation.occluded import Settings
from opengait_mimic.method.beyond.plda import Likelihood
from opengait_mimic.method.beyond.weighted import Weighting
from opengait_mimic.opengait.config.networks import evaluator_settings


def asked(**evaluator):
    return evaluator_settings({"evaluator_cfg": {"metric": "cos", **evaluator}})


def test_what_is_left_out_is_off():
    for off in (None, False):
        found = asked(weighted=off, likelihood=off)
        assert (found.weighted, found.likelihood, found.occluded) == (None, None, Settings())
    for section in (None, {}, {"severity": None, "generalizability": None, "adaptability": {}}):
        assert asked(occluded=section).occluded == Settings()


def test_everything_can_be_said():
    section = {"who": "probe", "gallery_by": "teacher", "repeats": 3, "severity": [0.2, 1],
               "generalizability": {"middle": ["middle"]}, "adaptability": {"top": ["top"]}}  # fmt: skip
    assert asked(occluded=section).occluded == Settings(**{**section, "severity": (0.2, 1)})
    assert asked(weighted=True).weighted == asked(weighted={}).weighted == Weighting()
    assert asked(weighted={"epsilon": 1, "bins": [2, 1]}).weighted == Weighting(1.0, (2, 1))
    assert asked(likelihood=True).likelihood == Likelihood()
    assert asked(likelihood={"draws": 5, "shrinkage": 2}).likelihood == Likelihood(5, 100, 2.0)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("occluded", "both", "expected a mapping, found 'both'"),
        ("occluded", {"repeat": 3}, "unknown key 'repeat'; did you mean 'repeats'?"),
        ("occluded", {"who": "probes"}, "who: 'probes' is not one of probe, gallery, both"),
        ("occluded", {"who": None}, "who: None is not one of"),
        ("occluded", {"gallery_by": "Teacher"}, "gallery_by: 'Teacher' is not one of network, teacher"),
        ("occluded", {"gallery_by": "teacher"}, "set who: probe"),
        ("occluded", {"repeats": 0}, "repeats: 0 is not a whole number from 1"),
        ("occluded", {"repeats": True}, "repeats: True"),
        ("occluded", {"repeats": 1.5}, "repeats: 1.5"),
        ("occluded", {"severity": 0.4}, "severity: 0.4 is not a list"),
        ("occluded", {"severity": [0.4, 0]}, "severity: [0.4, 0]"),
        ("occluded", {"severity": [1.2]}, "above 0 and at most 1"),
        ("occluded", {"severity": [float("nan")]}, "severity: [nan]"),
        ("occluded", {"severity": ["0.4"]}, "severity: ['0.4']"),
        ("occluded", {"adaptability": ["middle"]}, "adaptability: ['middle'] is not names with a list of kinds each"),
        ("occluded", {"generalizability": {1: ["middle"]}}, "generalizability: {1: ['middle']}"),
        ("likelihood", "yes", "'yes' is not true or false, or a mapping with draws, dimensions, shrinkage"),
        ("likelihood", {"draw": 3}, "unknown key 'draw'; did you mean 'draws'"),
        ("likelihood", {"draws": 0}, "draws: 0 is not a whole number from 1"),
        ("likelihood", {"dimensions": 2.5}, "dimensions: 2.5 is not a whole number"),
        ("likelihood", {"dimensions": True}, "dimensions: True"),
        ("likelihood", {"shrinkage": 0}, "shrinkage: 0 is not a number above 0"),
        ("likelihood", {"shrinkage": float("nan")}, "shrinkage: nan"),
        ("weighted", 1, "1 is not true or false"),
        ("weighted", [True], "[True] is not true or false"),
        ("weighted", {"epsilon": 0}, "epsilon: 0"),
        ("weighted", {"epsilon": True}, "epsilon: True"),
        ("weighted", {"epsilon": 2}, "at most 1"),
        ("weighted", {"bins": []}, "bins: []"),
        ("weighted", {"bins": [0]}, "bins: [0]"),
        ("weighted", {"eps": 0.1}, "unknown key 'eps'"),
    ],
)
def test_what_is_refused_is_named(key, value, told):
    with pytest.raises(ConfigError) as caught:
        asked(**{key: value})
    assert str(caught.value).startswith(f"evaluator_cfg: {key}: ") and told in str(caught.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        asked(occluded={"who": "x", "repeats": 0}, weighted={"epsilon": 9}, likelihood=3)
    assert len(str(caught.value).splitlines()) == 4
