"""The README and every page of the documentation say what is so: what they show runs, or can be parsed."""

from __future__ import annotations

import json
import re
from multiprocessing import active_children

import cv2
import pytest
from page import DOCS, REASONS, ROOT, SHOWN, check_data_block, is_file, is_run, own_commands, parse, run, snippets
from street import street

from opengait_mimic.apps.inference.export import CAN_EXPORT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
RUN = [page for page in PAGES if page.name != "deployment.md" and any(map(is_run, snippets(page)))]
STREET = ("README.md", "own-data.md")  # pages that want a video


def name(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_block_is_run_or_says_why_not_and_can_then_be_parsed(page):
    for snippet in snippets(page):
        where = f"{name(page)}, line {snippet.line}"
        if snippet.language in SHOWN:
            check_data_block(snippet)
        elif not is_run(snippet) and not is_file(snippet):
            assert snippet.language in ("bash", "python"), f"{where}: language {snippet.language!r}"
            assert snippet.title.startswith(REASONS), f"{where}: it is not run, and its title does not say why"
            for words in own_commands(snippet.code):
                parse(words)
            for path in re.findall(r"(?<![\w/])(?:configs/mimicgait|patches)/[\w./-]+", snippet.code):
                assert (ROOT / path).is_file(), f"{where}: no {path}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_text_can_be_parsed(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`(opengait-mimic [a-z][^`]*)`", text):
        for words in own_commands(code.replace("…", "embedded").replace("RUN...", "docs").replace("\n", " ")):
            if len(words) > 1:
                parse(words)


@pytest.mark.parametrize("page", RUN, ids=name)
def test_the_page_runs_as_written(page, reader):
    if page.name in STREET:
        film(reader / "street.mp4")
    run(page, reader)


@pytest.mark.skipif(not CAN_EXPORT, reason="exports need a newer torch")
def test_the_deployment_page_shows_what_it_says(reader):
    printed = run(DOCS / "deployment.md", reader)
    assert "visible" in printed and "Enrolled 8 clips of 4 subjects" in printed
    assert "same: distance" in printed or "different: distance" in printed
    assert "Wrote mimic.onnx" in printed and "Wrote mimic.pt2" in printed
    assert len(json.loads((reader / "ranks.json").read_text())["probes"][0]["ranks"]) == 3


def test_a_block_that_fails_fails_the_page(tmp_path):
    page = tmp_path / "page.md"
    for code in ("```python\n1 / 0\n```", "```bash\nopengait-mimic check --cfgs none.yaml\n```", "```bash\nfalse\n```"):
        page.write_text(f"{code}\n")
        with pytest.raises(AssertionError, match="status"):
            run(page, tmp_path)


@pytest.mark.parametrize("code", ["```python\nimport time\ntime.sleep(900)\n```", "```bash\nsleep 900\n```"])
def test_a_page_that_hangs_fails_and_leaves_nothing_behind(code, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"{code}\n")
    before = set(active_children())  # those of other tests of this process
    with pytest.raises(AssertionError, match="it hangs(.|\n)*line 1"):
        run(page, tmp_path, seconds=5)
    assert set(active_children()) <= before


@pytest.mark.parametrize(
    "code", ["opengait-mimic train --cfg a.yaml", "torchrun x -m opengait_mimic fly", "a/bin/opengait-mimic demo --x"]
)
def test_a_wrong_flag_in_a_block_that_is_not_run_is_found(code):
    (words,) = own_commands(code)
    with pytest.raises(Exception, match="(?i)no such"):
        parse(words)


def film(path):
    """A video of three people in a street, 90 frames."""
    frames, _ = street()
    height, width = frames.shape[1:3]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (width, height))
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
