"""`opengait-mimic doctor`: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

import click
import torch

from opengait_mimic import __version__
from opengait_mimic.data.check_data import ERROR, compare_partition
from opengait_mimic.data.partition import dataset_of
from opengait_mimic.data.read import read_frames
from opengait_mimic.errors import DataError, HostError, one_line
from opengait_mimic.opengait.host import EMBEDDED, ROOT_VARIABLE, choose
from opengait_mimic.opengait.install import MODULE, added_files

OK, WARN, FAIL = "ok", "warn", "fail"
COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}
SHARED_MEMORY = 2**30  # bytes that a loader's processes hand their batches over with, at least
SAMPLED = 5  # sequences of a data set that are read
USUAL_SIZES = {"64x64", "128x128", "64x44", "128x88"}
EXTRAS = {"export": "to write ONNX files", "video": "to make silhouettes of videos"}
# What recent versions of OpenGait import on starting up, and where pip knows it by another name, that name.
IMPORTED = {
    "aenum": "", "cv2": "opencv-python-headless", "dateutil": "python-dateutil", "einops": "", "hydra": "hydra-core",
    "imageio": "", "kornia": "", "lightly": "", "numpy": "", "omegaconf": "", "pydantic": "",
    "pytorch_lightning": "pytorch-lightning", "requests": "", "sklearn": "scikit-learn", "tensorboard": "",
    "torchvision": "", "tqdm": "", "yaml": "pyyaml",
}  # fmt: skip
# Importing a checkout changes the process that does it, so it has one of its own.
_LIST_MODELS = """
import json, sys
try:
    import torchvision
    mismatch = ""
except (ImportError, RuntimeError) as error:
    mismatch = type(error).__name__
from opengait_mimic import activate
activate(sys.argv[1])
from opengait_mimic.opengait.config.inputs import OTHER_INPUTS, OTHER_TASKS
from opengait_mimic.opengait.config.schema import MODELS
from opengait_mimic.opengait.models.backbone import host_model_names
names = [name for name in host_model_names() if name not in {*MODELS, *OTHER_INPUTS, *OTHER_TASKS}]
print(json.dumps({"models": names, "torchvision": mismatch}))
"""


class Check(NamedTuple):
    """One thing that was looked at.

    Attributes:
        level: "ok", "warn" (it runs, but look at it) or "fail".
        topic: what it is about.
        found: what there is.
        advice: what to do, "" where nothing is.
    """

    level: str
    topic: str
    found: str
    advice: str = ""


def examine(host: str | None = None, data: Path | None = None, partition: Path | None = None) -> list[Check]:
    """Look over this machine, the host, and a data set.

    Args:
        host: the path of a checkout, "embedded", or None for OPENGAIT_ROOT's, if set.
        data: a data set's folder; None leaves it out.
        partition: the data set's JSON.
    """
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, opengait-mimic {__version__}"
    checks = [Check(OK, "Python", found), *_packages(), *_devices(), *_host(host)]
    return checks if data is None else [*checks, *_data(data, partition)]


def lines(checks: list[Check], quiet: bool = False) -> list[str]:
    """The checks for reading, and their counts; when `quiet`, without those that are ok."""
    width = max(len(check.topic) for check in checks)
    text = []
    for level, topic, found, advice in checks:
        if quiet and level == OK:
            continue
        text.append(f"{click.style(f'{level:4}', fg=COLOURS[level])}  {topic:{width}}  {found}")
        text += [f"{'':6}{'':{width}}  -> {advice}"] if advice else []
    counts = [f"{sum(check.level == level for check in checks)} {level}" for level in (OK, WARN, FAIL)]
    return [*text, ", ".join(counts)]


def _packages() -> Iterator[Check]:
    """What this package needs, and the extras."""
    if not _installed("opengait-mimic"):
        yield Check(WARN, "packages", "opengait-mimic runs from its source, not installed", "pip install .")
        return
    needs = metadata.requires("opengait-mimic") or []
    missing = [need.partition(";") for need in needs if not _installed(re.split(r"[^\w.-]", need)[0])]
    required = [need.strip() for need, _, marker in missing if "extra" not in marker]
    if required:
        advice = f"pip install {' '.join(map(repr, required))}"
        yield Check(FAIL, "packages", f"missing: {', '.join(required)}", advice)
    else:
        yield Check(OK, "packages", "all that is needed is installed")
    for extra, purpose in EXTRAS.items():
        if any(re.search(rf"extra == .{extra}\b", marker) for _, _, marker in missing):
            yield Check(OK, "packages", f"not installed: the extra '{extra}', {purpose}",
                        f"where you need it: pip install '.[{extra}]' in this project's folder")  # fmt: skip


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _devices() -> Iterator[Check]:
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs"
    yield Check(OK, "PyTorch", f"{torch.__version__}, {built}; {os.cpu_count() or 1} CPU cores")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            yield _gpu(number)
    elif torch.version.cuda:
        yield Check(WARN, "GPU", "PyTorch is built for CUDA and finds no device",
                    "look at nvidia-smi: the driver is missing or too old")  # fmt: skip
    else:
        yield Check(OK, "GPU", "none; everything runs on the CPU")
    if Path("/dev/shm").is_dir():
        size = os.statvfs("/dev/shm")
        if size.f_blocks * size.f_frsize < SHARED_MEMORY:
            yield Check(WARN, "shared memory", f"/dev/shm holds {size.f_blocks * size.f_frsize / 2**20:.0f} MiB",
                        "loaders may die of it: num_workers: 0 in data_cfg, or docker run --shm-size 8g")  # fmt: skip


def _gpu(number: int) -> Check:
    about = torch.cuda.get_device_properties(number)
    found = f"{number}: {about.name}, {about.total_memory / 2**30:.0f} GiB"
    try:
        torch.zeros(1, device=f"cuda:{number}").add_(1)
    except RuntimeError as error:
        return Check(FAIL, "GPU", f"{found}: {one_line(str(error), 120)}",
                     "install a PyTorch build for this GPU, or use --device cpu")  # fmt: skip
    return Check(OK, "GPU", found)


def _host(named: str | None) -> Iterator[Check]:
    try:
        host = choose(named)
    except HostError as error:
        yield Check(FAIL, "OpenGait", str(error), "git clone https://github.com/ShiqiYu/OpenGait, then --host its path")
        return
    if host == EMBEDDED:
        yield Check(OK, "OpenGait", "no checkout named; the embedded host runs the method without it",
                    f"where you have one: --host PATH, or {ROOT_VARIABLE} in the environment")  # fmt: skip
        yield Check(OK, "backbones", "of the embedded host: GaitBase (Baseline), DeepGaitV2, GaitGL, GaitSet")
        return
    root = Path(host)
    yield _version(root)
    yield _added(root)
    yield from _imports(root)


def _git(host: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(host), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip("\n") if done.returncode == 0 else ""


def _version(host: Path) -> Check:
    if shutil.which("git") is None or not (host / ".git").exists():
        return Check(WARN, "OpenGait", f"{host}, of unknown version (no git repository)",
                     "nothing, if it runs; clone it with git to know its version")  # fmt: skip
    found = f"{host}, {_git(host, 'describe', '--tags', '--always')}, "
    found += _git(host, "log", "-1", "--format=commit %h of %cs")
    ours = added_files()
    changed = [line[3:] for line in _git(host, "status", "--porcelain", "-uno").splitlines() if line[3:] not in ours]
    if changed:
        return Check(WARN, "OpenGait", f"{found}; changed by hand: {', '.join(changed[:3])}{' …' * (len(changed) > 3)}",
                     "nothing, if these changes are wanted")  # fmt: skip
    return Check(OK, "OpenGait", found)


def _added(host: Path) -> Check:
    """Whether the module that registers our models is in a checkout: `install` and the patch add the same one."""
    if not (host / MODULE).is_file():
        return Check(OK, "our files", "not added to the checkout; opengait-mimic train --host runs without them",
                     "for OpenGait's own main program: opengait-mimic install CHECKOUT, or the patch")  # fmt: skip
    if (host / MODULE).read_bytes() != added_files()[MODULE].encode():
        return Check(WARN, "our files", f"{MODULE}, which registers our models, is not as it should be",
                     "opengait-mimic uninstall CHECKOUT, then install CHECKOUT")  # fmt: skip
    return Check(OK, "our files", "added to the checkout (by install or the patch)")


def _imports(host: Path) -> Iterator[Check]:
    """Whether a checkout can be imported, and which of its models can be a backbone."""
    command = [sys.executable, "-c", _LIST_MODELS, str(host)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = one_line((done.stderr.strip().splitlines() or ["no message"])[-1], 300).removeprefix("[rank0]: ")
        missing = [pip or name for name, pip in IMPORTED.items() if util.find_spec(name) is None]
        yield Check(FAIL, "imports", f"its modules cannot be imported: {reason}",
                    f"pip install {' '.join(missing)}; then run doctor again" if missing else
                    "install the package or the version that it names")  # fmt: skip
        return
    found = json.loads(done.stdout.strip().splitlines()[-1])
    yield Check(OK, "imports", "all packages that it imports are there")
    if found["torchvision"] == "RuntimeError":
        version = f"{metadata.version('torchvision')} is not built for torch {torch.__version__}"
        yield Check(WARN, "torchvision", version,
                    "opengait-mimic works around it on a CPU; for OpenGait's own main program install the "
                    "torchvision of this torch's release")  # fmt: skip
    yield Check(OK, "backbones", f"of this checkout: {', '.join(found['models'])}")


def _data(root: Path, partition: Path | None) -> Iterator[Check]:
    files = sorted(root.glob("*/*/*/*.pkl"))
    if not files:
        yield _without_files(root)
        return
    subjects, types = ({path.parts[place] for path in files} for place in (-4, -3))
    sequences = len({path.parent for path in files})
    shown = ", ".join(sorted(types)[:6]) + " …" * (len(types) > 6)
    yield Check(OK, "data", f"{root}: {len(subjects)} subjects, {sequences} sequences; types {shown}")
    yield _sizes(files)
    if partition is None:
        yield Check(WARN, "partition", "none named", "training and test need one: --partition FILE")
    else:
        yield from _partition(root, partition, subjects)


def _without_files(root: Path) -> Check:
    if not root.is_dir():
        return Check(FAIL, "data", f"{root}: no such folder", "give the folder with one folder for each subject in it")
    first = next(root.rglob("*.pkl"), None)
    if first is None:
        return Check(FAIL, "data", f"{root}: no .pkl file in it",
                     "opengait-mimic silhouettes makes some of videos, frames or masks")  # fmt: skip
    depth = len(first.relative_to(root).parts)
    return Check(FAIL, "data", f"{root}: {first.relative_to(root)} lies at depth {depth}, expected "
                 "<subject>/<type>/<view>/*.pkl",
                 "give the folder above it" if depth < 4 else f"give {first.parents[3]}")  # fmt: skip


def _sizes(files: list[Path]) -> Check:
    """Read a few sequences, evenly chosen."""
    sizes = set()
    for file in files[:: max(1, len(files) // SAMPLED)][:SAMPLED]:
        try:
            sizes.add("x".join(map(str, read_frames(file).shape[1:])))
        except DataError as error:
            return Check(FAIL, "silhouettes", str(error), "opengait-mimic check-data lists every such file")
    found = f"of {', '.join(sorted(sizes))}, in {min(SAMPLED, len(files))} files that were read"
    if len(sizes) == 1 and sizes <= USUAL_SIZES:
        return Check(OK, "silhouettes", found)
    return Check(WARN, "silhouettes", found,
                 "networks take one size, 64x64 or 64x44: opengait-mimic silhouettes makes them")  # fmt: skip


def _partition(root: Path, partition: Path, subjects: set[str]) -> Iterator[Check]:
    odd = compare_partition(partition, subjects)
    for finding in odd:
        yield Check(FAIL if finding.level == ERROR else WARN, "partition", f"{finding.path}: {finding.problem}",
                    "opengait-mimic check-data says more")  # fmt: skip
    if not odd:
        yield Check(OK, "partition", f"{partition}: all of its subjects are in the folder")
    try:
        yield Check(OK, "protocol", f"evaluated as {dataset_of(root, partition)}")
    except DataError:
        yield Check(WARN, "protocol", "its types are none of a known data set's",
                    "name them: gallery and probe in evaluator_cfg, or tables --gallery … --probe …")  # fmt: skip
