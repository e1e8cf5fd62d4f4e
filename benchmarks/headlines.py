"""The headline ratios in a few minutes: a part of each benchmark."""

from __future__ import annotations

import loss
import painting
import pretreatment
import repeated_tests
import step
from measure import Report, main


def run(report: Report, quick: bool = True) -> None:  # noqa: ARG001 (it is always quick)
    """Measure."""
    for benchmark in (loss, painting, pretreatment, step, repeated_tests):
        print(f"{benchmark.__name__} ...", flush=True)
        benchmark.run(report, quick=True)


if __name__ == "__main__":
    main("headlines", run)
