"""The commands that use a trained model: embed, enroll, identify, verify, export."""

from __future__ import annotations

from pathlib import Path

import click
import torch

from opengait_mimic.apps import console
from opengait_mimic.apps.inference import load
from opengait_mimic.apps.inference.export import write_export
from opengait_mimic.apps.inference.gallery import (
    compared,
    embed_and_keep,
    embed_clips,
    find_clips,
    joined,
    nearest_by_odds,
    read_gallery,
    refuse_another_model,
    threshold,
    write_gallery,
)
from opengait_mimic.apps.inference.search import Index, nearest_subjects
from opengait_mimic.data import progress
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.plda_model import read_plda

LOW_VISIBILITY = 0.7
SHOWN = 3

FILE = click.Path(dir_okay=False, path_type=Path)


def _model_options(required: bool):
    def add(command):
        for option in (
            click.option("--device", type=click.Choice(["cpu", "cuda"]), default=None,
                         help="Default: cuda where there is any."),
            click.option("--config", default=None, type=FILE, metavar="YAML",
                         help="What the model was trained by, where no ….network.json stands beside the checkpoint."),
            click.option("--checkpoint", required=required, default=None, type=click.Path(path_type=Path),
                         metavar="FILE|FOLDER", help="A checkpoint, or a run's output folder: the latest in it."),
        ):  # fmt: skip
            command = option(command)
        return command

    return add


_visible = click.option("--visible", "limit", type=click.FloatRange(0, 1), default=LOW_VISIBILITY, show_default=True,
                        metavar="SHARE", help="Warn of clips of which the VEN sees less than this.")  # fmt: skip
_likelihood = click.option("--likelihood", "learned", default=None, type=FILE, metavar="FILE",
                           help="Compare by likelihood, with the ….identities.npz that a test with "
                                "evaluator_cfg.likelihood left beside the checkpoint.")  # fmt: skip
_types = click.option("--type", "types", multiple=True, metavar="TYPE",
                      help="Sequence type of the data set; may be given several times. Default: all.")  # fmt: skip


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@_model_options(required=True)
@click.option("-o", "--out", required=True, type=FILE, metavar="FILE", help="The .npz to write.")
@_types
@_visible
def embed(data, checkpoint, config, device, out, types, limit):
    """Embed every sequence of DATA: a data set in OpenGait's layout, a folder of .pkl files, or one such file.

    Interrupted, the same command goes on.

    \b
    opengait-mimic embed --checkpoint output/GREW/MimicGait/mimic GREW-pkl -o embeddings.npz
    opengait-mimic embed --checkpoint mimic.pt --config mimic.yaml GREW-pkl --type 01 -o embeddings.npz
    """
    model, part = _model(checkpoint, config, device), _part(out)
    found = _embedded(model, _clips([data], types), part)
    write_gallery(out, found)
    part.unlink(missing_ok=True)
    _warn(found, limit)
    console.conclude(f"Embedded {_counted(found)} into {out}.", _about(found, out, len(found)))


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@_model_options(required=True)
@click.option("--gallery", required=True, type=FILE, metavar="FILE", help="The gallery file to make or to extend.")
@click.option("--subject", default=None, help="Who is in DATA, where that is not a data set's folder.")
@_types
@_visible
def enroll(data, checkpoint, config, device, gallery, subject, types, limit):
    """Add the people in DATA to a gallery file. A sequence of the same name is replaced.

    DATA is a data set in OpenGait's layout, whose folders name the subjects, or clips of one SUBJECT: a folder of
    .pkl files or one such file.

    \b
    opengait-mimic enroll --checkpoint output/GREW/MimicGait/mimic GREW-pkl --type 01 --gallery gallery.npz
    opengait-mimic enroll --checkpoint mimic.pt clip.pkl --subject 00042 --gallery gallery.npz
    """
    model = _model(checkpoint, config, device)
    before = read_gallery(gallery) if gallery.exists() else None
    if before is not None:
        refuse_another_model(model.fingerprint, before, gallery)
    clips, part = _clips([data], types), _part(gallery)
    if subject is not None:
        clips = [clip._replace(subject=subject) for clip in clips]
    elif not all(clip.subject for clip in clips):
        raise DataError(f"{data}: who is this? name the person with --subject")
    added = _embedded(model, clips, part)
    whole = added if before is None else joined(before, added)
    write_gallery(gallery, whole)
    part.unlink(missing_ok=True)
    _warn(added, limit)
    told = f"Enrolled {_counted(added)}; {gallery} holds {_counted(whole)}."
    console.conclude(told, _about(whole, gallery, len(added)))


@click.command()
@click.argument("probes", nargs=-1, required=True, type=click.Path(path_type=Path))
@_model_options(required=False)
@click.option("--gallery", required=True, type=FILE, metavar="FILE", help="Made by enroll or embed.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, metavar="N", help="Subjects to list.")
@_likelihood
@_types
@_visible
def identify(probes, checkpoint, config, device, gallery, top, learned, types, limit):
    """Who of a gallery is in PROBES: the nearest subjects to each, with their distances.

    PROBES are what `embed` takes, or an .npz that it wrote (then no checkpoint is needed). A subject's distance is
    that of the nearest of the subject's clips; by likelihood, what all of them tell together counts as much.

    \b
    opengait-mimic identify --checkpoint output/GREW/MimicGait/mimic --gallery gallery.npz clip.pkl
    opengait-mimic identify --gallery gallery.npz embeddings.npz --json
    """
    learned = _learned(learned)
    enrolled, found = _compared(gallery, probes, checkpoint, config, device, types)
    if learned is None:
        weights = enrolled.weights(found)
        index = Index(enrolled.embeddings, enrolled.metric, **({} if weights is None else
                      {"visibility": weights.gallery, "epsilon": weights.epsilon}))  # fmt: skip
        seen = None if weights is None else weights.probe
        ranked = nearest_subjects(index, enrolled.subjects, found.embeddings, top, seen)
    else:
        ranked = nearest_by_odds(found, enrolled, learned, top)
    _warn(found, limit)
    rows = [["probe", "visible", "occlusion", *(f"{rank + 1}" for rank in range(max(map(len, ranked))))]]
    answers = []
    for i, row in enumerate(ranked):
        near = [f"{enrolled.subjects[place]} {distance:.4f}" for distance, place in row]
        rows.append([str(found.names[i]), _share(found, i), str(found.kind[i]) or "-", *near])
        near = [{"subject": str(enrolled.subjects[place]), "name": str(enrolled.names[place]),
                 "distance": distance, **_seen(enrolled, place, limit)} for distance, place in row]  # fmt: skip
        answers.append({"name": str(found.names[i]), **_seen(found, i, limit), "ranks": near})
    console.outcome(_aligned(rows), {"gallery": str(gallery), "metric": _metric(enrolled, learned), "probes": answers})


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@_model_options(required=True)
@click.option("--gallery", default=None, type=FILE, metavar="FILE",
              help="Whose impostor pairs decide the threshold: clips of different subjects.")  # fmt: skip
@click.option("--far", type=click.FloatRange(0, 1, max_open=True), default=0.01, show_default=True, metavar="RATE",
              help="The share of impostor pairs that the threshold may accept.")  # fmt: skip
@click.option("--threshold", "value", type=click.FloatRange(min=0), default=None, metavar="DISTANCE",
              help="A threshold of your own instead.")  # fmt: skip
@_likelihood
@_visible
def verify(first, second, checkpoint, config, device, gallery, far, value, learned, limit):
    """Whether FIRST and SECOND, two clips (.pkl), show the same person.

    \b
    opengait-mimic verify --checkpoint output/GREW/MimicGait/mimic --gallery gallery.npz --far 0.001 a.pkl b.pkl
    opengait-mimic verify --checkpoint mimic.pt --threshold 0.5 a.pkl b.pkl
    """
    if (gallery is None) == (value is None):
        raise click.UsageError("give --gallery, which decides the threshold, or --threshold")
    learned = _learned(learned)
    model = _model(checkpoint, config, device)
    told = {}
    if gallery is not None:
        enrolled = read_gallery(gallery)
        refuse_another_model(model.fingerprint, enrolled, gallery)
        limits = threshold(enrolled, far, learned)
        value = limits.value
        told = {"far": limits.far, "impostor_pairs": limits.pairs}
    found = _embedded(model, _clips([first, second]))
    if len(found) != 2:
        raise DataError(f"verify compares two clips, found {len(found)}")
    ((_, block),) = compared(found[:1], found[1:], learned)
    apart = float(block[0, 0])
    same = apart < value
    _warn(found, limit)
    clips = [{"name": str(found.names[i]), **_seen(found, i, limit)} for i in range(2)]
    of = f", FAR {told['far']:.3g} on {told['impostor_pairs']} impostor pairs of {gallery}" if told else ""
    answer = f"{'same' if same else 'different'}: distance {apart:.4f}, threshold {value:.4f}{of}"
    if not progress.verbosity().quiet:
        rows = [["clip", "visible", "occlusion"]]
        rows += [[str(found.names[i]), _share(found, i), str(found.kind[i]) or "-"] for i in range(2)]
        answer += f"\n{_aligned(rows)}"
    content = {"same": same, "distance": apart, "threshold": value, "metric": _metric(found, learned), **told,
               "clips": clips}  # fmt: skip
    console.outcome(answer, content)


@click.command()
@_model_options(required=True)
@click.option("-o", "--out", required=True, type=FILE, metavar="FILE",
              help="FILE.onnx for ONNX Runtime, FILE.pt2 for torch.export.load.")  # fmt: skip
@click.option("--width", type=click.IntRange(min=1), default=64, show_default=True, metavar="COLUMNS",
              help="Of the clips as they are stored.")  # fmt: skip
def export(checkpoint, config, device, out, width):
    """Write a model as one file that runs without this package: clips of any number and length in, embeddings out.

    \b
    opengait-mimic export --checkpoint output/GREW/MimicGait/mimic -o mimic.onnx
    """
    told = write_export(_model(checkpoint, config, device), out, width)
    console.conclude(f"Wrote {out}: {told}.", {"file": str(out), "signature": told})


def _model(checkpoint: Path, config: Path | None, device: str | None):

    return load(checkpoint, config, device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _learned(path: Path | None):

    return None if path is None else read_plda(path)


def _metric(found, learned) -> str:
    return found.metric if learned is None else "likelihood"


def _part(out: Path) -> Path:
    """Where an interrupted command keeps what it has done."""
    return out.with_name(f"{out.name}.part")


def _clips(paths, types=()) -> list:

    return [clip for path in paths for clip in find_clips(path, types)]


def _embedded(model, clips, part: Path | None = None):

    with progress.bar(len(clips), "embed", "clip") as bar:
        if part is not None:
            return embed_and_keep(model, clips, part, bar.update)
        return embed_clips(model, clips, bar.update)


def _compared(gallery: Path, probes, checkpoint, config, device, types):
    """A gallery and the probes, of one model."""

    enrolled = read_gallery(gallery)
    if not len(enrolled):
        raise DataError(f"{gallery}: nobody is enrolled")
    if len(probes) == 1 and probes[0].suffix == ".npz":
        found = read_gallery(probes[0])
        refuse_another_model(found.fingerprint, enrolled, gallery)
        return enrolled, found
    if checkpoint is None:
        raise click.UsageError("--checkpoint embeds the probes; it may be left out only for an .npz made by embed")
    model = _model(checkpoint, config, device)
    refuse_another_model(model.fingerprint, enrolled, gallery)
    return enrolled, _embedded(model, _clips(probes, types))


def _warn(found, limit: float) -> None:
    """Say which clips show little of a body."""
    low = [str(found.names[i]) for i in range(len(found)) if 1 - found.amount[i] < limit]
    if low:
        more = f" and {len(low) - SHOWN} more" if len(low) > SHOWN else ""
        progress.warn(
            f"low visibility: {len(low)} of {len(found)} clips show less than {100 * limit:.0f} % of the "
            f"body, do not trust them alone: {', '.join(low[:SHOWN])}{more}"
        )


def _seen(found, i: int, limit: float) -> dict:
    """A clip's predicted visibility, for JSON; null where the model does not say."""
    visible = None if found.amount[i] != found.amount[i] else 1 - float(found.amount[i])
    return {
        "occlusion": str(found.kind[i]) or None,
        "visible": visible,
        "low_visibility": None if visible is None else visible < limit,
    }


def _share(found, i: int) -> str:
    return "-" if found.amount[i] != found.amount[i] else f"{1 - found.amount[i]:.2f}"


def _about(found, path: Path, added: int) -> dict:
    return {
        "file": str(path),
        "model": found.fingerprint,
        "metric": found.metric,
        "added": added,
        "clips": len(found),
        "subjects": _subjects(found),
        "shape": list(found.embeddings.shape[1:]),
    }


def _subjects(found) -> int:
    return len(set(found.subjects.tolist()) - {""})


def _counted(found) -> str:
    clips, subjects = len(found), _subjects(found)
    people = f" of {progress.number_of(subjects, 'subject')}" if subjects else ""
    return f"{progress.number_of(clips, 'clip')}{people}"


def _aligned(rows: list[list[str]]) -> str:
    """Rows as text in columns, the first to the left; rows may end early."""
    columns = max(map(len, rows))
    rows = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(columns)]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
