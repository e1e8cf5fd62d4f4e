"""The whole method in minutes: two stages, five methods, one table, on the embedded host."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from opengait_mimic import tables
from opengait_mimic.data.pictures import occlusion_grid
from opengait_mimic.data.read import read_array
from opengait_mimic.evaluation.results import read_result, versions
from opengait_mimic.evaluation.table import markdown_table, method_row
from opengait_mimic.files import write_text
from opengait_mimic.hosts import EMBEDDED

METHODS = ("baseline1", "baseline2", "control", "vanilla", "mimic")
RUNS = [(name, "standard") for name in ("teacher", "ven", *METHODS)]
MOST_JOBS = 4


def run_demo(
    out: Path,
    data: Path | None,
    partition: Path | None,
    seed: int,
    say: Callable[[str], None],
    resume: bool = True,
) -> str:
    """Run every stage and write what came out: YAML files, checkpoints, results, pictures.

    What was done before, in the same folder, is not done again, unless `resume` is false.

    Args:
        out: folder for all of it. data, partition: a data set in OpenGait's layout; None generates walkers.
        seed: of the generated walkers and the trainings. say: prints a line.
    Returns:
        The table of results as text.
    """
    started = time.monotonic()
    if data is None:
        say("Generating walkers: 150 for training, 100 others for the test")
        data = tables.walkers(out, seed, tables.progress_bar("walkers"))
    else:
        data = tables.own_data(data, partition)
    jobs = min(MOST_JOBS, os.cpu_count() or 1)
    planned = tables.plan(out, data, ["GaitBase"], RUNS, seed, "demo")
    found = [read_result(path) for path in tables.run(planned, EMBEDDED, "cpu", 1, jobs, say, resume)]
    rows = [method_row(result) for result in found if result["kind"] == "recognition"]
    table = markdown_table(rows)
    about = {"versions": versions(), "threads": torch.get_num_threads(), "seed": seed}
    about["seconds"] = round(time.monotonic() - started, 1)
    write_text(out / "results.json", json.dumps({**about, "rows": rows}, indent=1))
    write_text(out / "results.md", table + "\n")
    occlusion_grid(read_array(next(data.root.glob("*/*/*/*.pkl"))), out / "occlusions.png")
    return table
