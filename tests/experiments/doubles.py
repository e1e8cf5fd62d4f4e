"""Stand-ins for the work of a stage: they leave what a training or a test leaves, without training or testing."""

from __future__ import annotations

import os
import sys
import time
import zlib
from pathlib import Path

import numpy as np

from opengait_mimic.apps.experiments.stages import Stage
from opengait_mimic.evaluation import occluded
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import evaluate_embeddings, scores
from opengait_mimic.evaluation.results import versions, write_result
from opengait_mimic.method.occlusion import mixture
from opengait_mimic.opengait.config.names import backbone_title, method_name, ven_name
from opengait_mimic.opengait.config.networks import evaluator_settings
from opengait_mimic.opengait.config.reading import read_yaml
from opengait_mimic.opengait.config.transforms import lifted

LABELS = [str(subject) for subject in range(5) for _ in range(3)]
TYPES = ["01", "02", "02"] * 5
VIEWS = ["00"] * 15
ORDER = "order.txt"  # what was done, in a file of each folder


def work(stage: Stage, *_) -> None:
    """Leave a stage's outcome, and a line in ORDER."""
    os.chdir(stage.folder)
    stage.outcome.parent.mkdir(parents=True, exist_ok=True)
    if stage.phase == "train":
        stage.outcome.write_bytes(b"weights")
    else:
        leave_result(stage)
    with Path(ORDER).open("a") as done:
        done.write(f"{stage.mark.name}\n")


def work_or_fail(stage: Stage, *_) -> None:
    """The VEN's training fails once the teacher is done, if there is one; the others would take ten minutes."""
    if stage.mark.name == "teacher_gaitbase.train":
        return work(stage)
    if stage.mark.name != "ven.train":
        time.sleep(600)
    teacher = stage.mark.with_name("teacher_gaitbase.train")
    while (stage.folder / "teacher_gaitbase.yaml").is_file() and not teacher.is_file():
        time.sleep(0.1)
    stage.log.parent.mkdir(exist_ok=True)
    stage.log.write_text("loading\nopengait-mimic: the loss is NaN at iteration 3\n")
    sys.exit(1)


def work_for_nothing(stage: Stage, *_) -> None:
    """It ends well, and has left nothing."""


def leave_result(stage: Stage) -> None:
    """A result as a test of this stage would have it, of random embeddings."""
    cfgs = stage.cfgs
    about = {"versions": versions(), "host": "embedded", "seed": cfgs["trainer_cfg"].get("seed", 0), "config": cfgs,
             "checkpoint": None, "dataset": cfgs["data_cfg"]["dataset_name"]}  # fmt: skip
    if cfgs["model_cfg"]["model"] == "VisibilityEstimation":
        classes = mixture(lifted(cfgs["trainer_cfg"]["transform"], "")[1]["kinds"]).classes
        found = {"classes": list(classes), "accuracy": 90.0, "confusion": np.eye(len(classes), dtype=int).tolist(),
                 "amount_error": 0.04, "amount_error_by_kind": [0.04] * len(classes)}  # fmt: skip
        write_result(stage.outcome, {"kind": "visibility", **about, "method": ven_name(cfgs["model_cfg"]), **found}, {})
        return
    ven = cfgs["model_cfg"]["ven"]
    kinds = lifted(cfgs["evaluator_cfg"]["transform"], "")[1]["kinds"]
    learned = lifted(cfgs["trainer_cfg"]["transform"], "")[1]
    trained = [] if learned is None else list(dict.fromkeys(mixture(learned["kinds"]).names))
    asked = evaluator_settings(cfgs).occluded
    tests = occluded.occluded_tests(asked, kinds, 0, tuple(trained))
    rng = np.random.default_rng(zlib.crc32(stage.mark.name.encode()) + about["seed"])
    whole = _recognised(rng)
    reference = occluded.Holistic(scores(whole.headline), whole)
    summaries = []
    for test in tests:
        found = [_recognised(rng) for _ in test.seeds]
        draws = [occluded.Repeat(scores(r.headline), r, np.ones(15, int), np.full(15, 0.5)) for r in found]
        summaries.append(occluded.summary(test, draws, reference))
    headline = whole.headline
    names = np.array(["/".join(names) for names in zip(LABELS, TYPES, VIEWS, strict=True)])[headline.probes]
    hits = {f"{test.name}/hits": headline.hits for test in tests}
    content = {
        "kind": "recognition", **about, "teacher": None,
        "backbone": backbone_title(read_yaml(stage.folder / cfgs["model_cfg"]["backbone"])["model_cfg"]),
        "method": method_name(cfgs, ven and read_yaml(stage.folder / ven)["model_cfg"]),
        "protocol": {"metric": "cos", "who": asked.who, "gallery_by": asked.gallery_by, "repeats": asked.repeats,
                     "seeds": list(tests[0].seeds), "level": occluded.LEVEL},
        "trained_kinds": trained,
        "holistic": {"own": reference.scores, "teacher": reference.scores},
        "tests": summaries,
    }  # fmt: skip
    write_result(stage.outcome, content, {"names": names, "weights": headline.weights, **hits})


def _recognised(rng: np.random.Generator):
    people = rng.normal(size=(5, 8, 2)).repeat(3, axis=0)
    embeddings = (people + rng.normal(size=people.shape)).astype(np.float32)
    return evaluate_embeddings(embeddings, embeddings, LABELS, TYPES, VIEWS, protocol("GREW"))
