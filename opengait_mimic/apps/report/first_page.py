"""The demo's page: what was trained, the table, the pictures, and what to do next."""

from __future__ import annotations

import html
from pathlib import Path

from opengait_mimic.apps.report.collect import collect, groups
from opengait_mimic.apps.report.compare import main_tests
from opengait_mimic.apps.report.figures import drawings, occlusion_figure
from opengait_mimic.apps.report.page import EXPLAINED, Section, document, figure_section, table_section
from opengait_mimic.apps.report.table import Column, Table
from opengait_mimic.data import progress
from opengait_mimic.evaluation.table import SHOWN, cells

LEARNED = {
    "Teacher": "a backbone on holistic clips: what the mimics learn from",
    "VEN": "the kind of an occlusion and how much it hides",
}


def first_page(
    trained: list[tuple[str, str, dict]],
    rows: list[dict],
    results: list[Path],
    clips: Path,
    about: str,
    commands: list[tuple[str, str]],
) -> str:
    """The page.

    Args:
        trained: of every training its name, what it is, and its configuration.
        rows: of the table, as `evaluation.table.method_row` makes them.
        results: the result files, for the figures.
        clips: a silhouettes .pkl for Figure 1.
        about: a sentence on all of it.
        commands: what to do next: a sentence and a command.

    Returns:
        The HTML.
    """
    collection = collect(results)
    for line in collection.skipped:
        progress.warn(line)
    drawn = [occlusion_figure(clips), *drawings(main_tests(groups(collection.runs)), collection.visibility)]
    sections = [table_section(_trained(trained)), table_section(_table(rows)), *map(figure_section, drawn)]
    steps = "".join(f"<p>{html.escape(why)}</p>\n<pre><code>{html.escape(line)}</code></pre>\n"
                    for why, line in commands)  # fmt: skip
    sections.append(Section("next", "Next", steps))
    return document("MimicGait in minutes", about, EXPLAINED, sections)


def _trained(trained: list[tuple[str, str, dict]]) -> Table:
    names = ("Learns", "Iterations", "Clips a step", "Frames a clip")
    table = Table("trained", "What was trained", "Every training of this demo, in its order.",
                  [Column("Network", stub=True), Column(names[0], words=True), *map(Column, names[1:])])  # fmt: skip
    for name, note, cfgs in trained:
        trainer = cfgs["trainer_cfg"]
        sampler = trainer["sampler"]
        subjects, clips = sampler["batch_size"]
        table.rows.append([name, LEARNED.get(name, note), trainer["total_iter"], subjects * clips,
                           sampler["frames_num_fixed"]])  # fmt: skip
    return table


def _table(rows: list[dict]) -> Table:
    columns = [Column("Method", stub=True), *(Column(f"{name} (RP)", over="Occluded") for name in SHOWN)]
    hp = [f"{name} {rows[0]['metrics'][name]['HP']:.1f}" for name in SHOWN]
    note = f"HP, the teacher on holistic clips: {', '.join(hp)}. Own holistic: the same network on holistic clips."
    return Table("results", "The table", "Occluded accuracy, with relative performance in brackets.",
                 [*columns, Column(SHOWN[0], over="Own holistic")], [[*cells(row)] for row in rows],
                 [note])  # fmt: skip
