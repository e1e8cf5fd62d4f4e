"""Result files as a test writes them, with numbers of one's own."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

HOSTILE = '"><img src=http://x.example/a onerror=alert(1)> $\\frac{ _a'
KINDS = [{"kind": "top", "prob": 0.5, "amount": [0.4, 0.6]}, {"kind": "bottom", "prob": 0.5}]
METRICS = ("Rank-1", "Rank-5", "Rank-10", "Rank-20", "mAP", "mINP", "TAR@0.1", "TAR@0.01", "TAR@0.001")


def score(mean, hp=None, interval=None):
    rp = None if hp is None else mean / hp
    return {"mean": mean, "sd": None, "interval": interval, "values": [mean], "HP": hp, "RP": rp, "RP_interval": None}


def occluded_test(rank1, hp=80.0, name="occluded", protocol="standard", kinds=KINDS, zero_shot=False, **more):
    """A test with Rank-1 as given, Rank-5 10 above it and TAR@0.01 10 below, and HP likewise."""
    scores = {
        metric: score(rank1 + shift, None if hp is None else hp + shift)
        for metric, shift in (("Rank-1", 0.0), ("Rank-5", 10.0), ("TAR@0.01", -10.0))
    }
    return {"name": name, "protocol": protocol, "kinds": kinds, "zero_shot": zero_shot, "scores": scores, **more}


def recognition(method, rank1=None, seed=0, dataset="GREW", backbone="GaitBase", tests=None, **more):
    """A recognition result; without `tests` a standard test with this Rank-1."""
    base = {
        "format": 1,
        "kind": "recognition",
        "versions": {"opengait-mimic": "0.1.0", "torch": "2.13.0"},
        "host": "embedded",
        "seed": seed,
        "config": {"model_cfg": {"model": "MimicGait"}, "trainer_cfg": {"seed": seed, "total_iter": 200}},
        "checkpoint": {
            "path": "output/x.pt",
            "sha256": f"{method}{seed}".encode().hex().ljust(64, "0"),
            "iteration": 9,
        },
        "teacher": {"path": "output/t.pt", "sha256": f"teacher{seed}".encode().hex().ljust(64, "0")},
        "dataset": dataset,
        "backbone": backbone,
        "method": method,
        "protocol": {
            "metric": "euc",
            "who": "both",
            "gallery_by": "network",
            "repeats": 1,
            "seeds": [0],
            "level": 0.95,
        },
        "trained_kinds": ["bottom", "top"],
        "holistic": {"own": {"Rank-1": 70.0}, "teacher": {"Rank-1": 80.0}},
        "tests": [occluded_test(rank1)] if tests is None else tests,
        "probes": None,
    }
    return {**base, **more}


def visibility(seed=0, confusion=((98, 1, 1), (0, 50, 0), (0, 5, 45)), **more):
    base = recognition("VEN", 0.0, seed)
    kept = {
        key: base[key] for key in ("format", "versions", "host", "seed", "config", "checkpoint", "dataset", "method")
    }
    return {
        **kept,
        "kind": "visibility",
        "classes": ["clean", "top", "bottom"],
        "confusion": [list(row) for row in confusion],
        "accuracy": 96.5,
        "amount_error": 0.03,
        "amount_error_by_kind": [0.01, 0.04, 0.05],
        **more,
    }


class Results:
    """Writes result files below a folder, as runs do."""

    recognition, visibility, test, score = map(staticmethod, (recognition, visibility, occluded_test, score))

    def __init__(self, root: Path):
        self.root = root
        self.count = 0

    def write(self, content, hits=None, name=None) -> Path:
        """One file; hits: {test name: [k] hits at rank 1}, written beside it."""
        content = copy.deepcopy(content)
        self.count += 1
        path = self.root / f"run{self.count}" / "results" / (name or f"run{self.count}-00009.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        if hits:
            size = len(next(iter(hits.values())))
            arrays = {f"{key}/hits": np.repeat(np.asarray(h, float)[:, None], 4, axis=1) for key, h in hits.items()}
            names = np.array([f"p{i:03d}/02/00" for i in range(size)])
            np.savez(path.with_suffix(".npz"), names=names, weights=np.full(size, 1 / size), **arrays)
            content["probes"] = path.with_suffix(".npz").name
        path.write_text(json.dumps(content))
        return path


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path / "output")


@pytest.fixture(scope="session")
def full(tmp_path_factory):
    """Something for every table and figure, from two seeds of four methods, one of them of a hostile name."""
    results = Results(tmp_path_factory.mktemp("full") / "output")
    far = np.logspace(-4, 0, 20)
    rng = np.random.default_rng(0)
    for seed in range(2):
        for method, rank1 in (("Baseline-1", 15.0), ("Baseline-2", 20.0), ("Mimic + VEN", 30.0), (HOSTILE, 25.0)):
            curves = {
                "cmc": [min(100.0, rank1 + 2 * r) for r in range(30)],
                "roc": {"far": far.tolist(), "tar": (far ** (1 - rank1 / 100)).tolist()},
                "by_kind": {"top": {"probes": 4, "scores": {"Rank-1": rank1}}},
            }
            tests = [occluded_test(rank1 + seed, **curves)]
            for a in (0.2, 0.6):
                kinds = [{"kind": "top", "amount": a}]
                tests.append(occluded_test(rank1 - 10 * a, name=f"{a:g}", protocol="severity", kinds=kinds))
            results.write(recognition(method, tests=tests, seed=seed), {"occluded": rng.random(40) < rank1 / 100})
        results.write(visibility(seed))
    return results
