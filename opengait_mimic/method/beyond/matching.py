"""Ways to compare clips that a test evaluates beside the plain distance."""

from __future__ import annotations

# What each judgement beside the plain distance is called: in result files, and behind a method's name.
MATCHING_TITLES = {"weighted": "weighted", "likelihood": "likelihood", "persons": "likelihood of persons"}
