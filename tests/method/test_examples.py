"""The examples in the docstrings give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = (
    "data.pickles",
    "data.tree",
    "evaluation.recognition",
    "evaluation.relative_performance",
    "method.losses",
    "method.occlusion.transform",
    "method.ven",
    "walkers.walkers",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    ran = doctest.testmod(import_module(f"opengait_mimic.{name}"))
    assert ran.attempted and not ran.failed
