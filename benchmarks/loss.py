"""Run `opengait_mimic.benchmarks.loss`: prints a table, writes loss.json."""

from opengait_mimic.benchmarks.loss import run
from opengait_mimic.benchmarks.measure import main

main("loss", run)
