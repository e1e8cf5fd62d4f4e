"""What the build of the site adds to mkdocs.yml."""

from __future__ import annotations

import inspect
import re

from opengait_mimic.cli import commands


def on_config(config):
    r"""Show the examples in a command's help (paragraphs after \b) as code; mkdocs-click would join their lines."""
    for command in (commands, *(commands.get_command(None, name) for name in commands.list_commands(None))):
        command.help = re.sub(r"\x08\n((?:.+\n?)+)", _as_code, inspect.cleandoc(command.help))
    return config


def _as_code(paragraph: re.Match) -> str:
    return f"```text\n{paragraph[1].rstrip()}\n```\n"
