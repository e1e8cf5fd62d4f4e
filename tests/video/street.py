"""A small street with people who cross, rendered."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from opengait_mimic.walkers import render, walkers

HEIGHT, WIDTH, FRAMES, TALL = 210, 320, 90, 80
# Of each person: shirt, row of the head, column of the centre at frame 0, columns per frame.
PEOPLE = {
    "red": ((170, 40, 40), 12, -40, 4.5),
    "blue": ((40, 50, 150), 16, 360, -4.2),
    "black": ((20, 20, 20), 115, 355, -4.7),
}


def body(number, faces_right):
    """One walker from the side, bool [s, 80, 80]."""
    rng = np.random.default_rng([5, number])
    walk = walkers.sample_walk(walkers.sample_subject(rng), rng, 90, "nm")
    sils = render.silhouettes(render.flesh(*walkers.joints(walk, FRAMES)), walk.view)
    scaled = [np.asarray(Image.fromarray(sil).resize((TALL, TALL), Image.Resampling.BICUBIC)) for sil in sils]
    return (np.stack(scaled) > 127)[:, :, :: 1 if faces_right else -1]


def street(names=tuple(PEOPLE)):
    """People in front of a textured background, with a camera's noise; red and blue cross.

    Returns:
        frames uint8 [s, h, w, 3], and each person's masks, as if alone, bool [s, h, w].
    """
    rng = np.random.default_rng(0)
    texture = 3 * cv2.GaussianBlur(rng.uniform(60, 200, (HEIGHT, WIDTH, 3)), (0, 0), 2) - 260
    frames = np.repeat(np.clip(texture, 80, 190)[None], FRAMES, axis=0)
    truth = {}
    for number, name in enumerate(names):
        shirt, top, start, speed = PEOPLE[name]
        bodies = body(number, speed > 0)
        wide = np.zeros((FRAMES, HEIGHT, WIDTH + 4 * TALL), bool)
        for t in range(FRAMES):
            left = int(np.clip(round(start + speed * t) + 3 * TALL // 2, 0, WIDTH + 3 * TALL))
            wide[t, top : top + TALL, left : left + TALL] = bodies[t]
        truth[name] = wide[:, :, 2 * TALL : -2 * TALL]
        cloth = np.array(shirt) * (0.85 + 0.3 * rng.random((HEIGHT, WIDTH, 1)))
        frames = np.where(truth[name][..., None], cloth, frames)
    frames = frames + rng.normal(0, 4, frames.shape)
    return np.clip(frames, 0, 255).astype(np.uint8), truth
