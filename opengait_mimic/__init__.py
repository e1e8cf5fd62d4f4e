"""MimicGait for OpenGait: gait recognition that stands occlusion, around any backbone."""

__version__ = "0.1.0"
