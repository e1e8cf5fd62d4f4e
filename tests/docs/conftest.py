"""A small trained mimic for the pages that need one."""

from __future__ import annotations

import pytest
from trained import mimic_in


@pytest.fixture(scope="session")
def mimic_run(tmp_path_factory):
    """A folder as the deployment page describes it."""
    return mimic_in(tmp_path_factory.mktemp("mimic"))
