"""One thread per test process, so that timings and results do not depend on the machine's cores."""

import pytest
import torch

from opengait_mimic import console

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def as_a_process_begins():
    """Commands called in this process speak as one that was just started, whatever the test before asked for."""
    console.speak(console.Voice())
