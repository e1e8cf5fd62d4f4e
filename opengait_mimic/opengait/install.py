"""Add our files to an OpenGait checkout, and take them away again. Nothing of the checkout is changed."""

from __future__ import annotations

from pathlib import Path

from opengait_mimic.errors import HostError
from opengait_mimic.opengait.config.reading import shipped
from opengait_mimic.opengait.host import EMBEDDED, choose

MODULE = "opengait/modeling/models/mimicgait.py"
MODULE_TEXT = '''"""Registers opengait-mimic: its models, losses, transform and evaluation functions."""

from opengait_mimic import register

register()
'''
# As version 0.1.0 wrote it.
OLDER_MODULE_TEXT = '''"""Registers opengait-mimic: its models, losses, transform and evaluation function."""

from opengait_mimic.plugin import register

register()
'''


def added_files() -> dict[str, str]:
    """What is added: {path in the checkout: content}."""
    configs = shipped("configs")
    files = {MODULE: MODULE_TEXT}
    for path in sorted((configs / "mimicgait").rglob("*.yaml")):
        files[f"configs/{path.relative_to(configs).as_posix()}"] = path.read_text(encoding="utf-8")
    return files


def install(root: str | Path, dry_run: bool = False) -> tuple[list[str], list[str]]:
    """Write the files into a checkout; an older version's registering module is replaced.

    Args:
        root: the checkout.
        dry_run: only report.

    Returns:
        The paths written, relative to the checkout, and those of configurations that stay as they are, because
        their content was changed.

    Raises:
        HostError: no checkout, or something is in the way (then nothing is written).
    """
    root, files = _checkout(root), added_files()
    for path in files:
        _refuse_if_in_the_way(root, path)
    written, kept = [], []
    for path, text in files.items():
        target = root / path
        if _holds(target, text):
            continue
        if target.exists() and path != MODULE:
            kept.append(path)
            continue
        written.append(path)
        if not dry_run:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
    return written, kept


def uninstall(root: str | Path, dry_run: bool = False) -> tuple[list[str], list[str]]:
    """Remove our files from a checkout.

    Args:
        root: the checkout.
        dry_run: only report.

    Returns:
        The paths removed, and those kept because their content was changed.

    Raises:
        HostError: no checkout.
    """
    root = _checkout(root)
    removed, kept = [], []
    for path, text in added_files().items():
        target = root / path
        if not target.exists():
            continue
        if not _holds(target, text) and not (path == MODULE and _holds(target, OLDER_MODULE_TEXT)):
            kept.append(path)
            continue
        removed.append(path)
        if dry_run:
            continue
        target.unlink()
        for folder in list(target.parents)[: len(Path(path).parents) - 1]:
            if any(folder.iterdir()):
                break
            folder.rmdir()
    return removed, kept


def patch_text() -> str:
    """The registering module as a patch for `git apply`."""
    lines = MODULE_TEXT.splitlines()
    head = f"diff --git a/{MODULE} b/{MODULE}\nnew file mode 100644\n--- /dev/null\n+++ b/{MODULE}\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)


def _holds(target: Path, text: str) -> bool:
    return target.is_file() and target.read_bytes() == text.encode()


def _refuse_if_in_the_way(root: Path, path: str) -> None:
    """Refuse a file where a folder must be, a folder where a file must be, and a module of another content."""
    for folder in reversed(Path(path).parents):
        if (root / folder).is_file():
            raise HostError(f"{root}: {folder.as_posix()} is in the way; nothing was written")
    target = root / path
    foreign = path == MODULE and not _holds(target, MODULE_TEXT) and not _holds(target, OLDER_MODULE_TEXT)
    if target.exists() and (target.is_dir() or foreign):
        raise HostError(f"{root}: {path} is in the way: it has other content; nothing was written")


def _checkout(root: str | Path) -> Path:
    found = choose(root)
    if found == EMBEDDED:
        raise HostError("give the path of an OpenGait checkout")
    return Path(found)
