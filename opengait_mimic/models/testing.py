"""Tests of our models: the test set is loaded once, and embedded occluded and whole in the same pass over it."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from evaluation import evaluator

from opengait_mimic import console, hosts
from opengait_mimic.checkpoints import checkpoint_path
from opengait_mimic.config import backbone_title, lifted, method_name, training_seed, ven_name
from opengait_mimic.errors import ConfigError, nearest
from opengait_mimic.evaluation import occluded
from opengait_mimic.evaluation.occluded import Holistic, Repeat
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import at_ranks, recognise, scores
from opengait_mimic.evaluation.relative import relative_scalars, relative_table
from opengait_mimic.evaluation.results import fingerprint, versions, weighted_result, write_result
from opengait_mimic.evaluation.visibility import visibility_report, visibility_scalars, visibility_table
from opengait_mimic.evaluation.weighted import Weighting, Weights, weighting
from opengait_mimic.losses.gather import rank, world_size
from opengait_mimic.models.panels import Speed
from opengait_mimic.occlusion import Mixture

KEPT_AT_ONCE = 2**32  # bytes of embeddings a process holds; more passes than fit share several loads of the test set


class Pass(NamedTuple):
    """One way to look at every clip of the test set.

    Attributes:
        network: takes the inputs of our models' forward, gives features by name, each [n, …].
        mixture: what occludes the clips, None leaves them whole. seed: of their occlusion.
        clips: (label, type, view) of those it is for; None: all.
    """

    network: Callable[[tuple], dict[str, torch.Tensor]]
    mixture: Mixture | None = None
    seed: int = 0
    clips: frozenset[tuple[str, str, str]] | None = None


class Seen(NamedTuple):
    """What one pass gave, on the first process.

    Attributes:
        names: [n, 3] label, type and view of every clip of the pass, sorted. features: [n, …] by name, with the
            occlusion's "drawn_kind" and "drawn_amount".
    """

    names: np.ndarray
    features: dict[str, np.ndarray]

    def among(self, names: np.ndarray) -> Seen:
        """The same with a row for each of `names` [m, 3], which are sorted and include its own; others are 0."""
        if len(names) == len(self.names):
            return self
        places = {tuple(name): i for i, name in enumerate(names.tolist())}
        rows = [places[tuple(name)] for name in self.names.tolist()]
        features = {k: np.zeros((len(names), *v.shape[1:]), v.dtype) for k, v in self.features.items()}
        for key, value in features.items():
            value[rows] = self.features[key]
        return Seen(names, features)


def look(net, passes: list[Pass], clip_bytes: int = 1) -> Iterator[Seen | None]:
    """Take the test set through every pass; clips in canonical order, each once. It is loaded once for many passes.

    Neither the number of processes nor the order in which the loader gives its clips changes what is seen.

    Args:
        net: one of our models, in eval mode, with a test loader. clip_bytes: size of a clip's features.
    Yields:
        For each pass what it saw, on the first process; None on the others.
    """
    clips = -(-len(net.test_loader.dataset) // world_size())
    together = max(1, KEPT_AT_ONCE // (clips * clip_bytes))
    for first in range(0, len(passes), together):
        yield from _look(net, passes[first : first + together])


@torch.no_grad()
def _look(net, passes: list[Pass]) -> Iterator[Seen | None]:
    labels = net.test_loader.dataset.label_set
    names, kept, speed = [[] for _ in passes], [defaultdict(list) for _ in passes], Speed()
    speed.restart()
    with console.bar(len(net.test_loader.dataset), "test", "seq", first=rank() == 0) as bar:
        for inputs in net.test_loader:
            whole = net.whole(inputs)
            here = list(zip((labels[i] for i in whole.labs.tolist()), whole.typs, whole.vies, strict=True))
            for one, its_names, features in zip(passes, names, kept, strict=True):
                if one.clips is not None and one.clips.isdisjoint(here):
                    continue
                its_names += here
                seen = whole.occluded_by_content(one.mixture, one.seed)
                with _half_precision(net, whole.sils.device):
                    found = one.network(seen)
                for name, value in {**found, "drawn_kind": seen[0].kind, "drawn_amount": seen[0].amount}.items():
                    features[name].append((value.float() if value.is_floating_point() else value).cpu().numpy())
                speed.take(len(here))
            bar.update(min(world_size(), bar.total - bar.n))
    net.test_speed = speed.scalars("test_throughput")
    told = ", ".join(f"{name.rpartition('/')[2]} {value:.1f}" for name, value in net.test_speed.items())
    net.msg_mgr.log_info(f"embedded {bar.total} clips, up to {len(passes)} times each: {told}")
    for its_names, features in zip(names, kept, strict=True):
        yield _gathered(its_names, {name: np.concatenate(values) for name, values in features.items()})


def _half_precision(net, device: torch.device) -> torch.autocast:
    """Half precision on a device where the YAML asks for it; a CPU tests in full precision."""
    asked = net.engine_cfg["enable_float16"] and device.type != "cpu"
    return torch.autocast(device.type, torch.float16 if asked else torch.bfloat16, enabled=asked)


def _gathered(names: list[tuple[str, str, str]], features: dict[str, np.ndarray]) -> Seen | None:
    """All processes' clips, sorted by name; those the sampler repeated to fill its last batch once."""
    parts = [(names, features)]
    if world_size() > 1:
        parts = [None] * world_size() if rank() == 0 else None
        dist.gather_object((names, features), parts)
        if rank() != 0:
            return None
    parts = [part for part in parts if part[0]]  # a process may have had no clip of this pass
    joined = np.array([name for part, _ in parts for name in part])
    names, first = np.unique(joined, axis=0, return_index=True)
    return Seen(names, {k: np.concatenate([found[k] for _, found in parts])[first] for k in parts[0][1]})


class Judge:
    """How a model's embeddings become scores: `evaluate_recognition`'s protocol, or another eval function of the host.

    Args:
        cfgs: the run's configuration, as in its YAML. weighted: parts count by their visibility.
    Raises:
        ConfigError: the host has no such eval function.
    """

    def __init__(self, cfgs: dict, weighted: Weighting | None = None):
        self.cfg, self.weighted = cfgs["evaluator_cfg"], weighted
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
            weights = self.weighted and Weights(*map(visibility, (probe, gallery)), self.weighted.epsilon)
            found = recognise(embeddings, gallery.features["embeddings"], labels, types, views, self.protocol, metric,
                              device, weights)  # fmt: skip
            return Holistic(scores(found.headline), found)
        data = {"embeddings": embeddings, "labels": labels.tolist(), "types": types.tolist(), "views": views.tolist()}
        options = {k: self.cfg[k] for k in inspect.signature(self.function).parameters if k in self.cfg}
        result = self.function(data, self.dataset, **options)
        # Tables have no place among the scores, nor have conditions that the data lack (NaN in a checkout).
        single = {k.rpartition("/")[2]: float(v) for k, v in result.items() if np.ndim(v) == 0}
        return Holistic({k: v for k, v in single.items() if np.isfinite(v)}, None)


def visibility(seen: Seen) -> np.ndarray:
    """[n, p] visibilities of the parts; 1 for a network that has none (the teacher)."""
    count, _, parts = seen.features["embeddings"].shape
    return seen.features.get("visibility", np.ones((count, parts), np.float32))


def recognition_test(net) -> dict[str, float] | None:
    """Test a recognition model on occluded and on whole clips, beside its teacher on whole clips (HP).

    Writes the result file, prints every test's table, and returns the standard test's scalars for TensorBoard;
    None on all but the first process. Weighted matching, where it is asked for, is judged beside the plain distance
    and has a result file of its own.
    """
    cfgs, log = net.asked, net.msg_mgr.log_info
    entry = lifted(cfgs["evaluator_cfg"]["transform"], "transform")[1]
    asked = occluded.settings(cfgs["evaluator_cfg"].get("occluded"))
    judge = Judge(cfgs)
    compared = {}
    weighted = weighting(cfgs["evaluator_cfg"].get("weighted"))
    judges = [judge] if weighted is None else [judge, Judge(cfgs, weighted)]
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
    seen = look(net, passes, 4 * net.embedding_size)

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
        title = "" if one.weighted is None else "weighted"
        summaries = [occluded.summary(test, repeats[test.name], reference) for test in tests]
        for test, summary in zip(tests, summaries, strict=True):
            zero_shot = ", kinds it was not trained on" if test.zero_shot else ""
            log(f"{test.name} ({test.protocol}{zero_shot}){title and ', weighted by visibility'}\n"
                f"{relative_table(summary, holistic.scores)}")  # fmt: skip
        kept = occluded.retention(holistic, reference)
        if "Rank-1" in kept:
            log(f"Holistic retention, own whole / HP, Rank-1: {kept['Rank-1']:.3f}")
        content = {
            **about,
            "method": f"{method}, {title}" if title else method,
            "protocol": {**about["protocol"], **({"epsilon": one.weighted.epsilon} if title else {})},
            "holistic": {"own": holistic.scores, "teacher": reference and reference.scores},
            "retention": kept,
            "tests": summaries,
        }
        path = weighted_result(result_path(net)) if title else result_path(net)
        write_result(path, content, _probes(own_whole.names, holistic, reference, repeats))
        log(f"Results are in {path}")
        if not tests:
            found = {f"scalar/test_accuracy/{name}": value for name, value in holistic.scores.items()}
        else:
            found = relative_scalars(summaries[0], holistic.scores)
        scalars |= {name.replace("/", f"/{title}_", 1) if title else name: value for name, value in found.items()}
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
    seen = next(look(net, [Pass(lambda inputs: net.forward(inputs)["inference_feat"],
                                occlusion and occlusion.mixture, occlusion.seed if occlusion else 0)]))  # fmt: skip
    if seen is None:
        return None
    about, kinds, found = _about(net), list(net.classes), seen.features
    report = visibility_report(
        len(kinds), found.get("logits"), found.get("amount"), found["kind"], found["true_amount"],
        found.get("part_logits"), found.get("true_parts"),
    )  # fmt: skip
    net.msg_mgr.log_info(f"Visibility on {about['dataset']}\n{visibility_table(report, kinds)}")
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
