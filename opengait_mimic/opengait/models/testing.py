"""Tests of our models, on occluded and on whole clips."""

from __future__ import annotations

import inspect
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from evaluation import evaluator

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.evaluation import occluded
from opengait_mimic.evaluation.occluded import Holistic, Repeat
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import at_ranks, evaluate_embeddings, scores
from opengait_mimic.evaluation.relative_performance import holistic_retention, relative_scalars, relative_table
from opengait_mimic.evaluation.results import fingerprint, matched_result, versions, write_result
from opengait_mimic.evaluation.visibility import visibility_scalars
from opengait_mimic.method.beyond.matching import MATCHING_TITLES
from opengait_mimic.method.beyond.plda import PLDA, Likelihood, PLDAMatching, likelihood
from opengait_mimic.method.beyond.weighted import Weighting, Weights, weighting
from opengait_mimic.opengait import host as hosts
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.sections import backbone_title, lifted, method_name, training_seed, ven_name
from opengait_mimic.opengait.evaluators import judge_visibility
from opengait_mimic.opengait.models.identities import evidence, keep_identities, learn_identities
from opengait_mimic.opengait.models.passes import Pass, Seen, look
from opengait_mimic.opengait.models.unfinished import unfinished


class Judge:
    """How a model's embeddings become scores: `evaluate_recognition`'s protocol, or another eval function of the host.

    Args:
        cfgs: the run's configuration, as in its YAML. how: another way to compare clips than the plain distance:
            parts count by their visibility, or `identities` compare by likelihood; `persons` then as in `Odds`.
    Raises:
        ConfigError: the host has no such eval function.
    """

    def __init__(
        self,
        cfgs: dict,
        how: Weighting | Likelihood | None = None,
        identities: PLDA | None = None,
        persons: bool = False,
    ):
        self.cfg, self.how, self.identities, self.persons = cfgs["evaluator_cfg"], how, identities, persons
        data_cfg = cfgs["data_cfg"]
        self.dataset = data_cfg.get("test_dataset_name") or data_cfg["dataset_name"]
        name = self.cfg["eval_func"]
        self.function = getattr(evaluator, name, None)
        if not callable(self.function):
            known = [k for k, v in vars(evaluator).items() if callable(v) and not k.startswith("_")]
            raise ConfigError(f"evaluator_cfg: eval_func: the host has no {name!r}; {nearest(name, known)}")
        self.protocol = None
        if name == "evaluate_recognition":
            named = {k: self.cfg[k] for k in ("gallery", "probe", "cross_view") if k in self.cfg}
            self.protocol = protocol(self.dataset, partition=data_cfg["dataset_partition"], **named)

    def __call__(self, probe: Seen, gallery: Seen, device: torch.device) -> Holistic:
        """Scores in percent of `probe`'s clips against `gallery`'s, and what they come from where that is known."""
        labels, types, views = probe.names.T
        embeddings = probe.features["embeddings"]
        metric = self.cfg.get("metric", "euc")
        if self.protocol is not None:
            found = evaluate_embeddings(
                embeddings, gallery.features["embeddings"], labels, types, views, self.protocol, metric, device,
                self._matching(probe, gallery),
            )  # fmt: skip
            return Holistic(scores(found.headline), found)
        data = {"embeddings": embeddings, "labels": labels.tolist(), "types": types.tolist(), "views": views.tolist()}
        options = {k: self.cfg[k] for k in inspect.signature(self.function).parameters if k in self.cfg}
        result = self.function(data, self.dataset, **options)
        # Tables have no place among the scores, nor have conditions that the data lack (NaN in a checkout).
        single = {k.rpartition("/")[2]: float(v) for k, v in result.items() if np.ndim(v) == 0}
        return Holistic({k: v for k, v in single.items() if np.isfinite(v)}, None)

    @property
    def matching(self) -> str:
        """One of `matching.MATCHING_TITLES`; "" is the plain distance."""
        if self.persons:
            return "persons"
        return {Weighting: "weighted", Likelihood: "likelihood"}.get(type(self.how), "")

    @property
    def settings(self) -> dict[str, dict]:
        """What a result file says of the way to compare, by its key in the YAML."""
        if isinstance(self.how, Likelihood):
            return {"likelihood": {**asdict(self.how), "persons": self.persons}}
        return {} if self.how is None else {"weighted": asdict(self.how)}

    def _matching(self, probe: Seen, gallery: Seen) -> Weights | PLDAMatching | None:
        if isinstance(self.how, Weighting):
            return Weights(*map(visibility, (probe, gallery)), self.how.epsilon)
        if self.identities is not None:
            return PLDAMatching(*(evidence(self.identities, side) for side in (probe, gallery)), self.persons)
        return None


def visibility(seen: Seen) -> np.ndarray:
    """[n, p] visibilities of the parts; 1 for a network that has none (the teacher)."""
    count, _, parts = seen.features["embeddings"].shape
    return seen.features.get("visibility", np.ones((count, parts), np.float32))


def recognition_test(net) -> dict[str, float] | None:
    """Test a recognition model on occluded and on whole clips, beside its teacher on whole clips (HP).

    Writes the result file, prints every test's table, and returns the standard test's scalars for TensorBoard;
    None on all but the first process. Other ways of matching, where they are asked for, are judged beside the plain
    distance and have result files of their own.
    """
    cfgs, log = net.asked, net.msg_mgr.log_info
    entry = lifted(cfgs["evaluator_cfg"]["transform"], "transform")[1]
    asked = occluded.settings(cfgs["evaluator_cfg"].get("occluded"))
    judge = Judge(cfgs)
    compared = {}
    if judge.protocol is not None:  # say now, not after embedding everything, that nothing can be compared
        compared = sides(judge, net.test_loader.dataset)
    elif asked.who != "both" or asked.severity:
        raise ConfigError(
            "evaluator_cfg: occluded: probes or galleries alone (who, severity) need eval_func evaluate_recognition"
        )
    trained = net.trained_kinds()
    occlusion = net.occlusion["evaluator_cfg"]
    tests = [] if entry is None else occluded.occluded_tests(asked, entry["kinds"], occlusion.seed, trained)
    teacher = net.reference_network()
    if asked.gallery_by == "teacher" and teacher is None:
        raise ConfigError("evaluator_cfg: occluded: gallery_by: the teacher's checkpoint is not there")

    where = unfinished(result_path(net), net.engine_cfg["save_name"], net.asked, (net, teacher))
    judges = [judge]
    if (weighted := weighting(cfgs["evaluator_cfg"].get("weighted"))) is not None:
        judges.append(Judge(cfgs, weighted))
    if (odds := likelihood(cfgs["evaluator_cfg"].get("likelihood"))) is not None:
        identities = learn_identities(net, odds, where)
        judges += [Judge(cfgs, odds, identities, persons) for persons in (False, True)]
        if identities is not None:
            keep_identities(net, identities, tested_checkpoint(net))

    own = lambda inputs: net.forward(inputs)["inference_feat"]  # noqa: E731
    passes = [Pass(own)]
    if teacher is not None:
        teacher = teacher.to(next(net.parameters()).device)
        passes.append(Pass(lambda inputs: {"embeddings": teacher(inputs[0].occluded, inputs[4])}))
    drawn = [(test, seed) for test in tests for seed in test.seeds]
    # Where the other side is compared whole, it has been seen already.
    passes += [
        Pass(own, test.mixture, seed, compared.get("probe" if _gallery_is_whole(asked, test) else asked.who))
        for test, seed in drawn
    ]
    device = next(net.parameters()).device
    seen = look(net, passes, 4 * net.embedding_size, where=where)

    own_whole = next(seen)
    teacher_whole = next(seen) if teacher is not None else None
    first = own_whole is not None
    gallery = teacher_whole if asked.gallery_by == "teacher" else own_whole
    if first:
        log("The network on whole clips:")
        holistics = [one(own_whole, gallery, device) for one in judges]
        reference = None
        if teacher is None:
            log("RP is not computed: it needs the teacher's checkpoint, which is not there")
        else:
            log("The teacher on whole clips (HP):")
            reference = judge(teacher_whole, teacher_whole, device)
    drawn_by_judge: list[dict[str, list[Repeat]]] = [defaultdict(list) for _ in judges]
    for (test, seed), occluded_clips in zip(drawn, seen, strict=True):
        if not first:
            continue
        log(f"{test.name}, seed {seed}:")
        occluded_clips = occluded_clips.among(own_whole.names)
        probe = own_whole if asked.who == "gallery" else occluded_clips
        other = gallery if _gallery_is_whole(asked, test) else occluded_clips
        shown = (
            (None, None) if asked.who == "gallery" else (probe.features["drawn_kind"], probe.features["drawn_amount"])
        )
        for one, repeats in zip(judges, drawn_by_judge, strict=True):
            found = one(probe, other, device)
            repeats[test.name].append(Repeat(found.scores, found.recognition, *shown))
    if not first:
        return None

    about = {
        "kind": "recognition",
        **_about(net),
        "teacher": fingerprint(net.spec.checkpoint),
        "backbone": backbone_title(net.spec.model_cfg),
        "protocol": {
            "metric": judge.cfg.get("metric", "euc"),
            "eval_func": judge.cfg["eval_func"],
            "who": asked.who,
            "gallery_by": asked.gallery_by,
            "repeats": asked.repeats,
            "seeds": list(tests[0].seeds) if tests else [],
            "level": occluded.LEVEL,
        },
        "trained_kinds": list(trained),
    }
    method = method_name(net.asked, net.ven_spec and net.ven_spec.model_cfg)
    scalars: dict[str, float] = {}
    for one, holistic, repeats in zip(judges, holistics, drawn_by_judge, strict=True):
        compared_by = f", {MATCHING_TITLES[one.matching]}" if one.matching else ""
        summaries = [occluded.summary(test, repeats[test.name], reference) for test in tests]
        for test, summary in zip(tests, summaries, strict=True):
            zero_shot = ", kinds it was not trained on" if test.zero_shot else ""
            log(f"{test.name} ({test.protocol}{zero_shot}){compared_by}\n"
                f"{relative_table(summary, holistic.scores)}")  # fmt: skip
        kept = holistic_retention(holistic.scores, reference and reference.scores)
        if "Rank-1" in kept:
            log(f"Holistic retention, own whole / HP, Rank-1: {kept['Rank-1']:.3f}")
        content = {
            **about,
            "method": method + compared_by,
            "protocol": {**about["protocol"], **one.settings},
            "holistic": {"own": holistic.scores, "teacher": reference and reference.scores},
            "retention": kept,
            "tests": summaries,
        }
        path = matched_result(result_path(net), one.matching) if one.matching else result_path(net)
        write_result(path, content, _probes(own_whole.names, holistic, reference, repeats))
        log(f"Results are in {path}")
        if not tests:
            found = {f"scalar/test_accuracy/{name}": value for name, value in holistic.scores.items()}
        else:
            found = relative_scalars(summaries[0], holistic.scores)
        prefix = one.matching and f"{one.matching}_"
        scalars |= {name.replace("/", f"/{prefix}", 1): value for name, value in found.items()}
    where.remove()
    return scalars


def _gallery_is_whole(asked: occluded.Settings, test: occluded.OccludedTest) -> bool:
    # Where both sides had the very same fraction hidden, that alone would bring them together.
    return asked.who == "probe" or (asked.who == "both" and test.protocol == "severity")


def sides(judge: Judge, clips) -> dict[str, frozenset[tuple[str, str, str]]]:
    """The clips of a test set that are a "probe" anywhere, and those in a "gallery".

    Raises:
        DataError: nothing can be compared.
    """
    names = list(zip(clips.label_list, clips.types_list, clips.views_list, strict=True))
    found = judge.protocol.comparisons(*zip(*names, strict=True))
    return {
        "probe": frozenset(names[i] for comparison in found for i in comparison.probes),
        "gallery": frozenset(names[i] for comparison in found for i in comparison.gallery),
    }


def visibility_test(net) -> dict[str, float] | None:
    """Test a VEN on the evaluator's occlusions and write the result file.

    Returns:
        Scalars for TensorBoard; None on all but the first process.
    """
    occlusion = net.occlusion["evaluator_cfg"]
    where = unfinished(result_path(net), net.engine_cfg["save_name"], net.asked, (net,))
    drawn = Pass(lambda inputs: net.forward(inputs)["inference_feat"],
                 occlusion and occlusion.mixture, occlusion.seed if occlusion else 0)  # fmt: skip
    seen = next(look(net, [drawn], where=where))
    if seen is None:
        return None
    about, kinds = _about(net), list(net.classes)
    report = judge_visibility(seen.features, about["dataset"], kinds)
    by_kind = report.amount_error_by_kind
    content = {
        "kind": "visibility",
        **about,
        "method": ven_name(net.asked["model_cfg"]),
        "classes": kinds,
        "accuracy": report.accuracy and 100 * report.accuracy,
        "confusion": None if report.confusion is None else report.confusion.tolist(),
        "amount_error": report.amount_error,
        "amount_error_by_kind": None if by_kind is None else [None if np.isnan(e) else float(e) for e in by_kind],
        "parts_error": report.parts_error,
    }
    path = result_path(net)
    write_result(path, content, {})
    where.remove()
    net.msg_mgr.log_info(f"Results are in {path}")
    return visibility_scalars(report, kinds)


def _probes(names, holistic: Holistic, reference: Holistic | None, repeats: dict[str, list[Repeat]]) -> dict:
    """Per probe of the headline: its name, its weight, and its hits at ranks 1, 5, 10 and 20, mean over repeats."""
    if holistic.recognition is None:
        return {}

    headline = holistic.recognition.headline
    arrays = {
        "names": np.array(["/".join(name) for name in names[headline.probes]]),
        "weights": headline.weights,
        "holistic/own": at_ranks(headline.hits),
    }
    if reference is not None:
        arrays["holistic/teacher"] = at_ranks(reference.recognition.headline.hits)
    for name, drawn in repeats.items():
        arrays[f"{name}/hits"] = np.mean([at_ranks(r.recognition.headline.hits) for r in drawn], axis=0)
    return arrays


def _about(net) -> dict:
    """What every result file says of its run."""
    return {
        "versions": versions(),
        "host": "embedded" if hosts.active() == hosts.EMBEDDED else "OpenGait",
        "seed": training_seed(net.asked),
        "config": net.asked,
        "checkpoint": fingerprint(tested_checkpoint(net), iteration=net.iteration),
        "dataset": net.asked["data_cfg"].get("test_dataset_name") or net.asked["data_cfg"]["dataset_name"],
    }


def tested_checkpoint(net) -> Path | None:
    """The file whose weights are tested; None for a network that was never trained itself."""
    hint = net.engine_cfg["restore_hint"]
    if net.phase_training:
        hint = net.iteration
    if isinstance(hint, str):
        return Path(hint)
    cfgs = net.asked
    name = net.engine_cfg["save_name"]
    return checkpoint_path(cfgs["data_cfg"]["dataset_name"], cfgs["model_cfg"]["model"], name, hint) if hint else None


def result_path(net) -> Path:
    """Where a test's result file goes."""
    name = net.engine_cfg["save_name"]
    return Path(net.save_path, "results", f"{name}-{net.iteration:0>5}.json")
