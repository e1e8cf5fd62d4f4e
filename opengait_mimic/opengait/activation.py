"""The front door: choose a host for this process, and put our classes into its registries."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from opengait_mimic.errors import HostError
from opengait_mimic.opengait import compat
from opengait_mimic.opengait.host import EMBEDDED, active, choose, module_folder
from opengait_mimic.opengait.process.distributed import ensure_group


def activate(host: str | os.PathLike | None = None) -> str | Path:
    """Make a host's modules importable in this process and register our classes in it.

    Without CUDA, a checkout is made to run on the CPU. A checkout needs a process group: where there is
    none, one of a single process is made, in memory.

    Args:
        host: "embedded", the path of an OpenGait checkout, or None for the default of `host.choose`.

    Returns:
        The host in use.

    Raises:
        HostError: no such host, another one is already in use in this process, or its modules cannot
            be imported.

    >>> activate("embedded")
    'embedded'
    """
    current = active()
    if current is not None and host is None:
        host = current
    host = choose(host)
    if current is not None and current != host:
        raise HostError(f"this process already uses {current}; {host} needs a process of its own")
    enter(compat.Use(host, compat.By.ACTIVATION))
    return host


def register() -> None:
    """Register models, losses, the transform and the evaluation functions in the active host.

    Also lets the host describe the network of each checkpoint it saves, in a file beside it. Calling it again does
    nothing; a name the host already uses for something else is never overwritten.

    Raises:
        HostError: such a name exists, or the host's modules cannot be imported.
    """
    _register(compat.Use(active(), compat.By.ITSELF))


def enter(use: compat.Use) -> None:
    """Make a host's modules importable in this process, make the changes that a use of it needs, and register.

    Raises:
        HostError: the host's modules cannot be imported.
    """
    folder = str(module_folder(use.host or EMBEDDED))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if use.host != EMBEDDED or use.by is compat.By.RUN:
        ensure_group()
    _register(use)


def _register(use: compat.Use) -> None:
    try:
        compat.apply(use)
        from opengait_mimic.opengait.registration import register_all  # noqa: PLC0415 - needs the host's modules
    except ModuleNotFoundError as error:
        if error.name in ("data", "evaluation", "modeling"):
            raise HostError("no host is active; call opengait_mimic.activate() first") from None
        raise HostError(f"the host needs the package {error.name!r}, which is not installed") from None
    register_all()
