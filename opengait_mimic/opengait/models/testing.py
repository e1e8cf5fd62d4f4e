"""Tests of our models, on occluded and on holistic clips."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from evaluation import evaluator
from torch import nn

from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.evaluation import occluded
from opengait_mimic.evaluation.occluded import Holistic, Repeat
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import at_ranks, evaluate_embeddings, scores
from opengait_mimic.evaluation.relative_performance import holistic_retention, relative_scalars, relative_table
from opengait_mimic.evaluation.results import MATCHING_TITLES, fingerprint, matched_result, versions, write_result
from opengait_mimic.evaluation.visibility import visibility_scalars
from opengait_mimic.method.beyond.plda import PLDAMatching
from opengait_mimic.method.beyond.weighted import Weights
from opengait_mimic.opengait import host as hosts
from opengait_mimic.opengait.checkpoints import checkpoint_path
from opengait_mimic.opengait.config.names import backbone_title, method_name, ven_name
from opengait_mimic.opengait.config.networks import evaluator_settings, training_seed
from opengait_mimic.opengait.config.transforms import lifted
from opengait_mimic.opengait.evaluators import score_visibility
from opengait_mimic.opengait.models.embedding import Condition, Embeddings, embed_data_set
from opengait_mimic.opengait.models.plda import keep_plda, learn_plda, statistics

# What a way of matching makes of probes and a gallery.
Weigh = Callable[[Embeddings, Embeddings], "Weights | PLDAMatching"]


class Scorer:
    """How a model's embeddings become scores: `evaluate_recognition`'s protocol, or another eval function of the host.

    Args:
        cfgs: the run's configuration, as in its YAML.
        matching: one of `MATCHING_TITLES`; "" is the plain distance.
        settings: of the matching, for the result file.
        weights: what `evaluate_embeddings` takes for the matching of probes with a gallery.
    Raises:
        ConfigError: the host has no such eval function.
    """

    def __init__(self, cfgs: dict, matching: str = "", settings: dict | None = None, weights: Weigh | None = None):
        self.cfg, data_cfg = cfgs["evaluator_cfg"], cfgs["data_cfg"]
        self.matching, self.settings, self.weights = matching, settings or {}, weights
        self.dataset = data_cfg.get("test_dataset_name") or data_cfg["dataset_name"]
        name = self.cfg["eval_func"]
        if not callable(getattr(evaluator, name, None)):
            known = [k for k, v in vars(evaluator).items() if callable(v) and not k.startswith("_")]
            raise ConfigError(f"evaluator_cfg: eval_func: the host has no {name!r}; {nearest(name, known)}")
        self.function: Callable = getattr(evaluator, name)
        self.protocol = None
        if name == "evaluate_recognition":
            named = {k: self.cfg[k] for k in ("gallery", "probe", "cross_view") if k in self.cfg}
            self.protocol = protocol(self.dataset, partition=data_cfg["dataset_partition"], **named)

    def __call__(self, probe: Embeddings, gallery: Embeddings, device: torch.device) -> Holistic:
        """Scores in percent of `probe`'s clips against `gallery`'s, and what they come from where that is known."""
        labels, types, views = probe.names.T
        embeddings = probe.features["embeddings"]
        if self.protocol is not None:
            weights = None if self.weights is None else self.weights(probe, gallery)
            found = evaluate_embeddings(
                embeddings, gallery.features["embeddings"], labels, types, views, self.protocol,
                self.cfg.get("metric", "euc"), device, weights,
            )  # fmt: skip
            return Holistic(scores(found.headline), found)
        data = {"embeddings": embeddings, "labels": labels.tolist(), "types": types.tolist(), "views": views.tolist()}
        options = {k: self.cfg[k] for k in inspect.signature(self.function).parameters if k in self.cfg}
        result = self.function(data, self.dataset, **options)
        # Tables have no place among the scores, nor have conditions that the data lack (NaN in a checkout).
        single = {k.rpartition("/")[2]: float(v) for k, v in result.items() if np.ndim(v) == 0}
        return Holistic({k: v for k, v in single.items() if np.isfinite(v)}, None)

    def sides(self, clips) -> dict[str, frozenset[tuple[str, str, str]]]:
        """The clips of a test set that are a "probe" anywhere, and those in a "gallery"; empty where all are compared.

        Raises:
            DataError: nothing can be compared.
        """
        if self.protocol is None:
            return {}
        names = list(zip(clips.label_list, clips.types_list, clips.views_list, strict=True))
        found = self.protocol.comparisons(*zip(*names, strict=True))
        return {
            "probe": frozenset(names[i] for comparison in found for i in comparison.probes),
            "gallery": frozenset(names[i] for comparison in found for i in comparison.gallery),
        }


def other_scorers(net) -> list[Scorer]:
    """The ways of matching beside the plain distance that the YAML asks for; a PLDA is learned first."""
    cfgs, found, settings = net.original_cfgs, [], evaluator_settings(net.original_cfgs)
    if (weighted := settings.weighted) is not None:
        epsilon = weighted.epsilon

        def by_visibility(probe: Embeddings, gallery: Embeddings) -> Weights:
            return Weights(_visibility(probe), _visibility(gallery), epsilon)

        found.append(Scorer(cfgs, "weighted", {"weighted": asdict(weighted)}, by_visibility))
    if (ratio := settings.likelihood) is not None:
        plda = learn_plda(net, ratio)
        if plda is not None:
            keep_plda(net, plda, tested_checkpoint(net))
        for subject_level, matching in ((False, "likelihood"), (True, "persons")):

            def by_ratio(probe: Embeddings, gallery: Embeddings, subject_level: bool = subject_level) -> PLDAMatching:
                assert plda is not None  # only the first process compares
                return PLDAMatching(statistics(plda, probe), statistics(plda, gallery), subject_level)

            about = {"likelihood": {**asdict(ratio), "persons": subject_level}}
            found.append(Scorer(cfgs, matching, about, by_ratio))
    return found


def _visibility(embedded: Embeddings) -> np.ndarray:
    """[n, p] visibilities of the parts; 1 for a network that has none (the teacher)."""
    count, _, parts = embedded.features["embeddings"].shape
    return embedded.features.get("visibility", np.ones((count, parts), np.float32))


class RecognitionTest(NamedTuple):
    """What a test of a recognition model embeds and compares.

    Attributes:
        settings: `evaluator_cfg.occluded`.
        tests: on occluded clips.
        trained: the occlusion types that the network has met in training.
        teacher: the holistic network that HP is measured with, None where it is not there.
        scorer: by the plain distance.
        compared: the clips that are compared, on either side; empty where all are.
    """

    settings: occluded.Settings
    tests: list[occluded.OccludedTest]
    trained: tuple[str, ...]
    teacher: nn.Module | None
    scorer: Scorer
    compared: dict[str, frozenset[tuple[str, str, str]]]

    def holistic_gallery(self, test: occluded.OccludedTest) -> bool:
        """Whether a test's gallery is holistic. Where both sides had the very same fraction occluded, that alone would
        bring them together."""
        return self.settings.who == "probe" or (self.settings.who == "both" and test.protocol == "severity")

    def conditions(self, net) -> list[Condition]:
        """How the test set is embedded: holistic, by the teacher, and occluded for each seed of each test."""
        found = [Condition(net.embeddings_of)]
        if (teacher := self.teacher) is not None:
            found.append(Condition(lambda inputs: {"embeddings": teacher(inputs[0].occluded, inputs[4])}))
        for test in self.tests:
            # Where the other side is compared holistic, it has been embedded already.
            side = self.compared.get("probe" if self.holistic_gallery(test) else self.settings.who)
            found += [Condition(net.embeddings_of, test.mixture, seed, side) for seed in test.seeds]
        return found


@dataclass(frozen=True)
class Outcome:
    """What one scorer found: of the network on holistic clips, of the teacher (HP), and by test.

    Attributes:
        names: [n, 3] of the test set's clips.
    """

    names: np.ndarray
    scorer: Scorer
    holistic: Holistic
    reference: Holistic | None = None
    repeats: dict[str, list[Repeat]] = field(default_factory=lambda: defaultdict(list))


def recognition_test(net) -> dict[str, float] | None:
    """Test a recognition model on occluded and on holistic clips, beside its teacher on holistic clips (HP).

    Writes the result files, prints every test's table, and returns the standard test's scalars for TensorBoard;
    None on all but the first process. Other ways of matching, where they are asked for, are scored beside the plain
    distance and have result files of their own.
    """
    test = planned(net)
    scorers = [test.scorer, *other_scorers(net)]
    outcomes = embed_and_score(net, test, scorers)
    if outcomes is None:
        return None
    scalars: dict[str, float] = {}
    for outcome in outcomes:
        scalars |= report(net, test, outcome)
    return scalars


def planned(net) -> RecognitionTest:
    """What the YAML asks for; what cannot be tested is said now, not after embedding everything.

    Raises:
        ConfigError: settings that do not fit each other. DataError: nothing can be compared.
    """
    evaluator_cfg = net.original_cfgs["evaluator_cfg"]
    settings, scorer = evaluator_settings(net.original_cfgs).occluded, Scorer(net.original_cfgs)
    if scorer.protocol is None and (settings.who != "both" or settings.severity):
        raise ConfigError(
            "evaluator_cfg: occluded: probes or galleries alone (who, severity) need eval_func evaluate_recognition"
        )
    compared = scorer.sides(net.test_loader.dataset)
    entry, trained = lifted(evaluator_cfg["transform"], "transform")[1], net.trained_types()
    tests = []
    if entry is not None:
        tests = occluded.occluded_tests(settings, entry["kinds"], net.occlusion["evaluator_cfg"].seed or 0, trained)
    teacher = net.reference_network()
    if teacher is not None:
        teacher = teacher.to(next(net.parameters()).device)
    elif settings.gallery_by == "teacher":
        raise ConfigError("evaluator_cfg: occluded: gallery_by: the teacher's checkpoint is not there")
    return RecognitionTest(settings, tests, trained, teacher, scorer, compared)


def embed_and_score(net, test: RecognitionTest, scorers: list[Scorer]) -> list[Outcome] | None:
    """Embed the test set in every condition, and compare; None on all but the first process."""
    log, device = net.msg_mgr.log_info, next(net.parameters()).device
    embedded = embed_data_set(net, test.conditions(net), 4 * net.embedding_size)
    own = next(embedded)
    by_teacher = None if test.teacher is None else next(embedded)
    if own is None:
        for _ in embedded:
            pass
        return None
    gallery = by_teacher if by_teacher is not None and test.settings.gallery_by == "teacher" else own
    log("The network on holistic clips:")
    outcomes = [Outcome(own.names, scorer, scorer(own, gallery, device)) for scorer in scorers]
    if by_teacher is None:
        log("RP is not computed: it needs the teacher's checkpoint, which is not there")
    else:
        log("The teacher on holistic clips (HP):")
        reference = test.scorer(by_teacher, by_teacher, device)
        outcomes = [replace(outcome, reference=reference) for outcome in outcomes]
    drawn = [(one, seed) for one in test.tests for seed in one.seeds]
    holistic_probes = test.settings.who == "gallery"
    for (one, seed), found in zip(drawn, embedded, strict=True):
        assert found is not None
        log(f"{one.name}, seed {seed}:")
        hidden = found.among(own.names)
        probe, other = own if holistic_probes else hidden, gallery if test.holistic_gallery(one) else hidden
        labels = [None if holistic_probes else probe.features[name] for name in ("drawn_kind", "drawn_amount")]
        for outcome in outcomes:
            scored = outcome.scorer(probe, other, device)
            outcome.repeats[one.name].append(Repeat(scored.scores, scored.recognition, *labels))
    return outcomes


def report(net, test: RecognitionTest, outcome: Outcome) -> dict[str, float]:
    """Print an outcome's tables and write its result file; returns its scalars for TensorBoard."""
    log, scorer, holistic, reference = net.msg_mgr.log_info, outcome.scorer, outcome.holistic, outcome.reference
    matched_by = f", {MATCHING_TITLES[scorer.matching]}" if scorer.matching else ""
    summaries = [occluded.summary(one, outcome.repeats[one.name], reference) for one in test.tests]
    for one, summary in zip(test.tests, summaries, strict=True):
        zero_shot = ", kinds it was not trained on" if one.zero_shot else ""
        title = f"{one.name} ({one.protocol}{zero_shot}){matched_by}"
        log(f"{title}\n{relative_table(summary, holistic.scores)}")
    retention = holistic_retention(holistic.scores, None if reference is None else reference.scores)
    if "Rank-1" in retention:
        log(f"Holistic retention, own holistic / HP, Rank-1: {retention['Rank-1']:.3f}")
    settings = test.settings
    content = {
        "kind": "recognition",
        **_about(net),
        "teacher": fingerprint(net.spec.checkpoint),
        "backbone": backbone_title(net.spec.model_cfg),
        "protocol": {
            "metric": scorer.cfg.get("metric", "euc"),
            "eval_func": scorer.cfg["eval_func"],
            "who": settings.who,
            "gallery_by": settings.gallery_by,
            "repeats": settings.repeats,
            "seeds": list(test.tests[0].seeds) if test.tests else [],
            "level": occluded.LEVEL,
            **scorer.settings,
        },
        "trained_kinds": list(test.trained),
        "method": method_name(net.original_cfgs, net.ven_spec and net.ven_spec.model_cfg) + matched_by,
        "holistic": {"own": holistic.scores, "teacher": None if reference is None else reference.scores},
        "retention": retention,
        "tests": summaries,
    }
    path = matched_result(result_path(net), scorer.matching) if scorer.matching else result_path(net)
    write_result(path, content, _probes(outcome))
    log(f"Results are in {path}")
    if summaries:
        found = relative_scalars(summaries[0], holistic.scores)
    else:
        found = {f"scalar/test_accuracy/{name}": value for name, value in holistic.scores.items()}
    prefix = scorer.matching and f"{scorer.matching}_"
    return {name.replace("/", f"/{prefix}", 1): value for name, value in found.items()}


def visibility_test(net) -> dict[str, float] | None:
    """Test a VEN on the evaluator's occlusions and write the result file.

    Returns:
        Scalars for TensorBoard; None on all but the first process.
    """
    occlusion = net.occlusion["evaluator_cfg"]
    how = (occlusion.mixture, occlusion.seed or 0) if occlusion else ()
    embedded = next(embed_data_set(net, [Condition(net.embeddings_of, *how)]))
    if embedded is None:
        return None
    about, kinds = _about(net), list(net.classes)
    found = score_visibility(embedded.features, about["dataset"], kinds)
    by_kind = found.amount_error_by_kind
    content = {
        "kind": "visibility",
        **about,
        "method": ven_name(net.original_cfgs["model_cfg"]),
        "classes": kinds,
        "accuracy": found.accuracy and 100 * found.accuracy,
        "confusion": None if found.confusion is None else found.confusion.tolist(),
        "amount_error": found.amount_error,
        "amount_error_by_kind": None if by_kind is None else [None if np.isnan(e) else float(e) for e in by_kind],
        "parts_error": found.parts_error,
    }
    path = result_path(net)
    write_result(path, content, {})
    net.msg_mgr.log_info(f"Results are in {path}")
    return visibility_scalars(found, kinds)


def _probes(outcome: Outcome) -> dict[str, np.ndarray]:
    """Per probe of the headline: its name, its weight, and its hits at ranks 1, 5, 10 and 20, mean over repeats."""
    own, reference = outcome.holistic.recognition, outcome.reference
    if own is None:
        return {}
    arrays = {
        "names": np.array(["/".join(name) for name in outcome.names[own.headline.probes]]),
        "weights": own.headline.weights,
        "holistic/own": at_ranks(own.headline.hits),
    }
    if reference is not None and reference.recognition is not None:
        arrays["holistic/teacher"] = at_ranks(reference.recognition.headline.hits)
    for name, drawn in outcome.repeats.items():
        hits = [at_ranks(r.recognition.headline.hits) for r in drawn if r.recognition is not None]
        arrays[f"{name}/hits"] = np.mean(hits, axis=0)
    return arrays


def _about(net) -> dict:
    """What every result file says of its run."""
    data_cfg = net.original_cfgs["data_cfg"]
    return {
        "versions": versions(),
        "host": "embedded" if hosts.active() == hosts.EMBEDDED else "OpenGait",
        "seed": training_seed(net.original_cfgs),
        "config": net.original_cfgs,
        "checkpoint": fingerprint(tested_checkpoint(net), iteration=net.iteration),
        "dataset": data_cfg.get("test_dataset_name") or data_cfg["dataset_name"],
    }


def tested_checkpoint(net) -> Path | None:
    """The file whose weights are tested; None for a network that was never trained itself."""
    hint = net.iteration if net.phase_training else net.engine_cfg["restore_hint"]
    if isinstance(hint, str):
        return Path(hint)
    dataset, model = net.original_cfgs["data_cfg"]["dataset_name"], net.original_cfgs["model_cfg"]["model"]
    return checkpoint_path(dataset, model, net.engine_cfg["save_name"], hint) if hint else None


def result_path(net) -> Path:
    """Where a test's result file goes."""
    name = net.engine_cfg["save_name"]
    return Path(net.save_path, "results", f"{name}-{net.iteration:0>5}.json")
