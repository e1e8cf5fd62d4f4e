"""`opengait-mimic report`."""

from __future__ import annotations

from pathlib import Path

import click

from opengait_mimic.apps import console
from opengait_mimic.apps.report.collect import collect
from opengait_mimic.apps.report.write import write_report
from opengait_mimic.data import progress


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("report"),
              show_default=True, help="Folder for the page, the tables and the figures.")  # fmt: skip
@click.option("--clips", type=click.Path(exists=True, path_type=Path), default=None,
              help="A silhouettes .pkl or a data set, whose first clip is drawn under every occlusion.")  # fmt: skip
def report(runs, out, clips):
    """Collect the results of any number of tests into the paper's tables and figures, and one page with all of it.

    A RUN is a result file, or a folder that is searched for results/*.json. Runs that differ in seed only are
    repetitions: their mean and standard deviation are shown.

    \b
    opengait-mimic report output
    opengait-mimic report output ../elsewhere/output --clips GREW-pkl -o paper
    """
    collection = collect(runs)
    for line in collection.skipped:
        progress.warn(line)
    written = write_report(collection, out, clips)
    page = out / "report.html"
    console.conclude(
        f"{written.summary} {len(written.files)} files are in {out}; open {page}",
        {"report": str(page), "files": written.files, "tables": [table.content() for table in written.tables]},
    )
