"""What goes wrong in a loss of ours is said as it is, on every host.

OpenGait's wrapper for losses turns every exception into a bare ArgumentError; ours do without it.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from commands import checkout, environment

CASES = """
import ctypes, json, sys
import torch
torch.set_num_threads(1)
from opengait_mimic.opengait.activation import activate
activate(sys.argv[1])
from modeling import losses
from modeling.loss_aggregator import LossAggregator
from opengait_mimic.opengait.run.failures import explained

def features(n=4, c=3, p=2):
    return torch.randn(n, c, p, generator=torch.Generator().manual_seed(0), requires_grad=True)

labels = torch.tensor([0, 0, 1, 1])
kind, amount, logits = torch.tensor([0, 1, 2, 0]), torch.rand(4), torch.randn(4, 3)
seen = dict(kind=kind, true_amount=amount, logits=logits, amount=amount)
cases = {
    "MiCKDLoss: labels": dict(mimic=features(), labels=labels[:3], teacher=features()),
    "MiCKDLoss: clips": dict(mimic=features(), labels=labels, teacher=features(3)),
    "MiCKDLoss: teacher": dict(mimic=features(), labels=labels, teacher=None),
    "L2KDLoss: parts": dict(mimic=features(), labels=labels, teacher=features(4, 3, 3)),
    "VisibilityLoss: logits": {**seen, "logits": logits[:3]},
    "VisibilityLoss: amount": {**seen, "amount": amount[:, None]},
}
told = {}
for name, given in cases.items():
    entry = {"type": name.split(":")[0], "log_prefix": "a", "loss_term_weight": 1.0}
    try:
        LossAggregator(entry)({"a": given})
        told[name] = ["nothing", ""]
    except (Exception, ctypes.ArgumentError) as error:
        told[name] = [type(error).__name__, str(error)]
try:  # the host's own
    triplet = {"type": "TripletLoss", "log_prefix": "a", "margin": 0.2}
    LossAggregator(triplet)({"a": {"embeddings": 3, "labels": labels}})
except (Exception, ctypes.ArgumentError) as error:
    told["TripletLoss"] = [type(error).__name__, explained(error)]
print(json.dumps(told))
"""

EXPECTED = {
    "MiCKDLoss: labels": ("ValueError", "expected features [n, d] or [n, c, p] and labels [n], got [4, 6] and [3]"),
    "MiCKDLoss: clips": ("ValueError", "mimic [4, 6] and teacher [3, 6] differ in shape"),
    "MiCKDLoss: teacher": ("ValueError", "need the teacher's features; there are none"),
    "L2KDLoss: parts": ("ValueError", "mimic [4, 6] and teacher [4, 9] differ in shape"),
    "VisibilityLoss: logits": ("ValueError", "expected logits [n, k] and kind [n], got [3, 3] and [4]"),
    "VisibilityLoss: amount": ("ValueError", "expected amount, true_amount and kind [n], got [4, 1], [4] and [4]"),
}


@pytest.mark.parametrize("host", ["embedded", "OpenGait", "OpenGait-v2.0"])
def test_a_loss_says_what_is_wrong(host):
    where = host if host == "embedded" else str(checkout(host))
    done = subprocess.run(
        [sys.executable, "-c", CASES, where], env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    kind, message = told.pop("TripletLoss")
    assert told.keys() == EXPECTED.keys()
    for name, (error, words) in EXPECTED.items():
        assert told[name][0] == error and words in told[name][1], (name, told[name])
    # The host's own losses raise what they raise; a run of ours tells what was behind it.
    assert kind == ("AttributeError" if host == "embedded" else "ArgumentError")
    assert ("'int' object has no attribute" in message or "must be Tensor, not int" in message) and "line" in message
