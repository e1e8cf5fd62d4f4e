"""The command line: assembles the commands, each of which stands beside what it runs."""

from __future__ import annotations

import os
import signal
import sys

import click

from opengait_mimic import __version__
from opengait_mimic.apps.console import PROGRAM, Commands
from opengait_mimic.errors import MimicError, RunFailed, plain

# Section: {command: (its module below `apps`, what it does)}. A command's module is loaded when it is used.
SECTIONS = {
    "Train": {
        "train": ("training.commands", "Train what a YAML describes: a teacher, a VEN, a mimic."),
        "test": ("training.commands", "Test a trained model, on occluded and on holistic clips."),
        "check": ("training.commands", "Find what is wrong with a configuration before it is run."),
    },
    "Data": {
        "check-data": ("data.commands", "List the silhouette files that are broken or odd."),
        "silhouettes": ("data.commands", "Make a data set of videos, of folders of frames or of masks."),
        "walkers": ("data.commands", "Generate silhouettes of walking people."),
        "occlude": ("data.commands", "Draw a clip under every type of occlusion."),
    },
    "Use": {
        "embed": ("inference.commands", "Embed every sequence of a data set."),
        "enroll": ("inference.commands", "Add subjects to a gallery file."),
        "identify": ("inference.commands", "List the nearest subjects of a gallery for each probe."),
        "verify": ("inference.commands", "Say whether two clips show the same subject."),
        "export": ("inference.commands", "Write a model as one file for ONNX Runtime or torch.export."),
    },
    "Paper": {
        "demo": ("experiments.commands", "Run the whole method on generated walkers, in minutes."),
        "tables": ("experiments.commands", "Run and report the paper's tables."),
        "recipe": ("experiments.recipes.command", "Print the YAML of any system of those tables."),
        "report": ("report.commands", "Make tables, figures and a page of any results."),
    },
    "Setup": {
        "install": ("setup.commands", "Add our files to an OpenGait checkout."),
        "uninstall": ("setup.commands", "Take our files away from an OpenGait checkout again."),
        "doctor": ("setup.commands", "Say what is missing on this machine, and what to do about it."),
        "completion": ("setup.commands", "Print what a shell reads to complete commands and options."),
    },
}
OTHER_NAMES = {"evaluate": "test", "predict": "identify"}  # as other programs call them


@click.group(
    cls=Commands,
    sections=SECTIONS,
    other_names=OTHER_NAMES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name=PROGRAM)
def commands():
    """MimicGait around the gait recognition backbone you already have.

    \b
    opengait-mimic demo                               the whole method on generated walkers, in minutes
    opengait-mimic train --cfgs mimic.yaml            one stage, on the embedded host
    opengait-mimic train --cfgs mimic.yaml --host ../OpenGait --nproc 2
    opengait-mimic install ../OpenGait                then OpenGait's own torchrun runs our YAML
    """


def _interrupt(_signum, _frame):
    raise KeyboardInterrupt


def _once_more(unraisable) -> None:
    """An interruption that hit a callback is lost there; let it come again, outside."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
    else:
        sys.__unraisablehook__(unraisable)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; mistakes end in one line on standard error, never in a traceback.

    Args:
        arguments: those of the command line; None takes the process's own.
    """
    # Threads that spin long while they wait make a busy machine ten times slower; libgomp reads this when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    # PyTorch's large tensors on a CPU lie in huge pages: half of the time to make one goes into small pages.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "SIGALRM"):  # not on Windows
        signal.signal(signal.SIGALRM, _interrupt)
        sys.unraisablehook = _once_more
    try:
        commands.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except MimicError as error:
        _fail(str(error), 2)
    except RunFailed as error:
        _fail(str(error), 1)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 130)
    except (OSError, FloatingPointError) as error:
        _fail(plain(error), 1)


def _fail(message: str, status: int) -> None:
    click.echo(f"{PROGRAM}: {message}", err=True)
    sys.exit(status)
