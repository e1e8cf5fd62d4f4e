"""Run `opengait_mimic.benchmarks.step`: prints a table, writes step.json."""

from opengait_mimic.benchmarks.measure import main
from opengait_mimic.benchmarks.step import run

main("step", run)
