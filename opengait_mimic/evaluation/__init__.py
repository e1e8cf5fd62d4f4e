"""Ranks, relative performance and the quality of the VEN. Nothing here knows a host."""
