"""The notebook runs from top to bottom, small, and is committed with what it showed at its own scale."""

from __future__ import annotations

import pytest
from page import ROOT

NOTEBOOK = ROOT / "notebooks" / "first_steps.ipynb"


@pytest.fixture(scope="module")
def notebook():
    nbformat = pytest.importorskip("nbformat", reason="needs the extra test")
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_runs_in_one_sitting(notebook, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra test")
    pytest.importorskip("ipykernel", reason="needs the extra test")
    monkeypatch.setenv("SCALE", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "Mimic + VEN" in "".join(printed) and "the VEN names the kind of" in "".join(printed)


def test_it_is_committed_with_its_outputs_and_without_a_trace_of_the_machine(notebook):
    shown = [output.output_type for cell in notebook.cells for output in cell.get("outputs", [])]
    assert shown.count("display_data") == 2 and "error" not in shown
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not [folder for folder in ("home", "root", "tmp", "work") if f"/{folder}/" in text]
