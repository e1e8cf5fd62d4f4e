"""What every command shares: its outcome on standard output, --quiet and --json, and the exit status."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from opengait_mimic.data.progress import Verbosity, set_verbosity, verbosity, warn

PROGRAM = "opengait-mimic"
# What a command's exit status says. `opengait-mimic --help` shows this list.
EXIT_STATUS = {
    0: "done",
    1: "a run failed, or check-data or doctor found something wrong",
    2: "a mistake in the configuration, the data or the command",
    130: "interrupted (Ctrl-C, SIGTERM)",
}


def outcome(text: str, content: object) -> None:
    """What a command is run for: text for people, or with --json its content (JSON-ready)."""
    click.echo(json.dumps(content, indent=1, ensure_ascii=False) if verbosity().as_json else text, color=colours())


def conclude(text: str, content: object) -> None:
    """The outcome of a command that only writes what it was told to write: with --quiet, its exit status says it."""
    if verbosity().as_json or not verbosity().quiet:
        outcome(text, content)


def colours() -> bool | None:
    """For click.echo: no colours where NO_COLOR is set; else they depend on where it is printed."""
    return False if os.environ.get("NO_COLOR") else None


def show(page: Path, asked: bool | None) -> None:
    """Open a page in the browser.

    Args:
        asked: whether to; None does it for somebody who sits at a desktop's terminal.
    """
    if asked is None:
        asked = _at_a_desktop() and verbosity() == Verbosity()
    if asked and not webbrowser.open(page.resolve().as_uri()):
        warn(f"there is no browser to open {page} with")


def _at_a_desktop() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or {"CI", "SSH_CONNECTION"} & set(os.environ):
        return False
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))


def _set(**change: bool) -> Callable:
    def callback(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            set_verbosity(replace(verbosity(), **change))

    return callback


def _verbosity_options() -> list[click.Option]:
    return [
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, is_eager=True, callback=_set(quiet=True),
                     help="Print the outcome, warnings and errors only."),
        click.Option(["--json", "as_json"], is_flag=True, expose_value=False, is_eager=True,
                     callback=_set(as_json=True), help="Print the outcome as JSON, alone on standard output."),
    ]  # fmt: skip


class Commands(click.Group):
    """A group of commands that all take --quiet and --json, before or after the command's name."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.params += _verbosity_options()

    def make_context(self, *arguments, **options) -> click.Context:
        set_verbosity(Verbosity())  # each call anew, in a process that makes several
        return super().make_context(*arguments, **options)

    def add_command(self, command: click.Command, name: str | None = None) -> None:
        command.params += _verbosity_options()
        super().add_command(command, name)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit status"):
            formatter.write_dl([(str(status), meaning) for status, meaning in EXIT_STATUS.items()])


dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


def completion_script(shell: str, group: click.Group) -> str:
    """What a shell (bash, zsh or fish) reads to complete the program's commands, options and files."""
    variable = f"_{PROGRAM.replace('-', '_')}_COMPLETE".upper()
    return get_completion_class(shell)(group, {}, PROGRAM, variable).source()
