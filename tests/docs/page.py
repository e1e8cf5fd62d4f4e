"""Runs the fenced blocks of a documentation page, in order, as a reader would.

A block without a title is run: python in one session for the page, bash line by line. A title that is a file's name
makes that file of the block. A block whose title says what it needs is not run; then every command of ours in it is
parsed by our command line, and every configuration of ours that it names must exist. YAML must be what a configuration
may hold; text is only shown.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import traceback
from pathlib import Path
from typing import NamedTuple

import click
import yaml
from forked import CONTEXT, ended

from opengait_mimic.cli import commands
from opengait_mimic.opengait.config.keys import read
from opengait_mimic.opengait.config.networks import check_model_keys, losses
from opengait_mimic.opengait.config.schema import LOSSES, MODELS, Config, Data, Evaluator, Trainer

SECTIONS = Config.names()
ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
SHOWN = ("text", "yaml", "json", "bibtex")
REASONS = ("Needs ", "Installs ", "Runs ")  # how a title begins that says why a block is not run
ALONE = "Runs in a program that has never seen torch"  # the one that is run, without torch


class Snippet(NamedTuple):
    """A fenced block.

    Attributes:
        language: the word after the fence. title: of the block. code: what it holds. line: where it starts.
    """

    language: str
    title: str
    code: str
    line: int


def snippets(page: Path) -> list[Snippet]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, _, options = match["info"].partition(" ")
        title = re.search(r'title="([^"]*)"', options)
        indent = len(match["indent"])
        code = "".join(line[indent:] or "\n" for line in match["code"].splitlines(keepends=True))
        found.append(Snippet(language, title[1] if title else "", code, text[: match.start()].count("\n") + 1))
    return found


def is_file(snippet: Snippet) -> bool:
    return re.fullmatch(r"\w+\.(py|yaml)", snippet.title) is not None


def is_run(snippet: Snippet) -> bool:
    return snippet.language in ("bash", "python") and snippet.title in ("", ALONE)


# ---- blocks that are run -----------------------------------------------------------------------------------------


def run(page: Path, folder: Path, seconds: float = 300) -> str:
    """Run what a page says, in a folder.

    Returns:
        All that it printed.
    Raises:
        AssertionError: a block fails, or the page takes longer than so many seconds.
    """
    process = CONTEXT.Process(target=_run, args=(page, folder))
    process.start()
    status = ended(process, seconds)
    said = (folder / ".log").read_text(encoding="utf-8")
    assert status == 0, f"{page.name}: {'it hangs' if status is None else f'status {status}'}\n{said[-4000:]}"
    return said


def _run(page: Path, folder: Path) -> None:
    """In a process of its own, which has imported torch and our packages already."""
    os.setsid()
    log = os.open(folder / ".log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    for name in ("OPENGAIT_ROOT", "RANK", "WORLD_SIZE"):
        os.environ.pop(name, None)
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    (programs / "opengait-mimic").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m opengait_mimic "$@"\n')
    (programs / "opengait-mimic").chmod(0o755)
    os.environ.update(OMP_NUM_THREADS="1", MPLBACKEND="agg", PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    import torch

    torch.set_num_threads(1)
    names = {"__name__": "__main__"}
    for snippet in snippets(page):
        if not (is_run(snippet) or is_file(snippet)):
            continue
        print(f"--- {page.name}, line {snippet.line}", flush=True)
        if is_file(snippet):
            Path(snippet.title).write_text(snippet.code, encoding="utf-8")
        elif snippet.title == ALONE:
            without_torch = f"import sys\nsys.modules['torch'] = None\n{snippet.code}"
            subprocess.run([sys.executable, "-c", without_torch], check=True)
        elif snippet.language == "python":
            exec(compile("\n" * snippet.line + snippet.code, str(page), "exec"), names)
        else:
            for line in logical_lines(snippet.code):
                _run_line(line)


def logical_lines(code: str) -> list[str]:
    """Lines of bash, those that go on after a backslash joined, without empty ones and remarks."""
    lines = re.sub(r"\\\n\s*", " ", code).splitlines()
    return [line for line in lines if shlex.split(line, comments=True)]


def _run_line(line: str) -> None:
    print(f"$ {line}", flush=True)
    words = shlex.split(line, comments=True)
    if words[0] == "cd":
        os.chdir(words[1])
    elif words[0] in ("opengait-mimic", "python") and not set("|&;$*") & set("".join(words)):
        _run_command(words)
    else:
        subprocess.run(["bash", "-euo", "pipefail", "-c", line], check=True)


def _run_command(words: list[str]) -> None:
    """A command of ours or a program, in a child: a fraction of the seconds that importing torch takes."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if ">" in words:
                place = words.index(">")
                os.dup2(os.open(words[place + 1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
                del words[place : place + 2]
            if words[0] == "python":
                sys.argv = words[2:] if words[1] == "-m" else words[1:]
                program = runpy.run_module if words[1] == "-m" else runpy.run_path
                program(sys.argv[0], run_name="__main__")
            else:
                _in_little(words[1:])
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0, f"{' '.join(words)}: status {os.waitstatus_to_exitcode(status)}"


def _in_little(words: list[str]) -> None:
    """The command line; `demo` and `tables` with a handful of walkers and two iterations of a few stages."""
    import short_tables

    from opengait_mimic.apps.experiments import demo, tables
    from opengait_mimic.cli import main

    short_tables.shorten()
    demo.RUNS = short_tables.BRIEF
    tables.runs_of = lambda numbers: short_tables.BRIEF
    main(words)


# ---- blocks that are not run -------------------------------------------------------------------------------------


def own_commands(code: str) -> list[list[str]]:
    """The arguments of every command of ours in lines of bash, whatever starts it."""
    found = []
    for line in logical_lines(code):
        for part in re.split(r"&&|\||(?<= )> ", line):
            words = shlex.split(part, comments=True)
            for place, word in enumerate(words):
                name = word.rsplit("/", 1)[-1]
                first = place == 0 or words[place - 1] == "srun"
                if (name == "opengait-mimic" and first) or (name == "opengait_mimic" and words[place - 1] == "-m"):
                    found.append(words[place + 1 :])
    return found


def parse(words: list[str]) -> None:
    """Let our command line parse its arguments.

    Raises:
        click.UsageError: an unknown command or option, a value that is not allowed.
    """
    place = next(i for i, word in enumerate(words) if not word.startswith("-"))
    group = commands.make_context("opengait-mimic", words[: place + 1])
    name, command, _ = commands.resolve_command(group, words[place:])
    try:
        command.make_context(name, words[place + 1 :], parent=group)
    except click.BadParameter as error:
        if "does not exist" not in str(error):  # a file of the reader's
            raise


def check_data_block(snippet: Snippet) -> None:
    """YAML and JSON can be read; YAML holds keys and values that a configuration may have.

    Raises:
        ConfigError: it does not.
    """
    if snippet.language == "json":
        json.loads(snippet.code)
    if snippet.language != "yaml":
        return
    cfgs = yaml.safe_load(snippet.code)
    if isinstance(cfgs, list):
        steps = cfgs if cfgs[0]["type"] == "Compose" else [{"type": "Compose", "trf_cfg": [{"type": "BaseSil"}, *cfgs]}]
        cfgs = {"trainer_cfg": {"transform": steps}}
    if set(cfgs) == {"kinds"}:  # of an Occlusion
        cfgs = {"transform": [{"type": "Compose", "trf_cfg": [{"type": "BaseSil"}, {"type": "Occlusion", **cfgs}]}]}
    if not set(cfgs) & set(SECTIONS):
        cfgs = {"trainer_cfg": cfgs}
    assert set(cfgs) <= set(SECTIONS), f"unknown sections: {sorted(set(cfgs) - set(SECTIONS))}"
    for name, model in (("data_cfg", Data), ("trainer_cfg", Trainer), ("evaluator_cfg", Evaluator)):
        part = {key: value for key, value in cfgs.get(name, {}).items() if value != "..."}
        assert set(part) <= set(model.names()), f"{name}: {sorted(set(part) - set(model.names()))}"
        read(model, json.loads(re.sub(r'"folder": "[^"]*"', '"folder": "."', json.dumps(part))), name)
    if "model_cfg" in cfgs and cfgs["model_cfg"]["model"] in MODELS:
        check_model_keys(cfgs["model_cfg"])
    for loss in losses(cfgs) if "loss_cfg" in cfgs else ():
        read(LOSSES[loss["type"]], loss, "loss_cfg")
