"""Where pictures come from: videos, folders of pictures, and trees of either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from opengait_mimic.errors import DataError

VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_LOOKED_AT = 5  # pictures of a folder that tell whether it holds masks


@dataclass(frozen=True)
class Source:
    """A recording: a video file or a folder of pictures.

    Attributes:
        path: the file or folder.
        name: what it is called, unique in a run.
        labels: (subject, type, view) where the tree tells them, else None: then people are told apart.
    """

    path: Path
    name: str
    labels: tuple[str, str, str] | None = None


def find_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """Every video and every folder of pictures at or below the inputs, in order of their names.

    A source three levels below an input, `<subject>/<type>/<view>.mp4` or `<subject>/<type>/<view>/*.png`, has
    its labels from there.

    Raises:
        DataError: an input does not exist or holds neither videos nor pictures, or two sources have one name.
    """
    found: list[Source] = []
    for given in map(Path, inputs):
        if not given.exists():
            raise DataError(f"{given}: no such file or folder")
        paths = [given] if given.is_file() else sorted(_below(given))
        if not paths or (given.is_file() and given.suffix.lower() not in VIDEOS):
            kinds = "video (" + ", ".join(VIDEOS) + ")"
            raise DataError(f"{given}: neither a {kinds} nor a folder with videos or pictures in it")
        for path in paths:
            parts = path.relative_to(given).with_suffix("").parts if path != given else ()
            if path.is_dir() and parts:
                parts = path.relative_to(given).parts
            labels = parts if len(parts) == 3 else None
            name = "-".join(parts) or (path.stem if path.is_file() else path.resolve().name)
            found.append(Source(path, name, labels))
    names = [source.name for source in found]
    for source in found:
        if names.count(source.name) > 1:
            raise DataError(f"{source.path}: another recording is called {source.name!r} too; rename one of them")
    return found


def _below(folder: Path) -> Iterator[Path]:
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if any(path.suffix.lower() in PICTURES for path in files if path.is_file()):
        yield folder
    for path in files:
        if path.is_dir():
            yield from _below(path)
        elif path.suffix.lower() in VIDEOS:
            yield path


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.name[0] != ".")


def read_picture(path: Path, colours: bool) -> np.ndarray:
    """A picture as uint8 [h, w, 3] RGB, or [h, w] grey.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with Image.open(path) as picture:
            if not colours and picture.mode == "P":  # a palette's numbers are labels, 0 the background
                return (np.asarray(picture) > 0).astype(np.uint8) * 255
            return np.asarray(picture.convert("RGB" if colours else "L"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"{path}: cannot be read as a picture: {error}") from None


def holds_masks(source: Source) -> bool:
    """Whether a folder's pictures are silhouettes: nearly all pixels black or white (or only 0 and 1)."""
    if not source.path.is_dir():
        return False
    files = picture_files(source.path)
    for path in files[:: max(1, len(files) // _LOOKED_AT)]:
        picture = read_picture(path, colours=True)
        if (np.ptp(picture, axis=2) > 16).any():
            return False
        grey = picture[..., 0]
        if grey.max() > 1 and ((grey > 32) & (grey < 223)).mean() > 0.03:
            return False
    return True


def mask_frames(source: Source) -> Iterator[np.ndarray]:
    """The masks of a folder, uint8 [h, w] 0…255; those saved as 0 and 1 are scaled."""
    for path in picture_files(source.path):
        mask = read_picture(path, colours=False)
        yield mask * np.uint8(255) if mask.max() == 1 else mask


def colour_frames(source: Source) -> Iterator[np.ndarray]:
    """The frames of a video or folder, uint8 [h, w, 3] RGB, all of one size.

    Raises:
        DataError: a video that cannot be decoded, or one without OpenCV, or pictures of different sizes.
    """
    size = None
    pictures = _video(source.path) if source.path.is_file() else _pictures(source.path)
    for number, picture in enumerate(pictures):
        size = size or picture.shape
        if picture.shape != size:
            found, expected = picture.shape[:2], size[:2]
            raise DataError(f"{source.path}: frame {number} is {found}, the first one {expected} (height, width)")
        yield picture
    if size is None:
        raise DataError(f"{source.path}: no frame can be decoded; is it a video that ffmpeg plays?")


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    for path in picture_files(folder):
        yield read_picture(path, colours=True)


def _video(path: Path) -> Iterator[np.ndarray]:
    cv2 = cv2_module()
    capture = cv2.VideoCapture(str(path))
    try:
        while True:
            there, picture = capture.read()
            if not there:
                return
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def frame_count(source: Source) -> int:
    """About how many frames a source has: exact for a folder, what the header says for a video (0: unknown)."""
    if source.path.is_dir():
        return len(picture_files(source.path))
    cv2 = cv2_module()
    capture = cv2.VideoCapture(str(source.path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return max(0, count)


def cv2_module():
    """OpenCV.

    Raises:
        DataError: it is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise DataError("reading videos needs OpenCV: pip install 'opengait-mimic[video]'") from None
    return cv2
