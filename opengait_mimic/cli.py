"""The command line."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from opengait_mimic import __version__
from opengait_mimic.apps import console
from opengait_mimic.apps.experiments import commands as experiments
from opengait_mimic.apps.experiments.recipes.command import recipe
from opengait_mimic.apps.inference import commands as deploy
from opengait_mimic.apps.report.command import report
from opengait_mimic.data import progress
from opengait_mimic.errors import MimicError, RunFailed, plain

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=console.Commands, context_settings=SETTINGS)
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
    opengait-mimic recipe GREW GaitBase l2kd          the YAML of any system of those tables
    opengait-mimic silhouettes street.mp4 street      a data set from videos, frames or masks of your own
    opengait-mimic walkers more --join street         generated people beside the few of your own
    opengait-mimic occlude clip.pkl -o grid.gif       a clip of yours under every occlusion
    opengait-mimic report output                      tables, figures and a page from any results
    opengait-mimic backbones --host ../OpenGait       which of a host's models work as a backbone
    opengait-mimic bench                              what the fast parts gain on this machine
    opengait-mimic embed, enroll, identify, verify    use a trained model, without OpenGait
    opengait-mimic export --checkpoint RUN -o m.onnx  a trained model as a file for ONNX Runtime
    opengait-mimic doctor --host ../OpenGait          what is missing here, and what to do about it
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
@console.dry_run
@click.option("--resume/--no-resume", default=None,
              help="Go on from the training's own last good checkpoint, or start anew. Default: go on, unless --iter "
                   "or the YAML's restore_hint says where to start.")  # fmt: skip
def train(resume, **options):
    """Train what a YAML describes: a teacher, a VEN, a mimic.

    After an interruption, the same command goes on. With --quiet the last checkpoint's path is all that is printed,
    with --json what was trained and where it is.

    \b
    opengait-mimic train --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --host ../OpenGait --nproc 2
    opengait-mimic train --cfgs mimic.yaml --dry-run
    """
    if resume and options["iteration"]:
        raise click.UsageError("--iter says where to start, --resume to find it; give one of them")
    _run("train", **options, resume=resume)


@commands.command()
@_run_options
@console.dry_run
def test(**options):
    """Test a trained model; where the YAML occludes, on whole clips too, with RP.

    With --quiet the result file's path is all that is printed, with --json its content.

    \b
    opengait-mimic test --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --iter 300000
    opengait-mimic test --cfgs mimic.yaml --json > mimic.json
    """
    _run("test", **options)


def _run(phase, cfgs, host, device, nproc, iteration, log_to_file, dry_run, resume=None):
    from opengait_mimic.opengait.config.check import check
    from opengait_mimic.opengait.host import choose
    from opengait_mimic.opengait.process.device import check_device
    from opengait_mimic.opengait.run.launch import launch
    from opengait_mimic.opengait.run.worker import Run, intended

    host, here = choose(host), nproc
    if "RANK" in os.environ:  # torchrun has started the processes already, on one machine or several
        nproc = int(os.environ["WORLD_SIZE"])
        here = int(os.environ.get("LOCAL_WORLD_SIZE", nproc))
    check_device(device, here)
    merged = check(cfgs, host, phase, nproc, iteration or 0)
    run = Run(host, cfgs.resolve(), phase, iteration or 0, device, log_to_file, resume, progress.verbosity())
    if dry_run:
        plan = {**intended(run, merged), "processes": nproc}
        console.outcome("\n".join(f"{name}: {value}" for name, value in plan.items()), plan)
        return
    found = launch(run, nproc)
    if found is not None and run.verbosity != progress.Verbosity() and (found.text() or run.verbosity.as_json):
        console.outcome(found.text(), found.content())


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
    opengait-mimic check --cfgs teacher.yaml --cfgs mimic.yaml --json
    """
    from opengait_mimic.opengait.activation import activate
    from opengait_mimic.opengait.config.check import check
    from opengait_mimic.opengait.host import choose
    from opengait_mimic.opengait.run.failures import failures_in_one_line

    host, found, status = choose(host), {}, 0
    for path in cfgs:
        try:
            merged = check(path, host, phase, nproc, iteration or 0)
            activate(host)
            from opengait_mimic.opengait.models.preflight import rehearse_run

            failures_in_one_line(rehearse_run)(merged, host, phase == "train", path)
            found[str(path)] = None
        except (MimicError, RunFailed) as error:
            status = max(status, 2 if isinstance(error, MimicError) else 1)
            found[str(path)] = str(error).removeprefix(f"{path}: ")
            click.echo(f"{path}: {found[str(path)]}", err=True)
    fine = [f"{path}: fine" for path, mistake in found.items() if mistake is None]
    if fine or progress.verbosity().as_json:
        console.conclude("\n".join(fine), found)
    if status:
        sys.exit(status)


@commands.command("check-data")
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--partition", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Its partition JSON, to compare with the folders.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), default=None, metavar="N",
              help="Processes. Default: the CPU's cores.")  # fmt: skip
def check_data_command(root, partition, jobs):
    """Read every silhouette file under ROOT (<subject>/<type>/<view>/*.pkl) and list those with something wrong.

    Errors are what a training refuses; warnings are what it takes as it is. Exit status: 0 nothing found, 1 something.

    \b
    opengait-mimic check-data GREW-pkl --partition GREW.json
    opengait-mimic check-data mine --json > mine.json
    """
    from opengait_mimic.data.check_data import check_data, report_content, report_text

    found = check_data(root, partition, jobs)
    console.outcome(report_text(found), report_content(found))
    if found.findings:
        sys.exit(1)


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
    other video people are tracked, and each track is a subject. Interrupted, the same command goes on at
    the next recording.

    \b
    opengait-mimic silhouettes street.mp4 street
    opengait-mimic silhouettes CASIA-B-masks CASIA-B-pkl
    opengait-mimic check-data street --partition street.json
    """
    from opengait_mimic.data.video.convert import Settings, make_silhouettes, report_lines
    from opengait_mimic.data.video.quality import Rules

    summary = make_silhouettes(inputs, out, Settings(rules=Rules(min_height, min_frames), **options))
    console.outcome("\n".join(report_lines(summary, out)), summary)


def _angles(ctx, param, values):
    if not all(-360 <= value <= 360 for value in values):  # neither is NaN
        raise click.BadParameter("an angle is from -360 to 360 degrees")
    return values


@commands.command()
@click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option("--join", "own", default=None, metavar="DATA", type=click.Path(file_okay=False, path_type=Path),
              help="A data set of your own, in OpenGait's layout, that the walkers join.")  # fmt: skip
@click.option("--partition", default=None, type=click.Path(dir_okay=False, path_type=Path),
              help="Its partition JSON.  [default: DATA.json]")  # fmt: skip
@click.option("--people", type=click.IntRange(1, 99_999), default=150, show_default=True, help="To learn from.")
@click.option("--test-people", type=click.IntRange(0, 99_999), default=None,
              help="Others for the test, without --join.  [default: 100]")  # fmt: skip
@click.option("--sequences", type=click.IntRange(1, 99), default=8, show_default=True, help="Of each to learn from.")
@click.option("--frames", type=click.IntRange(1, 1000), default=30, show_default=True, help="Of each sequence.")
@click.option("--view", "views", type=float, multiple=True, default=(90.0,), show_default=True, metavar="DEGREES",
              callback=_angles, help="Of the camera, 90 is from the side; several are taken in turn.")  # fmt: skip
@click.option("--width", type=click.Choice(["44", "64"]), default=None,
              help="Of the silhouettes.  [default: DATA's, else 64]")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Other walkers.")
def walkers(out, own, partition, people, test_people, sequences, frames, views, width, seed):
    """Generate silhouettes of walking people: a data set of their own, or more people for yours to learn from.

    Writes the folder OUT and the partition OUT.json. With --join, OUT has all of DATA (its files are linked), the
    walkers, as rough as DATA's silhouettes, are added to those to learn from, and the people who are tested stay the
    same: where there are few to learn from, that helps (docs/results/beyond.md).

    \b
    opengait-mimic walkers try                             a data set to try any configuration on
    opengait-mimic walkers more --join street --view 72 --view 90 --view 108
    opengait-mimic tables --data more --partition more.json --beyond --scale demo
    """
    from opengait_mimic.data import generate_walkers, join_walkers
    from opengait_mimic.data.files import named

    if own is None and partition is not None:
        raise click.UsageError("--partition is that of --join")
    if own is not None and (test_people is not None or width is not None):
        raise click.UsageError("--test-people and --width are DATA's where walkers join it")
    out = named(out)
    into = out.with_name(f"{out.name}.json")
    how = {"sequences": sequences, "frames": frames, "views": views, "seed": seed}
    with progress.counted("walkers", "person") as show:
        if own is None:
            tested = 100 if test_people is None else test_people
            sets = generate_walkers(out, into, people, tested, test_frames=frames, width=int(width or 64),
                                    progress=show, **how)  # fmt: skip
        else:
            own = named(own)
            partition = partition or own.with_name(f"{own.name}.json")
            sets = join_walkers(out, into, own, partition, people, progress=show, **how)
    learn, test = len(sets["TRAIN_SET"]), len(sets["TEST_SET"])
    console.outcome(
        f"{learn} people to learn from, {people} of them walkers; {test} for the test: {out}, {into}",
        {"data": str(out), "partition": str(into), "walkers": people, "train": learn, "test": test},
    )


@commands.command()
@click.argument("clip", nargs=-1, required=True, metavar="CLIP")
@click.option("--kinds", multiple=True, metavar="KIND...", help="Kinds of occlusion, one column each. Default: all.")
@click.option("--amount", default=None, metavar="SHARE|LOW,HIGH", help="Hidden share. Default: the paper's, 0.4,0.6.")
@click.option("--refit", is_flag=True, help="Crop to what stays visible, as a person detector would.")
@click.option("--merged", is_flag=True, help="Take a crossing person and an outline for a part of the body.")
@click.option("--outlines", metavar="FOLDER", help="Masks for the kind outline: pictures, white where they hide.")
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
def occlude(clip, kinds, amount, refit, merged, outlines, seeds, seed, fps, out):  # fmt: skip
    """Draw a CLIP of yours under occlusions (the paper's Figure 1). A CLIP is a .pkl or a folder of masks.

    \b
    opengait-mimic occlude street/street-001/00/000012/000012.pkl -o grid.gif
    opengait-mimic occlude masks --kinds top bottom moving_patch --amount 0.5 --seeds 3 -o grid.png
    """
    from opengait_mimic.data.read import read_clip
    from opengait_mimic.method.occlusion import TYPES, mixture
    from opengait_mimic.method.occlusion.drawing import occlude_clip

    # `--kinds top bottom`: what follows the first kind comes as arguments.
    named = [kind for text in kinds for kind in text.split(",")]
    named += [word for word in clip if word in TYPES] if kinds else []
    paths = [word for word in clip if not kinds or word not in TYPES]
    if len(paths) > 1 and kinds:
        mixture(paths[1:])  # names the one that is no kind
    if len(paths) != 1:
        raise click.UsageError(f"one clip is drawn at a time, found {len(paths)}: {' '.join(paths)}")
    if out.suffix.lower() not in (".gif", ".png"):
        raise click.UsageError(f"-o {out}: ends neither in .gif nor in .png")
    entries: list[dict] = [{"kind": kind, "refit": refit} for kind in named or TYPES]
    for option, key, value, able in (("--merged", "merged", merged, ("crossing_person", "outline")),
                                     ("--outlines", "folder", outlines, ("outline",))):  # fmt: skip
        fitting = [entry for entry in entries if entry["kind"] in able]
        if value and not fitting:
            raise click.UsageError(f"{option} is for {' and '.join(able)}, which --kinds leaves out")
        for entry in fitting if value else ():
            entry[key] = value
    if amount is not None:
        entries = [{**entry, "amount": _amount(amount)} for entry in entries]
    for entry in entries:
        mixture([entry])
    occlude_clip(read_clip(Path(paths[0])), entries, out, range(seed, seed + seeds), fps)
    console.conclude(f"{out}: {len(entries)} kinds, {seeds} draws",
                    {"file": str(out), "kinds": [entry["kind"] for entry in entries], "draws": seeds})  # fmt: skip


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

    report_backbones(**options)


@commands.command()
@click.option("--host", default=None, metavar="PATH|embedded",
              help="An OpenGait checkout, or the embedded host. Default: $OPENGAIT_ROOT, else embedded.")  # fmt: skip
def bench(host):
    """Measure on this machine what the fast parts gain: loss, occlusion, inputs, step and repeated tests.

    It takes less than two minutes; each benchmark in full is a module: python -m opengait_mimic.benchmarks.loss,
    painting, inputs, step, evaluation.

    \b
    opengait-mimic bench
    opengait-mimic bench --json > bench.json
    """
    from opengait_mimic.benchmarks.headlines import measure
    from opengait_mimic.opengait.activation import activate

    activate(host)
    report = measure(progress.remark)
    console.outcome(report.table(), report.content())


@commands.command()
@click.argument("checkout", type=click.Path(file_okay=False))
@console.dry_run
def install(checkout, dry_run):
    """Add our files to an OpenGait CHECKOUT, so that its own main program runs our YAML.

    \b
    opengait-mimic install ../OpenGait
    cd ../OpenGait && torchrun --nproc_per_node 2 opengait/main.py \\
        --cfgs configs/mimicgait/GREW/mimic_gaitbase.yaml --phase train
    """
    from opengait_mimic.opengait.install import install

    written, kept = install(checkout, dry_run)
    content = {"checkout": str(checkout), "added": written, "kept": kept}
    if dry_run:
        console.outcome("\n".join([*written, f"{len(written)} files would be added to {checkout}."]), content)
    else:
        console.conclude(f"Added {len(written)} files to {checkout}; nothing else was changed.", content)
    for path in kept:
        progress.warn(f"kept {path}: it was changed")


@commands.command()
@click.argument("checkout", type=click.Path(file_okay=False))
@console.dry_run
def uninstall(checkout, dry_run):
    """Take our files away from an OpenGait CHECKOUT again.

    \b
    opengait-mimic uninstall ../OpenGait
    """
    from opengait_mimic.opengait.install import uninstall

    removed, kept = uninstall(checkout, dry_run)
    content = {"checkout": str(checkout), "removed": removed, "kept": kept}
    if dry_run:
        console.outcome("\n".join([*removed, f"{len(removed)} files would be removed from {checkout}."]), content)
    else:
        console.conclude(f"Removed {len(removed)} files from {checkout}.", content)
    for path in kept:
        progress.warn(f"kept {path}: it was changed")


@commands.command()
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
    from opengait_mimic.apps.doctor import examine, lines

    if partition is not None and data is None:
        raise click.UsageError("--partition belongs to a data set: give --data too")
    checks = examine(host, data, partition)
    failed = any(check.level == "fail" for check in checks)
    content = {"ok": not failed, "checks": [check._asdict() for check in checks]}
    console.outcome("\n".join(lines(checks, progress.verbosity().quiet)), content)
    if failed:
        sys.exit(1)


@commands.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell):
    """Print what a SHELL reads to complete commands, options and files.

    \b
    eval "$(opengait-mimic completion bash)"                     in ~/.bashrc
    eval "$(opengait-mimic completion zsh)"                      in ~/.zshrc, after compinit
    opengait-mimic completion fish > ~/.config/fish/completions/opengait-mimic.fish
    """
    script = console.completion_script(shell, commands)
    console.outcome(script, {"shell": shell, "script": script})


for command in (
    experiments.demo,
    experiments.tables,
    recipe,
    report,
    deploy.embed,
    deploy.enroll,
    deploy.identify,
    deploy.verify,
    deploy.export,
):
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
    # PyTorch's large tensors on a CPU lie in huge pages: half of the time to make one goes into small pages.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "SIGALRM"):  # not on Windows
        signal.signal(signal.SIGALRM, _interrupt)
        sys.unraisablehook = _once_more
    try:
        commands.main(arguments, prog_name=console.PROGRAM, standalone_mode=False)
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
