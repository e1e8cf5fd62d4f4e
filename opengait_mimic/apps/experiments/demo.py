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

from opengait_mimic.apps.experiments import tables
from opengait_mimic.apps.experiments.recipes import METHODS as TITLES
from opengait_mimic.data.files import write_text
from opengait_mimic.data.read import read_array
from opengait_mimic.evaluation.results import read_result, versions
from opengait_mimic.evaluation.table import markdown_table, method_row
from opengait_mimic.method.occlusion.drawing import occlusion_grid
from opengait_mimic.opengait.host import EMBEDDED

METHODS = ("baseline1", "baseline2", "control", "vanilla", "mimic")
RUNS = [(name, "standard") for name in ("teacher", "ven", *METHODS)]
MOST_JOBS = 4
PAGE = "demo.html"


class Outcome(NamedTuple):
    """What a demo found.

    Attributes:
        table: as text. content: as it stands in results.json. commands: what to do next, each a sentence and a line.
    """

    table: str
    content: dict
    commands: list[tuple[str, str]]


def plan_demo(out: Path, data: Path | None, partition: Path | None, seed: int) -> list[tables.Stage]:
    """The demo's stages; nothing is written. The arguments are `run_demo`'s.

    Raises:
        DataError: the data set cannot be used.
    """
    return tables.plan(out, _data(out, data, partition), ["GaitBase"], RUNS, seed, "demo")


def run_demo(
    out: Path,
    data: Path | None,
    partition: Path | None,
    seed: int,
    say: Callable[[str], None],
    resume: bool = True,
) -> Outcome:
    """Run every stage and write what came out: YAML files, checkpoints, results, pictures, and a page with it all.

    What was done before, in the same folder, is not done again, unless `resume` is false.

    Args:
        out: folder for all of it. data, partition: a data set in OpenGait's layout; None generates walkers.
        seed: of the generated walkers and the trainings. say: prints a line.
    """
    from opengait_mimic.apps.report.first_page import first_page

    started = time.monotonic()
    known = _data(out, data, partition)
    if data is None:
        say("Generating walkers: 150 for training, 100 others for the test")
        tables.make_walkers(known, seed)
    jobs = min(MOST_JOBS, os.cpu_count() or 1)
    planned = tables.plan(out, known, ["GaitBase"], RUNS, seed, "demo")
    anew = resume is False or not any(stage.is_done() for stage in planned)
    results = tables.run(planned, EMBEDDED, "cpu", 1, jobs, say, resume)
    rows = [method_row(found) for found in map(read_result, results) if found["kind"] == "recognition"]
    table = markdown_table(rows)
    content: dict[str, Any] = {"versions": versions(), "threads": torch.get_num_threads(), "seed": seed}
    content |= {"seconds": round(time.monotonic() - started, 1), "rows": rows}
    write_text(out / "results.json", json.dumps(content, indent=1))
    write_text(out / "results.md", table + "\n")
    clip = next(known.root.glob("*/*/*/*.pkl"))
    occlusion_grid(read_array(clip), out / "occlusions.png")
    trainings = {stage.method: stage for stage in planned if stage.phase == "train"}
    trained = [(TITLES[name].title, TITLES[name].note, stage.cfgs) for name, stage in trainings.items()]
    last = list(trainings.values())[-1]
    commands = _next(out / last.outcome.relative_to(last.folder).parents[1], out / "walkers" if data is None else data)
    people = "150 generated walkers, tested on 100 others" if data is None else f"{known.identities} people of {data}"
    about = f"Trained on {people}, on the CPU, with PyTorch {content['versions']['torch']}, seed {seed}"
    about += f", in {content['seconds'] / 60:.1f} minutes." if anew else "."
    write_text(out / PAGE, first_page(trained, rows, results, clip, about, commands))
    return Outcome(table, content, commands)


def _data(out: Path, data: Path | None, partition: Path | None) -> tables.Data:
    return tables.walkers(out) if data is None else tables.own_data(data, partition)


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
