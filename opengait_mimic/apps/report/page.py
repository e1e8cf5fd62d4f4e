"""HTML pages with all their tables and figures in them: they ask for nothing from elsewhere and run no script."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import NamedTuple

from opengait_mimic import __version__
from opengait_mimic.apps.report.figures import Drawing
from opengait_mimic.apps.report.table import Table

PAPER = ("table1", "table2", "table3", "table4", "table5")
LONG = 30  # rows of a table that is folded at first
STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
EXPLAINED = (
    "OP is the accuracy on occluded clips, HP the teacher's on holistic clips by the same protocol, and relative "
    "performance RP = OP / HP. Accuracies are in percent. A dash stands where no result was given."
)


class Section(NamedTuple):
    """A part of a page: where links lead, its heading, and its HTML."""

    key: str
    title: str
    content: str


def page(tables: list[Table], drawings: list[Drawing], summary: str, remarks: list[str]) -> str:
    """The page.

    Args:
        tables: in their order; the paper's come first, then the figures, then the details.
        drawings: in their order.
        summary: a sentence on what was collected.
        remarks: lines on what is missing or to be known.

    Returns:
        The HTML.
    """
    paper = [table for table in tables if table.key in PAPER]
    first = [drawing for drawing in drawings if drawing.key == "figure1"]
    details = [table for table in tables if table.key not in (*PAPER, "runs")]
    others = [drawing for drawing in drawings if drawing.key != "figure1"]
    sections = [*map(figure_section, first), *map(table_section, paper), *map(figure_section, others)]
    sections += map(table_section, details)
    if remarks:
        items = "".join(f"<li>{html.escape(line)}</li>\n" for line in remarks)
        sections.append(Section("remarks", "Remarks", f"<ul>\n{items}</ul>\n"))
    sections += [table_section(table) for table in tables if table.key == "runs"]
    return document("Gait recognition under occlusion", summary, EXPLAINED, sections)


def document(title: str, summary: str, opening: str, sections: list[Section]) -> str:
    """A page of sections, with links to them.

    Args:
        title: a heading.
        summary: what stands small below it.
        opening: a first paragraph.
        sections: the parts.

    Returns:
        The HTML.
    """
    e = html.escape
    menu = "".join(f'<li><a href="#{part.key}">{e(part.title)}</a></li>\n' for part in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{e(title)}: report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f'<header>\n<h1 id="top">{e(title)}</h1>\n<p class="soft">{e(summary)}</p>\n</header>\n'
        f'<nav aria-label="Contents">\n<ul>\n{menu}</ul>\n</nav>\n<main>\n<p>{e(opening)}</p>\n'
        + "".join(f'<section id="{s.key}">\n<h2>{e(s.title)}</h2>\n{s.content}</section>\n' for s in sections)
        + f'</main>\n<footer class="soft"><p>opengait-mimic {e(__version__)} · <a href="#top">to the top</a></p>'
        "</footer>\n</body>\n</html>\n"
    )


def table_section(table: Table) -> Section:
    content = table.html()
    if len(table.rows) > LONG and table.key not in PAPER:
        content = f"<details>\n<summary>{len(table.rows)} rows</summary>\n{content}</details>\n"
    return Section(table.key, table.title, content)


def figure_section(drawing: Drawing) -> Section:
    e = html.escape
    kind, content = ("png", drawing.png) if drawing.svg is None else ("svg+xml", drawing.svg)
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    content = (
        f'<figure>\n<div class="card" tabindex="0" role="region" aria-label="{e(drawing.title)}">'
        f'<img src="{source}" alt="{e(drawing.alt)}"></div>\n'
        f"<figcaption>{e(drawing.caption)}</figcaption>\n</figure>\n"
    )
    return Section(drawing.key, drawing.title, content)
