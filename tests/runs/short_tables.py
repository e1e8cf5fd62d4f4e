"""`opengait-mimic tables` on a handful of walkers with a few iterations, as a program of its own.

SHORT_ITERATIONS says how many (2); SHORT_RUNS=few leaves most runs out.
"""

import os
import sys

from opengait_mimic import reproduce, tables
from opengait_mimic.cli import main

ITERATIONS = sys.modules["opengait_mimic.recipes.small"].ITERATIONS


BRIEF = [(name, "standard") for name in ("teacher", "ven", "baseline1", "mimic")]


def shorten() -> None:
    tables.WALKERS.update(train_subjects=8, test_subjects=3, sequences=4, frames=5, test_frames=4, gallery=1, probe=2)
    ITERATIONS.update(dict.fromkeys(ITERATIONS, int(os.environ.get("SHORT_ITERATIONS", 2))))


if __name__ == "__main__":
    shorten()
    if os.environ.get("SHORT_RUNS") == "few":
        reproduce.stages = lambda numbers: BRIEF
    main(["tables", *sys.argv[1:]])
