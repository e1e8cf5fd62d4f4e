"""What is added to an OpenGait checkout, and that it goes away again without a trace."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from opengait_mimic.errors import HostError
from opengait_mimic.opengait.config.reading import shipped
from opengait_mimic.opengait.install import MODULE, OLDER_MODULE_TEXT, added_files, install, patch_text, uninstall


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


def test_installing_adds_the_module_and_the_configurations_and_changes_nothing_else(checkout):
    before = contents(checkout)
    written, kept = install(checkout)
    after = contents(checkout)
    assert sorted(written) == sorted(added_files()) and kept == []
    assert {path: after[path] for path in before} == before
    new = {path: data for path, data in after.items() if path not in before and data is not None}
    assert new == {path: text.encode() for path, text in added_files().items()}
    configs = {p.name for p in (shipped("configs") / "mimicgait" / "GREW").glob("*.yaml")}
    assert configs == {p.rsplit("/", 1)[1] for p in new if p.startswith("configs/mimicgait/GREW/")}
    assert install(checkout) == ([], []), "once is enough"
    (checkout / MODULE).unlink()
    assert install(checkout) == ([MODULE], []), "what is missing is completed"


def test_an_older_module_is_replaced_and_a_changed_configuration_stays(checkout):
    install(checkout)
    (checkout / MODULE).write_text(OLDER_MODULE_TEXT)
    config = next(path for path in added_files() if path != MODULE)
    (checkout / config).write_text("dataset_root: mine\n")
    assert install(checkout, dry_run=True) == install(checkout) == ([MODULE], [config])
    assert (checkout / MODULE).read_text() == added_files()[MODULE]
    assert (checkout / config).read_text() == "dataset_root: mine\n"


@pytest.mark.parametrize("text", [OLDER_MODULE_TEXT, added_files()[MODULE]], ids=["older", "today's"])
def test_either_module_registers(text):
    code = f"from opengait_mimic import activate\nactivate('embedded')\n{text}\nprint(register.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "opengait_mimic.opengait.activation\n", done.stderr


@pytest.mark.parametrize(
    ("path", "folder"),
    [(MODULE, False), (MODULE, True), ("configs/mimicgait", False), ("configs/mimicgait/GREW", False)],
)
def test_what_is_in_the_way_is_named_and_nothing_is_written(checkout, path, folder):
    target = checkout / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        target.mkdir()
    else:
        target.write_bytes(b"\xff\xfe\x00 somebody else's")
    before = contents(checkout)
    with pytest.raises(HostError, match="nothing was written") as caught:
        install(checkout)
    assert path in str(caught.value) and str(checkout) in str(caught.value)
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


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_patch_adds_the_module_alone_and_can_be_taken_back(checkout):
    before = contents(checkout)

    def git(*arguments: str) -> None:
        command = ["git", "-c", "core.autocrlf=false", *arguments]
        subprocess.run(command, cwd=checkout, input=patch_text(), text=True, check=True)

    git("init", "--quiet")
    git("apply", "--whitespace=error", "-")
    assert contents(checkout) == {**before, MODULE: added_files()[MODULE].encode()}
    git("apply", "--reverse", "-")
    assert contents(checkout) == before


def test_the_committed_patch_is_up_to_date():
    committed = (shipped("patches") / "opengait.patch").read_bytes()
    assert committed == patch_text().encode(), "write opengait.install.patch_text() to patches/opengait.patch"
