"""What the runs of several stages share."""

from __future__ import annotations

import pytest
import short_tables

from opengait_mimic.apps.experiments import tables


@pytest.fixture
def short(monkeypatch):
    """`tables` and the demo take few walkers and two iterations."""
    monkeypatch.setattr(tables, "WALKERS", dict(tables.WALKERS))
    for model, iterations in short_tables.ITERATIONS.items():
        monkeypatch.setitem(short_tables.ITERATIONS, model, iterations)
    short_tables.shorten()
