"""The site is built without a warning, fetches nothing, and its references are those of the code."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import fields

import pytest
import yaml
from page import DOCS, ROOT, snippets

from opengait_mimic import __version__
from opengait_mimic.cli import commands
from opengait_mimic.method.occlusion import TYPES
from opengait_mimic.opengait.config import schema
from opengait_mimic.opengait.process.resuming import deciding_config


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, row by row, without its head."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert f"\n## {heading}\n" in text, f"docs/{page}: no heading {heading!r}"
    part = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_reference_of_every_yaml_key_is_the_schemas(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import keys

    assert keys.PAGE.read_text(encoding="utf-8") == keys.page(), "run python docs/keys.py"


def test_every_kind_of_occlusion_has_a_paragraph_a_picture_and_its_settings():
    text = (DOCS / "occlusions.md").read_text(encoding="utf-8")
    settings = {row[0].strip("`"): row[1] for row in table("occlusions.md", "In a YAML")}
    for kind, its_class in TYPES.items():
        assert f"\n## {kind}\n" in text and f"(pictures/{kind}.gif)" in text, f"docs/occlusions.md: {kind}"
        assert (DOCS / "pictures" / f"{kind}.gif").is_file(), "run python docs/pictures.py"
        for field in fields(its_class):
            assert settings[field.name] == "all" or kind in settings[field.name], (kind, field.name)


def test_the_page_on_interruptions_names_the_keys_that_may_change():
    text = " ".join((DOCS / "interrupted.md").read_text(encoding="utf-8").split())
    told = re.search(r" in trainer_cfg (.*?); all of evaluator_cfg; all of data_cfg but (.*?)\. Any other", text)
    free, kept = (set(re.findall(r"`(\w+)`", part)) for part in told.groups())
    others = ("model_cfg", "loss_cfg", "optimizer_cfg", "scheduler_cfg")
    cfgs = {section: {} for section in (*others, "data_cfg", "evaluator_cfg", "trainer_cfg")}

    def decides(section: str, key: str) -> bool:
        return deciding_config({**cfgs, section: {key: 1}}) != deciding_config(cfgs)

    # save_name is where a training is looked for.
    assert {key for key in schema.Trainer.names() if not decides("trainer_cfg", key)} == free | {"save_name"}
    assert {key for key in schema.Data.names() if decides("data_cfg", key)} == kept
    assert all(decides(section, "lr") for section in others)
    assert not any(decides("evaluator_cfg", key) for key in schema.Evaluator.names())


def test_the_pictures_can_be_drawn_again(tmp_path):
    sys.path.insert(0, str(DOCS))
    try:
        import pictures
    finally:
        sys.path.remove(str(DOCS))
    names = {path.name for path in pictures.draw(tmp_path)}
    assert names == {path.name for path in (DOCS / "pictures").iterdir()}


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert pages == set(re.findall(r"[\w/-]+\.md", nav))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs", reason="the site needs the extra docs")
    target = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, timeout=300,
    )  # fmt: skip
    assert built.returncode == 0, (built.stdout + built.stderr)[-3000:]
    return target


def test_the_site_is_built_without_a_warning_and_fetches_nothing(site):
    outside = r'"(?:https?:)?//'
    loaded = rf"<(?:script|img|iframe|source)\b[^>]*\bsrc={outside}|<link\b[^>]*\brel=\"stylesheet\"[^>]*href={outside}"
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        if page.name != "report.html":
            assert not re.search(loaded, page.read_text(encoding="utf-8")), page


def test_the_reference_has_every_command(site):
    text = (site / "cli.html").read_text(encoding="utf-8")
    for name in commands.list_commands(None):
        assert f'id="opengait-mimic-{name}"' in text
    assert "Sentinel" not in text and "\x08" not in text
    assert "<p>opengait-mimic " not in text, "examples are shown as code"


def imported(code: str) -> list[tuple[str, str]]:
    """The module and the name of everything of ours that a program imports."""
    statements = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in statements if node.module.split(".")[0] == "opengait_mimic"]
    return [(node.module, alias.name) for node in ours for alias in node.names]


def test_what_the_pages_import_is_in_the_api_reference(site):
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    programs = [block.code for page in pages for block in snippets(page) if block.language == "python"]
    names = {name for code in programs for name in imported(code)}
    documented = "".join(path.read_text(encoding="utf-8") for path in (site / "api").glob("*.html"))
    assert len(names) > 10
    for module, name in names:  # where it is imported from, or in a module below that
        assert re.search(rf'id="{re.escape(module)}(\.\w+)*\.{name}"', documented), f"docs/api: no {module}.{name}"


def test_the_workflow_and_the_templates_can_be_read():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert workflow["jobs"]["ci"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13"]
    assert any(".ci/run" in str(step.get("run")) for step in workflow["jobs"]["ci"]["steps"])
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        assert isinstance(yaml.safe_load(path.read_text()), dict), path


def test_the_citation_names_this_version_and_the_paper():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0" and cited["version"] == __version__ and cited["license"] == "MIT"
    paper = cited["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Gupta", "Chellappa"] and paper["year"] == 2025
