"""Result files: what a test measured, with all that is needed to trust and repeat it."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path

import numpy as np
import torch

from opengait_mimic import __version__
from opengait_mimic.data.files import whole, write_text
from opengait_mimic.errors import DataError

FORMAT = 1
# What each matching beside the plain distance is called: in result files, and behind a method's name.
MATCHING_TITLES = {"weighted": "weighted", "likelihood": "likelihood", "persons": "likelihood of persons"}


def versions() -> dict[str, str]:
    """Of this package and of what its numbers depend on."""
    return {
        "opengait-mimic": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def fingerprint(path: str | Path | None, **more) -> dict | None:
    """A checkpoint's path and SHA-256, with `more` beside; None where there is no file."""
    if path is None or not Path(path).is_file():
        return None
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return {"path": str(path), "sha256": digest.hexdigest(), **more}


def matched_result(path: Path, matching: str) -> Path:
    """Where the scores of one of `MATCHING_TITLES` stand, beside the result file of the plain distance."""
    name, _, iteration = path.stem.rpartition("-")
    return path.with_name(f"{name}-{matching}-{iteration}{path.suffix}")


def write_result(path: Path, content: dict, probes: dict[str, np.ndarray]) -> None:
    """Write a result file and, beside it, what each probe scored.

    Both are written completely or not at all.

    Args:
        path: of the JSON; the arrays' file has the same name with .npz.
        content: the result, JSON-ready, without "format" and "probes".
        probes: arrays by name; may be empty.

    Raises:
        ValueError: a number is not finite; nothing is written.
    """
    arrays = path.with_suffix(".npz")
    content = {"format": FORMAT, **content, "probes": arrays.name if probes else None}
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    if probes:
        with whole(arrays) as stream:
            np.savez_compressed(stream, **probes)  # type: ignore[arg-type]
    write_text(path, text)


def read_result(path: str | Path) -> dict:
    """A result file as `write_result` wrote it.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or "kind" not in content:
        raise DataError(f"{path}: not a result file of this version")
    return content
