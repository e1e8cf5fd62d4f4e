"""Groups of one to four processes, as the tests here want them."""

from __future__ import annotations

import pytest
from several import Group

from opengait_mimic.opengait.activation import activate


@pytest.fixture(scope="session", params=[1, 2, 3, 4], ids=lambda n: f"{n}-processes")
def group(request):
    """A group of one, two, three and four processes."""
    yield from started(request.param)


@pytest.fixture(scope="session", params=[2, 3, 4], ids=lambda n: f"{n}-processes")
def several(request):
    yield from started(request.param)


@pytest.fixture(scope="session")
def pair():
    yield from started(2)


def started(count):
    activate("embedded")
    group = Group(count)
    yield group
    group.end()
