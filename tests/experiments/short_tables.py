"""`opengait-mimic tables` (or `demo`) on a handful of walkers with a few iterations, as a program of its own.

SHORT_ITERATIONS says how many (2); SHORT_SAVES after how many a checkpoint is written (as the recipes say);
SHORT_RUNS=few leaves most runs out.
"""

import json
import os
import sys
from pathlib import Path

from opengait_mimic.apps.experiments import demo, tables
from opengait_mimic.apps.experiments.recipes.build import ITERATIONS
from opengait_mimic.cli import main
from opengait_mimic.data.tree import write_sequence
from opengait_mimic.walkers.walkers import walker_sequence as walker

BRIEF = [(name, "standard") for name in ("teacher", "ven", "baseline1", "mimic")]


def tree(folder: Path, types: list[str], views=("00",), probes=()) -> tuple[Path, Path]:
    """A data set of eight training and three test subjects, with the given types and views for the test subjects."""
    names = [f"{subject:03d}" for subject in range(11)]
    for subject, name in enumerate(names):
        clips = (
            [(t, v) for t in types for v in views] if subject >= 8 else [("00", v) for v in ("00", "01", "02", "03")]
        )
        for place, (kind, view) in enumerate(clips):
            write_sequence(folder / "sils", name, kind, view, walker(0, subject, place, 5, width=44))
    sets = {"TRAIN_SET": names[:8], "TEST_SET": names[8:]}
    if probes:
        sets["PROBE_SET"] = [f"{name}-{probe}" for name in names[8:] for probe in probes]
    (folder / "sils.json").write_text(json.dumps(sets))
    return folder / "sils", folder / "sils.json"


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
        tables.runs_of = lambda _: BRIEF
        demo.RUNS = BRIEF
    main(sys.argv[1:] if sys.argv[1:2] in (["demo"], ["tables"]) else ["tables", *sys.argv[1:]])
