"""Run `opengait_mimic.benchmarks.inputs`: prints a table, writes inputs.json."""

from opengait_mimic.benchmarks.inputs import run
from opengait_mimic.benchmarks.measure import main

main("inputs", run)
