"""The report's files: page, Markdown, CSV, LaTeX, and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from opengait_mimic.apps.report.collect import Collection, groups
from opengait_mimic.apps.report.compare import main_tests
from opengait_mimic.apps.report.figures import drawings, occlusion_figure
from opengait_mimic.apps.report.page import PAPER, page
from opengait_mimic.apps.report.table import Table, markdown_text
from opengait_mimic.apps.report.tables import tables
from opengait_mimic.data.progress import number_of

LIST = ".report-files"  # of what an earlier report wrote, so that none of it stands beside a later one


@dataclass(frozen=True)
class Written:
    """What a report says, and where.

    Attributes:
        summary: a sentence on what was collected.
        files: relative to the report's folder.
        tables: all of them.
    """

    summary: str
    files: list[str]
    tables: list[Table]


def write_report(collection: Collection, out: Path, clips: Path | None = None) -> Written:
    """Make every table and figure of a collection and write them.

    The files of an earlier report in the same folder that are not written again are removed.

    Args:
        collection: what was found.
        out: the folder, made where it is missing.
        clips: a silhouettes .pkl or a data set for Figure 1, or None.

    Returns:
        What was written.

    Raises:
        DataError: `clips` holds no clip.
    """
    made, remarks = tables(collection.runs, collection.visibility)
    drawn = drawings(main_tests(groups(collection.runs)), collection.visibility)
    if clips is not None:
        drawn.insert(0, occlusion_figure(clips))
    if collection.skipped:
        n = len(collection.skipped)
        remarks.append(f"{n} other {'files were' if n > 1 else 'file was'} left aside.")
    summary = _summary(collection)
    files: dict[str, str | bytes] = {"report.html": page(made, drawn, summary, remarks)}
    parts = [table.markdown() for table in made]
    files["tables.md"] = "\n".join([summary, "", *parts, *(f"- {line}" for line in map(markdown_text, remarks))]) + "\n"
    for table in made:
        files[f"{table.key}.csv"], files[f"{table.key}.tex"] = table.csv(), table.latex()
    for drawing in drawn:
        name = f"figures/{drawing.key.removeprefix('figure-')}"
        files[f"{name}.png"] = drawing.png
        if drawing.svg is not None:
            files[f"{name}.svg"] = drawing.svg
    _write(out, files)
    return Written(summary, sorted(files), made)


def tables_text(made: list[Table]) -> str:
    """The paper's tables, and that of what goes beyond it, as Markdown."""
    return "\n".join(table.markdown() for table in made if table.key in (*PAPER, "beyond"))


def _write(out: Path, files: dict[str, str | bytes]) -> None:
    (out / "figures").mkdir(parents=True, exist_ok=True)
    listing = out / LIST
    earlier = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    for name in set(earlier) - set(files):
        path = out / name
        if path.resolve().is_relative_to(out.resolve()):
            path.unlink(missing_ok=True)
    listing.write_text("".join(f"{name}\n" for name in sorted(files)), encoding="utf-8")
    for name, content in files.items():
        (out / name).write_bytes(content.encode() if isinstance(content, str) else content)


def _summary(collection: Collection) -> str:
    parts, ven = [], len(collection.visibility)
    if collection.runs:
        names = {"method": "method", "backbone": "backbone", "data set": "dataset", "seed": "seed"}
        distinct = {what: len({run.content[key] for run in collection.runs}) for what, key in names.items()}
        *first, last = (number_of(n, what) for what, n in distinct.items())
        parts.append(f"{number_of(len(collection.runs), 'result')} of {', '.join(first)} and {last}")
    if ven:
        parts.append(number_of(ven, "visibility network"))
    return f"{'; '.join(parts)}."
