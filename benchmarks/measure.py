"""Measuring two sides under the same conditions, and the table of it."""

from __future__ import annotations

import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import torch

from opengait_mimic import __version__


@dataclass
class Row:
    """One comparison.

    Attributes:
        what: is done.
        ours: median, in `unit`; None where it cannot be done or was not measured.
        theirs: the same.
        against: whose `theirs` is.
        target: what the ratio should be, in words.
        note: why a side is missing.
    """

    what: str
    ours: float | None
    theirs: float | None
    against: str
    unit: str = "ms"
    target: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times theirs is ours."""
        return self.theirs / self.ours if self.ours and self.theirs else None


@dataclass
class Report:
    """What a benchmark found: its rows in order, and remarks on what was not measured and why."""

    name: str
    rows: list[Row] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, *args, **kwargs) -> None:
        self.rows.append(Row(*args, **kwargs))

    def table(self) -> str:
        """As Markdown."""
        head = ["what", "ours", "theirs", "against", "theirs / ours", "to reach"]
        lines = [[row.what, _amount(row.ours, row.unit), _amount(row.theirs, row.unit), row.against,
                  "" if row.ratio is None else f"{row.ratio:.2f}", row.target] for row in self.rows]  # fmt: skip
        widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
        rows = [head, ["-" * width for width in widths], *lines]
        text = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
        text += [f"- {row.what}: {row.note}" for row in self.rows if row.note]
        return "\n".join(text + [f"- {remark}" for remark in self.remarks])

    def write(self, path: Path) -> None:
        """As JSON, with the machine."""
        rows = [{**asdict(row), "ratio": row.ratio} for row in self.rows]
        content = {"benchmark": self.name, "machine": machine(), "rows": rows, "remarks": self.remarks}
        path.write_text(json.dumps(content, indent=1) + "\n")


def _amount(value: float | None, unit: str) -> str:
    return "—" if value is None else f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


def machine() -> dict:
    """What it was measured on."""
    cpus = Path("/proc/cpuinfo")
    names = [line for line in cpus.read_text().splitlines() if line.startswith("model name")] if cpus.is_file() else []
    return {
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "opengait_mimic": __version__,
    }


def in_turn(sides: list[Callable[[], object]], seconds: float = 4.0, least: int = 5, most: int = 100) -> list[float]:
    """Medians in milliseconds of calling each side, one after the other, again and again.

    Both sides meet the same machine. The first round warms up and does not count.
    """
    taken: list[list[float]] = [[] for _ in sides]
    for side in sides:
        side()
    began = time.perf_counter()
    while len(taken[0]) < least or (time.perf_counter() - began < seconds and len(taken[0]) < most):
        for side, times in zip(sides, taken, strict=True):
            start = time.perf_counter()
            side()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(1000 * (time.perf_counter() - start))
    return [median(times) for times in taken]


def peak_memory(call: str, limit: int = 0) -> tuple[float | None, str]:
    """The MiB that a call needs at its peak above what its process held before, in a process of its own (on Linux).

    Args:
        call: "module:function(arguments)"; the function returns what is then measured, a function without arguments.
        limit: bytes of memory the process may have in all; 0 for any.

    Returns:
        The MiB and "", or None and the error's last line.
    """
    child = subprocess.run([sys.executable, __file__, call, str(limit)], capture_output=True, text=True, check=False)
    if child.returncode:
        last = child.stderr.strip().splitlines()[-1] if child.stderr.strip() else f"signal {-child.returncode}"
        return None, last[:120]
    return float(child.stdout), ""


def _measured_peak(call: str, limit: int) -> float:
    """What `peak_memory`'s process does."""
    module, _, rest = call.partition(":")
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    work = eval(rest, vars(importlib.import_module(module)))
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark is from now on
    before = _status("VmRSS")
    work()
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> int:
    """KiB, as Linux counts them for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def main(name: str, run: Callable[[Report, bool], None]) -> None:
    """A benchmark's command: run it, print its table, write <name>.json; `--quick` leaves out what takes minutes."""
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    report = Report(name)
    run(report, "--quick" in sys.argv)
    print(report.table())
    report.write(Path(f"{name}.json"))
    print(f"\n{json.dumps(machine())}\nin {name}.json")


if __name__ == "__main__":
    print(_measured_peak(sys.argv[1], int(sys.argv[2])))
