"""What an occluded evaluation is asked to do, and what its draws add up to."""

from __future__ import annotations

import numpy as np
import pytest

from opengait_mimic.errors import ConfigError
from opengait_mimic.evaluation.occluded import Holistic, OccludedTest, Repeat, Settings, occluded_tests, summary
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import cmc, evaluate_embeddings, scores
from opengait_mimic.evaluation.statistics import bootstrap_interval
from opengait_mimic.method.occlusion import mixture

KINDS = [{"kind": "top", "prob": 0.5, "amount": [0.4, 0.6]}, {"kind": "bottom", "prob": 0.5, "refit": True}]
TRAINED = ("top", "bottom")


class TestTests:
    def asked(self, trained=TRAINED, seed=0, kinds=KINDS, **section):
        return occluded_tests(Settings(**section), kinds, seed, trained)

    def test_the_yamls_own_occlusion_comes_first_and_has_a_seed_per_repeat(self):
        (standard,) = self.asked(seed=7, repeats=3)
        assert (standard.name, standard.protocol, standard.kinds) == ("occluded", "standard", KINDS)
        assert standard.seeds == (7, 8, 9)
        assert standard.mixture == mixture(KINDS)
        assert not standard.zero_shot

    def test_the_standard_test_is_zero_shot_where_a_kind_is_new(self):
        assert self.asked(trained=("top",))[0].zero_shot
        assert self.asked(trained=())[0].zero_shot
        assert not self.asked(trained=(*TRAINED, "middle"))[0].zero_shot

    def test_severity_fixes_the_amount_and_nothing_else(self):
        _, low, high = self.asked(severity=[0.2, 1.0], kinds=[*KINDS[1:], "middle"])
        assert (low.name, high.name, low.protocol) == ("0.2", "1", "severity")
        assert low.kinds == [{"kind": "bottom", "prob": 0.5, "refit": True, "amount": 0.2},
                             {"kind": "middle", "amount": 0.2}]  # fmt: skip
        assert mixture(low.kinds) == low.mixture and mixture(high.kinds) == high.mixture
        rng = np.random.default_rng(0)
        plan = low.mixture.sample([rng] * 20, [np.arange(3)] * 20, 100, 50)
        assert set(plan.kind) == {1, 2} and plan.amount == pytest.approx(0.2)
        assert low.zero_shot, "middle was not among the training kinds"

    def test_generalizability_is_to_kinds_never_met(self):
        found = self.asked(generalizability={"middle": ["middle"], "moving": [{"kind": "moving_pole", "prob": 0.5}]})
        assert [(t.name, t.protocol, t.zero_shot) for t in found[1:]] == [
            ("middle", "generalizability", True),
            ("moving", "generalizability", True),
        ]
        assert found[2].mixture.probs == (0.5,)

    def test_adaptability_is_to_kinds_among_others(self):
        found = self.asked(trained=(*TRAINED, "middle"), adaptability={"middle": ["middle"], "both": ["top", "middle"]})
        assert [(t.protocol, t.zero_shot) for t in found[1:]] == [("adaptability", False)] * 2

    @pytest.mark.parametrize(
        ("section", "told"),
        [
            ({"generalizability": {"t": ["middle", "top"]}}, "generalizability: t: the network was trained on top"),
            ({"adaptability": {"m": ["top", "middle"]}}, "adaptability: m: the network was not trained on middle"),
            ({"adaptability": {"m": ["midle"]}}, "adaptability: m: Occlusion: unknown kind 'midle'; did you mean"),
            ({"adaptability": {"m": None}}, "adaptability: m: Occlusion: kinds: expected a list of kinds, found None"),
            ({"adaptability": {"m": "top"}}, "adaptability: m: Occlusion: kinds: expected a list of kinds"),
            ({"severity": [0.3, 0.30]}, "the name '0.3' stands for two tests"),
            ({"severity": [0.3], "adaptability": {"0.3": ["top"]}}, "the name '0.3' stands for two tests"),
            ({"adaptability": {"occluded": ["top"]}}, "the name 'occluded' stands for two tests"),
            (
                {"adaptability": {"x": ["top"]}, "generalizability": {"x": ["middle"]}},
                "the name 'x' stands for two tests",
            ),
        ],
    )
    def test_what_does_not_fit_is_named(self, section, told):
        with pytest.raises(ConfigError) as caught:
            self.asked(**section)
        assert str(caught.value).startswith("evaluator_cfg: occluded: ") and told in str(caught.value)


# Two subjects with one gallery and two probe clips each, on a line.
LABELS = ["a", "a", "a", "b", "b", "b"]
TYPES = ["01", "02", "02", "01", "02", "02"]
VIEWS = ["00"] * 6
WHOLE = [0.0, 1.0, 2.0, 10.0, 9.0, 8.0]  # every probe finds its subject
FIRST = [0.0, 1.0, 7.0, 10.0, 9.0, 8.0]  # a's second probe does not: Rank-1 75
SECOND = [0.0, 6.0, 7.0, 10.0, 9.0, 8.0]  # nor its first: Rank-1 50
NOBODY = [0.0, 9.0, 8.0, 10.0, 1.0, 2.0]
GREW = protocol("GREW")


def recognised(places):
    embeddings = np.array(places, np.float32).reshape(-1, 1, 1)
    return evaluate_embeddings(embeddings, embeddings, LABELS, TYPES, VIEWS, GREW)


def draw(places, kind=None, amount=None):
    found = recognised(places)
    arrays = [None if a is None else np.array(a) for a in (kind, amount)]
    return Repeat(scores(found.headline), found, *arrays)


def holistic(places=WHOLE):
    found = recognised(places)
    return Holistic(scores(found.headline), found)


def a_test(repeats=1):
    return OccludedTest("occluded", "standard", mixture(KINDS), KINDS, False, tuple(range(repeats)))


KIND = [1, 0, 1, 2, 2, 1]  # clean, top, bottom, top for the four probes
AMOUNT = np.array([0.5, 0.0, 0.4, 0.5, 0.45, 0.6], np.float32)


class TestSummary:
    def test_one_repeat_by_hand(self):
        entry = summary(a_test(), [draw(FIRST, KIND, AMOUNT)], holistic())
        assert {k: entry[k] for k in ("name", "protocol", "kinds", "zero_shot")} == {
            "name": "occluded", "protocol": "standard", "kinds": KINDS, "zero_shot": False
        }  # fmt: skip
        rank1 = entry["scores"]["Rank-1"]
        assert rank1["mean"] == 75 and rank1["values"] == [75.0] and rank1["sd"] is None
        assert rank1["HP"] == 100 and rank1["RP"] == 0.75
        weights = np.full(4, 0.25)
        low, high = bootstrap_interval(np.array([1, 0, 1, 1.0]), weights)
        assert rank1["interval"] == pytest.approx([100 * low, 100 * high])
        assert 0 < low < 0.75 < high <= 1
        # the teacher is right everywhere, so a draw's RP is its OP
        assert rank1["RP_interval"] == pytest.approx([low, high])
        assert entry["scores"]["mAP"]["mean"] == pytest.approx(100 * (1 + 1 / 2 + 1 + 1) / 4)
        assert entry["conditions"] == {}
        assert entry["cmc"] == [75, 100]
        assert len(entry["roc"]["far"]) == len(entry["roc"]["tar"]) and max(entry["roc"]["tar"]) == 1

    def test_repeats_by_hand(self):
        entry = summary(a_test(2), [draw(FIRST), draw(SECOND)], holistic())
        rank1 = entry["scores"]["Rank-1"]
        assert rank1["values"] == [75, 50] and rank1["mean"] == 62.5
        sd = 25 / 2**0.5
        assert rank1["sd"] == pytest.approx(sd)
        half = 12.706205 * sd / 2**0.5  # Student's t(0.975; 1)
        assert rank1["interval"] == pytest.approx([62.5 - half, 62.5 + half], abs=1e-4)
        assert rank1["RP"] == 0.625
        assert entry["cmc"] == [62.5, 100]

    def test_rp_is_as_sure_as_the_probes_mean_over_the_repeats(self):
        rank1 = summary(a_test(2), [draw(FIRST), draw(NOBODY)], holistic())["scores"]["Rank-1"]
        expected = bootstrap_interval(np.array([0.5, 0, 0.5, 0.5]), np.full(4, 0.25))
        assert rank1["RP_interval"] == pytest.approx(list(expected)) and expected.high == 0.5

    def test_a_test_at_the_teachers_level_has_an_rp_of_1_with_certainty(self):
        rank1 = summary(a_test(), [draw(FIRST)], holistic(FIRST))["scores"]["Rank-1"]
        assert rank1["HP"] == 75 and rank1["RP"] == 1 and rank1["RP_interval"] == [1, 1]

    def test_by_the_kind_drawn_for_the_probe(self):
        entry = summary(a_test(), [draw(FIRST, KIND, AMOUNT)], holistic())
        found = {name: (part["probes"], part["scores"]["Rank-1"]) for name, part in entry["by_kind"].items()}
        assert found == {"clean": (1, 100), "top": (2, 50), "bottom": (1, 100)}
        again = summary(a_test(2), [draw(FIRST, KIND, AMOUNT), draw(FIRST, [1] * 6, AMOUNT)], holistic())
        found = {name: (part["probes"], part["scores"]["Rank-1"]) for name, part in again["by_kind"].items()}
        # probes per repeat; the mean over the repeats in which the kind was drawn at all
        assert found == {"clean": (0.5, 100), "top": (3, (50 + 75) / 2), "bottom": (0.5, 100)}

    def test_by_amount_the_upper_edge_belongs_to_a_bin_and_clean_probes_to_none(self):
        entry = summary(a_test(), [draw(FIRST, KIND, AMOUNT)], holistic())
        found = [(part["range"], part["probes"], part["scores"]["Rank-1"]) for part in entry["by_amount"]]
        assert found == [([0.3, 0.4], 1, 0), ([0.4, 0.5], 1, 100), ([0.5, 0.6], 1, 100)]
        entry = summary(a_test(), [draw(FIRST, [1] * 6, np.array([1, 1.0, 0.05, 1, 1, 1], np.float32))], holistic())
        found = [(part["range"], part["probes"], part["scores"]["Rank-1"]) for part in entry["by_amount"]]
        assert found == [([0.0, 0.1], 1, 0), ([0.9, 1.0], 3, 100)]

    def test_whole_probes_have_neither_kind_nor_amount(self):
        entry = summary(a_test(), [draw(FIRST)], holistic())
        assert entry["by_kind"] == {} and entry["by_amount"] == []
        assert entry["scores"]["Rank-1"]["interval"] is not None

    def test_without_the_teacher_there_is_no_rp(self):
        for score in summary(a_test(), [draw(FIRST)], None)["scores"].values():
            assert score["HP"] is None and score["RP"] is None and score["RP_interval"] is None

    def test_a_teacher_that_recognises_nobody_gives_no_rp(self):
        rank1 = summary(a_test(), [draw(FIRST)], holistic(NOBODY))["scores"]["Rank-1"]
        assert rank1["HP"] == 0 and rank1["RP"] is None and rank1["RP_interval"] is None

    def test_another_eval_function_gives_scores_alone(self):
        drawn = [Repeat({"Rank-1": 40.0, "Rank-5": 60.0}, None, np.array(KIND), AMOUNT)]
        entry = summary(a_test(), drawn, Holistic({"Rank-1": 80.0}, None))
        assert entry["scores"]["Rank-1"] == {
            "mean": 40, "sd": None, "interval": None, "values": [40], "HP": 80, "RP": 0.5, "RP_interval": None
        }  # fmt: skip
        assert entry["scores"]["Rank-5"]["HP"] is None, "a score the teacher lacks"
        assert entry["conditions"] == entry["by_kind"] == {} and entry["by_amount"] == []
        assert "cmc" not in entry and "roc" not in entry
        drawn.append(Repeat({"Rank-1": 44.0, "Rank-5": 60.0}, None, None, None))
        rank1 = summary(a_test(2), drawn, None)["scores"]["Rank-1"]
        assert rank1["mean"] == 42 and rank1["interval"] == pytest.approx([42 - 12.7062 * 2, 42 + 12.7062 * 2], 1e-4)

    def test_conditions_and_their_mean(self):
        places = np.array([0.0, 9.0, 1.0, 8.0, 8.0], np.float32).reshape(-1, 1, 1)
        names = ["a", "b", "a", "a", "b"], ["nm-01", "nm-01", "nm-05", "bg-01", "bg-01"], ["0", "0", "1", "1", "1"]
        found = evaluate_embeddings(places, places, *names, protocol("CASIA-B"))
        # NM: a is found, 100; BG: b is, a is not, 50
        repeat = Repeat(scores(found.headline), found, np.array([0, 0, 1, 2, 1]), np.array([0, 0, 0.5, 0.5, 0.5]))
        entry = summary(a_test(), [repeat], None)
        assert {name: s["Rank-1"] for name, s in entry["conditions"].items()} == {"NM": 100, "BG": 50}
        assert entry["scores"]["Rank-1"]["mean"] == 75
        # top: NM's probe (weight 1/2) and BG's second (1/4); bottom: BG's first
        top, bottom = entry["by_kind"]["top"], entry["by_kind"]["bottom"]
        assert (top["probes"], top["scores"]["Rank-1"]) == (2, 100)
        assert (bottom["probes"], bottom["scores"]["Rank-1"]) == (1, 0)
        assert entry["cmc"] == pytest.approx(cmc(found.headline))
