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
