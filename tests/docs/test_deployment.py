"""Every snippet of docs/deployment.md runs, in order, beside a small trained mimic."""

from __future__ import annotations

import json
import shutil

from page import run


def test_the_page_runs_as_written(mimic_run, tmp_path):
    shutil.copytree(mimic_run, tmp_path, dirs_exist_ok=True)
    printed = "".join(run("deployment.md", tmp_path, alone=("onnx",)).values())
    assert "visible" in printed and "Enrolled 8 clips of 4 subjects" in printed
    assert "same: distance" in printed or "different: distance" in printed
    assert "Wrote mimic.onnx" in printed and "Wrote mimic.pt2" in printed
    probes = json.loads((tmp_path / "ranks.json").read_text())["probes"]
    assert len(probes[0]["ranks"]) == 3
