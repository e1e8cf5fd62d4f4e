"""The commands that run experiments: demo and tables."""

from __future__ import annotations

from pathlib import Path

import click

from opengait_mimic.apps import console
from opengait_mimic.apps.experiments.demo import PAGE, plan_demo, run_demo
from opengait_mimic.apps.experiments.stages import Stage
from opengait_mimic.apps.experiments.tables import Options, plan_tables, run_tables
from opengait_mimic.apps.report.write import tables_text
from opengait_mimic.data import progress

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
COUNT = click.IntRange(min=1)
partition = click.option("--partition", type=FILE, help="Its partition JSON.")


@click.command()
@click.option("--out", type=FOLDER, default=Path("opengait-mimic-demo"), show_default=True,
              help="Folder for data, configurations, checkpoints and results.")  # fmt: skip
@click.option("--data", type=FOLDER, help="A data set in OpenGait's layout instead of generated walkers.")
@partition
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the generated walkers.")
@console.resume
@console.dry_run
@click.option("--open/--no-open", "open_page", default=None,
              help="Show the page in the browser. Default: on a desktop's terminal.")  # fmt: skip
def demo(out, data, partition, seed, resume, dry_run, open_page):
    """Run the whole method on the embedded host: teacher, VEN, baselines, mimics; then a page with all of it.

    Interrupted, the same command goes on.

    \b
    opengait-mimic demo
    opengait-mimic demo --dry-run
    opengait-mimic demo --data CASIA-B-pkl --partition CASIA-B.json --out trial
    """
    if (data is None) != (partition is None):
        raise click.UsageError("--data and --partition go together")
    if dry_run:
        _show_stages(plan_demo(out, data, partition, seed), resume)
        return
    found = run_demo(out, data, partition, seed, progress.remark, resume)
    progress.remark("")
    console.outcome(found.table, found.content)
    progress.remark(f"\nWhat was trained, the table and the pictures: {out / PAGE}\nNext:")
    for why, line in found.commands:
        progress.remark(f"  # {why}\n  {line}")
    console.show(out / PAGE, open_page)


@click.command()
@click.option("--out", type=FOLDER, default=Path("opengait-mimic-tables"), show_default=True,
              help="Folder for configurations, checkpoints, results and the report.")  # fmt: skip
@click.option(
    "--data", type=FOLDER, help="A data set in OpenGait's layout; without it, generated walkers at the scale of a demo."
)
@partition
@click.option("--gallery", metavar="TYPES", help="Gallery types, where they are none of a known data set.")
@click.option("--probe", metavar="TYPES", help="Probe types, separated by commas.")
@click.option("--backbone", "backbones", multiple=True, default=("GaitBase",), show_default=True, metavar="NAME",
              help="GaitBase, GaitGL or DeepGaitV2; may be given several times.")  # fmt: skip
@click.option("--table", "numbers", multiple=True, type=click.IntRange(1, 4), metavar="1|2|3|4",
              help="A table of the paper; may be given several times. Default: all of them.")  # fmt: skip
@click.option("--scale", type=click.Choice(["demo", "longer", "full"]),
              help="The paper's hyperparameters, or a scale for two CPU cores; longer trains everything but VENs four "
              "times as long. Default: full with --data, else demo.")  # fmt: skip
@click.option("--seeds", type=COUNT, default=1, show_default=True, help="Repetitions of everything.")
@click.option(
    "--jobs", type=COUNT, metavar="N", help="Stages at a time. Default: the CPU's cores at most 4 on a CPU, 1 on CUDA."
)
@click.option(
    "--nproc", type=COUNT, default=1, show_default=True, metavar="N", help="Processes per stage (one per GPU on CUDA)."
)
@console.device
@console.host
@console.resume
@click.option(
    "--beyond", is_flag=True, help="Instead of the paper's tables, the one of what goes beyond it (docs/beyond.md)."
)
@console.dry_run
def tables(numbers, resume, dry_run, **options):  # fmt: skip
    """Run every stage that the paper's tables take, or the one of what goes beyond it, and report them.

    Stages that are done are not done again: after an interruption, the same command goes on.

    \b
    opengait-mimic tables --seeds 3                        Tables 1-4 on generated walkers, with spread
    opengait-mimic tables --table 3 --dry-run              which stages that takes, and which of them are done
    opengait-mimic tables --data GREW-pkl --partition GREW.json --table 1 --host ../OpenGait --nproc 8
    opengait-mimic tables --data mine --partition mine.json --gallery g --probe p1,p2 --scale demo
    opengait-mimic tables --beyond --seeds 3               weighted matching, registration, residual: an ablation
    """
    if options["beyond"] and numbers:
        raise click.UsageError("--table names tables of the paper, --beyond is another one; give one of them")
    asked = Options(numbers=numbers or (1, 2, 3, 4), **options)
    if dry_run:
        _show_stages(plan_tables(asked), resume)
        return
    written = run_tables(asked, progress.remark, resume)
    page = asked.out / "report" / "report.html"
    console.outcome(f"{tables_text(written.tables)}\n{written.summary} Open {page}",
                    {"report": str(page), "tables": [table.content() for table in written.tables]})  # fmt: skip


def _show_stages(planned: list[Stage], resume: bool) -> None:
    """Print what would be run, and what of it is done; nothing is where it would not be resumed."""
    content = [{"title": stage.title, "phase": stage.phase, "configuration": str(stage.folder / stage.name),
                "done": resume and stage.is_done()} for stage in planned]  # fmt: skip
    lines = [f"[{number}/{len(planned)}] {stage['title']}{', done' if stage['done'] else ''}"
             for number, stage in enumerate(content, 1)]  # fmt: skip
    console.outcome("\n".join(lines), content)
