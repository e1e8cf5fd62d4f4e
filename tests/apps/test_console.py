"""How every command speaks: help, --quiet, --json, bars, colours, the browser, completion, exit status."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from opengait_mimic.apps import console
from opengait_mimic.apps.console import EXIT_STATUS
from opengait_mimic.cli import commands
from opengait_mimic.data import progress
from opengait_mimic.data.tree import write_sequence
from opengait_mimic.errors import ConfigError, DataError, RunFailed
from opengait_mimic.opengait.activation import activate
from opengait_mimic.walkers.walkers import walker_sequence

NAMES = commands.list_commands(None)


class Terminal(io.StringIO):
    """What is written to it is kept; it says that somebody looks at it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def sils(tmp_path):
    """A data set of two clips, one of which is broken."""
    for subject in ("a", "b"):
        write_sequence(tmp_path / "sils", subject, "00", "00", walker_sequence(0, 0, 0, 4, width=44))
    (tmp_path / "sils/b/00/00/00.pkl").write_bytes(b"")
    return tmp_path / "sils"


class TestHelp:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_command_shows_an_example_and_the_common_options(self, name):
        done = CliRunner().invoke(commands, [name, "--help"])
        assert done.exit_code == 0
        assert re.search(rf"^ +(eval \"\$\()?opengait-mimic {name} ?", done.output, re.M), "an example"
        assert "-q, --quiet" in done.output and "--json" in done.output

    def test_the_first_page_lists_the_exit_statuses(self):
        shown = CliRunner().invoke(commands, ["--help"]).output
        for status, meaning in EXIT_STATUS.items():
            assert re.search(rf"^ +{status} +{re.escape(meaning.split(',')[0])}", shown, re.M)


class TestExitStatus:
    """The meanings are those of EXIT_STATUS, and no others are used."""

    def test_something_found(self, sils, call):
        code, out, err = call("check-data", sils)
        assert code == 1 and "b/00/00/00.pkl" in out and err == ""

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["demo", "--data", "x"], "--data and --partition go together"),
            (["check", "--cfgs", "nowhere.yaml", "--host", "embedded"], "nowhere.yaml"),
            (["check-data", "nowhere"], "nowhere: no such folder"),
            (["check-dat", "nowhere"], "No such command 'check-dat'"),
            (["tables", "--seeds", "0"], "--seeds"),
            (["evaluate", "--cfgs", "x.yaml"], "did you mean 'test'"),
            (["predict", "x.pkl"], "did you mean 'identify'"),
        ],
    )
    def test_a_mistake(self, arguments, told, call, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        code, out, err = call(*arguments)
        assert code == 2 and told in err and out == "" and "Traceback" not in err

    @pytest.mark.parametrize(
        ("raised", "status"),
        [
            (RunFailed("it broke"), 1),
            (OSError(28, "No space left on device", "x.pt"), 1),
            (FloatingPointError("the loss is nan"), 1),
            (DataError("x: no such folder"), 2),
            (click.UsageError("no"), 2),
            (KeyboardInterrupt(), 130),
        ],
    )
    def test_what_ends_a_command_decides(self, raised, status, call, monkeypatch):
        def end(**options):
            raise raised

        monkeypatch.setattr(commands.get_command(None, "completion"), "callback", end)
        code, out, err = call("completion", "bash")
        assert code == status and status in EXIT_STATUS
        assert out == "" and len(err.splitlines()) <= 4 and "Traceback" not in err


class TestVerbosity:
    def test_json_is_alone_on_standard_output_wherever_it_is_asked_for(self, sils, call):
        printed = [call(*a) for a in (["check-data", sils, "--json"], ["--json", "check-data", sils])]
        assert printed[0] == printed[1] and printed[0].status == 1
        content = json.loads(printed[0].out)
        assert content["files"] == 2 and [f["level"] for f in content["findings"]] == ["error"]

    def test_a_closing_line_is_said_unless_quiet(self, sils, call, monkeypatch):
        monkeypatch.chdir(sils)
        arguments = ["occlude", "a/00/00/00.pkl", "-o", "x.png", "--kinds", "top"]
        assert call(*arguments).out == "x.png: 1 kinds, 1 draws\n"
        assert call(*arguments, "--quiet")[:2] == (0, "")
        told = {"file": "x.png", "kinds": ["top"], "draws": 1}
        assert json.loads(call(*arguments, "--quiet", "--json").out) == told

    def test_a_command_does_not_speak_as_the_one_before(self, sils, call):
        call("check-data", sils, "--json")
        assert "(a training refuses them)" in call("check-data", sils).out

    @pytest.mark.parametrize(
        ("how", "out", "err"),
        [
            ({}, "3 files\n", "going on\nwarning: look\n"),
            ({"quiet": True}, "3 files\n", "warning: look\n"),
            ({"as_json": True}, '{\n "files": 3\n}\n', "going on\nwarning: look\n"),
        ],
    )
    def test_remarks_warnings_and_outcomes(self, capsys, how, out, err):
        progress.set_verbosity(progress.Verbosity(**how))
        progress.remark("going on")
        progress.warn("look")
        console.outcome("3 files", {"files": 3})
        assert capsys.readouterr() == (out, err)

    def test_dry_runs_of_what_is_added_to_a_checkout_write_nothing(self, tmp_path, call):
        (tmp_path / "opengait").mkdir()
        (tmp_path / "opengait/main.py").write_text("")
        code, out, _ = call("install", tmp_path, "--dry-run", "--json")
        planned = json.loads(out)["added"]
        assert code == 0 and len(planned) > 50 and not (tmp_path / "configs").exists()
        assert json.loads(call("install", tmp_path, "--json").out)["added"] == planned
        assert f"{len(planned)} files would be removed" in call("uninstall", tmp_path, "--dry-run").out
        assert all((tmp_path / path).is_file() for path in planned)


@pytest.mark.parametrize(("screen", "quiet", "first", "shown"), [
    (Terminal, False, True, r"embed: +33%\|.*1/3 \[00:00<00:00, .*clip/s\]"),
    (io.StringIO, False, True, "^$"), (Terminal, False, False, "^$"), (Terminal, True, True, "^$"),
])  # fmt: skip
def test_a_bar_is_on_a_terminal_alone(monkeypatch, screen, quiet, first, shown):
    monkeypatch.setattr(sys, "stderr", screen())
    progress.set_verbosity(progress.Verbosity(quiet=quiet))
    with progress.bar(3, "embed", "clip", first=first, mininterval=0) as bar:
        for _ in range(3):
            bar.update()
    assert re.search(shown, sys.stderr.getvalue())


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_colours_end_where_NO_COLOR_is_set(variable, coloured, monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("NO_COLOR", variable)
    console.outcome(click.style("fail", fg="red"), None)
    assert ("\x1b[" in screen.getvalue()) == coloured and "fail" in screen.getvalue()


class TestBrowser:
    @pytest.fixture
    def opened(self, monkeypatch):
        for name in ("CI", "SSH_CONNECTION", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DISPLAY", ":0")
        pages = []
        monkeypatch.setattr(console.webbrowser, "open", lambda url: pages.append(url) or True)
        return pages

    @pytest.mark.parametrize(
        ("variable", "told", "opens"),
        [(None, None, True), ("CI", None, False), ("SSH_CONNECTION", None, False), (None, False, False)],
    )
    @pytest.mark.parametrize("screen", [Terminal, io.StringIO])
    def test_opens_for_somebody_at_a_desktop(self, opened, tmp_path, monkeypatch, screen, variable, told, opens):
        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr(sys, "stdout", screen())
        if variable:
            monkeypatch.setenv(variable, "1")
        console.show(tmp_path / "demo.html", told)
        progress.set_verbosity(progress.Verbosity(quiet=True))
        console.show(tmp_path / "demo.html", None)
        assert opened == [(tmp_path / "demo.html").as_uri()] * (opens and screen is Terminal)

    def test_says_where_the_page_is_if_there_is_no_browser(self, opened, monkeypatch, capsys):
        monkeypatch.setattr(console.webbrowser, "open", lambda url: False)
        console.show(Path("demo.html"), True)
        assert capsys.readouterr().err == "warning: there is no browser to open demo.html with\n"


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_every_shell_gets_its_script(self, shell, call):
        code, out, err = call("completion", shell)
        assert code == 0 and err == "" and f"_OPENGAIT_MIMIC_COMPLETE={shell}_complete" in out

    @pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
    def test_bash_completes_commands_and_options(self, tmp_path):
        program = tmp_path / "opengait-mimic"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m opengait_mimic "$@"\n')
        program.chmod(0o755)
        script = """
            eval "$(opengait-mimic completion bash)"
            for line in "opengait-mimic che" "opengait-mimic demo --no" "opengait-mimic --qu"; do
                COMPREPLY=()
                COMP_WORDS=($line)
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _opengait_mimic_completion opengait-mimic
                echo "${COMPREPLY[@]}"
            done
        """
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True)
        assert done.stdout.splitlines() == ["check check-data", "--no-resume --no-open", "--quiet"], done.stderr


@pytest.mark.parametrize(("others", "status"), [({}, 1), ({"c.yaml": ConfigError("wrong")}, 2)])
def test_check_looks_at_every_file_whatever_one_of_them_ends_with(monkeypatch, call, others, status):
    ends = {"a.yaml": RunFailed("the model cannot be built"), "b.yaml": None, **others}

    def checked(path, *arguments):
        if (error := ends[str(path)]) is not None:
            raise error

    monkeypatch.setattr("opengait_mimic.apps.training.commands.check", checked)
    activate("embedded")
    monkeypatch.setattr("opengait_mimic.opengait.models.preflight.preflight", lambda *arguments: None)
    named = [word for path in ends for word in ("--cfgs", path)]
    code, out, err = call("check", *named, "--host", "embedded", "--json")
    assert code == status and json.loads(out) == {path: error and str(error) for path, error in ends.items()}
    assert "a.yaml: the model cannot be built" in err


def test_a_demo_that_does_not_resume_plans_everything(monkeypatch, tmp_path, call):
    monkeypatch.setattr("opengait_mimic.apps.experiments.stages.Stage.is_done", lambda stage: True)
    asked = ["demo", "--dry-run", "--json", "--out", tmp_path / "demo"]
    for more, done in (([], True), (["--no-resume"], False)):
        stages = json.loads(call(*asked, *more).out)
        assert {stage["done"] for stage in stages} == {done}
