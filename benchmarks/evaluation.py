"""Run `opengait_mimic.benchmarks.evaluation`: prints a table, writes evaluation.json."""

from opengait_mimic.benchmarks.evaluation import run
from opengait_mimic.benchmarks.measure import main

main("evaluation", run)
