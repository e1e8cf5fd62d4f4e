"""Where the method runs: an OpenGait checkout, or the embedded host that stands in for one.

Both answer to the same top-level module names (`modeling`, `data`, `utils`, `evaluation`), so one
process has one host.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from opengait_mimic.errors import HostError

EMBEDDED = "embedded"
ROOT_VARIABLE = "OPENGAIT_ROOT"
DEVICE_VARIABLE = "OPENGAIT_MIMIC_DEVICE"
_EMBEDDED_FOLDER = Path(__file__).parent / "embedded"


def choose(host: str | os.PathLike | None = None) -> str | Path:
    """The host asked for: the argument, else the environment's OPENGAIT_ROOT, else the embedded one.

    Returns:
        "embedded", or the resolved path of an OpenGait checkout.
    Raises:
        HostError: the path holds no OpenGait.
    """
    named_by = "" if host else f"{ROOT_VARIABLE}: "
    host = host or os.environ.get(ROOT_VARIABLE) or EMBEDDED
    if str(host) == EMBEDDED:
        return EMBEDDED
    root = Path(host).expanduser().resolve()
    if not (root / "opengait" / "main.py").is_file():
        raise HostError(f"{named_by}no OpenGait checkout at {root} (opengait/main.py is missing)")
    return root


def module_folder(host: str | Path) -> Path:
    """The folder whose modules are top level in `host`."""
    return _EMBEDDED_FOLDER if host == EMBEDDED else Path(host) / "opengait"


def active() -> str | Path | None:
    """The host whose modules this process already uses, or None."""
    modeling = sys.modules.get("modeling")
    if modeling is None:
        return None
    folder = Path(modeling.__file__ or next(iter(modeling.__path__))).resolve()
    folder = folder.parent.parent if folder.suffix == ".py" else folder.parent
    return EMBEDDED if folder == _EMBEDDED_FOLDER.resolve() else folder.parent


def activate(host: str | os.PathLike | None = None) -> str | Path:
    """Make a host's modules importable in this process and register our classes in it.

    Without CUDA, a checkout is made to run on the CPU. A checkout needs a process group: where there is
    none, one of a single process is made, in memory.

    Args:
        host: "embedded", the path of an OpenGait checkout, or None for the default of `choose`.
    Returns:
        The host in use.
    Raises:
        HostError: no such host, another one is already in use in this process, or its modules cannot
            be imported.
    """
    current = active()
    if current is not None and host is None:
        host = current
    host = choose(host)
    if current is not None and current != host:
        raise HostError(f"this process already uses {current}; {host} needs a process of its own")
    prepare(host)
    if host != EMBEDDED:
        from opengait_mimic.opengait.run.group import ensure_group

        ensure_group()

    from opengait_mimic.opengait.registration import register

    register()
    return host


def prepare(host: str | Path) -> None:
    """Put a host's modules on the path; for a checkout on a machine without CUDA, map CUDA to the CPU."""
    folder = str(module_folder(host))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if host != EMBEDDED:
        from opengait_mimic.opengait.run import cpu

        if cpu.wanted():
            cpu.enable()
