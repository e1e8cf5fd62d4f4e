"""`python -m build` gives a wheel and an sdist with everything in them; the wheel installs into a clean environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "output", "*.egg-info", "__pycache__", "tests", "results")


def done(*command: str | Path, folder: Path) -> str:
    ran = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-3000:]
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the wheel and the sdist of a copy of the project."""
    pytest.importorskip("build", reason="needs the extra test")
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT, folder / "copy", ignore=LEFT_OUT)
    done(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder=folder / "copy")
    return folder / "dist"


def wanted() -> set[str]:
    files = [*ROOT.glob("configs/**/*.yaml"), *ROOT.glob("patches/*.patch"), *ROOT.glob("opengait_mimic/**/*.py")]
    files += [
        *ROOT.glob("opengait_mimic/**/*.yaml"),
        *ROOT.glob("opengait_mimic/**/*.css"),
        ROOT / "opengait_mimic" / "py.typed",
    ]
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_the_wheel_has_the_package_the_configurations_and_the_patch(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name.split(".data/data/share/opengait-mimic/")[-1] for name in names}
    assert wanted() <= inside
    assert any(name.endswith("LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "docs/", "benchmarks/"))]


def test_the_sdist_has_them_too(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert wanted() <= inside
    assert {"README.md", "LICENSE", "setup.cfg", "pyproject.toml"} <= inside


def test_the_wheel_installs_into_a_clean_environment_and_finds_what_it_brought(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    done(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", folder=tmp_path)
    folder = "Scripts" if sys.platform == "win32" else "bin"
    python = tmp_path / "venv" / folder / "python"
    done(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, folder=tmp_path)
    # What it depends on is lent from here; the package itself is not.
    (purelib,) = {Path(path) for path in done(python, "-c", "import site; print(site.getsitepackages()[0])",
                                               folder=tmp_path).split()}  # fmt: skip
    (purelib / "lent.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    asked = ("from opengait_mimic.opengait.config.reading import find, shipped; "
             "find('configs/mimicgait/studies/l2kd_gaitbase.yaml', 'backbone'); "
             "print(shipped('configs'), shipped('patches'), sep='\\n')")  # fmt: skip
    for found in done(python, "-I", "-c", asked, folder=tmp_path).splitlines():
        assert Path(found).is_relative_to(tmp_path / "venv") and any(Path(found).rglob("*.*"))
    version = done(tmp_path / "venv" / folder / "opengait-mimic", "--version", folder=tmp_path)
    assert version.startswith("opengait-mimic, version")
