"""What is added to an OpenGait checkout, and that it goes away again without a trace."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from opengait_mimic.errors import HostError
from opengait_mimic.opengait.config.sections import shipped
from opengait_mimic.opengait.install import MODULE, added_files, install, patch_text, uninstall

GIT = shutil.which("git")


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like OpenGait from outside."""
    root = tmp_path / "OpenGait"
    (root / "opengait" / "modeling" / "models").mkdir(parents=True)
    (root / "opengait" / "main.py").write_text("print('main')\n")
    (root / "opengait" / "modeling" / "models" / "baseline.py").write_text("class Baseline: ...\n")
    (root / "configs" / "gaitbase").mkdir(parents=True)
    (root / "configs" / "default.yaml").write_text("data_cfg: {}\n")
    (root / "README.md").write_bytes(b"OpenGait\r\n")
    return root


def contents(root: Path) -> dict[str, bytes | None]:
    """Every file's bytes, and None for every folder, by path below `root`."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
        if ".git" not in path.relative_to(root).parts
    }


def test_added_are_one_module_that_opengait_discovers_and_our_configurations():
    files = added_files()
    assert MODULE == "opengait/modeling/models/mimicgait.py"
    assert "from opengait_mimic.opengait.registration import register\n\nregister()\n" in files[MODULE]
    compile(files[MODULE], MODULE, "exec")
    configs = sorted(p.name for p in (shipped("configs") / "mimicgait" / "GREW").glob("*.yaml"))
    assert configs
    assert sorted(p.rsplit("/", 1)[1] for p in files if p.startswith("configs/mimicgait/GREW/")) == configs
    assert all(path == MODULE or path.startswith("configs/mimicgait/") for path in files)


def test_installing_only_adds_files(checkout):
    before = contents(checkout)
    written = install(checkout)
    after = contents(checkout)
    assert sorted(written) == sorted(added_files())
    assert {path: after[path] for path in before} == before
    new_files = {path: data for path, data in after.items() if path not in before and data is not None}
    assert new_files == {path: text.encode() for path, text in added_files().items()}


def test_installing_again_changes_nothing(checkout):
    install(checkout)
    before = contents(checkout)
    assert install(checkout) == []
    assert contents(checkout) == before


def test_installing_completes_what_is_missing(checkout):
    install(checkout)
    before = contents(checkout)
    (checkout / MODULE).unlink()
    assert install(checkout) == [MODULE]
    assert contents(checkout) == before


@pytest.mark.parametrize("content", [b"somebody else's\n", b"\xff\xfe\x00 not text"])
def test_a_file_in_the_way_is_named_and_nothing_is_written(checkout, content):
    config = next(path for path in added_files() if path != MODULE)
    (checkout / config).parent.mkdir(parents=True)
    (checkout / config).write_bytes(content)
    before = contents(checkout)
    with pytest.raises(HostError, match="nothing was written") as caught:
        install(checkout)
    assert config in str(caught.value) and str(checkout) in str(caught.value)
    assert contents(checkout) == before


def test_a_folder_in_the_way_of_a_file_is_named_and_nothing_is_written(checkout):
    (checkout / MODULE).mkdir()
    before = contents(checkout)
    with pytest.raises(HostError, match=MODULE):
        install(checkout)
    assert contents(checkout) == before


def test_a_file_in_the_way_of_a_folder_is_named_and_nothing_is_written(checkout):
    (checkout / "configs" / "mimicgait").write_text("notes\n")
    before = contents(checkout)
    with pytest.raises(HostError, match="configs/mimicgait"):
        install(checkout)
    assert contents(checkout) == before


@pytest.mark.parametrize("action", [install, uninstall])
def test_a_folder_that_is_no_checkout_is_refused(tmp_path, action):
    with pytest.raises(HostError, match="no OpenGait checkout at") as caught:
        action(tmp_path)
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(HostError, match="give the path"):
        action("embedded")


def test_uninstalling_restores_the_folder_exactly(checkout):
    before = contents(checkout)
    install(checkout)
    removed, kept = uninstall(checkout)
    assert sorted(removed) == sorted(added_files()) and kept == []
    assert contents(checkout) == before
    assert uninstall(checkout) == ([], [])


def test_uninstalling_keeps_files_that_were_changed_and_files_that_are_not_ours(checkout):
    install(checkout)
    changed = next(path for path in added_files() if path.endswith("GREW/mimic_gaitbase.yaml"))
    (checkout / changed).write_text((checkout / changed).read_text().replace("your_path", "datasets/GREW"))
    own = checkout / "configs" / "mimicgait" / "Gait3D" / "mine.yaml"
    own.write_text("model_cfg: {}\n")
    removed, kept = uninstall(checkout)
    assert kept == [changed] and changed not in removed and len(removed) == len(added_files()) - 1
    assert (checkout / changed).is_file() and own.is_file()


# ---- the patch ---------------------------------------------------------------------------------------------


def git(root: Path, *arguments: str, text: str | None = None) -> str:
    command = [GIT, "-c", "core.autocrlf=false", *arguments]
    return subprocess.run(command, cwd=root, input=text, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(GIT is None, reason="git is not installed")
def test_the_patch_adds_the_same_files_as_installing_and_can_be_taken_back(checkout, tmp_path):
    before = contents(checkout)
    patched = tmp_path / "patched"
    shutil.copytree(checkout, patched)
    git(patched, "init", "--quiet")
    git(patched, "apply", "--check", "--whitespace=error", "-", text=patch_text())
    git(patched, "apply", "-", text=patch_text())
    install(checkout)
    assert contents(patched) == contents(checkout)
    git(patched, "apply", "--reverse", "-", text=patch_text())
    files_left = {path: data for path, data in contents(patched).items() if data is not None}
    assert files_left == {path: data for path, data in before.items() if data is not None}


@pytest.mark.skipif(GIT is None, reason="git is not installed")
def test_the_patch_applies_to_an_empty_repository_and_lists_only_new_files(tmp_path):
    git(tmp_path, "init", "--quiet")
    stat = git(tmp_path, "apply", "--summary", "-", text=patch_text())
    assert sorted(line.split()[-1] for line in stat.splitlines()) == sorted(added_files())
    assert all(line.startswith(" create mode 100644 ") for line in stat.splitlines())


def test_the_committed_patch_is_up_to_date():
    committed = (shipped("patches") / "opengait.patch").read_bytes()
    assert committed == patch_text().encode(), "write opengait.install.patch_text() to patches/opengait.patch"
