"""Add our files to an OpenGait checkout, and take them away again. Nothing of the checkout is changed."""

from __future__ import annotations

from pathlib import Path

from opengait_mimic.errors import HostError
from opengait_mimic.opengait.config.sections import shipped
from opengait_mimic.opengait.host import EMBEDDED, choose

MODULE = "opengait/modeling/models/mimicgait.py"
MODULE_TEXT = '''"""Registers opengait-mimic: its models, losses, transform and evaluation function."""

from opengait_mimic.opengait.registration import register

register()
'''


def added_files() -> dict[str, str]:
    """What is added: {path in the checkout: content}."""
    configs = shipped("configs")
    files = {MODULE: MODULE_TEXT}
    for path in sorted((configs / "mimicgait").rglob("*.yaml")):
        files[f"configs/{path.relative_to(configs).as_posix()}"] = path.read_text(encoding="utf-8")
    return files


def install(root: str | Path, dry_run: bool = False) -> list[str]:
    """Write the files into a checkout; those already there with the same content stay.

    Args:
        dry_run: only tell.
    Returns:
        The paths written, relative to the checkout.
    Raises:
        HostError: no checkout, or something of another content is in the way (then nothing is written).
    """
    root, files = _checkout(root), added_files()
    found = (_in_the_way(root, path, text) for path, text in files.items())
    in_the_way = list(dict.fromkeys(path for path in found if path))
    if in_the_way:
        names = ", ".join(in_the_way)
        raise HostError(f"{root}: {names}: already there with other content; nothing was written")
    written = []
    for path, text in files.items():
        target = root / path
        if target.exists():
            continue
        written.append(path)
        if dry_run:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    return written


def uninstall(root: str | Path, dry_run: bool = False) -> tuple[list[str], list[str]]:
    """Remove our files from a checkout.

    Args:
        dry_run: only tell.
    Returns:
        The paths removed, and those kept because their content was changed since.
    """
    root = _checkout(root)
    removed, kept = [], []
    for path, text in added_files().items():
        target = root / path
        if not target.exists():
            continue
        if not _holds(target, text):
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
    """The same files as a patch for `git apply`."""
    parts = []
    for path, text in added_files().items():
        lines = text.splitlines()
        parts.append(f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
                     f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines))  # fmt: skip
    return "".join(parts)


def _holds(target: Path, text: str) -> bool:
    return target.is_file() and target.read_bytes() == text.encode()


def _in_the_way(root: Path, path: str, text: str) -> str | None:
    """What keeps `path` from holding `text`: a file where a folder must be, or something in its place."""
    for folder in reversed(Path(path).parents):
        if (root / folder).exists() and not (root / folder).is_dir():
            return folder.as_posix()
    return path if (root / path).exists() and not _holds(root / path, text) else None


def _checkout(root: str | Path) -> Path:
    found = choose(root)
    if found == EMBEDDED:
        raise HostError("give the path of an OpenGait checkout")
    return Path(found)
