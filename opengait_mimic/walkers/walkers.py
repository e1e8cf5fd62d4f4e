"""Procedural walkers: people as 83 traits, a walk as an articulated skeleton moving through the gait cycle.

Every trait is a standard score (mean 0, variance 1 over the population). Four fifths of the variance come
from a 12-dimensional latent shared by all traits, so that the halves of a body predict each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opengait_mimic.walkers.render import BAGS, JOINTS, NOISY, Build, Noise, flesh, silhouettes

FPS = 25.0
CONDITIONS = ("mixed", "nm", "bg", "cl")
HARMONICS = 4
LATENT_DIMENSIONS, LATENT_SHARE = 12, 0.8
WITHIN_SUBJECT = 0.3
VIEW_SPREAD, CLOTHING_SPREAD, SPEED_SPREAD, BAG_SHARE = 12.0, 0.04, 0.05, 0.25

# Lengths in metres and their relative standard deviation between people.
LENGTHS = {
    "trunk": (0.500, 0.075), "neck": (0.215, 0.095), "shoulders": (0.350, 0.100), "upper_arm": (0.290, 0.090),
    "forearm": (0.250, 0.090), "hips": (0.170, 0.100), "thigh": (0.420, 0.080), "shank": (0.415, 0.080),
    "foot": (0.150, 0.115), "spine": (0.220, 0.090),
}  # fmt: skip
# Radii: relative standard deviation; the means are those of `Build`.
RADIUS_SPREAD = {
    "head": 0.09, "neck": 0.15, "chest": 0.16, "waist": 0.19, "pelvis": 0.16,
    "upper_arm": 0.19, "forearm": 0.17, "thigh": 0.16, "calf": 0.16, "foot": 0.13,
}  # fmt: skip
# Mean and standard deviation: cycles per second, then degrees.
POSTURE = {
    "cadence": (0.91, 0.06), "lean": (3.0, 3.6), "head_pitch": (10.0, 8.0), "arm_carriage": (7.0, 4.0),
    "stance": (2.0, 1.8), "toe_out": (7.0, 6.0), "pelvis_turn": (5.0, 3.0), "sway": (2.0, 1.8),
}  # fmt: skip

# Flexion in degrees over the gait cycle in steps of 5 %, from heel strike to heel strike of the same side.
NORMATIVE = {
    "hip": (30, 30, 28, 25, 20, 15, 10, 5, 0, -4, -8, -10, -7, 0, 9, 18, 25, 30, 32, 31),
    "knee": (5, 10, 16, 18, 16, 12, 8, 5, 4, 6, 11, 22, 37, 52, 60, 58, 46, 28, 11, 4),
    "ankle": (0, -5, -4, 0, 4, 6, 8, 10, 11, 11, 6, -6, -15, -14, -7, -2, 1, 2, 2, 1),
    "shoulder": (-21, -21, -20, -17, -13, -8, -3, 2, 6, 8, 9, 8, 7, 4, 0, -5, -10, -14, -18, -20),
    "elbow": (17, 17, 18, 20, 23, 27, 31, 35, 38, 40, 41, 40, 38, 35, 31, 27, 23, 20, 18, 17),
}
# Standard deviations in the order of JOINT_TRAITS; degrees, but amplitudes relative and phase in radians.
JOINT_SPREAD = {
    "hip": (3.8, 0.15, 0.15, 2.0, 0.06, 2.0, 2.0, 1.0, 1.0, 0.6, 0.6),
    "knee": (4.0, 0.13, 0.15, 2.0, 0.06, 3.0, 3.0, 1.8, 1.8, 1.0, 1.0),
    "ankle": (4.5, 0.25, 0.20, 2.0, 0.10, 2.0, 2.0, 1.3, 1.3, 0.8, 0.8),
    "shoulder": (6.5, 0.40, 0.25, 4.0, 0.18, 2.0, 2.0, 1.0, 1.0, 0.6, 0.6),
    "elbow": (8.0, 0.40, 0.25, 5.0, 0.18, 2.5, 2.5, 1.3, 1.3, 0.6, 0.6),
}
JOINT_TRAITS = (
    "offset", "amplitude", "phase", "offset_asymmetry", "amplitude_asymmetry",
    "cos2", "sin2", "cos3", "sin3", "cos4", "sin4",
)  # fmt: skip
TRAITS = (
    *(f"{name}_length" for name in LENGTHS),
    *(f"{name}_radius" for name in RADIUS_SPREAD),
    *POSTURE,
    *(f"{joint}_{trait}" for joint in NORMATIVE for trait in JOINT_TRAITS),
)
_TRAIT = {name: number for number, name in enumerate(TRAITS)}
_SPREAD = np.array(list(JOINT_SPREAD.values()))
# The population's fixed map from latent to traits, [83, 12] with rows of length 1.
_MIXING = np.random.default_rng(12).standard_normal((len(TRAITS), LATENT_DIMENSIONS))
_MIXING /= np.linalg.norm(_MIXING, axis=1, keepdims=True)
# Normative curves as complex amplitudes in degrees, [5, 1 + 4]: mean, then first to fourth harmonic.
_SPECTRUM = np.fft.rfft(list(NORMATIVE.values()), axis=1)[:, : HARMONICS + 1] / 20
_SPECTRUM[:, 1:] *= 2


@dataclass(frozen=True, eq=False)
class Walk:
    """One sequence of one person.

    Args:
        traits: the person's standard scores on this occasion, float64 [83].
        view: camera angle in degrees.
        phase: where in the left leg's gait cycle the first frame lies, radians.
        pace: factor on the cadence.
        upper: factor on the radii of the upper body (clothing).
        lower: likewise of the lower body.
        coat: whether a coat is worn.
        bag: one of `render.BAGS` or None.
        bag_size: metres.
    """

    traits: np.ndarray
    view: float
    phase: float
    pace: float
    upper: float
    lower: float
    coat: bool
    bag: str | None
    bag_size: float

    @property
    def cycle(self) -> float:
        """Seconds from one heel strike to the next of the same foot."""
        return 1 / (self.pace * _posture(self, "cadence"))


def sample_subject(rng: np.random.Generator) -> np.ndarray:
    """Draw a person from the population: standard scores of `TRAITS`, float64 [83]."""
    shared = _MIXING @ rng.standard_normal(LATENT_DIMENSIONS)
    own = rng.standard_normal(len(TRAITS))
    return np.sqrt(LATENT_SHARE) * shared + np.sqrt(1 - LATENT_SHARE) * own


def sample_walk(subject: np.ndarray, rng: np.random.Generator, view: float = 90.0, condition: str = "mixed") -> Walk:
    """Draw one sequence of a person.

    Args:
        subject: who walks, [83].
        rng: source of everything that differs between sequences.
        view: camera angle in degrees around which the actual one is drawn (+-12).
        condition: "nm" plain, "bg" with a bag, "cl" in a coat, "mixed" plain, a quarter with a bag.

    Raises:
        ValueError: unknown condition.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"condition is {condition!r}, allowed are {', '.join(CONDITIONS)}")
    with_bag = rng.random() < BAG_SHARE if condition == "mixed" else condition == "bg"
    kind = BAGS[rng.integers(len(BAGS))]
    upper, lower = 1 + CLOTHING_SPREAD * rng.standard_normal(2)
    coat = condition == "cl"
    return Walk(
        traits=subject + WITHIN_SUBJECT * rng.standard_normal(len(TRAITS)),
        view=view + rng.uniform(-VIEW_SPREAD, VIEW_SPREAD),
        phase=rng.uniform(0, 2 * np.pi),
        pace=np.exp(SPEED_SPREAD * rng.standard_normal()),
        upper=upper * (1.2 if coat else 1.0),
        lower=lower,
        coat=coat,
        bag=kind if with_bag else None,
        bag_size=rng.uniform(0.08, 0.12),
    )


def joints(walk: Walk, frames: int, fps: float = FPS) -> tuple[np.ndarray, Build]:
    """The skeleton's motion and the body around it.

    The walker stays on the spot, as on a treadmill; the lower foot stands on y = 0.

    Args:
        walk: who and how.
        frames: number of frames s.
        fps: frames per second.

    Returns:
        Positions of `render.JOINTS` in metres, float32 [s, 18, 3] (x left, y up, z forward), and the radii.

    Raises:
        ValueError: fewer than one frame or a rate that is not positive.
    """
    if frames < 1 or fps <= 0:
        raise ValueError(f"frames must be >= 1 and fps > 0, found {frames} and {fps}")
    size = {name: mean * np.exp(spread * _score(walk, f"{name}_length")) for name, (mean, spread) in LENGTHS.items()}
    left = walk.phase + 2 * np.pi * np.arange(frames) / (fps * walk.cycle)
    cycle = {"l": left, "r": left + np.pi}
    at: dict[str, np.ndarray] = {}

    turn = np.deg2rad(_posture(walk, "pelvis_turn")) * np.cos(left)
    sway = np.deg2rad(_posture(walk, "sway")) * np.sin(left)
    lean = np.deg2rad(_posture(walk, "lean"))
    up = _direction(-lean, sway)
    at["pelvis"] = np.tile([0, 0.08, 0], (frames, 1))
    at["spine"] = size["spine"] * up
    at["neck"] = size["trunk"] * up
    nod = lean + np.deg2rad(_posture(walk, "head_pitch"))
    at["head"] = at["neck"] + size["neck"] * _direction(-nod, 0.5 * sway)

    for side, outwards in (("l", 1.0), ("r", -1.0)):
        phase = cycle[side]
        hip, knee, ankle, shoulder, elbow = _flexions(walk, side, phase)
        spread = outwards * np.deg2rad(_posture(walk, "stance"))
        # The forward side is the one whose leg is forward: left at the left heel strike, phase 0.
        at[f"{side}_hip"] = outwards * size["hips"] / 2 * _sideways(turn)
        at[f"{side}_knee"] = at[f"{side}_hip"] - size["thigh"] * _direction(hip, -spread)
        at[f"{side}_ankle"] = at[f"{side}_knee"] - size["shank"] * _direction(hip - knee, -0.3 * spread)
        pitch = hip - knee + ankle - np.deg2rad(12)  # the line from ankle to toe points downwards
        yaw = outwards * np.deg2rad(_posture(walk, "toe_out"))
        at[f"{side}_toe"] = at[f"{side}_ankle"] + size["foot"] * np.stack(
            [np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], axis=1
        )

        carriage = outwards * np.deg2rad(_posture(walk, "arm_carriage"))
        at[f"{side}_shoulder"] = at["neck"] - 0.05 * up + outwards * size["shoulders"] / 2 * _sideways(-turn)
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] - size["upper_arm"] * _direction(shoulder, -carriage)
        at[f"{side}_wrist"] = at[f"{side}_elbow"] - size["forearm"] * _direction(shoulder + elbow, -0.3 * carriage)

    positions = np.stack([at[name] for name in JOINTS], axis=1)
    positions[..., 1] -= positions[..., 1].min(axis=1, keepdims=True)
    return positions.astype(np.float32), _build(walk)


def walker_sequence(
    seed: int, subject: int, sequence: int, frames: int, width: int = 64, view: float = 90.0, noise: Noise = NOISY
) -> np.ndarray:
    """Render one sequence of one walker, the same whatever else is rendered.

    Args:
        seed: of the population.
        subject: number of the person, from 0.
        sequence: number of this person's sequence, from 0.
        frames: length.
        width: 64 or 44.
        view: camera angle in degrees around which sequences are drawn.
        noise: what segmentation adds.

    Returns:
        uint8 [frames, 64, width], 0 or 255.

    >>> walker_sequence(seed=0, subject=3, sequence=1, frames=5, width=44).shape
    (5, 64, 44)
    """
    rng = _generator(seed, subject, 1 + sequence)
    walk = sample_walk(sample_subject(_generator(seed, subject, 0)), rng, view)
    positions, build = joints(walk, frames)
    return silhouettes(flesh(positions, build), walk.view, width, noise, rng)


def _generator(seed: int, subject: int, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(subject, stream)))


def _score(walk: Walk, trait: str) -> float:
    return float(walk.traits[_TRAIT[trait]])


def _posture(walk: Walk, name: str) -> float:
    mean, spread = POSTURE[name]
    return mean + spread * _score(walk, name)


def _build(walk: Walk) -> Build:
    radii = {}
    for name, spread in RADIUS_SPREAD.items():
        clothing = walk.lower if name in ("pelvis", "thigh", "calf") else walk.upper
        clothing = 1.0 if name in ("head", "foot") else clothing
        thickness = np.exp(spread * _score(walk, f"{name}_radius"))
        radii[name] = float(getattr(Build, name) * clothing * thickness)
    return Build(**radii, coat=walk.coat, bag=walk.bag, bag_size=walk.bag_size)


def _flexions(walk: Walk, side: str, phase: np.ndarray) -> np.ndarray:
    """Joint angles in radians [5, s]: four harmonics of the normative curves, bent by the person's traits."""
    scores = walk.traits[-len(_SPREAD) * len(JOINT_TRAITS) :].reshape(_SPREAD.shape)
    offset, amplitude, delay, offset_difference, amplitude_difference, *harmonics = (_SPREAD * scores).T
    sign = 1.0 if side == "l" else -1.0
    cosines, sines = harmonics[0::2], harmonics[1::2]
    swing = _SPECTRUM[:, 1:].copy()
    swing[:, 1:] += np.transpose(cosines) - 1j * np.transpose(sines)
    orders = np.arange(1, HARMONICS + 1)
    swing *= np.exp(-1j * np.outer(delay, orders) + (amplitude + sign * amplitude_difference)[:, None])
    mean = _SPECTRUM[:, 0].real + offset + sign * offset_difference
    return np.deg2rad(mean[:, None] + (swing @ np.exp(1j * np.outer(orders, phase))).real)


def _direction(back: np.ndarray | float, left: np.ndarray | float) -> np.ndarray:
    """Unit vectors [s, 3]: straight up, tipped backwards and to the left by these angles.

    Subtracted, it is a limb that hangs down and is flexed forwards by `back`.
    """
    back, left = np.broadcast_arrays(back, left)
    return np.stack([np.cos(back) * np.sin(left), np.cos(back) * np.cos(left), -np.sin(back)], axis=-1)


def _sideways(turn: np.ndarray) -> np.ndarray:
    """Unit vectors [s, 3] to the left, with the left end turned forwards by this angle."""
    return np.stack([np.cos(turn), np.zeros_like(turn), np.sin(turn)], axis=-1)
