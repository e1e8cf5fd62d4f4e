"""A table in its four forms."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

import pytest

from opengait_mimic.apps.report.collect import Score, Spread
from opengait_mimic.apps.report.table import Column, Table, text

SCORE = Score(Spread(28.36, 0.449, 3), Spread(0.5127, 0.014, 3), Spread(55.3, 0.2, 3))
SINGLE = Score(Spread(7.0, None, 1))
HOSTILE = '<script>alert(1)</script> | `x` $\\alpha$ & 5% {a}_b ~^ "q" [l](h)'


def small(**changes):
    columns = [
        Column("Backbone", stub=True),
        Column("Method", stub=True),
        Column("Rank-1", "GREW"),
        Column("n", "GREW"),
    ]
    rows = [
        ["GaitBase", "Baseline-2", SINGLE, 1],
        ["GaitBase", "Mimic + VEN †", SCORE, 3],
        ["GaitGL", "Mimic + VEN", None, None],
    ]
    return Table(**{"key": "t", "title": "Table 1", "caption": "Of 3 seeds ±.", "columns": columns, "rows": rows,
                    "notes": ["A note."], **changes})  # fmt: skip


def test_numbers_are_read_with_one_decimal_and_rp_with_two():
    assert text(SCORE) == "28.4 ± 0.4 (0.51 ± 0.01)"
    assert text(SCORE, brief=True) == "28.4 ± 0.4"
    assert text(SINGLE) == "7.0"
    assert (text(None), text(3), text(2.25), text("x")) == ("–", "3", "2.2", "x")


def test_markdown():
    assert small().markdown() == (
        "**Table 1.** Of 3 seeds ±.\n"
        "\n"
        "| Backbone | Method        |              GREW Rank-1 | GREW n |\n"
        "| -------- | ------------- | -----------------------: | -----: |\n"
        "| GaitBase | Baseline-2    |                      7.0 |      1 |\n"
        "| GaitBase | Mimic + VEN † | 28.4 ± 0.4 (0.51 ± 0.01) |      3 |\n"
        "| GaitGL   | Mimic + VEN   |                        – |      – |\n"
        "\n"
        "- A note.\n"
    )


def test_latex():
    assert small().latex() == (
        "% needs \\usepackage{booktabs} and \\usepackage{amssymb}\n"
        "\\begin{table}\n"
        "\\centering\n"
        "\\caption{Of 3 seeds $\\pm$.}\n"
        "\\label{tab:t}\n"
        "\\begin{tabular}{llcc}\n"
        "\\toprule\n"
        " &  & \\multicolumn{2}{c}{GREW} \\\\\n"
        "\\cmidrule(lr){3-4}\n"
        "Backbone & Method & Rank-1 & n \\\\\n"
        "\\midrule\n"
        "GaitBase & Baseline-2 & 7.0 & 1 \\\\\n"
        " & Mimic + VEN $\\dagger$ & 28.4 $\\pm$ 0.4 (0.51 $\\pm$ 0.01) & 3 \\\\\n"
        "\\midrule\n"
        "GaitGL & Mimic + VEN & -- & -- \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\n"
        "\\smallskip\n"
        "{\\footnotesize\n"
        "A note.\\par\n"
        "}\n"
        "\\end{table}\n"
    )


def test_csv_holds_the_unrounded_numbers_and_empty_cells_for_missing_ones():
    rows = list(csv.reader(io.StringIO(small().csv())))
    parts = ["", " sd", " RP", " RP sd", " HP", " HP sd", " n"]
    assert rows[0] == ["Backbone", "Method", *(f"GREW Rank-1{p}" for p in parts), "GREW n"]
    assert rows[1] == ["GaitBase", "Baseline-2", "7.0", "", "", "", "", "", "1", "1"]
    assert rows[2][2:] == ["28.36", "0.449", "0.5127", "0.014", "55.3", "0.2", "3", "3"]
    assert rows[3] == ["GaitGL", "Mimic + VEN", "", "", "", "", "", "", "", ""]


class Cells(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.cells = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ("th", "td"):
            self.cells.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.cells:
            self.cells[-1][2] += data.strip()


def test_html_spans_what_rows_share_and_names_rows_and_columns():
    cells = Cells(small().html()).cells
    spanning = [(text, attrs["rowspan"], attrs["scope"]) for _, attrs, text in cells if "rowspan" in attrs]
    assert spanning == [("GaitBase", "2", "rowgroup")]
    assert [t for _, a, t in cells if a.get("scope") == "col"] == ["Backbone", "Method", "Rank-1", "n"]
    assert [(t, a["colspan"]) for _, a, t in cells if a.get("scope") == "colgroup"] == [("GREW", "2")]
    assert "28.4 ± 0.4 (0.51 ± 0.01)" in [t for _, _, t in cells]


@pytest.mark.parametrize("where", ["cell", "head", "caption", "note"])
def test_hostile_text_stays_text_in_every_form(where):
    columns = [Column(HOSTILE if where == "head" else "Method", stub=True), Column("n")]
    cell = HOSTILE if where == "cell" else "x"
    table = small(columns=columns, rows=[[cell, 1]], caption=HOSTILE if where == "caption" else "c",
                  notes=[HOSTILE] if where == "note" else [])  # fmt: skip
    page = Cells(table.html())
    assert "script" not in page.tags
    if where in ("cell", "head"):
        assert HOSTILE in [t for _, _, t in page.cells]
        assert any(HOSTILE in row for row in csv.reader(io.StringIO(table.csv())))
    markdown = table.markdown()
    assert "<script" not in markdown and "\\`x\\`" in markdown and "\\[l\\](h)" in markdown
    for line in markdown.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 3
    latex = table.latex()
    assert (
        "\\textless{}script\\textgreater{}alert(1)\\textless{}/script\\textgreater{} \\textbar{} `x` "
        '\\$\\textbackslash{}alpha\\$ \\& 5\\% \\{a\\}\\_b \\textasciitilde{}\\textasciicircum{} "q" {[}l{]}(h)'
    ) in latex


def test_line_breaks_do_not_break_a_row():
    table = small(rows=[["a\nb", "c\r\nd", None, None]])
    assert "| a b      | c d" in table.markdown()
    assert "a b & c d &" in table.latex()
