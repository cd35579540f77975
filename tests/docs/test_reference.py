"""The reference is what the code says now, and leaves nothing out."""

import re
from pathlib import Path

import pytest

from docs.commands import leaves, variables
from docs.generate import FOLDER, PAGES, PROJECT, settings

CODE = [
    path
    for folder in ("cli", "components", "dynamic_providers", "engines", "lifecycle")
    for path in sorted((PROJECT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_up_to_date(name: str) -> None:
    """Run `make docs` where this fails, and commit what it writes."""
    page = FOLDER / name
    written = page.read_text(encoding="utf-8") if page.exists() else ""
    assert written == PAGES[name](), f"docs/reference/{name} is stale: run `make docs` and commit it"


def test_nothing_in_the_reference_is_written_by_hand() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PAGES)


def test_the_reference_names_no_path_of_this_machine() -> None:
    assert not [name for name, page in PAGES.items() if str(PROJECT) in page()]


def test_every_command_is_in_the_reference() -> None:
    headings = re.findall(r"^## tenantry (.+)$", PAGES["commands.md"](), re.MULTILINE)
    assert headings == [" ".join(words) for words, _ in leaves()]


def test_the_reference_tells_the_exit_codes_that_only_some_commands_have() -> None:
    sections = dict(
        re.findall(r"^## tenantry (.+?)$(.+?)(?=^## |\Z)", PAGES["commands.md"](), re.MULTILINE | re.DOTALL)
    )
    assert "Also ends with 4:" in sections["place"]
    assert "Also ends with 4:" in sections["preview"]
    # Not in the command's own function, but in one that it calls.
    assert "Also ends with 5:" in sections["destroy"]
    assert "Also ends" not in sections["validate"]


def test_every_setting_that_the_code_reads_is_in_the_reference() -> None:
    found: set[str] = set()
    for path in CODE:
        found |= set(re.findall(r'Config\("tenantry"\)\.get(?:_secret)?\("(\w+)"\)', path.read_text(encoding="utf-8")))
    assert found
    assert {f"tenantry:{name}" for name in found} <= set(settings())


def test_every_environment_variable_of_ours_is_in_the_reference() -> None:
    known = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", PAGES["configuration.md"]()))
    read: dict[str, Path] = {}
    for path in CODE:
        for name in re.findall(r'"((?:TENANTRY|TIMEWEB|S3)_[A-Z_0-9]+)"', path.read_text(encoding="utf-8")):
            read.setdefault(name, path)
    assert {name: path.name for name, path in read.items() if name not in known} == {}
    assert set(variables()) <= known
