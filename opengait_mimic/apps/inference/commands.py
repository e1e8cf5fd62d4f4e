"""The commands that use a trained model: embed, enroll, identify, verify, export."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import click
import numpy as np
import torch

from opengait_mimic.apps import console
from opengait_mimic.apps.inference import Model, load
from opengait_mimic.apps.inference.export import write_export
from opengait_mimic.apps.inference.gallery import (
    Gallery,
    compared,
    embed_clips,
    find_clips,
    joined,
    nearest_by_likelihood,
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


_config = click.option("--config", default=None, type=FILE, metavar="YAML",
                       help="What the model was trained by, where no ….network.json stands beside the checkpoint."
                       )  # fmt: skip


def _model_options(required: bool):
    checkpoint = click.option("--checkpoint", required=required, default=None, type=click.Path(path_type=Path),
                              metavar="FILE|FOLDER", help="A checkpoint, or a run's output folder: the latest in it."
                              )  # fmt: skip
    return lambda command: checkpoint(_config(console.device(command)))


_visible = click.option("--visible", "limit", type=click.FloatRange(0, 1), default=LOW_VISIBILITY, show_default=True,
                        metavar="SHARE", help="Warn of clips of which the VEN sees less than this.")  # fmt: skip
_likelihood = click.option("--likelihood", "plda", default=None, type=FILE, metavar="FILE",
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

    \b
    opengait-mimic embed --checkpoint output/GREW/MimicGait/mimic GREW-pkl -o embeddings.npz
    opengait-mimic embed --checkpoint mimic.pt --config mimic.yaml GREW-pkl --type 01 -o embeddings.npz
    """
    found = _embedded(_model(checkpoint, config, device), _clips([data], types))
    write_gallery(out, found)
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
    """Add the subjects in DATA to a gallery file. A sequence of the same name is replaced.

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
    clips = _clips([data], types)
    if subject is not None:
        clips = [clip._replace(subject=subject) for clip in clips]
    elif not all(clip.subject for clip in clips):
        raise DataError(f"{data}: who is this? name the subject with --subject")
    added = _embedded(model, clips)
    found = added if before is None else joined(before, added)
    write_gallery(gallery, found)
    _warn(added, limit)
    text = f"Enrolled {_counted(added)}; {gallery} holds {_counted(found)}."
    console.conclude(text, _about(found, gallery, len(added)))


@click.command()
@click.argument("probes", nargs=-1, required=True, type=click.Path(path_type=Path))
@_model_options(required=False)
@click.option("--gallery", required=True, type=FILE, metavar="FILE", help="Made by enroll or embed.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, metavar="N", help="Subjects to list.")
@_likelihood
@_types
@_visible
def identify(probes, checkpoint, config, device, gallery, top, plda, types, limit):
    """Who of a gallery is in PROBES: the nearest subjects to each, with their distances.

    PROBES are what `embed` takes, or an .npz that it wrote (then no checkpoint is needed). A subject's distance is
    that of the nearest of the subject's clips; by likelihood, all of them together count as much.

    \b
    opengait-mimic identify --checkpoint output/GREW/MimicGait/mimic --gallery gallery.npz clip.pkl
    opengait-mimic identify --gallery gallery.npz embeddings.npz --json
    """
    trained = plda and read_plda(plda)
    enrolled = read_gallery(gallery)
    if not len(enrolled):
        raise DataError(f"{gallery}: nobody is enrolled")
    if len(probes) == 1 and probes[0].suffix == ".npz":
        found = read_gallery(probes[0])
        refuse_another_model(found.fingerprint, enrolled, gallery)
    elif checkpoint is None:
        raise click.UsageError("--checkpoint embeds the probes; it may be left out only for an .npz made by embed")
    else:
        model = _model(checkpoint, config, device)
        refuse_another_model(model.fingerprint, enrolled, gallery)
        found = _embedded(model, _clips(probes, types))
    if trained is not None:
        ranked = nearest_by_likelihood(found, enrolled, trained, top)
    else:
        weights = enrolled.weights(found)
        index = Index(enrolled.embeddings, enrolled.metric, **({} if weights is None else
                      {"visibility": weights.gallery, "epsilon": weights.epsilon}))  # fmt: skip
        ranked = nearest_subjects(index, enrolled.subjects, found.embeddings, top, weights and weights.probe)
    _warn(found, limit)
    rows = [["probe", "visible", "occlusion", *(f"{rank + 1}" for rank in range(max(map(len, ranked))))]]
    answers = []
    for i, row in enumerate(ranked):
        rows.append([*_row(found, i), *(f"{enrolled.subjects[place]} {distance:.4f}" for distance, place in row)])
        near = [{"subject": str(enrolled.subjects[place]), "distance": distance, **_clip(enrolled, place, limit)}
                for distance, place in row]  # fmt: skip
        answers.append({**_clip(found, i, limit), "ranks": near})
    console.outcome(_aligned(rows), {"gallery": str(gallery), "metric": _metric(enrolled, trained), "probes": answers})


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
def verify(first, second, checkpoint, config, device, gallery, far, value, plda, limit):
    """Whether FIRST and SECOND, two clips (.pkl), show the same subject.

    \b
    opengait-mimic verify --checkpoint output/GREW/MimicGait/mimic --gallery gallery.npz --far 0.001 a.pkl b.pkl
    opengait-mimic verify --checkpoint mimic.pt --threshold 0.5 a.pkl b.pkl
    """
    if (gallery is None) == (value is None):
        raise click.UsageError("give --gallery, which decides the threshold, or --threshold")
    trained = plda and read_plda(plda)
    model = _model(checkpoint, config, device)
    by: dict = {}
    if gallery is not None:
        enrolled = read_gallery(gallery)
        refuse_another_model(model.fingerprint, enrolled, gallery)
        value, achieved, pairs = threshold(enrolled, far, trained)
        by = {"far": achieved, "impostor_pairs": pairs}
    found = _embedded(model, _clips([first, second]))
    if len(found) != 2:
        raise DataError(f"verify compares two clips, found {len(found)}")
    ((_, block),) = compared(found[:1], found[1:], trained)
    apart = float(block[0, 0])
    same = apart < value
    _warn(found, limit)
    of = f", FAR {by['far']:.3g} on {by['impostor_pairs']} impostor pairs of {gallery}" if by else ""
    answer = f"{'same' if same else 'different'}: distance {apart:.4f}, threshold {value:.4f}{of}"
    if not progress.verbosity().quiet:
        answer += f"\n{_aligned([['clip', 'visible', 'occlusion'], *(_row(found, i) for i in range(2))])}"
    content = {"same": same, "distance": apart, "threshold": value, "metric": _metric(found, trained), **by,
               "clips": [_clip(found, i, limit) for i in range(2)]}  # fmt: skip
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
    signature = write_export(_model(checkpoint, config, device), out, width)
    console.conclude(f"Wrote {out}: {signature}.", {"file": str(out), "signature": signature})


def _model(checkpoint: Path, config: Path | None, device: str | None) -> Model:
    return load(checkpoint, config, device or ("cuda" if torch.cuda.is_available() else "cpu"))


def _metric(found: Gallery, plda) -> str:
    return found.metric if plda is None else "likelihood"


def _clips(paths, types=()) -> list:
    return [clip for path in paths for clip in find_clips(path, types)]


def _embedded(model: Model, clips) -> Gallery:
    with progress.bar(len(clips), "embed", "clip") as bar:
        return embed_clips(model, clips, bar.update)


def _warn(found: Gallery, limit: float) -> None:
    """Say which clips show little of a body."""
    low = [str(found.names[i]) for i in range(len(found)) if 1 - found.amount[i] < limit]
    if low:
        more = f" and {len(low) - SHOWN} more" if len(low) > SHOWN else ""
        progress.warn(
            f"low visibility: {len(low)} of {len(found)} clips show less than {100 * limit:.0f} % of the "
            f"body, do not trust them alone: {', '.join(low[:SHOWN])}{more}"
        )


def _clip(found: Gallery, i: int, limit: float) -> dict:
    """A clip with its predicted visibility, for JSON; null where the model does not say."""
    visible = None if np.isnan(found.amount[i]) else 1 - float(found.amount[i])
    low = None if visible is None else visible < limit
    return {"name": str(found.names[i]), "occlusion": str(found.kind[i]) or None, "visible": visible,
            "low_visibility": low}  # fmt: skip


def _row(found: Gallery, i: int) -> list[str]:
    """The same for a table."""
    return [str(found.names[i]), "-" if np.isnan(found.amount[i]) else f"{1 - found.amount[i]:.2f}",
            str(found.kind[i]) or "-"]  # fmt: skip


def _about(found: Gallery, path: Path, added: int) -> dict:
    return {"file": str(path), "model": found.fingerprint, "metric": found.metric, "added": added,
            "clips": len(found), "subjects": _subjects(found), "shape": list(found.embeddings.shape[1:])}  # fmt: skip


def _subjects(found: Gallery) -> int:
    return len(set(found.subjects.tolist()) - {""})


def _counted(found: Gallery) -> str:
    subjects = _subjects(found)
    of = f" of {progress.number_of(subjects, 'subject')}" if subjects else ""
    return f"{progress.number_of(len(found), 'clip')}{of}"


def _aligned(rows: list[list[str]]) -> str:
    """Rows as text in columns, aligned to the left; rows may end early."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
