"""`opengait-mimic bench`: the headline ratios in under two minutes."""

from __future__ import annotations

import sys
from collections.abc import Callable

from opengait_mimic.benchmarks import evaluation, inputs, loss, painting, step
from opengait_mimic.benchmarks.measure import Report, prepare


def measure(say: Callable[[str], None]) -> Report:
    """Measure a part of each benchmark."""
    prepare()
    report = Report("headlines")
    for benchmark in (loss, painting, inputs, step, evaluation):
        say(f"{benchmark.__name__.rpartition('.')[2]} ...")
        sys.stdout.flush()
        benchmark.run(report, quickly=True)
    return report
