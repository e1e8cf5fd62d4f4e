"""`opengait-mimic bench`: the headline ratios in under two minutes."""

from __future__ import annotations

import sys
from collections.abc import Callable

import evaluation
import inputs
import loss
import painting
import step
from measure import Report, prepare


def measure(say: Callable[[str], None]) -> Report:
    """Measure a part of each benchmark."""
    prepare()
    report = Report("headlines")
    for benchmark in (loss, painting, inputs, step, evaluation):
        say(f"{benchmark.__name__.rpartition('.')[2]} ...")
        sys.stdout.flush()
        benchmark.run(report, quickly=True)
    return report
