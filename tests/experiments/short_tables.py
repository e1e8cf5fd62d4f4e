"""`opengait-mimic tables` (or `demo`) on a handful of walkers with a few iterations, as a program of its own.

SHORT_ITERATIONS says how many (2); SHORT_SAVES after how many a checkpoint is written (as the recipes say);
SHORT_RUNS=few leaves most runs out.
"""

import os
import sys

from opengait_mimic.apps.experiments import demo, tables
from opengait_mimic.apps.experiments.recipes.build import ITERATIONS
from opengait_mimic.cli import main

BRIEF = [(name, "standard") for name in ("teacher", "ven", "baseline1", "mimic")]


def shorten() -> None:
    tables.WALKERS.update(train_subjects=8, test_subjects=3, sequences=4, frames=5, test_frames=4, gallery=1, probe=2)
    ITERATIONS.update(dict.fromkeys(ITERATIONS, int(os.environ.get("SHORT_ITERATIONS", 2))))


def save_often(every: int) -> None:
    """Every stage writes a checkpoint each so many iterations."""
    small = tables.small

    def saving(cfgs: dict, scale: str) -> dict:
        cfgs = small(cfgs, scale)
        cfgs["trainer_cfg"]["save_iter"] = every
        return cfgs

    tables.small = saving


if __name__ == "__main__":
    shorten()
    if "SHORT_SAVES" in os.environ:
        save_often(int(os.environ["SHORT_SAVES"]))
    if os.environ.get("SHORT_RUNS") == "few":
        tables.runs_of = lambda numbers: BRIEF
        demo.RUNS = BRIEF
    main(sys.argv[1:] if sys.argv[1:2] in (["demo"], ["tables"]) else ["tables", *sys.argv[1:]])
