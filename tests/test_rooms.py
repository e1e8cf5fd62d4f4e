"""The rooms that know no host: what each imports of the others, so that dependencies have one direction."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "opengait_mimic"
ROOMS = ("occlusion", "networks", "losses", "evaluation", "data", "inference")


def imported(room: str) -> set[str]:
    """The other parts of the package that a room's modules import, at their head or inside of functions."""
    found = set()
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found |= {name.split(".")[1] for name in names if name.startswith("opengait_mimic.")}
    return found - {room}


@pytest.mark.parametrize("room", ROOMS)
def test_no_two_rooms_import_each_other(room):
    assert [other for other in ROOMS if other in imported(room) and room in imported(other)] == []


def test_occlusions_know_no_network_and_data_no_occlusion():
    assert "networks" not in imported("occlusion") and "occlusion" not in imported("data")
