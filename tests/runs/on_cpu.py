"""An OpenGait checkout's own main program on the CPU: `python on_cpu.py opengait/main.py --cfgs … --phase …`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from opengait_mimic.opengait import compat

sys.argv = sys.argv[1:]
main = Path(sys.argv[0]).resolve()
sys.path[0] = str(main.parent)
for patch in compat.PATCHES[:2]:
    patch.make(compat.Use(main.parents[1], compat.By.RUN))
runpy.run_path(str(main), run_name="__main__")
