"""`opengait-mimic doctor`: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import ast
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import click
import torch

from opengait_mimic import __version__, backbones
from opengait_mimic.data.partition import dataset_of, read_partition
from opengait_mimic.data.read import read_frames
from opengait_mimic.errors import DataError, HostError, MimicError, one_line
from opengait_mimic.opengait.config.sections import MODELS
from opengait_mimic.opengait.host import EMBEDDED, ROOT_VARIABLE, choose, module_folder
from opengait_mimic.opengait.install import MODULE, added_files
from opengait_mimic.opengait.run.failures import FAILURES

OK, WARN, FAIL = "ok", "warn", "fail"
COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}
PYTHONS = ((3, 10), (3, 13))  # oldest and newest that the tests run on
TORCH = (2, 1)  # oldest
SHARED_MEMORY = 2**30  # bytes that a loader's processes hand their batches over with, at least
LOOKED_AT = 5  # sequences of a data set that are read
# What is installed for a module whose name says something else.
PACKAGES = {
    "PIL": "pillow", "cv2": "opencv-python-headless", "dateutil": "python-dateutil", "hydra": "hydra-core",
    "pytorch_lightning": "pytorch-lightning", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml",
}  # fmt: skip
# What OpenGait's own instructions tell to install.
DOCUMENTED = {"torch", "torchvision", "yaml", "tensorboard", "cv2", "tqdm", "py7zr", "kornia", "einops", "numpy"}


class Check(NamedTuple):
    """One thing that was looked at.

    Attributes:
        level: "ok", "warn" (it runs, but look at it) or "fail". topic: what it is about. found: what there is.
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
        data, partition: a data set's folder and its JSON; None leaves them out.
    """
    checks = [_python(), *_packages(), *_devices(), *_host(host)]
    return checks + (list(_data(data, partition)) if data is not None else [])


def lines(checks: list[Check], quiet: bool = False) -> list[str]:
    """The checks for reading, and what they come to; when `quiet`, without those that are ok."""
    width = max(len(check.topic) for check in checks)
    told = []
    for level, topic, found, advice in checks:
        if quiet and level == OK:
            continue
        told.append(f"{click.style(f'{level:4}', fg=COLOURS[level])}  {topic:{width}}  {found}")
        told += [f"{'':6}{'':{width}}  -> {advice}"] if advice else []
    counts = [f"{sum(check.level == level for check in checks)} {level}" for level in (OK, WARN, FAIL)]
    return [*told, ", ".join(counts)]


def _python() -> Check:
    version = sys.version_info[:2]
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, opengait-mimic {__version__}"
    oldest, newest = (".".join(map(str, one)) for one in PYTHONS)
    if version < PYTHONS[0]:
        return Check(FAIL, "Python", found, f"install Python {oldest} to {newest}")
    if version > PYTHONS[1]:
        return Check(WARN, "Python", found, f"newer than what is tested ({oldest} to {newest})")
    return Check(OK, "Python", found)


def _packages() -> Iterator[Check]:
    """What this package needs, and the extras."""
    try:
        needs = metadata.requires("opengait-mimic") or []
    except metadata.PackageNotFoundError:
        yield Check(WARN, "packages", "opengait-mimic runs from its source, not installed", "pip install .")
        return
    missing, extras = [], {}
    for need in needs:
        requirement, _, marker = need.partition(";")
        requirement = requirement.strip()
        there = _installed(re.match(r"[\w.-]+", requirement)[0])
        if "extra" in marker:
            extra = marker.split("extra ==")[1].strip().strip("\"'")
            extras.setdefault(extra, []).append(there)
        elif not there:
            missing.append(requirement)
    if missing:
        yield Check(FAIL, "packages", f"missing: {', '.join(missing)}",
                    f"pip install {' '.join(map(repr, missing))}")  # fmt: skip
    else:
        yield Check(OK, "packages", "all that is needed is installed")
    told = {"export": "to write ONNX files", "video": "to make silhouettes of videos"}
    for extra, what in told.items():
        if not all(extras.get(extra, [True])):
            yield Check(OK, "packages", f"not installed: the extra '{extra}', {what}",
                        f"where you need it: pip install '.[{extra}]' in this project's folder")  # fmt: skip


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _devices() -> Iterator[Check]:
    cores = os.cpu_count() or 1
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs"
    found = f"{torch.__version__}, {built}; {cores} CPU cores"
    if tuple(map(int, re.findall(r"\d+", torch.__version__)[:2])) < TORCH:
        yield Check(FAIL, "PyTorch", found, f"install PyTorch {'.'.join(map(str, TORCH))} or newer")
    else:
        yield Check(OK, "PyTorch", found)
    if torch.cuda.is_available():
        known = torch.cuda.get_arch_list()
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            found = f"{number}: {about.name}, {about.total_memory / 2**30:.0f} GiB"
            if torch.version.hip or any(_runs_on(code, about.major, about.minor) for code in known):
                yield Check(OK, "GPU", found)
            else:
                yield Check(FAIL, "GPU", f"{found}: this PyTorch has no code for it ({', '.join(known)})",
                            "install a PyTorch build for this GPU, or use --device cpu")  # fmt: skip
    elif torch.version.cuda:
        yield Check(WARN, "GPU", "PyTorch is built for CUDA and finds no device",
                    "look at nvidia-smi: the driver is missing or too old")  # fmt: skip
    else:
        yield Check(OK, "GPU", "none; everything runs on the CPU")
    shared = Path("/dev/shm")
    if shared.is_dir():
        size = os.statvfs(shared)
        if size.f_blocks * size.f_frsize < SHARED_MEMORY:
            yield Check(WARN, "shared memory", f"/dev/shm holds {size.f_blocks * size.f_frsize / 2**20:.0f} MiB",
                        "loaders may die of it: num_workers: 0 in data_cfg, or docker run --shm-size 8g")  # fmt: skip


def _runs_on(code: str, major: int, minor: int) -> bool:
    """Whether a build's code ("sm_80", "compute_80") runs on a CUDA device of this capability.

    Binary code runs on its own generation's devices from its own on, intermediate code on all later ones, and what
    ends in "a" on no other device.
    """
    found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", code)
    if found is None:
        return False
    of = int(found[2]), int(found[3])
    if found[4] == "a":
        return of == (major, minor)
    return of <= (major, minor) and (found[1] == "compute" or of[0] == major)


def _host(named: str | None) -> Iterator[Check]:
    try:
        host = choose(named)
    except HostError as error:
        yield Check(FAIL, "OpenGait", str(error), "git clone https://github.com/ShiqiYu/OpenGait, then --host its path")
        yield from _backbones(EMBEDDED, {})
        return
    if host == EMBEDDED:
        yield Check(OK, "OpenGait", "no checkout named; the embedded host runs the method without it",
                    f"where you have one: --host PATH, or {ROOT_VARIABLE} in the environment")  # fmt: skip
        yield from _backbones(EMBEDDED, {})
        return
    root = Path(host)
    yield _version(root)
    yield _added(root)
    found = probe(root)
    yield from _imports(root, found)
    yield from _backbones(root, found)


def _git(host: Path, *arguments: str) -> str:
    """What git says of a checkout; "" where there is no git, or no repository of its own."""
    command = ["git", "-C", str(host), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip("\n") if done.returncode == 0 else ""


def _version(host: Path) -> Check:
    top = _git(host, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != host.resolve():
        return Check(WARN, "OpenGait", f"{host}, of unknown version (no git repository)",
                     "nothing, if it runs; clone it with git to know its version")  # fmt: skip
    found = f"{host}, {_git(host, 'describe', '--tags', '--always')}, "
    found += _git(host, "log", "-1", "--format=commit %h of %cs")
    ours = set(added_files())
    changed = [line[3:] for line in _git(host, "status", "--porcelain", "-uno").splitlines() if line[3:] not in ours]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return Check(WARN, "OpenGait", f"{found}; changed by hand: {', '.join(changed[:3])}{more}",
                     "nothing, if these changes are wanted")  # fmt: skip
    return Check(OK, "OpenGait", found)


def _added(host: Path) -> Check:
    """Whether our files are in a checkout: `install` and the patch add the same ones."""
    files = added_files()
    there = [path for path in files if (host / path).is_file()]
    if not there:
        return Check(OK, "our files", "not added to the checkout; opengait-mimic train --host runs without them",
                     "for OpenGait's own main program: opengait-mimic install CHECKOUT, or the patch")  # fmt: skip
    missing = [path for path in files if path not in there]
    changed = [path for path in there if (host / path).read_bytes() != files[path].encode()]
    told = f"{len(there)} of {len(files)} are in the checkout (by install or the patch)"
    told += f", {len(changed)} of them changed" if changed else ""
    if MODULE in (*missing, *changed):
        return Check(WARN, "our files", f"{told}; {MODULE}, which registers our models, is not as it should be",
                     "opengait-mimic uninstall CHECKOUT, then install CHECKOUT")  # fmt: skip
    if missing:
        return Check(WARN, "our files", told, "where you want the others: opengait-mimic install CHECKOUT")
    return Check(OK, "our files", told)


def third_party(host: Path) -> dict[str, str]:
    """The packages that a checkout imports on starting up: {module: the file that does}.

    Looked up in its source, so that it is known also where an import fails.
    """
    folder = module_folder(host)
    own = {path.stem for path in folder.iterdir()} | set(sys.stdlib_module_names)
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        if path.relative_to(folder).parts[0] not in ("modeling", "data", "evaluation", "utils", "main.py"):
            continue
        try:
            body = ast.parse(path.read_text(encoding="utf-8", errors="replace")).body
        except SyntaxError:
            continue
        here = {other.stem for other in path.parent.iterdir()}
        for node in body:  # of the module itself: what stands in functions or in a try is not needed to start
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level and node.module else []
            for name in (name.split(".")[0] for name in names):
                if name not in own and name not in here:
                    found.setdefault(name, path.relative_to(host).as_posix())
    return found


def probe(host: Path) -> dict:
    """What happens on importing a checkout, found out in a process of its own.

    Returns:
        "missing": {module: the package that it lacks, itself or another}; "failing": {module: what it raises};
        "operators": whether torchvision's had to be declared; "models": names of its models; "error": why it cannot
        be activated, "" where it can.
    """
    nothing = {"missing": {}, "failing": {}, "operators": False, "models": []}
    modules = sorted(third_party(host))
    command = [sys.executable, "-m", "opengait_mimic.apps.doctor", str(host), *modules]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return {**nothing, "error": "importing it takes more than five minutes"}
    last = done.stdout.strip().splitlines()
    if done.returncode or not last:
        said = (done.stderr.strip().splitlines() or [f"the process ended with status {done.returncode}"])[-1]
        return {**nothing, "error": one_line(said, 300)}
    return json.loads(last[-1])


def _probed(host: Path, modules: list[str]) -> dict:
    """`probe`, in the process that may fail."""
    import importlib

    from opengait_mimic.opengait.compat import torchvision_operators

    found: dict = {"missing": {}, "failing": {}, "operators": False, "models": [], "error": ""}
    found["operators"] = torchvision_operators()
    for name in modules:
        try:
            importlib.import_module(name)
        except (*FAILURES, OSError) as error:
            if isinstance(error, ModuleNotFoundError) and error.name:
                found["missing"][name] = error.name.split(".")[0]
            else:
                found["failing"][name] = one_line(f"{type(error).__name__}: {error}", 200)
    try:
        from opengait_mimic.opengait.activation import activate

        activate(host)
        from opengait_mimic.opengait.models.backbone import host_model_names

        found["models"] = host_model_names()
    except (*FAILURES, OSError, MimicError) as error:
        found["error"] = one_line(f"{type(error).__name__}: {error}", 300)
    return found


def _imports(host: Path, found: dict) -> Iterator[Check]:
    wanted, missing = third_party(host), sorted(set(found["missing"].values()))
    if missing:
        undocumented = [name for name in missing if name not in DOCUMENTED]
        notes = [f"{name} ({wanted[name]})" if name in wanted else name for name in missing]
        told = f"missing: {', '.join(notes)}"
        if undocumented:
            told += f"; its instructions do not list {', '.join(undocumented)}"
        names = " ".join(PACKAGES.get(name, name) for name in missing)
        yield Check(FAIL, "imports", told, f"pip install {names}; then run doctor again, they may want others")
    for name, reason in found["failing"].items():
        yield Check(FAIL, "imports", f"{name} is installed, but fails: {reason}",
                    f"pip install --upgrade {PACKAGES.get(name, name)}, or another version of it")  # fmt: skip
    if found["operators"]:
        told = f"{metadata.version('torchvision')} is not built for torch {torch.__version__}"
        yield Check(WARN, "torchvision", told,
                    "on a CPU opengait-mimic works around it; OpenGait's own main program does not: install the "
                    "torchvision of this torch's release")  # fmt: skip
    failing = missing or found["failing"]
    if not failing and not found["error"]:
        others = len([name for name in wanted if name not in DOCUMENTED])
        yield Check(OK, "imports", f"all {len(wanted)} packages that it imports are there, {others} of them not in "
                                   "its instructions")  # fmt: skip
    elif not failing:
        yield Check(FAIL, "imports", f"its modules cannot be imported: {found['error']}",
                    "OPENGAIT_MIMIC_TRACEBACK=1 opengait-mimic backbones --host CHECKOUT shows where")  # fmt: skip


def _backbones(host: str | Path, found: dict) -> Iterator[Check]:
    """Which models can be backbones; only `opengait-mimic backbones` really tries them."""
    from opengait_mimic.opengait.config.inputs import OTHER_INPUTS, OTHER_TASKS

    if host == EMBEDDED:
        yield Check(OK, "backbones", f"of the embedded host: {', '.join(_EMBEDDED)}")
        return
    models = found["models"]
    if not models:
        yield Check(WARN, "backbones", "unknown, as long as the checkout cannot be imported")
        return
    works = [name for name in models if name in backbones.NARROW]
    refused = [name for name in models if name in OTHER_INPUTS or name in OTHER_TASKS]
    unknown = [name for name in models if name not in {*works, *refused, *MODELS}]
    told = f"work: {', '.join(works)}; take or do something else: {len(refused)}"
    told += f"; never tried: {', '.join(unknown)}" if unknown else ""
    yield Check(OK, "backbones", told, f"opengait-mimic backbones --host {host} tries each of them")


_EMBEDDED = ("GaitBase (Baseline)", "DeepGaitV2", "GaitGL", "GaitSet")


def _data(root: Path, partition: Path | None) -> Iterator[Check]:
    if not root.is_dir():
        yield Check(FAIL, "data", f"{root}: no such folder", "give the folder with one folder for each subject in it")
        return
    files = sorted(root.glob("*/*/*/*.pkl"))
    if not files:
        first = next(root.rglob("*.pkl"), None)
        if first is None:
            yield Check(FAIL, "data", f"{root}: no .pkl file in it",
                        "opengait-mimic silhouettes makes some of videos, frames or masks")  # fmt: skip
            return
        depth = len(first.relative_to(root).parts)
        advice = "give the folder above it" if depth < 4 else f"give {_higher(root, first)}"
        yield Check(FAIL, "data", f"{root}: {first.relative_to(root)} lies at depth {depth}, expected "
                                  "<subject>/<type>/<view>/*.pkl", advice)  # fmt: skip
        return
    subjects = {path.parts[-4] for path in files}
    types = sorted({path.parts[-3] for path in files})
    shown = ", ".join(types[:6]) + (f" and {len(types) - 6} more" if len(types) > 6 else "")
    yield Check(
        OK, "data", f"{root}: {len(subjects)} subjects, {len({f.parent for f in files})} sequences; types {shown}"
    )
    yield from _sizes(files)
    if partition is None:
        yield Check(WARN, "partition", "none named", "training and test need one: --partition FILE")
    else:
        yield from _partition(root, partition, subjects)


def _higher(root: Path, file: Path) -> Path:
    """The folder that has <subject>/<type>/<view>/file below it."""
    return file.parents[3] if len(file.relative_to(root).parts) > 4 else root


def _sizes(files: list[Path]) -> Iterator[Check]:
    """Read a few sequences, evenly chosen."""
    sizes = set()
    for file in files[:: max(1, len(files) // LOOKED_AT)][:LOOKED_AT]:
        try:
            sizes.add("x".join(map(str, read_frames(file).shape[1:])))
        except DataError as error:
            yield Check(FAIL, "silhouettes", str(error), "opengait-mimic check-data lists every such file")
            return
    told = f"of {', '.join(sorted(sizes))}, in {min(LOOKED_AT, len(files))} files that were read"
    if len(sizes) > 1:
        yield Check(FAIL, "silhouettes", f"of different sizes: {', '.join(sorted(sizes))}",
                    "opengait-mimic check-data lists them")  # fmt: skip
    elif sizes <= {"64x64", "128x128"}:
        yield Check(OK, "silhouettes", told,
                    "DeepGaitV2 takes them cut: BaseSilCuttingTransform in the YAML")  # fmt: skip
    elif sizes <= {"64x44", "128x88"}:
        yield Check(OK, "silhouettes", told,
                    "they are cut already, and BaseSilCuttingTransform leaves them so")  # fmt: skip
    else:
        yield Check(WARN, "silhouettes", told,
                    "OpenGait's networks take 64x64 or 64x44: opengait-mimic silhouettes makes them")  # fmt: skip


def _partition(root: Path, partition: Path, subjects: set[str]) -> Iterator[Check]:
    try:
        sets = {part: set(read_partition(partition, part)) for part in ("TRAIN_SET", "TEST_SET")}
    except DataError as error:
        yield Check(FAIL, "partition", str(error), 'write {"TRAIN_SET": [subjects], "TEST_SET": [subjects]}')
        return
    there = {part: names & subjects for part, names in sets.items()}
    told = ", ".join(f"{len(there[part])} of {len(names)} in {part}" for part, names in sets.items())
    both = sets["TRAIN_SET"] & sets["TEST_SET"]
    if not all(there.values()):
        yield Check(FAIL, "partition", f"{partition}: of its subjects are in the folder: {told}",
                    "its names must be those of the folders")  # fmt: skip
        return
    if both:
        yield Check(WARN, "partition", f"{partition}: {len(both)} subjects are in both sets",
                    "a test of people seen in training tells little")  # fmt: skip
    level = OK if there == sets else WARN
    advice = "" if level == OK else "opengait-mimic check-data --partition names the others"
    yield Check(level, "partition", f"{partition}: of its subjects are in the folder: {told}", advice)
    try:
        yield Check(OK, "protocol", f"evaluated as {dataset_of(root, partition)}")
    except DataError:
        yield Check(WARN, "protocol", "its types are none of a known data set's",
                    "name them: gallery and probe in evaluator_cfg, or tables --gallery … --probe …")  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(_probed(Path(sys.argv[1]), sys.argv[2:])))
