"""On the same embeddings, a real OpenGait's evaluators, the embedded host's and ours agree."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from commands import checkout, environment

from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.evaluation.recognition import evaluate_embeddings, scores

EVALUATE = """
import json, sys
import numpy as np
import torch
torch.set_num_threads(1)
from opengait_mimic.opengait.host import activate
activate(sys.argv[1])
from evaluation import evaluator
from utils import get_msg_mgr
get_msg_mgr().init_logger(".", False)
results = {}
for name, (function, dataset, options) in json.loads(sys.argv[2]).items():
    with np.load(dataset + ".npz") as arrays:
        data = {key: arrays[key].tolist() for key in ("labels", "types", "views")}
        data["embeddings"] = arrays["embeddings"]
    found = getattr(evaluator, function)(data, dataset, **options)
    results[name] = {key.removeprefix("scalar/test_accuracy/"): np.asarray(v).tolist() for key, v in found.items()}
print("RESULTS" + json.dumps(results))
"""

CASIA_B = [f"{kind}-{i:02d}" for kind, last in (("nm", 6), ("bg", 2), ("cl", 2)) for i in range(1, last + 1)]
CCPG = ["U0_D0", "U0_D0_BG", "U1_D1", "U2_D2", "U3_D3", "U0_D3", "U1_D0"]
SUSTECH1K = ["00-nm", "01-nm", "01-bg", "02-cl", "03-cr-ub", "04-uf", "02-oc", "01-nt"]
TEST_SETS = {
    "CASIA-B": (14, CASIA_B, ["000", "036", "090"]),
    "OUMVLP": (30, ["00", "01"], ["000", "030", "060", "090"]),
    "GREW": (60, ["01", "02"], ["v0", "v1"]),
    "Gait3D": (40, ["camid0", "camid1"], ["seq0", "seq1"]),
    "CCPG": (40, CCPG, ["01_0", "01_1", "02_0", "03_0"]),
    "SUSTech1K": (14, SUSTECH1K, ["000", "045", "090-far"]),
}
CASES = {
    "CASIA-B": ("evaluate_indoor_dataset", "CASIA-B", {}),
    "CASIA-B cos": ("evaluate_indoor_dataset", "CASIA-B", {"metric": "cos"}),
    "CASIA-B cross-view": ("evaluate_indoor_dataset", "CASIA-B", {"cross_view_gallery": True}),
    "OUMVLP": ("evaluate_indoor_dataset", "OUMVLP", {}),
    "OUMVLP cross-view": ("evaluate_indoor_dataset", "OUMVLP", {"cross_view_gallery": True}),
    "GREW": ("evaluate_real_scene", "GREW", {}),
    "Gait3D": ("evaluate_Gait3D", "Gait3D", {}),
    "CCPG": ("evaluate_CCPG", "CCPG", {}),
    "SUSTech1K": ("evaluate_indoor_dataset", "SUSTech1K", {}),
}


def write_test_sets(folder):
    rng = np.random.default_rng(0)
    for dataset, (subjects, types, views) in TEST_SETS.items():
        names = np.array([(f"{s:04d}", t, v) for s in range(subjects) for t in types for v in views])
        # Some sequences are missing: cells differ in size, and some probes have no match left.
        names = names[rng.random(len(names)) < 0.9]
        if dataset == "GREW":
            names = names[(names[:, 0] != "0003") | (names[:, 1] == "02")]
        identity = rng.normal(size=(subjects, 6, 4))[names[:, 0].astype(int)]
        embeddings = (identity + 1.6 * rng.normal(size=identity.shape)).astype(np.float32)
        labels, types, views = names.T
        np.savez(folder / f"{dataset}.npz", embeddings=embeddings, labels=labels, types=types, views=views)
        if dataset == "Gait3D":
            listed = ["-".join(n) for n in names if n[1] == "camid0" and n[2] == "seq0"]
            listed += ["-".join(n) for n in names if n[0] == "0005"]  # no match in the gallery
            (folder / "datasets" / "Gait3D").mkdir(parents=True)
            (folder / "datasets" / "Gait3D" / "Gait3D.json").write_text(json.dumps({"PROBE_SET": listed}))


def evaluated(host, folder):
    done = subprocess.run(
        [sys.executable, "-c", EVALUATE, str(host), json.dumps(CASES)],
        cwd=folder, env=environment() | {"OPENGAIT_MIMIC_DEVICE": "cpu"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("RESULTS")[2]), done.stdout + done.stderr


def ours(folder, dataset, metric="euc", cross_view=None):
    """{condition: scores}, "" being the headline."""
    with np.load(folder / f"{dataset}.npz") as arrays:
        embeddings = arrays["embeddings"]
        partition = folder / "datasets" / "Gait3D" / "Gait3D.json"
        asked = protocol(dataset, cross_view=cross_view, partition=partition)
        names = arrays["labels"], arrays["types"], arrays["views"]
        found = evaluate_embeddings(embeddings, embeddings, *names, asked, metric)
    return {name: scores(c) for name, c in found.conditions.items()} | {"": scores(found.headline)}


def test_a_real_opengait_the_embedded_host_and_ours_agree(tmp_path):
    root = checkout("OpenGait")
    write_test_sets(tmp_path)
    theirs, log = evaluated(root, tmp_path)
    embedded, _ = evaluated("embedded", tmp_path)
    for name in CASES:
        assert set(theirs[name]) <= set(embedded[name]), name
        for key, value in theirs[name].items():
            np.testing.assert_allclose(embedded[name][key], value, atol=1e-4, err_msg=f"{name} {key}")

    close = {"abs": 0.0051}  # they round every cell to two decimals
    assert theirs["GREW"] == pytest.approx({k: ours(tmp_path, "GREW")[""][k] for k in theirs["GREW"]}, **close)
    assert theirs["Gait3D"] == pytest.approx({k: ours(tmp_path, "Gait3D")[""][k] for k in theirs["Gait3D"]}, abs=1e-4)
    for name, metric in (("CASIA-B", "euc"), ("CASIA-B cos", "cos"), ("OUMVLP", "euc")):
        found = ours(tmp_path, name.split()[0], metric)
        assert theirs[name] == pytest.approx({k: found[k[:-3]]["Rank-1"] for k in theirs[name]}, **close), name
    for name in ("CASIA-B cross-view", "OUMVLP cross-view"):
        found = ours(tmp_path, name.split()[0], cross_view="include")
        for key, value in theirs[name].items():
            condition, _, score = key.rpartition("-")
            assert value == pytest.approx(found[condition][score.replace("Rank@", "Rank-")], **close), (name, key)
    found = ours(tmp_path, "SUSTech1K")
    for key, value in theirs["SUSTech1K"].items():
        assert value == pytest.approx(found[key[:-3].replace("Umberalla", "Umbrella")]["Rank-1"], **close), key
    assert theirs["SUSTech1K"]["Overall@R1"] == pytest.approx(found[""]["Rank-1"], **close)

    found = ours(tmp_path, "CCPG")
    for condition, table in theirs["CCPG"].items():
        others = np.where(np.eye(3, dtype=bool), np.nan, table)
        assert np.nanmean(others, axis=1).mean() == pytest.approx(found[condition]["Rank-1"], **close), condition
    # The re-identification protocol is in the log only: three lines of "CL: …, UP: …, DN: …, BG: …".
    logged = [line.split("CL:")[1] for line in log.splitlines() if "CL:" in line and "UP:" in line][:3]
    for score, line in zip(("Rank-1", "mAP", "mINP"), logged, strict=True):
        values = [float(part.split(":")[-1]) for part in line.split(",")]
        expected = [found[f"{condition}-ReID"][score] for condition in ("CL", "UP", "DN", "BG")]
        assert values == pytest.approx(expected, abs=0.00051), score
