"""Silhouettes without downloads: procedural walkers and recorded motion, in OpenGait's data layout."""

from opengait_mimic.data.mocap import Clip, Recording, clips
from opengait_mimic.data.tree import generate_walkers, join_walkers, render_recordings, write_sequence
from opengait_mimic.walkers.render import CLEAN, NOISY, Build, Capsules, Noise, flesh, silhouettes
from opengait_mimic.walkers.walkers import Subject, Walk, joints, sample_subject, sample_walk, walker_sequence

__all__ = [
    "CLEAN", "NOISY", "Build", "Capsules", "Clip", "Noise", "Recording", "Subject", "Walk", "clips", "flesh",
    "generate_walkers", "join_walkers", "joints", "render_recordings", "sample_subject", "sample_walk",
    "silhouettes", "walker_sequence", "write_sequence",
]  # fmt: skip
