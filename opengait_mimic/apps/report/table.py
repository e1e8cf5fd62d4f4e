"""A table and its four forms: Markdown, CSV, LaTeX (booktabs) and HTML."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from opengait_mimic.apps.report.collect import Score, Spread

DASH = "–"
ZERO_SHOT = "† zero-shot: tested on kinds of occlusion that the network was not trained on."
SCORE_PARTS = ("", " sd", " RP", " RP sd", " HP", " HP sd", " n")
LONG = 44  # characters of a cell that may break into lines
Cell = str | int | float | Score | None


class Column(NamedTuple):
    """A column's heading.

    Attributes:
        over: the heading above it that neighbours share.
        stub: whether it names rows.
        brief: whether scores are shown without their RP.
        words: whether what is below is text, not numbers.
    """

    name: str
    over: str = ""
    stub: bool = False
    brief: bool = False
    words: bool = False

    @property
    def left(self) -> bool:
        """Aligned to the left."""
        return self.stub or self.words

    @property
    def full(self) -> str:
        return f"{self.over} {self.name}".strip()


def stubs(*names: str) -> list[Column]:
    """Columns that name rows."""
    return [Column(name, stub=True) for name in names]


@dataclass
class Table:
    """Rows of cells under columns.

    Attributes:
        key: its file name and link target.
        title: short ("Table 1").
        caption: a sentence.
        columns: those that name the rows come first.
        rows: a cell for each column; None is a missing value.
        notes: sentences below the table.
    """

    key: str
    title: str
    caption: str
    columns: list[Column]
    rows: list[list[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Pipe table with title, caption and notes around it."""
        lines = [[markdown_text(c.full) for c in self.columns]]
        lines += [[markdown_text(cell) for cell in row] for row in self._texts()]
        widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(self.columns))]
        rule = ["-" * w if c.left else "-" * (w - 1) + ":" for w, c in zip(widths, self.columns, strict=True)]
        body = [
            "| " + " | ".join(_pad(c, w, k.left) for c, w, k in zip(line, widths, self.columns, strict=True)) + " |"
            for line in [lines[0], rule, *lines[1:]]
        ]
        notes = ["", *(f"- {markdown_text(note)}" for note in self.notes)] if self.notes else []
        return "\n".join([f"**{markdown_text(self.title)}.** {markdown_text(self.caption)}", "", *body, *notes, ""])

    def content(self) -> dict:
        """For JSON: title, caption, rows with their cells as they are read by column, and notes."""
        names = [column.full for column in self.columns]
        rows = [dict(zip(names, row, strict=True)) for row in self._texts()]
        return {"title": self.title, "caption": self.caption, "rows": rows, "notes": self.notes}

    def csv(self) -> str:
        """Unrounded numbers: a score becomes columns for its mean, sd, RP, HP and n. Missing values are empty."""
        lines: list[list] = [[] for _ in range(1 + len(self.rows))]
        for column, cells in zip(self.columns, zip(*self.rows, strict=True), strict=True):
            scored = any(isinstance(cell, Score) for cell in cells)
            lines[0] += [column.full + part for part in (SCORE_PARTS if scored else ("",))]
            for line, cell in zip(lines[1:], cells, strict=True):
                numbers = _numbers(cell) if isinstance(cell, Score) else [cell]
                line += numbers + [None] * (scored and len(SCORE_PARTS) - len(numbers))
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows(lines)
        return stream.getvalue()

    def latex(self) -> str:
        """A table environment for booktabs; check marks need amssymb."""
        columns = self.columns
        lines = ["% needs \\usepackage{booktabs} and \\usepackage{amssymb}", "\\begin{table}", "\\centering"]
        lines += [f"\\caption{{{_latex(self.caption)}}}", f"\\label{{tab:{self.key}}}"]
        lines += [f"\\begin{{tabular}}{{{''.join('l' if c.left else 'c' for c in columns)}}}", "\\toprule"]
        if any(c.over for c in columns):
            cells, rules, start = [], [], 1
            for over, width in self._over():
                cells += [f"\\multicolumn{{{width}}}{{c}}{{{_latex(over)}}}"] if over else [""] * width
                rules += [f"\\cmidrule(lr){{{start}-{start + width - 1}}}"] if over else []
                start += width
            lines += [" & ".join(cells) + " \\\\", " ".join(rules)]
        lines += [" & ".join(_latex(c.name) for c in columns) + " \\\\", "\\midrule"]
        for row, spans in zip(self._texts(), self._spans(), strict=True):
            if lines[-1] != "\\midrule" and spans and spans[0]:
                lines.append("\\midrule")
            cells = ["" if i < len(spans) and not spans[i] else _latex(cell) for i, cell in enumerate(row)]
            lines.append(" & ".join(cells) + " \\\\")
        lines += ["\\bottomrule", "\\end{tabular}"]
        if self.notes:
            lines += ["", "\\smallskip", "{\\footnotesize", *(f"{_latex(note)}\\par" for note in self.notes), "}"]
        return "\n".join([*lines, "\\end{table}", ""])

    def html(self) -> str:
        """A figure with the table in a box of its own to scroll in, everything escaped."""
        columns, e = self.columns, html.escape
        head = ""
        if any(c.over for c in columns):
            for over, width in self._over():
                heading = f'<th colspan="{width}" scope="colgroup" class="over">{e(over)}</th>'
                head += heading if over else f'<td colspan="{width}"></td>'
            head = f"<tr>{head}</tr>"
        head += "<tr>" + "".join(f'<th scope="col"{_left(c)}>{e(c.name)}</th>' for c in columns) + "</tr>"
        body = ""
        for row, spans in zip(self._texts(), self._spans(), strict=True):
            cells = ""
            for i, (column, cell) in enumerate(zip(columns, row, strict=True)):
                span = spans[i] if i < len(spans) else 1
                if not span:
                    continue
                if column.stub:
                    scope = f' rowspan="{span}" scope="rowgroup"' if span > 1 else ' scope="row"'
                    scope += ' class="long"' if len(cell) > LONG else ""
                    cells += f"<th{scope}>{e(cell)}</th>"
                else:
                    cells += f"<td{_left(column)}>{e(cell)}</td>"
            body += f"<tr{_first(spans)}>{cells}</tr>\n"
        notes = "".join(f"<p>{e(note)}</p>" for note in self.notes)
        return (
            f'<div class="box" tabindex="0" role="region" aria-label="{e(self.title)}">\n'
            f"<table><caption>{e(self.caption)}</caption>\n"
            f"<thead>{head}</thead>\n<tbody>\n{body}</tbody></table></div>\n"
            + (f'<div class="notes">{notes}</div>\n' if notes else "")
        )

    def shorter(self) -> Table:
        """The table without its leading columns that say the same in every row; the caption says it instead."""
        while len([c for c in self.columns if c.stub]) > 1 and len({row[0] for row in self.rows}) == 1:
            self.caption += f" {self.columns[0].name}: {self.rows[0][0]}."
            self.columns, self.rows = self.columns[1:], [row[1:] for row in self.rows]
        return self

    def _over(self) -> list[tuple[str, int]]:
        """Headings above the columns' own, with how many columns they span."""
        return [(over, len(list(members))) for over, members in groupby(self.columns, key=attrgetter("over"))]

    def _texts(self) -> list[list[str]]:
        return [[text(cell, c.brief) for cell, c in zip(row, self.columns, strict=True)] for row in self.rows]

    def _spans(self) -> list[list[int]]:
        """For each row and each of the naming columns but the last: how many rows its cell spans, 0 if spanned."""
        depth = max(0, sum(c.stub for c in self.columns) - 1)
        spans = [[0] * depth for _ in self.rows]
        for level in range(depth):
            named = [row[: level + 1] for row in self._texts()]
            start = 0
            for _, members in groupby(named):
                size = len(list(members))
                spans[start][level] = size
                start += size
        return spans


def text(cell: Cell, brief: bool = False) -> str:
    """A cell as it is read: percent with one decimal, ± sd over seeds where there is one.

    RP follows in brackets, with two decimals, unless `brief`.
    """
    if cell is None:
        return DASH
    if isinstance(cell, Score):
        shown = _spread(cell.value, 1)
        return shown if cell.rp is None or brief else f"{shown} ({_spread(cell.rp, 2)})"
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


def _spread(value: Spread, digits: int) -> str:
    shown = f"{value.mean:.{digits}f}"
    return shown if value.sd is None else f"{shown} ± {value.sd:.{digits}f}"


def _numbers(score: Score) -> list[float | int | None]:
    numbers = []
    for value in (score.value, score.rp, score.hp):
        mean, sd = (None, None) if value is None else value[:2]
        numbers += [None if v is None else round(v, 6) for v in (mean, sd)]
    return [*numbers, score.value.n]


def _pad(cell: str, width: int, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)


_MARKDOWN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", **{c: f"\\{c}" for c in "\\`*_[]|~$#"}}
_LATEX = {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    "±": "$\\pm$",
    "−": "$-$",
    "†": "$\\dagger$",
    "✓": "\\checkmark{}",
    "≥": "$\\geq$",
    "–": "--",
    "·": "$\\cdot$",
    "[": "{[}",
    "]": "{]}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}


def markdown_text(value: str) -> str:
    """Text as Markdown shows it, on one line and without any markup of its own."""
    return "".join(_MARKDOWN.get(c, c) for c in _one_line(value))


def _latex(value: str) -> str:
    return "".join(_LATEX.get(c, c) for c in _one_line(value))


def _one_line(value: str) -> str:
    return re.sub(r"\s+", " ", value)


def _left(column: Column) -> str:
    return ' class="left"' if column.left else ""


def _first(spans: list[int]) -> str:
    return ' class="first"' if spans and spans[0] else ""
