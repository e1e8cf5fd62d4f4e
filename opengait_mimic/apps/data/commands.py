"""Commands: check-data, silhouettes, walkers, occlude."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from opengait_mimic.apps import console
from opengait_mimic.data.check_data import check_data, report_content, report_text
from opengait_mimic.data.files import named
from opengait_mimic.data.read import read_clip
from opengait_mimic.data.tree import generate_walkers, join_walkers
from opengait_mimic.data.video.convert import Settings, make_silhouettes, report_lines
from opengait_mimic.data.video.quality import Rules
from opengait_mimic.method.occlusion import TYPES, mixture
from opengait_mimic.method.occlusion.drawing import occlude_clip


@click.command("check-data")
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
    found = check_data(root, partition, jobs)
    console.outcome(report_text(found), report_content(found))
    if found.findings:
        sys.exit(1)


@click.command()
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
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=None,
              help="For a package: a file of weights instead of those that it downloads.")  # fmt: skip
@click.option("--threshold", type=click.IntRange(1, 255), default=30, show_default=True, metavar="N",
              help="How much a colour (0-255) must differ from the background.")  # fmt: skip
@click.option("--shadows", is_flag=True, help="The sun casts shadows: take them out.")
@click.option("--min-height", type=click.IntRange(min=8), default=40, show_default=True, metavar="PIXELS",
              help="Smaller people are left out.")  # fmt: skip
@click.option("--min-frames", type=click.IntRange(min=1), default=15, show_default=True, metavar="N",
              help="Shorter sequences are left out.")  # fmt: skip
@click.option("--clip", type=click.IntRange(min=1), default=30, show_default=True, metavar="N",
              help="Frames of the sequences that a tracked person's walk is cut into, about.")  # fmt: skip
@click.option("--test-share", type=click.FloatRange(0, 1), default=0.5, show_default=True, metavar="SHARE",
              help="Of the people with two sequences or more, how many go to the test set.")  # fmt: skip
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
    summary = make_silhouettes(inputs, out, Settings(rules=Rules(min_height, min_frames), **options))
    console.outcome("\n".join(report_lines(summary, out)), summary)


def _angles(_context, _parameter, values):
    if not all(-360 <= value <= 360 for value in values):  # neither is NaN
        raise click.BadParameter("an angle is from -360 to 360 degrees")
    return values


@click.command()
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
    if own is None and partition is not None:
        raise click.UsageError("--partition is that of --join")
    if own is not None and (test_people is not None or width is not None):
        raise click.UsageError("--test-people and --width are DATA's where walkers join it")
    out = named(out)
    into = out.with_name(f"{out.name}.json")
    how = {"sequences": sequences, "frames": frames, "views": views, "seed": seed}
    if own is None:
        tested = 100 if test_people is None else test_people
        sets = generate_walkers(out, into, people, tested, test_frames=frames, width=int(width or 64), **how)
    else:
        own = named(own)
        partition = partition or own.with_name(f"{own.name}.json")
        sets = join_walkers(out, into, own, partition, people, **how)
    learn, test = len(sets["TRAIN_SET"]), len(sets["TEST_SET"])
    console.outcome(
        f"{learn} people to learn from, {people} of them walkers; {test} for the test: {out}, {into}",
        {"data": str(out), "partition": str(into), "walkers": people, "train": learn, "test": test},
    )


@click.command()
@click.argument("clip", nargs=-1, required=True, metavar="CLIP")
@click.option("--kinds", multiple=True, metavar="KIND...", help="Kinds of occlusion, one column each. Default: all.")
@click.option("--amount", default=None, metavar="SHARE|LOW,HIGH", help="Hidden share. Default: the paper's, 0.4,0.6.")
@click.option("--refit", is_flag=True, help="Crop to what stays visible, as a person detector would.")
@click.option("--merged", is_flag=True, help="Take a crossing person and an outline for a part of the body.")
@click.option("--outlines", metavar="FOLDER", help="Masks for the kind outline: pictures, white where they hide.")
@click.option("--seeds", type=click.IntRange(1, 20), default=1, show_default=True, metavar="N",
              help="How many draws to show, one below the other.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first draw's seed.")
@click.option("--fps", type=click.FloatRange(1, 50), default=25.0, show_default=True, help="Speed of a GIF.")
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="GIF|PNG",
              help="What to draw: an animation or a still picture.")  # fmt: skip
def occlude(clip, kinds, amount, refit, merged, outlines, seeds, seed, fps, out):  # fmt: skip
    """Draw a CLIP of yours under occlusions (the paper's Figure 1). A CLIP is a .pkl or a folder of masks.

    \b
    opengait-mimic occlude street/street-001/00/000012/000012.pkl -o grid.gif
    opengait-mimic occlude masks --kinds top bottom moving_patch --amount 0.5 --seeds 3 -o grid.png
    """

    # `--kinds top bottom`: what follows the first kind comes as arguments.
    asked = [kind for text in kinds for kind in text.split(",")]
    asked += [word for word in clip if word in TYPES] if kinds else []
    paths = [word for word in clip if not kinds or word not in TYPES]
    if len(paths) > 1 and kinds:
        mixture(paths[1:])  # names the one that is no kind
    if len(paths) != 1:
        raise click.UsageError(f"one clip is drawn at a time, found {len(paths)}: {' '.join(paths)}")
    if out.suffix.lower() not in (".gif", ".png"):
        raise click.UsageError(f"-o {out}: ends neither in .gif nor in .png")
    entries: list[dict] = [{"kind": kind, "refit": refit} for kind in asked or TYPES]
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
