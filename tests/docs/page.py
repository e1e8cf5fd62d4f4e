"""Runs the fenced python and bash blocks of a documentation page, in order, as a reader would."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parents[2] / "docs"
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    """A fenced block.

    Attributes:
        language: the first word after the fence. mark: the rest. code: what it holds. line: where it starts.
    """

    language: str
    mark: str
    code: str
    line: int


def snippets(page: str, languages: tuple[str, ...] = ("python", "bash")) -> list[Snippet]:
    """The blocks of a page under docs/ in some languages."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, _, mark = match["info"].partition(" ")
        if language in languages:
            found.append(Snippet(language, mark, match["code"], text[: match.start()].count("\n") + 1))
    return found


def run(page: str, folder: Path, alone: tuple[str, ...] = ()) -> dict[int, str]:
    """Run every snippet of a page in a folder.

    Python blocks share their names, as in one session; those whose mark is in `alone` run in a program of their own,
    in which torch cannot be imported. Lines of bash that install packages are left out.

    Returns:
        What each snippet printed, by the line it starts at.
    """
    printed, names = {}, {"__name__": "__main__"}
    for snippet in snippets(page):
        if snippet.language == "bash":
            lines = [line for line in snippet.code.splitlines() if not line.startswith("pip install")]
            text = _done(["bash", "-euo", "pipefail", "-c", "\n".join(lines)], folder, page, snippet)
        elif snippet.mark in alone:
            without_torch = f"import sys\nsys.modules['torch'] = None\n{snippet.code}"
            text = _done([sys.executable, "-c", without_torch], folder, page, snippet)
        else:
            text = _executed(snippet, names, folder, page)
        printed[snippet.line] = text
    return printed


def _executed(snippet: Snippet, names: dict, folder: Path, page: str) -> str:
    code = compile("\n" * snippet.line + snippet.code, str(DOCS / page), "exec")
    before, printed = Path.cwd(), io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, names)
    finally:
        os.chdir(before)
    return printed.getvalue()


def _done(command: list[str], folder: Path, page: str, snippet: Snippet) -> str:
    commands = folder / ".commands"
    commands.mkdir(exist_ok=True)
    command_line = commands / "opengait-mimic"
    command_line.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m opengait_mimic "$@"\n')
    command_line.chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if key not in ("OPENGAIT_ROOT", "RANK", "WORLD_SIZE")}
    path = f"{commands}{os.pathsep}{clean['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env={**clean, "PATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"docs/{page}, line {snippet.line}:\n{(done.stdout + done.stderr)[-3000:]}"
    return done.stdout + done.stderr
