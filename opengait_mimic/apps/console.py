"""What every command shares: its outcome on standard output, --quiet and --json, and the exit status."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
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
    def callback(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:
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
    """A group whose commands are loaded when they are used; all take --quiet and --json, before or after their name.

    Args:
        sections: {heading of the help: {command: (its module below `apps`, what it does)}}.
        other_names: {what a command is called elsewhere: the command}.
    """

    def __init__(self, *arguments, sections: dict, other_names: dict[str, str], **options):
        super().__init__(*arguments, **options)
        self.sections, self.other_names = sections, other_names
        self.known = {name: about for part in sections.values() for name, about in part.items()}
        self.params += _verbosity_options()

    def make_context(self, *arguments, **options) -> click.Context:
        set_verbosity(Verbosity())  # each call anew, in a process that makes several
        return super().make_context(*arguments, **options)

    def list_commands(self, ctx: click.Context | None) -> list[str]:  # noqa: ARG002
        return list(self.known)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        if cmd_name in self.other_names:
            raise click.UsageError(f"no command {cmd_name!r}; did you mean {self.other_names[cmd_name]!r}?", ctx)
        if cmd_name in self.known and cmd_name not in self.commands:
            module = import_module(f"opengait_mimic.apps.{self.known[cmd_name][0]}")
            command = next(c for c in vars(module).values() if isinstance(c, click.Command) and c.name == cmd_name)
            command.params += _verbosity_options()
            self.commands[cmd_name] = command
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for heading, part in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, about) for name, (_, about) in part.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Exit status"):
            formatter.write_dl([(str(status), meaning) for status, meaning in EXIT_STATUS.items()])


dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
host = click.option("--host", default=None, metavar="PATH|embedded",
                    help="An OpenGait checkout, or the embedded host. Default: $OPENGAIT_ROOT, else embedded."
                    )  # fmt: skip
device = click.option("--device", type=click.Choice(["cpu", "cuda"]), default=None,
                      help="Default: cuda where there is any.")  # fmt: skip
iteration = click.option("--iter", "iteration", type=click.IntRange(min=1), default=None, metavar="N",
                         help="The checkpoint to start from, instead of the YAML's restore_hint.")  # fmt: skip
resume = click.option("--resume/--no-resume", default=True, show_default=True,
                      help="Go on where an earlier command in the same folder was left, or do everything again."
                      )  # fmt: skip


def completion_script(shell: str, group: click.Group) -> str:
    """What a shell (bash, zsh or fish) reads to complete the program's commands, options and files."""
    variable = f"_{PROGRAM.replace('-', '_')}_COMPLETE".upper()
    complete = get_completion_class(shell)
    assert complete is not None  # click has these three
    return complete(group, {}, PROGRAM, variable).source()
