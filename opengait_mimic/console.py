"""How every command speaks: its outcome on standard output, all else around it, and what its exit status means."""

from __future__ import annotations

import json
import os
import shutil
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from click.shell_completion import get_completion_class
from tqdm import tqdm

PROGRAM = "opengait-mimic"
# What a command's exit status says. `opengait-mimic --help` shows this list.
EXIT_STATUS = {
    0: "done",
    1: "a run failed, or check-data or doctor found something wrong",
    2: "a mistake in the configuration, the data or the command",
    130: "interrupted (Ctrl-C, SIGTERM)",
}


@dataclass(frozen=True)
class Voice:
    """How a command speaks.

    Attributes:
        quiet: the outcome, warnings and errors only. as_json: the outcome as JSON.
    """

    quiet: bool = False
    as_json: bool = False


_voice = Voice()


def voice() -> Voice:
    """How this process speaks."""
    return _voice


def speak(how: Voice) -> None:
    """Let this process speak so from now on."""
    global _voice
    _voice = how


def remark(text: str) -> None:
    """Say how it goes, on standard error: nothing that a script waits for."""
    if not _voice.quiet:
        tqdm.write(text, file=sys.stderr)


def warn(text: str) -> None:
    """Say what should not be overlooked, on standard error, however quiet."""
    tqdm.write(f"warning: {text}", file=sys.stderr)


def outcome(text: str, content: object) -> None:
    """What a command is run for: text for people, or with --json its content (JSON-ready)."""
    click.echo(json.dumps(content, indent=1, ensure_ascii=False) if _voice.as_json else text, color=colours())


def conclude(text: str, content: object) -> None:
    """The outcome of a command that only writes what it was told to write: with --quiet, its exit status says it."""
    if _voice.as_json or not _voice.quiet:
        outcome(text, content)


def bar(total: float | None, title: str, unit: str, first: bool = True, **options) -> tqdm:
    """A progress bar with the time left, on a terminal's standard error; elsewhere, or when quiet, it shows nothing.

    Args:
        total: None where it is not known. first: whether this is the process of a run that speaks.
    """
    hidden = True if _voice.quiet or not first else None
    columns, rows = shutil.get_terminal_size()  # where a terminal tells no size, tqdm would show nothing
    return tqdm(total=total, desc=title, unit=unit, disable=hidden, ncols=columns - 1, nrows=rows, **options)


@contextmanager
def counted(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for what reports (done, in all): gives the function that it calls."""
    with bar(None, title, unit) as shown:

        def show(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield show


def number_of(count: int, noun: str) -> str:
    """As it is read: "1 error", "2 errors"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def colours() -> bool | None:
    """For click.echo: no colours where NO_COLOR is set; else they depend on where it is printed."""
    return False if os.environ.get("NO_COLOR") else None


def show(page: Path, asked: bool | None) -> None:
    """Open a page in the browser.

    Args:
        asked: whether to; None does it for somebody who sits at a desktop's terminal.
    """
    if asked is None:
        asked = _at_a_desktop() and _voice == Voice()
    if asked and not webbrowser.open(page.resolve().as_uri()):
        warn(f"there is no browser to open {page} with")


def _at_a_desktop() -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or {"CI", "SSH_CONNECTION"} & set(os.environ):
        return False
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))


def _hear(**heard: bool) -> Callable:
    def callback(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            speak(replace(_voice, **heard))

    return callback


def _voice_options() -> list[click.Option]:
    return [
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, is_eager=True, callback=_hear(quiet=True),
                     help="Print the outcome, warnings and errors only."),
        click.Option(["--json", "as_json"], is_flag=True, expose_value=False, is_eager=True,
                     callback=_hear(as_json=True), help="Print the outcome as JSON, alone on standard output."),
    ]  # fmt: skip


class Commands(click.Group):
    """A group of commands that all take --quiet and --json, before or after the command's name."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.params += _voice_options()

    def make_context(self, *arguments, **options) -> click.Context:
        speak(Voice())  # each call anew, in a process that makes several
        return super().make_context(*arguments, **options)

    def add_command(self, command: click.Command, name: str | None = None) -> None:
        command.params += _voice_options()
        super().add_command(command, name)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit status"):
            formatter.write_dl([(str(status), meaning) for status, meaning in EXIT_STATUS.items()])


dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


def completion_script(shell: str, group: click.Group) -> str:
    """What a shell (bash, zsh or fish) reads to complete the program's commands, options and files."""
    variable = f"_{PROGRAM.replace('-', '_')}_COMPLETE".upper()
    return get_completion_class(shell)(group, {}, PROGRAM, variable).source()
