"""Run `opengait_mimic.benchmarks.painting`: prints a table, writes painting.json."""

from opengait_mimic.benchmarks.measure import main
from opengait_mimic.benchmarks.painting import run

main("painting", run)
