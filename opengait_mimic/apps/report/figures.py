"""The paper's figures from groups of results, each as SVG and PNG."""

from __future__ import annotations

import io
import math
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from opengait_mimic.apps.experiments.recipes import TITLES
from opengait_mimic.apps.report.collect import BACKBONES, DATASETS, Group, Run, rank
from opengait_mimic.apps.report.compare import Main, by_place, labels, networks, sweeps, table1_groups, where_text
from opengait_mimic.data.read import read_clip
from opengait_mimic.method.occlusion.drawing import occlusion_grid

# Of each method: colour, marker, line. Ablations are dashed.
LOOKS = {
    "Teacher": ("#000000", "o", "-"),
    "Baseline-1": ("#a8a8a8", "o", "-"),
    "Baseline-2": ("#5c5c5c", "s", "-"),
    "Occlusion Aware": ("#e69f00", "D", "-"),
    "VEN": ("#8a6d00", "^", "--"),
    "L2 KD": ("#cc79a7", "v", "--"),
    "Control": ("#d55e00", "P", "--"),
    "MiCKD, pair 1": ("#7fc8f0", "X", ":"),
    "MiCKD, pairs 1+2": ("#3f9fd8", "X", "--"),
    "Vanilla Mimic": ("#56b4e9", "<", "-"),
    "MiCKD + XE": ("#a0522d", ">", "--"),
    "Mimic + Occlusion Aware": ("#009e73", "h", "--"),
    "Mimic + VEN": ("#0050a0", "*", "-"),
}
OTHER_COLOURS = ("#d62728", "#7b3fa0", "#6b8e23", "#c71585", "#2f4f4f", "#8b0000")
OTHER_LINES = ("-.", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "osD^vP*X<>"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.usetex": False,
    "svg.fonttype": "path",
}
PANEL = (3.6, 3.0)  # inches


@dataclass(frozen=True)
class Drawing:
    """A figure: its file name, what it is called and says, a text for those who cannot see it; svg may be absent."""

    key: str
    title: str
    caption: str
    alt: str
    png: bytes
    svg: bytes | None = None


def drawings(main: Main, visibility: list[Run]) -> list[Drawing]:
    """Every figure that there are numbers for."""
    made = [
        performance_figure(table1_groups(main.standard) or main.standard),
        severity_figure(main.severity),
        curve_figure(main.standard, "cmc"),
        curve_figure(main.standard, "roc"),
        confusion_figure(visibility),
    ]
    return [drawing for drawing in made if drawing is not None]


def occlusion_figure(clips: Path) -> Drawing:
    """Figure 1: one clip under every occlusion type.

    Args:
        clips: a silhouettes .pkl or a data set, see `data.read.read_clip`, which also raises.

    Returns:
        The figure.
    """
    sils = read_clip(clips)
    path = min(clips.rglob("*.pkl"), default=clips)
    with tempfile.TemporaryDirectory() as folder, _style("figure1"):
        target = Path(folder, "figure1.png")
        occlusion_grid(sils, target)
        png = target.read_bytes()
    caption = (
        "One clip whole and under every kind of occlusion, in place and refitted as a detector's tight box would; "
        "red outlines show what is hidden."
    )
    alt = f"Rows of silhouettes of {path.parent.name}/{path.name}: whole, then each kind of occlusion."
    return Drawing("figure1", "Figure 1", caption, alt, png)


def performance_figure(groups: list[Group]) -> Drawing | None:
    """Figure 4: OP against HP; RP is the slope of the line from the origin."""
    points = [(g, score.value, score.hp) for g in groups if (score := g.score("Rank-1")) and score.hp]
    if not points:
        return None
    datasets = sorted({g.dataset for g, *_ in points}, key=lambda d: rank(d, DATASETS))
    backbones = sorted({g.backbone for g, *_ in points}, key=lambda b: rank(b, BACKBONES))
    methods = _looks((g.method, g.method) for g, *_ in points)
    markers = {b: MARKERS[i % len(MARKERS)] for i, b in enumerate(backbones)}
    with _style("figure4"):
        figure, panels = _panels(len(datasets), (4.2, 3.6))
        for axes, dataset in zip(panels, datasets, strict=True):
            mine = [point for point in points if point[0].dataset == dataset]
            right = max(1.0, *(1.12 * (hp.mean + (hp.sd or 0)) for *_, hp in mine))
            top = max(1.0, *(1.15 * (op.mean + (op.sd or 0)) for _, op, _ in mine))
            _slopes(axes, right, top)
            for g, op, hp in mine:
                x, y, colour = hp.mean, op.mean, methods[g.method].colour
                axes.plot([0, x], [0, y], color=colour, lw=0.8, alpha=0.45)
                axes.errorbar(x, y, xerr=hp.sd, yerr=op.sd, color=colour, marker=markers[g.backbone],
                              ms=6, mec="white", mew=0.6, capsize=2, lw=1, ls="none", zorder=3)  # fmt: skip
            axes.set(xlim=(0, right), ylim=(0, top), xlabel="HP: Rank-1 of the teacher, holistic clips (%)")
            axes.set_ylabel("OP: Rank-1, occluded (%)")
            axes.set_title(_plain(dataset), pad=16)
            axes.grid(False)
        shown = {name: Look(look.colour, "s", "none") for name, look in methods.items()}
        shown |= {f"{name} (backbone)": Look("#777777", marker, "none") for name, marker in markers.items()}
        _legend(figure, shown)
        listed = "; ".join(f"{where_text(g.dataset, g.backbone)}, {g.method}: OP {op.mean:.1f}, HP {hp.mean:.1f}"
                           for g, op, hp in points)  # fmt: skip
        return _drawing(
            figure,
            "figure4",
            "Figure 4",
            "Occluded performance (OP) against holistic performance (HP), Rank-1. RP is the slope from the origin: "
            "grey lines have equal RP. Bars are ± one standard deviation over seeds.",
            f"Points of OP against HP. {listed}.",
        )


def _slopes(axes, right: float, top: float) -> None:
    """Lines of equal RP, labelled where they leave the panel."""
    steepest = min(1.0, top / right * 1.6)
    step = next(s for s in (0.05, 0.1, 0.2) if steepest / s <= 8 or s == 0.2)
    for number in range(1, int(1 / step + 1e-9) + 1):
        slope = number * step
        if slope > steepest:
            break
        x, y = (right, slope * right) if slope * right <= top else (top / slope, top)
        axes.plot([0, x], [0, y], color="#d5d5d5", lw=0.7, zorder=1)
        beside = y < top
        axes.annotate(f"{slope:.2f}", (x, y), (3, 0) if beside else (0, 3), textcoords="offset points", fontsize=7,
                      color="#808080", ha="left" if beside else "center", va="center" if beside else "bottom",
                      annotation_clip=False)  # fmt: skip


def severity_figure(groups: list[Group]) -> Drawing | None:
    """Rank-1 against the occluded fraction."""
    places = [(place, found) for place, mine in by_place(groups) if (found := sweeps(mine))]
    if not places:
        return None
    looks = _looks((label, next(iter(sweep.values())).method) for _, found in places for label, sweep in found)
    listed = []
    with _style("severity"):
        figure, panels = _panels(len(places))
        for axes, ((dataset, backbone), found) in zip(panels, places, strict=True):
            for label, sweep in found:
                points = [(100 * a, *bar) for a, g in sorted(sweep.items()) if (bar := _bar(g)) is not None]
                whole = next(iter(sweep.values())).holistic("Rank-1")
                if whole is not None and 0.0 not in sweep:
                    points.insert(0, (0.0, whole.value.mean, [whole.value.sd or 0.0] * 2))
                if not points:
                    continue
                x, y, bars = zip(*points, strict=True)
                look = looks[label]
                axes.errorbar(x, y, yerr=np.array(bars).T, color=look.colour, marker=look.marker, ls=look.line, ms=5,
                              mec="white", mew=0.4, lw=1.4, capsize=2)  # fmt: skip
                listed.append(f"{where_text(dataset, backbone)}, {label}: "
                              + ", ".join(f"{b:.1f} at {a:.0f} %" for a, b, _ in points))  # fmt: skip
            axes.set(xlabel="occluded (% of the frame's extent)", ylabel="Rank-1 (%)")
            axes.set_ylim(bottom=0)
            axes.set_xlim(left=-2)
            axes.set_title(_plain(where_text(dataset, backbone)))
        _legend(figure, looks)
        return _drawing(
            figure,
            "figure-severity",
            "Accuracy against severity",
            "Rank-1 against the occluded fraction of one side (the probes, unless the setting occludes galleries "
            "alone), the other being whole; 0 is the network's own accuracy on holistic clips. Bars are ± one standard "
            "deviation over seeds, with a single seed its test's interval.",
            f"Rank-1 falls with the occluded fraction. {'; '.join(listed)}.",
        )


def _bar(group: Group) -> tuple[float, list[float]] | None:
    """Rank-1 and the lengths of its error bar down and up: sd over seeds, else the one run's interval."""
    score = group.score("Rank-1")
    if score is None:
        return None
    mean, sd, _ = score.value
    interval = group.tests[0]["scores"]["Rank-1"].get("interval")
    if sd is not None or interval is None:
        return mean, [sd or 0.0] * 2
    return mean, [max(0.0, mean - interval[0]), max(0.0, interval[1] - mean)]


def curve_figure(groups: list[Group], which: str) -> Drawing | None:
    """CMC ("cmc") or ROC ("roc") of the standard test, a line a method, the mean over seeds."""
    curve: Callable = {"cmc": _cmc, "roc": _roc}[which]
    places = [(place, found) for place, mine in by_place(groups) if (found := _curves(mine, curve))]
    if not places:
        return None
    looks = _looks((label, method) for _, found in places for label, method, *_ in found)
    listed = []
    with _style(which):
        figure, panels = _panels(len(places))
        for axes, ((dataset, backbone), found) in zip(panels, places, strict=True):
            for label, _, x, y in found:
                look = looks[label]
                axes.plot(x, y, color=look.colour, ls=look.line, lw=1.4)
                listed.append(f"{where_text(dataset, backbone)}, {label}: from {y[0]:.1f} to {y[-1]:.1f} %")
            axes.set_title(_plain(where_text(dataset, backbone)))
            if which == "cmc":
                axes.set(xlabel="rank", ylabel="identified within the rank (%)", ylim=(0, 101))
                last = max(2, *(x[-1] for _, _, x, _ in found))
                axes.set_xticks([1, *range(10, last + 1, 10)])
                axes.set_xlim(1, last)
            else:
                axes.set(xlabel="false accept rate", ylabel="true accept rate (%)", ylim=(0, 101), xscale="log")
        _legend(figure, {label: look._replace(marker="") for label, look in looks.items()})
        title, what = {
            "cmc": ("CMC", "Cumulative match characteristic: share of probes identified within each rank"),
            "roc": (
                "ROC",
                "Receiver operating characteristic: share of genuine pairs accepted at each false accept rate",
            ),
        }[which]
        return _drawing(
            figure, f"figure-{which}", title, f"{what}, occluded; mean over seeds.", f"{what}. {'; '.join(listed)}."
        )


def _curves(groups: list[Group], curve: Callable) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    named = zip(groups, labels(groups, flag=False), strict=True)
    return [(label, g.method, *points) for g, label in named if (points := curve(g)) is not None]


def _cmc(group: Group) -> tuple[np.ndarray, np.ndarray] | None:
    lines = [test["cmc"] for test in group.tests if test.get("cmc")]
    if not lines:
        return None
    length = min(map(len, lines))
    return np.arange(1, length + 1), np.mean([line[:length] for line in lines], axis=0)


def _roc(group: Group) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean TAR over seeds, at the rates of the first; log-interpolated where another run has other rates."""
    lines = []
    for test in group.tests:
        roc = test.get("roc") or {"far": [], "tar": []}
        points = sorted((f, t) for f, t in zip(roc["far"], roc["tar"], strict=True) if f > 0)
        if points:
            lines.append(np.array(points).T)
    if not lines:
        return None
    far = lines[0][0]
    return far, 100 * np.mean([np.interp(np.log(far), np.log(x), y) for x, y in lines], axis=0)


def confusion_figure(runs: list[Run]) -> Drawing | None:
    """What VENs take each kind for; counts of all seeds together."""
    found = networks(runs)
    if not found:
        return None
    listed = []
    with _style("confusion"):
        widest = max(len(classes) for _, _, classes in found)
        figure, panels = _panels(len(found), (1.6 + 0.75 * widest, 1.2 + 0.62 * widest))
        for axes, ((dataset, label, classes), mine) in zip(panels, found.items(), strict=True):
            counts = np.sum([run.content["confusion"] for run in mine], axis=0)
            share = counts / np.maximum(1, counts.sum(1, keepdims=True))
            axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
            for row, column in np.ndindex(*counts.shape):
                dark = share[row, column] > 0.5
                axes.text(column, row, f"{100 * share[row, column]:.1f}\n({counts[row, column]})", ha="center",
                          va="center", fontsize=7.5, color="white" if dark else "#222222")  # fmt: skip
            names = [_plain(name.replace("_", " ")) for name in classes]
            axes.set_xticks(
                range(len(names)), names, rotation=30 if widest > 3 else 0, ha="right" if widest > 3 else "center"
            )
            axes.set_yticks(range(len(names)), names)
            axes.set(xlabel="predicted", ylabel="true")
            axes.set_title(textwrap.fill(_plain(f"{label} on {dataset}"), 36))
            axes.grid(False)
            diagonal = ", ".join(f"{n} {100 * share[i, i]:.1f} %" for i, n in enumerate(classes))
            listed.append(f"{label} on {dataset}: right for {diagonal}")
        return _drawing(
            figure,
            "figure-confusion",
            "VEN confusion",
            "What the visibility network takes each kind for: percent of the true kind, and clips in brackets, all "
            "seeds together.",
            f"Confusion matrices. {'; '.join(listed)}.",
        )


class Look(NamedTuple):
    """How a method is drawn."""

    colour: str
    marker: str
    line: str | tuple


def _looks(names: Iterable[tuple[str, str]]) -> dict[str, Look]:
    """A look for each (label, method), in the paper's order.

    The method's own; for methods that the paper does not know, and second labels of one, others in turn.
    """
    looks, others = {}, 0
    for label, method in sorted(set(names), key=lambda pair: (rank(pair[1], TITLES), pair[0])):
        own = LOOKS.get(method)
        if own is None or Look(*own) in looks.values():
            turn, colour = divmod(others, len(OTHER_COLOURS))
            own = (OTHER_COLOURS[colour], MARKERS[others % len(MARKERS)], OTHER_LINES[turn % len(OTHER_LINES)])
            others += 1
        looks[label] = Look(*own)
    return looks


def _panels(count: int, size: tuple[float, float] = PANEL) -> tuple:
    """A figure of `count` panels, three a row, and its axes."""
    columns = min(3, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(max(5.0, size[0] * columns), size[1] * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


def _legend(figure, looks: dict[str, Look]) -> None:
    """Below the panels, in a figure that grows by as much."""
    handles = [Line2D([], [], color=look.colour, marker=look.marker, ls=look.line, ms=6, lw=1.5)
               for look in looks.values()]  # fmt: skip
    names = [_plain(label) for label in looks]
    wide = max(map(len, names), default=1)
    columns = max(1, min(4, len(names), int(figure.get_figwidth() * 14 / (wide + 7))))
    height = 0.2 * math.ceil(len(names) / columns) + 0.1
    figure.set_figheight(figure.get_figheight() + height)
    figure.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=8, handlelength=2.6)


def _plain(name: str) -> str:
    """A name as it is: no formula, and not one of those that legends leave out."""
    name = name.replace("$", r"\$")
    return f" {name}" if name.startswith("_") else name


@contextmanager
def _style(key: str) -> Iterator[None]:
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": key}):
        yield


def _drawing(figure, key: str, title: str, caption: str, alt: str) -> Drawing:
    """The figure drawn; the same numbers give the same bytes."""
    svg, png = io.BytesIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    figure.savefig(png, format="png", dpi=160)
    return Drawing(key, title, caption, alt, png.getvalue(), svg.getvalue())
