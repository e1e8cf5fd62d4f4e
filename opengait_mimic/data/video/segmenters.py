"""People cut out by a segmentation package that the user has installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from opengait_mimic.errors import DataError

PERSON = 1  # in COCO's numbering as torchvision keeps it; ultralytics starts at 0
SURE = 0.6

Segmenter = Callable[[np.ndarray], np.ndarray]


def maskrcnn(weights: Path | None) -> Segmenter:
    """torchvision's Mask R-CNN; without a file of weights it downloads its own (COCO)."""
    import torch  # noqa: PLC0415 (only this way to segment waits for it)

    models = _package("torchvision.models.detection", "torchvision")
    build = models.maskrcnn_resnet50_fpn_v2
    if weights is None:
        network = build(weights="DEFAULT")
    else:
        network = build(weights=None, weights_backbone=None)
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = network.to(device).eval()

    @torch.no_grad()
    def people(picture: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).to(device).permute(2, 0, 1) / 255
        found = network([pixels])[0]
        right = (found["labels"] == PERSON) & (found["scores"] >= SURE)
        return (found["masks"][right, 0] > 0.5).cpu().numpy()

    return people


def ultralytics(weights: Path | None) -> Segmenter:
    """A YOLO segmentation model of ultralytics; without a file of weights it downloads `yolo11n-seg.pt`."""
    network = _package("ultralytics", "ultralytics").YOLO(str(weights or "yolo11n-seg.pt"))

    def people(picture: np.ndarray) -> np.ndarray:
        bgr = np.ascontiguousarray(picture[..., ::-1])
        found = network(bgr, classes=[0], conf=SURE, retina_masks=True, verbose=False)[0].masks
        if found is None:
            return np.zeros((0, *picture.shape[:2]), dtype=bool)
        return found.data.cpu().numpy() > 0.5

    return people


SEGMENTERS: dict[str, Callable[[Path | None], Segmenter]] = {"maskrcnn": maskrcnn, "ultralytics": ultralytics}


def _package(module: str, package: str):
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DataError(f"this way to segment needs {package}: pip install {package}") from None
