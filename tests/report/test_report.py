"""The report's page, figures and files, and the command that makes them."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner

from opengait_mimic.apps.report.collect import collect, groups
from opengait_mimic.apps.report.commands import report
from opengait_mimic.apps.report.compare import main_tests
from opengait_mimic.apps.report.figures import (
    curve_figure,
    drawings,
    occlusion_figure,
    performance_figure,
    severity_figure,
)
from opengait_mimic.apps.report.write import write_report
from opengait_mimic.errors import DataError

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Fails on tags that do not match; keeps identities, links, alternative texts and sources."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.images, self.tags = [], [], [], [], set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        assert not any(name.startswith("on") for name in attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if "href" in attrs else []
        self.images += [(attrs["src"], attrs["alt"])] if tag == "img" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report_of_all(full, tmp_path_factory):
    """The folder of a report on everything, and what was said to be written."""
    out = tmp_path_factory.mktemp("report") / "made"
    return out, write_report(collect([full.root]), out)


def main_of(results):
    return main_tests(groups(collect([results.root]).runs))


def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere(report_of_all):
    out, written = report_of_all
    assert written.summary == "8 results of 4 methods, 1 backbone, 1 data set and 2 seeds; 2 visibility networks."
    text = (out / "report.html").read_text()
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert {"table1", "table5", "severity", "figure4", "figure-cmc", "figure-confusion", "remarks", "runs"} <= set(
        page.ids
    )
    assert "script" not in page.tags and "link" not in page.tags and "iframe" not in page.tags
    assert all(source.startswith("data:image/") and len(alt) > 20 for source, alt in page.images)
    assert len(page.images) == 5
    for source, _ in page.images:
        svg = base64.b64decode(source.partition(",")[2]).decode()
        assert not re.search(r'(href|src)="(?!#|data:)', svg) and "<text" not in svg
    outside = re.sub(r'src="data:[^"]*"', "", text).replace("&quot;&gt;&lt;img src=http://x.example/a", "")
    assert "http" not in outside and "url(" not in outside and "@import" not in outside
    assert "prefers-color-scheme: dark" in text and 'name="viewport"' in text


def test_every_form_of_every_table_is_written(report_of_all):
    out, written = report_of_all
    there = [p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.name != ".report-files"]
    assert sorted(there) == written.files
    for key in ("table1", "table5", "severity", "kinds", "visibility", "scores", "repeats", "runs"):
        assert f"{key}.csv" in written.files and f"{key}.tex" in written.files
    for key in ("figure4", "severity", "cmc", "roc", "confusion"):
        assert (out / "figures" / f"{key}.png").read_bytes().startswith(b"\x89PNG")
        assert (out / "figures" / f"{key}.svg").read_bytes().startswith(b"<?xml")
    markdown = (out / "tables.md").read_text()
    assert "**Table 1.**" in markdown and "Table 3 (Distillation" in markdown and "left out" in markdown


def test_the_same_results_give_the_same_files(report_of_all, full, tmp_path):
    out, written = report_of_all
    assert write_report(collect([full.root]), tmp_path) == written
    for file in written.files:
        assert (out / file).read_bytes() == (tmp_path / file).read_bytes(), file


def test_what_an_earlier_report_left_is_removed_and_nothing_else(results, tmp_path):
    out = tmp_path / "report"
    results.write(results.visibility())
    write_report(collect([results.root]), out)
    assert (out / "visibility.csv").exists() and (out / "figures" / "confusion.svg").exists()
    (out / "mine.txt").write_text("kept")
    (tmp_path / "outside.txt").write_text("kept")
    with (out / ".report-files").open("a") as listing:
        listing.write("../outside.txt\n")
    only = results.write(results.recognition("Mimic + VEN", tests=[results.test(30.0, hp=None)]))
    write_report(collect([only]), out)
    assert not (out / "visibility.csv").exists() and not (out / "figures" / "confusion.svg").exists()
    assert (out / "table1.csv").exists()
    assert (out / "mine.txt").exists() and (tmp_path / "outside.txt").exists()


def test_figures_need_their_numbers(results):
    results.write(results.recognition("Mimic + VEN", tests=[results.test(20.0, hp=None)]))
    assert drawings(main_of(results), []) == []


def test_figure_4_says_op_and_hp(results):
    for seed, rank1 in enumerate((20.0, 22.0)):
        results.write(results.recognition("Mimic + VEN", rank1, seed))
    figure = performance_figure(main_of(results).standard)
    assert "GaitBase on GREW, Mimic + VEN: OP 21.0, HP 80.0." in figure.alt


def test_severity_begins_with_whole_clips(full):
    figure = severity_figure(main_of(full).severity)
    assert "Mimic + VEN: 70.0 at 0 %, 28.0 at 20 %, 24.0 at 60 %" in figure.alt


def test_roc_is_the_mean_over_seeds_in_percent(results):
    for seed, tar in enumerate(([0.2, 0.6, 1.0], [0.4, 0.8, 1.0])):
        roc = {"far": [0.01, 0.1, 1.0], "tar": tar}
        results.write(results.recognition("Mimic + VEN", tests=[results.test(20.0, roc=roc)], seed=seed))
    assert "Mimic + VEN: from 30.0 to 100.0 %" in curve_figure(main_of(results).standard, "roc").alt
    assert curve_figure(main_of(results).standard, "cmc") is None


def clip_file(folder, array):
    path = folder / "s1" / "nm" / "000" / "000.pkl"
    path.parent.mkdir(parents=True)
    array.dump(path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, bool])
def test_figure_1_on_a_clip_of_ones_own(tmp_path, dtype):
    sils = np.zeros((4, 64, 44), dtype)
    sils[:, 8:60, 14:30] = 1 if dtype is bool else 255
    path = clip_file(tmp_path, sils)
    figures = [occlusion_figure(place) for place in (path, tmp_path)]
    assert figures[0].png.startswith(b"\x89PNG") and figures[0].png == figures[1].png
    assert "000/000.pkl" in figures[0].alt and figures[0].svg is None


def test_no_clip_for_figure_1(tmp_path):
    with pytest.raises(DataError, match="no .pkl file in it"):
        occlusion_figure(tmp_path)
    path = clip_file(tmp_path, np.zeros((4, 64), np.uint8))
    with pytest.raises(DataError, match=r"\[4, 64\]"):
        occlusion_figure(path)


def test_the_command(results, tmp_path, call):
    results.write(results.recognition("Mimic + VEN", tests=[results.test(30.0, hp=None)]))
    foreign = results.root / "run1" / "results" / "other.json"
    foreign.write_text("[]")
    clip = clip_file(tmp_path / "clips", np.full((3, 64, 44), 255, np.uint8))
    out = tmp_path / "made"
    result = call("report", results.root, "--out", out, "--clips", clip)
    assert result.status == 0
    assert result.out.startswith("1 result of 1 method, 1 backbone") and str(out / "report.html") in result.out
    assert result.err == f"warning: {foreign}: skipped: no result file of opengait-mimic\n"
    assert (out / "figures" / "figure1.png").exists()
    assert next(iter(Page((out / "report.html").read_text()).links)) == "#figure1"


def test_the_command_without_results(tmp_path):
    result = CliRunner().invoke(report, [str(tmp_path), "-o", str(tmp_path / "made")])
    assert isinstance(result.exception, DataError) and not (tmp_path / "made").exists()
    assert CliRunner().invoke(report, []).exit_code == 2
    assert CliRunner().invoke(report, [str(tmp_path / "nowhere")]).exit_code == 2
