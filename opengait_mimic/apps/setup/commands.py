"""Commands: install, uninstall, doctor, completion."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from opengait_mimic.apps import console
from opengait_mimic.apps.doctor import examine, lines
from opengait_mimic.data import progress
from opengait_mimic.opengait import install as files


@click.command()
@click.argument("checkout", type=click.Path(file_okay=False))
@console.dry_run
def install(checkout, dry_run):
    """Add our files to an OpenGait CHECKOUT, so that its own main program runs our YAML.

    \b
    opengait-mimic install ../OpenGait
    cd ../OpenGait && torchrun --nproc_per_node 2 opengait/main.py \\
        --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --phase train
    """
    written, kept = files.install(checkout, dry_run)
    content = {"checkout": str(checkout), "added": written, "kept": kept}
    if dry_run:
        console.outcome("\n".join([*written, f"{len(written)} files would be added to {checkout}."]), content)
    else:
        console.conclude(f"Added {len(written)} files to {checkout}; nothing else was changed.", content)
    for path in kept:
        progress.warn(f"kept {path}: it was changed")


@click.command()
@click.argument("checkout", type=click.Path(file_okay=False))
@console.dry_run
def uninstall(checkout, dry_run):
    """Take our files away from an OpenGait CHECKOUT again.

    \b
    opengait-mimic uninstall ../OpenGait
    """
    removed, kept = files.uninstall(checkout, dry_run)
    content = {"checkout": str(checkout), "removed": removed, "kept": kept}
    if dry_run:
        console.outcome("\n".join([*removed, f"{len(removed)} files would be removed from {checkout}."]), content)
    else:
        console.conclude(f"Removed {len(removed)} files from {checkout}.", content)
    for path in kept:
        progress.warn(f"kept {path}: it was changed")


@click.command()
@click.option("--host", default=None, metavar="PATH",
              help="An OpenGait checkout to look at. Default: $OPENGAIT_ROOT, if set.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), default=None, metavar="ROOT",
              help="A data set whose layout to look at.")  # fmt: skip
@click.option("--partition", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Its partition JSON.")  # fmt: skip
def doctor(host, data, partition):
    """Look this machine over: Python, PyTorch, devices, an OpenGait checkout, a data set's layout.

    Each line begins with ok, warn or fail, and says what to do. Exit status: 0 where nothing fails, else 1.

    \b
    opengait-mimic doctor
    opengait-mimic doctor --host ../OpenGait --data GREW-pkl --partition GREW.json
    opengait-mimic doctor --json
    """
    if partition is not None and data is None:
        raise click.UsageError("--partition belongs to a data set: give --data too")
    checks = examine(host, data, partition)
    failed = any(check.level == "fail" for check in checks)
    content = {"ok": not failed, "checks": [check._asdict() for check in checks]}
    console.outcome("\n".join(lines(checks, progress.verbosity().quiet)), content)
    if failed:
        sys.exit(1)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell):
    """Print what a SHELL reads to complete commands, options and files.

    \b
    eval "$(opengait-mimic completion bash)"                     in ~/.bashrc
    eval "$(opengait-mimic completion zsh)"                      in ~/.zshrc, after compinit
    opengait-mimic completion fish > ~/.config/fish/completions/opengait-mimic.fish
    """
    script = console.completion_script(shell, click.get_current_context().find_root().command)
    console.outcome(script, {"shell": shell, "script": script})
