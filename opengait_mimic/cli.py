"""The command line."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from opengait_mimic import __version__, deploy
from opengait_mimic.errors import MimicError, RunFailed, plain
from opengait_mimic.report.command import report

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=SETTINGS)
@click.version_option(__version__, prog_name="opengait-mimic")
def commands():
    """MimicGait around the gait recognition backbone you already have.

    \b
    opengait-mimic demo                               the whole method on generated walkers, in minutes
    opengait-mimic train --cfgs mimic.yaml            one stage, on the embedded host
    opengait-mimic train --cfgs mimic.yaml --host ../OpenGait --nproc 2
    opengait-mimic install ../OpenGait                then OpenGait's own torchrun runs our YAML
    opengait-mimic check --cfgs mimic.yaml            what is wrong with a configuration, before it is run
    opengait-mimic check-data GREW-pkl                which silhouette files are broken or odd
    opengait-mimic tables                             the paper's tables, on walkers or on data of yours
    opengait-mimic silhouettes street.mp4 street      a data set from videos, frames or masks of your own
    opengait-mimic occlude clip.pkl -o grid.gif       a clip of yours under every occlusion
    opengait-mimic report output                      tables, figures and a page from any results
    opengait-mimic backbones --host ../OpenGait       which of a host's models work as a backbone
    opengait-mimic embed, enroll, identify, verify    use a trained model, without OpenGait
    opengait-mimic export --checkpoint RUN -o m.onnx  a trained model as a file for ONNX Runtime

    Exit status: 0 done, 1 the run failed, 2 a mistake in the configuration, data or command, 130 interrupted.
    """


def _run_options(command):
    for option in (
        click.option("--log-to-file", is_flag=True, help="Also log to a file under output/."),
        click.option("--iter", "iteration", type=click.IntRange(min=1), default=None, metavar="N",
                     help="The checkpoint to start from, instead of the YAML's restore_hint."),
        click.option("--nproc", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
                     help="Number of processes (one per GPU on CUDA)."),
        click.option("--device", type=click.Choice(["cpu", "cuda"]), default=None,
                     help="Default: cuda where there is any."),
        click.option("--host", default=None, metavar="PATH|embedded",
                     help="An OpenGait checkout, or the embedded host. Default: $OPENGAIT_ROOT, else embedded."),
        click.option("--cfgs", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="YAML",
                     help="The run's configuration."),
    ):  # fmt: skip
        command = option(command)
    return command


@commands.command()
@_run_options
@click.option("--resume/--no-resume", default=None,
              help="Go on from the training's own last good checkpoint, or start anew. Default: go on, unless --iter "
                   "or the YAML's restore_hint says where to start.")  # fmt: skip
def train(resume, **options):
    """Train what a YAML describes: a teacher, a VEN, a mimic.

    After an interruption, the same command goes on.

    \b
    opengait-mimic train --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --host ../OpenGait --nproc 2
    """
    if resume and options["iteration"]:
        raise click.UsageError("--iter says where to start, --resume to find it; give one of them")
    _run("train", **options, resume=resume)


@commands.command()
@_run_options
def test(**options):
    """Test a trained model; where the YAML occludes, on whole clips too, with RP.

    \b
    opengait-mimic test --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --iter 300000
    """
    _run("test", **options)


def _run(phase, cfgs, host, device, nproc, iteration, log_to_file, resume=None):
    from opengait_mimic.check import check
    from opengait_mimic.hosts import choose
    from opengait_mimic.hosts.launch import check_device, launch
    from opengait_mimic.hosts.worker import Run

    host, here = choose(host), nproc
    if "RANK" in os.environ:  # torchrun has started the processes already, on one machine or several
        nproc = int(os.environ["WORLD_SIZE"])
        here = int(os.environ.get("LOCAL_WORLD_SIZE", nproc))
    check_device(device, here)
    check(cfgs, host, phase, nproc, iteration or 0)
    launch(Run(host, cfgs.resolve(), phase, iteration or 0, device, log_to_file, resume), nproc)


@commands.command("check")
@click.option("--cfgs", required=True, multiple=True, type=click.Path(dir_okay=False, path_type=Path), metavar="YAML",
              help="A configuration; may be given several times.")  # fmt: skip
@click.option("--phase", type=click.Choice(["train", "test"]), default="train", show_default=True)
@click.option("--nproc", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Number of processes it will run in.")  # fmt: skip
@click.option("--iter", "iteration", type=click.IntRange(min=1), default=None, metavar="N",
              help="The checkpoint to start from, instead of the YAML's restore_hint.")  # fmt: skip
@click.option("--host", default=None, metavar="PATH|embedded",
              help="An OpenGait checkout, or the embedded host. Default: $OPENGAIT_ROOT, else embedded.")  # fmt: skip
def check_command(cfgs, phase, nproc, iteration, host):
    """Look a configuration over: keys, values, files, and whether the host can build what it names.

    Nothing is trained, tested or written. `train` and `test` do the same before they start.

    \b
    opengait-mimic check --cfgs mimic.yaml
    opengait-mimic check --cfgs mimic.yaml --phase test --host ../OpenGait
    """
    from opengait_mimic.check import check
    from opengait_mimic.hosts import activate, choose
    from opengait_mimic.hosts.plainly import plainly

    host, mistakes = choose(host), 0
    for path in cfgs:
        try:
            found = check(path, host, phase, nproc, iteration or 0)
            activate(host)
            from opengait_mimic.models.rehearsal import rehearse_run

            plainly(rehearse_run)(found, host, phase == "train", path)
            click.echo(f"{path}: fine")
        except MimicError as error:
            mistakes += 1
            click.echo(f"{error}" if str(error).startswith(str(path)) else f"{path}: {error}", err=True)
    if mistakes:
        sys.exit(2)


@commands.command("check-data")
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--partition", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Its partition JSON, to compare with the folders.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=None, metavar="N",
              help="Processes. Default: the CPU's cores.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def check_data_command(root, partition, jobs, as_json):
    """Read every silhouette file under ROOT (<subject>/<type>/<view>/*.pkl) and list those with something wrong.

    Errors are what a training refuses; warnings are what it takes as it is. Exit status: 0 nothing found, 1 something.

    \b
    opengait-mimic check-data GREW-pkl --partition GREW.json
    opengait-mimic check-data mine --json > mine.json
    """
    from opengait_mimic.data.check import check_data, report_json, report_text

    found = check_data(root, partition, jobs)
    click.echo(report_json(found) if as_json else report_text(found))
    if found.findings:
        sys.exit(1)


@commands.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("opengait-mimic-demo"),
    show_default=True,
    help="Folder for data, configurations, checkpoints and results.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="A data set in OpenGait's layout instead of generated walkers.",
)
@click.option("--partition", type=click.Path(dir_okay=False, path_type=Path), default=None, help="Its partition JSON.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the generated walkers.")
@click.option("--resume/--no-resume", default=True, show_default=True,
              help="Go on where an earlier command in the same folder was left, or do everything again.")  # fmt: skip
def demo(out, data, partition, seed, resume):
    """Run the whole method on the embedded host: teacher, VEN, baselines, mimics, and the table.

    \b
    opengait-mimic demo
    opengait-mimic demo --data CASIA-B-pkl --partition CASIA-B.json --out trial
    """
    from opengait_mimic.demo import run_demo

    if (data is None) != (partition is None):
        raise click.UsageError("--data and --partition go together")
    table = run_demo(out, data, partition, seed, click.echo, resume)
    click.echo(f"\n{table}\n")
    click.echo(f"Pictures, results, configurations and checkpoints are in {out}. Next:")
    click.echo(f"  cd {out} && opengait-mimic test --cfgs mimic_gaitbase.yaml")


@commands.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("opengait-mimic-tables"),
    show_default=True,
    help="Folder for configurations, checkpoints, results and the report.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="A data set in OpenGait's layout; without it, generated walkers at the scale of a demo.",
)
@click.option("--partition", type=click.Path(dir_okay=False, path_type=Path), default=None, help="Its partition JSON.")
@click.option(
    "--gallery", default=None, metavar="TYPES", help="Gallery types, where they are none of a known data set."
)
@click.option("--probe", default=None, metavar="TYPES", help="Probe types, separated by commas.")
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    default=("GaitBase",),
    show_default=True,
    metavar="NAME",
    help="GaitBase, GaitGL or DeepGaitV2; may be given several times.",
)
@click.option(
    "--table",
    "numbers",
    multiple=True,
    type=click.IntRange(1, 4),
    default=(1, 2, 3, 4),
    show_default=True,
    help="A table of the paper; may be given several times.",
)
@click.option(
    "--scale",
    type=click.Choice(["demo", "full"]),
    default=None,
    help="The paper's hyperparameters, or a scale for two CPU cores. Default: full with --data, else demo.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Repetitions of everything.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Stages at a time. Default: the CPU's cores at most 4 on a CPU, 1 on CUDA.",
)
@click.option(
    "--nproc",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes per stage (one per GPU on CUDA).",
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default=None, help="Default: cuda where there is any.")
@click.option(
    "--host",
    default=None,
    metavar="PATH|embedded",
    help="An OpenGait checkout, or the embedded host. Default: $OPENGAIT_ROOT, else embedded.",
)
@click.option("--resume/--no-resume", default=True, show_default=True,
              help="Go on where an earlier command in the same folder was left, or do everything again.")  # fmt: skip
@click.option("--beyond", is_flag=True,
              help="Instead of the paper's tables, the one of what goes beyond it (docs/beyond.md).")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only list the stages and which of them are done.")
def tables(**options):
    """Run every stage that the paper's tables take, and report them.

    Stages that are done are not done again: after an interruption, the same command goes on.

    \b
    opengait-mimic tables --seeds 3                        Tables 1-4 on generated walkers, with spread
    opengait-mimic tables --data GREW-pkl --partition GREW.json --table 1 --host ../OpenGait --nproc 8
    opengait-mimic tables --data mine --partition mine.json --gallery g --probe p1,p2 --scale demo
    opengait-mimic tables --beyond --seeds 3               weighted matching, registration, residual: an ablation
    """
    from opengait_mimic.reproduce import reproduce

    reproduce(**options, say=click.echo)


@commands.command()
@click.argument("inputs", nargs=-1, required=True, metavar="VIDEO|FOLDER...", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--segment",
    type=click.Choice(["auto", "background", "masks", "maskrcnn", "ultralytics"]),
    default="auto",
    show_default=True,
    help="What tells people from the rest: a static camera's background, given masks, or an installed package. "
    "auto: masks where a folder's pictures are black and white, else background.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="For a package: a file of weights instead of those that it downloads.",
)
@click.option(
    "--threshold",
    type=click.IntRange(1, 255),
    default=30,
    show_default=True,
    metavar="N",
    help="How much a colour (0-255) must differ from the background.",
)
@click.option("--shadows", is_flag=True, help="The sun casts shadows: take them out.")
@click.option(
    "--min-height",
    type=click.IntRange(min=8),
    default=40,
    show_default=True,
    metavar="PIXELS",
    help="Smaller people are left out.",
)
@click.option(
    "--min-frames",
    type=click.IntRange(min=1),
    default=15,
    show_default=True,
    metavar="N",
    help="Shorter sequences are left out.",
)
@click.option(
    "--clip",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="N",
    help="Frames of the sequences that a tracked person's walk is cut into, about.",
)
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    metavar="SHARE",
    help="Of the people with two sequences or more, how many go to the test set.",
)
def silhouettes(inputs, out, min_height, min_frames, **options):  # fmt: skip
    """Make a data set of videos, of folders of frames or of masks: 64x64 silhouettes in OpenGait's layout.

    Writes the folder OUT, and beside it OUT.json (the partition), OUT.png (a contact sheet: look at it) and
    OUT-summary.json. A tree <subject>/<type>/<view>.mp4 or <subject>/<type>/<view>/*.png keeps its names; in any
    other video people are tracked, and each track is a subject. Interrupted, the same command goes on.

    \b
    opengait-mimic silhouettes street.mp4 street
    opengait-mimic silhouettes CASIA-B-masks CASIA-B-pkl
    opengait-mimic check-data street --partition street.json
    """
    from opengait_mimic.data.own_data import Settings, make_silhouettes, report_lines
    from opengait_mimic.data.quality import Rules
    from opengait_mimic.data.watch import bar

    summary = make_silhouettes(inputs, out, Settings(rules=Rules(min_height, min_frames), **options), bar)
    for line in report_lines(summary, out):
        click.echo(line)


@commands.command()
@click.argument("clip", nargs=-1, required=True, metavar="CLIP")
@click.option("--kinds", multiple=True, metavar="KIND...", help="Kinds of occlusion, one column each. Default: all.")
@click.option("--amount", default=None, metavar="SHARE|LOW,HIGH", help="Hidden share. Default: the paper's, 0.4,0.6.")
@click.option("--refit", is_flag=True, help="Crop to what stays visible, as a person detector would.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    metavar="N",
    help="How many draws to show, one below the other.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first draw's seed.")
@click.option("--fps", type=click.FloatRange(1, 50), default=25.0, show_default=True, help="Speed of a GIF.")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="GIF|PNG",
    help="What to draw: an animation or a still picture.",
)
def occlude(clip, kinds, amount, refit, seeds, seed, fps, out):  # fmt: skip
    """Draw a CLIP of yours under occlusions (the paper's Figure 1). A CLIP is a .pkl or a folder of masks.

    \b
    opengait-mimic occlude street/street-001/00/000012/000012.pkl -o grid.gif
    opengait-mimic occlude masks --kinds top bottom moving_patch --amount 0.5 --seeds 3 -o grid.png
    """
    from opengait_mimic.data.pictures import occlude_clip, read_clip
    from opengait_mimic.occlusion import KINDS, mixture

    # `--kinds top bottom`: what follows the first kind comes as arguments.
    named = [kind for text in kinds for kind in text.split(",")]
    named += [word for word in clip if word in KINDS] if kinds else []
    paths = [word for word in clip if not kinds or word not in KINDS]
    if len(paths) > 1 and kinds:
        mixture(paths[1:])  # names the one that is no kind
    if len(paths) != 1:
        raise click.UsageError(f"one clip is drawn at a time, found {len(paths)}: {' '.join(paths)}")
    if out.suffix.lower() not in (".gif", ".png"):
        raise click.UsageError(f"-o {out}: ends neither in .gif nor in .png")
    entries = [{"kind": kind, "refit": refit} for kind in named or KINDS]
    if amount is not None:
        entries = [{**entry, "amount": _amount(amount)} for entry in entries]
    for entry in entries:
        mixture([entry])
    occlude_clip(read_clip(Path(paths[0])), entries, out, range(seed, seed + seeds), fps)
    click.echo(f"{out}: {len(entries)} kinds, {seeds} draws")


def _amount(text: str) -> float | list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise click.UsageError(f"--amount {text}: expected a number or two, low,high") from None
    return numbers[0] if len(numbers) == 1 else numbers


@commands.command()
@click.argument("models", nargs=-1)
@click.option(
    "--host",
    default=None,
    metavar="PATH|embedded",
    help="An OpenGait checkout, or the embedded host. Default: $OPENGAIT_ROOT, else embedded.",
)
@click.option(
    "--markdown",
    "markdown_file",
    default=None,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also put the table into this Markdown file.",
)
def backbones(**options):
    """Try which MODELS of a host can be backbones (default: all): one distillation step with each, and a table.

    \b
    opengait-mimic backbones
    opengait-mimic backbones --host ../OpenGait --markdown docs/backbones.md
    """
    from opengait_mimic.backbones import report_backbones

    report_backbones(**options, say=click.echo)


@commands.command()
@click.argument("checkout", type=click.Path(file_okay=False))
def install(checkout):
    """Add our files to an OpenGait CHECKOUT, so that its own main program runs our YAML.

    \b
    opengait-mimic install ../OpenGait
    cd ../OpenGait && torchrun --nproc_per_node 2 opengait/main.py \\
        --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --phase train
    """
    from opengait_mimic.hosts.install import install

    written = install(checkout)
    click.echo(f"Added {len(written)} files to {checkout}; nothing else was changed.")


@commands.command()
@click.argument("checkout", type=click.Path(file_okay=False))
def uninstall(checkout):
    """Take our files away from an OpenGait CHECKOUT again."""
    from opengait_mimic.hosts.install import uninstall

    removed, kept = uninstall(checkout)
    click.echo(f"Removed {len(removed)} files from {checkout}.")
    for path in kept:
        click.echo(f"Kept {path}: it was changed.")


for command in (report, deploy.embed, deploy.enroll, deploy.identify, deploy.verify, deploy.export):
    commands.add_command(command)


def _interrupt(signum, frame):
    raise KeyboardInterrupt


def _once_more(unraisable) -> None:
    """An interruption that hit a callback is lost there; let it come again, outside."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
    else:
        sys.__unraisablehook__(unraisable)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; mistakes end in one line on standard error, never in a traceback."""
    # Threads that spin long while they wait make a busy machine ten times slower; libgomp reads this when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "SIGALRM"):  # not on Windows
        signal.signal(signal.SIGALRM, _interrupt)
        sys.unraisablehook = _once_more
    try:
        commands.main(arguments, standalone_mode=False)
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
    click.echo(f"opengait-mimic: {message}", err=True)
    sys.exit(status)
