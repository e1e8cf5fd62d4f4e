"""One HTML page with all tables and figures in it: it asks for nothing from elsewhere and runs no script."""

from __future__ import annotations

import base64
import html

from opengait_mimic import __version__
from opengait_mimic.report.figures import Drawing
from opengait_mimic.report.table import Table

PAPER = ("table1", "table2", "table3", "table4", "table5")
LONG = 30  # rows of a table that is folded at first
STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1f23; --soft: #5b636d; --line: #d9dde2; --band: #f5f7f9;
  --link: #0b57b0; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --ink: #e7eaee; --soft: #a3acb7; --line: #343b44; --band: #1c2127; --link: #7db4ff; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 78rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; scroll-margin-top: 1rem; }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1rem; list-style: none; margin: 1rem 0; padding: .7rem 0;
  border-block: 1px solid var(--line); }
p, li { max-width: 48rem; }
.soft, .notes, figcaption, caption { color: var(--soft); font-size: .875rem; }
.notes p { margin: .25rem 0; }
.box { overflow-x: auto; max-width: 100%; }
.box:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 .5rem; position: sticky; left: 0; max-width: min(48rem, calc(100vw - 2rem)); }
th, td { padding: .32rem .6rem; text-align: right; white-space: nowrap; vertical-align: top; }
thead th { border-bottom: 1px solid var(--line); font-weight: 600; }
thead th.over { text-align: center; }
tbody th, .left { text-align: left; }
tbody th { font-weight: 400; }
tbody th[scope=rowgroup] { font-weight: 600; }
tbody th.long { white-space: normal; min-width: 17rem; }
tbody tr:nth-child(even) td, tbody tr:nth-child(even) th[scope=row] { background: var(--band); }
tbody tr.first > * { border-top: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 1px solid var(--line); }
figure { margin: 0; }
.card { background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: .6rem; overflow-x: auto; }
.card img { display: block; max-width: 100%; min-width: min(34rem, 150vw); height: auto; margin: 0 auto; }
figcaption { margin-top: .5rem; max-width: 48rem; }
summary { cursor: pointer; margin-bottom: .6rem; }
"""


def page(tables: list[Table], drawings: list[Drawing], summary: str, remarks: list[str]) -> str:
    """The page.

    Args:
        tables, drawings: in their order; the paper's tables come first, then the figures, then the details.
        summary: a sentence on what was collected. remarks: lines on what is missing or to be known.
    """
    e = html.escape
    paper = [table for table in tables if table.key in PAPER]
    first = [drawing for drawing in drawings if drawing.key == "figure1"]
    details = [table for table in tables if table.key not in (*PAPER, "runs")]
    others = [drawing for drawing in drawings if drawing.key != "figure1"]
    links = [(part.key, part.title) for part in (*first, *paper, *others, *details)]
    links += [("remarks", "Remarks")] if remarks else []
    links += [(table.key, table.title) for table in tables if table.key == "runs"]
    sections = {table.key: _table(table) for table in tables}
    sections |= {drawing.key: _figure(drawing) for drawing in drawings}
    if remarks:
        items = "".join(f"<li>{e(line)}</li>\n" for line in remarks)
        sections["remarks"] = f'<section id="remarks">\n<h2>Remarks</h2>\n<ul>\n{items}</ul>\n</section>\n'
    menu = "".join(f'<li><a href="#{key}">{e(title)}</a></li>\n' for key, title in links)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Gait recognition under occlusion: report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header>\n<h1 id="top">Gait recognition under occlusion</h1>\n<p class="soft">{e(summary)}</p>\n</header>\n'
        f'<nav aria-label="Contents">\n<ul>\n{menu}</ul>\n</nav>\n<main>\n'
        "<p>OP is the accuracy on occluded clips, HP the teacher's on whole clips by the same protocol, and relative "
        "performance RP = OP / HP. Accuracies are in percent. A dash stands where no result was given.</p>\n"
        + "".join(sections[key] for key, _ in links)
        + f'</main>\n<footer class="soft"><p>opengait-mimic {e(__version__)} · <a href="#top">to the top</a></p>'
        "</footer>\n</body>\n</html>\n"
    )


def _table(table: Table) -> str:
    content = table.html()
    if len(table.rows) > LONG and table.key not in PAPER:
        content = f"<details>\n<summary>{len(table.rows)} rows</summary>\n{content}</details>\n"
    return f'<section id="{table.key}">\n<h2>{html.escape(table.title)}</h2>\n{content}</section>\n'


def _figure(drawing: Drawing) -> str:
    e = html.escape
    kind, content = ("png", drawing.png) if drawing.svg is None else ("svg+xml", drawing.svg)
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return (
        f'<section id="{drawing.key}">\n<h2>{e(drawing.title)}</h2>\n<figure>\n<div class="card" tabindex="0" '
        f'role="region" aria-label="{e(drawing.title)}"><img src="{source}" alt="{e(drawing.alt)}"></div>\n'
        f"<figcaption>{e(drawing.caption)}</figcaption>\n</figure>\n</section>\n"
    )
