"""Where pictures come from: videos, folders of pictures, and trees of either."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from opengait_mimic.errors import DataError, one_line

VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
# What is in a file decides who reads it, not its name, and Pillow starts another program for some: not for these.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
PARTS = {"train", "test", "val", "training", "testing", "validation"}  # of a data set, and nobody's names
_LOOKED_AT = 5  # pictures of a folder that tell whether it holds masks


@dataclass(frozen=True)
class Source:
    """A recording: a video file or a folder of pictures.

    Attributes:
        path: the file or folder.
        name: what it is called, unique in a run.
        labels: (subject, type, view) where the tree tells them, else None: then people are told apart.
        cropped: the same where its masks turn out to be cut to one person already: <subject>/<clip> tells two of them.
    """

    path: Path
    name: str
    labels: tuple[str, str, str] | None = None
    cropped: tuple[str, str, str] = ("", "", "")


def find_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """Every video and every folder of pictures at or below the inputs, in order of their names.

    A source three levels below an input, `<subject>/<type>/<view>.mp4` or `<subject>/<type>/<view>/*.png`, has
    its labels from there.

    Raises:
        DataError: an input does not exist, holds neither videos nor pictures, or is a folder above the subjects; or
            two sources have one name.
    """
    found: dict[str, Source] = {}
    for given in map(Path, inputs):
        if not given.exists():
            raise DataError(f"{given}: no such file or folder")
        paths = [given] if given.is_file() else sorted(_below(given))
        if not paths or (given.is_file() and given.suffix.lower() not in VIDEOS):
            raise DataError(
                f"{given}: neither a video ({', '.join(VIDEOS)}) nor a folder with videos or pictures in it"
            )
        for path in paths:
            within = path.relative_to(given)
            parts = within.parts if path.is_dir() or path == given else within.with_suffix("").parts
            if len(parts) > 3 or (len(parts) == 3 and parts[0].lower() in PARTS):
                meant = given.joinpath(*parts[: max(1, len(parts) - 3)])
                raise DataError(
                    f"{given}: expected <subject>/<type>/<view> in it, found {within}; is {meant} the folder you mean?"
                )
            name = "-".join(parts) or (path.stem if path.is_file() else path.resolve().name)
            if name in found:
                raise DataError(f"{path}: another recording is called {name!r} too; rename one of them")
            labels = (parts[0], parts[1], parts[2]) if len(parts) == 3 else None
            cropped = (parts[0], "", parts[1]) if len(parts) == 2 else (name, "", "")
            found[name] = Source(path, name, labels, labels or cropped)
    return list(found.values())


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
    """The pictures of a folder in the order of the numbers in their names, 2.png before 10.png."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.name[0] != "."]
    return sorted(paths, key=lambda path: (_by_numbers(path.name), path.name))


def _by_numbers(name: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def read_picture(path: Path) -> np.ndarray:
    """A picture as uint8 [h, w, 3], RGB.

    Raises:
        DataError: it cannot be read.
    """
    return np.asarray(_opened(path).convert("RGB"))


def read_mask(path: Path) -> np.ndarray:
    """A mask as uint8 [h, w], 0…255, white where somebody is, however it was stored.

    Two colours of a palette are told by which is brighter, more are labels with 0 for the background; what is
    transparent is background; more than 8 bits are scaled, and so are masks of 0 and 1.

    Raises:
        DataError: it cannot be read.
    """
    picture = _opened(path)
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        grey, alpha = (np.asarray(band) for band in picture.convert("RGBA").convert("LA").split())
        if np.ptp(alpha):
            return (grey * (alpha / 255)).astype(np.uint8) if np.ptp(grey) else alpha
        return grey
    if picture.mode == "P":
        grey, colours = np.asarray(picture.convert("L")), np.asarray(picture.convert("RGB"))
        if np.ptp(grey) and len(picture.getcolors() or ()) == 2:
            return (grey == grey.max()) * np.uint8(255)
        in_grey = grey.max() > 127 and np.ptp(colours, axis=2).max() <= 16
        return grey if in_grey else (np.asarray(picture) > 0) * np.uint8(255)
    mask = np.asarray(picture if picture.mode[0] in "IF" else picture.convert("L"))
    highest = mask.max()
    if highest == 1 or (highest > 0 and mask.dtype != np.uint8):
        return (mask * (255 / highest)).clip(0, 255).astype(np.uint8)
    return mask


def _opened(path: Path) -> Image.Image:
    """A picture, read."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            picture.load()
            return picture
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        raise DataError(f"{path}: cannot be read as a picture: {one_line(str(error))}") from None


def holds_masks(source: Source) -> bool:
    """Whether a folder's pictures are masks: nearly all pixels black or white (or only 0 and 1)."""
    if not source.path.is_dir():
        return False
    for path in _some(source):
        picture, mask = _opened(path), read_mask(path)
        two_colours = picture.mode == "P" and len(picture.getcolors() or ()) == 2
        coloured = not two_colours and np.ptp(np.asarray(picture.convert("RGB")), axis=2).max() > 16
        if coloured or ((mask > 32) & (mask < 223)).mean() > 0.03:
            return False
    return True


def refuse_inverted(source: Source) -> None:
    """Refuse masks of black people on white.

    Raises:
        DataError: most corners of a folder's masks are white.
    """
    if np.mean([read_mask(path)[[0, 0, -1, -1], [0, -1, 0, -1]] for path in _some(source)]) > 127:
        raise DataError(
            f"{source.path}: its masks are white in the corners, where nobody is: white has to be the person; "
            "exchange black and white first (with ImageMagick: mogrify -negate)"
        )


def _some(source: Source) -> list[Path]:
    """A few of a folder's pictures."""
    files = picture_files(source.path)
    return files[:: max(1, len(files) // _LOOKED_AT)]


def mask_frames(source: Source) -> Iterator[np.ndarray]:
    """The masks of a folder, uint8 [h, w] 0…255."""
    return map(read_mask, picture_files(source.path))


def colour_frames(source: Source) -> Iterator[np.ndarray]:
    """The frames of a video or folder, uint8 [h, w, 3] RGB, all of one size.

    Raises:
        DataError: a video that cannot be decoded, or one without OpenCV, or pictures of different sizes.
    """
    size = None
    pictures = _video(source.path) if source.path.is_file() else map(read_picture, picture_files(source.path))
    for number, picture in enumerate(pictures):
        size = size or picture.shape
        if picture.shape != size:
            found, expected = picture.shape[:2], size[:2]
            raise DataError(f"{source.path}: frame {number} is {found}, the first one {expected} (height, width)")
        yield picture
    if size is None:
        raise DataError(f"{source.path}: no frame can be decoded; is it a video that ffmpeg plays?")


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
        import cv2  # noqa: PLC0415 (an optional package)
    except ImportError:
        raise DataError("reading videos needs OpenCV: pip install 'opengait-mimic[video]'") from None
    return cv2
