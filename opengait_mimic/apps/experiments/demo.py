"""The whole method in minutes: two stages, five methods, one table, on the embedded host."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from opengait_mimic.apps.experiments.recipes import METHODS
from opengait_mimic.apps.experiments.stages import Stage, run_stages
from opengait_mimic.apps.experiments.tables import MOST_JOBS, Data, make_walkers, own_data, plan, walkers
from opengait_mimic.apps.report.first_page import first_page
from opengait_mimic.data.files import write_text
from opengait_mimic.data.read import read_array
from opengait_mimic.evaluation.results import read_result, versions
from opengait_mimic.evaluation.table import markdown_table, method_row
from opengait_mimic.method.occlusion.drawing import occlusion_grid
from opengait_mimic.opengait.host import EMBEDDED

RUNS = [(name, "standard")
        for name in ("teacher", "ven", "baseline1", "baseline2", "control", "vanilla", "mimic")]  # fmt: skip
PAGE = "demo.html"


class Outcome(NamedTuple):
    """What a demo found."""

    table: str  # as text
    content: dict  # as it stands in results.json
    commands: list[tuple[str, str]]  # what to do next, each a sentence and a line


def plan_demo(out: Path, data: Path | None, partition: Path | None, seed: int) -> list[Stage]:
    """The demo's stages; nothing is written. The arguments are `run_demo`'s.

    Raises:
        DataError: the data set cannot be used.
    """
    return plan(out, _data(out, data, partition), ["GaitBase"], RUNS, seed, "demo")


def run_demo(
    out: Path,
    data: Path | None,
    partition: Path | None,
    seed: int,
    say: Callable[[str], None],
    resume: bool = True,
) -> Outcome:
    """Run every stage and write what came out: YAML files, checkpoints, results, pictures, and a page with it all.

    Args:
        out: folder for all of it.
        data: a data set in OpenGait's layout; None generates walkers.
        partition: its JSON file.
        seed: of the generated walkers and the trainings.
        say: prints a line.
        resume: whether what was done before, in the same folder, counts.

    Raises:
        DataError: the data set cannot be used.
        RunFailed: a stage ended with an error.
    """
    started, known = time.monotonic(), _data(out, data, partition)
    if data is None:
        say("Generating walkers: 150 for training, 100 others for the test")
        make_walkers(known, seed)
    planned = plan_demo(out, data, partition, seed)
    anew = not resume or not any(stage.is_done() for stage in planned)
    jobs = min(MOST_JOBS, os.cpu_count() or 1)
    results = run_stages(planned, EMBEDDED, "cpu", 1, jobs, say, resume)
    rows = [method_row(found) for found in map(read_result, results) if found["kind"] == "recognition"]
    content: dict[str, Any] = {"versions": versions(), "threads": torch.get_num_threads(), "seed": seed}
    content |= {"seconds": round(time.monotonic() - started, 1), "rows": rows}
    table, clip = markdown_table(rows), next(known.root.glob("*/*/*/*.pkl"))
    write_text(out / "results.json", json.dumps(content, indent=1))
    write_text(out / "results.md", table + "\n")
    occlusion_grid(read_array(clip), out / "occlusions.png")
    trainings = [stage for stage in planned if stage.phase == "train"]
    trained = [(METHODS[stage.method].title, METHODS[stage.method].note, stage.cfgs) for stage in trainings]
    last = trainings[-1].outcome.relative_to(trainings[-1].folder).parents[1]
    commands = _next(out / last, out / "walkers" if data is None else data)
    people = "150 generated walkers, tested on 100 others" if data is None else f"{known.identities} people of {data}"
    about = f"Trained on {people}, on the CPU, with PyTorch {content['versions']['torch']}, seed {seed}"
    about += f", in {content['seconds'] / 60:.1f} minutes." if anew else "."
    write_text(out / PAGE, first_page(trained, rows, results, clip, about, commands))
    return Outcome(table, content, commands)


def _data(out: Path, data: Path | None, partition: Path | None) -> Data:
    return walkers(out) if data is None or partition is None else own_data(data, partition)


def _next(run: Path, data: Path) -> list[tuple[str, str]]:
    """What to do with a trained mimic's folder and a data set: sentences and commands."""
    embed = ["opengait-mimic", "embed", "--checkpoint", str(run), str(data), "-o", "embeddings.npz"]
    return [
        ("Use the mimic that was just trained: its embeddings, and how much it saw of each clip.", shlex.join(embed)),
        ("Make a data set of a video of your own, from a camera that stands still.",
         "opengait-mimic silhouettes street.mp4 street"),
        ("Train on the data and the GPUs that you have: see what your OpenGait checkout is ready for.",
         "opengait-mimic doctor --host path/to/OpenGait"),
    ]  # fmt: skip
