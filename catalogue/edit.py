"""Edits of a tenant's entry by a command: the file keeps its comments, its order and its ways of writing."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ruamel.yaml import YAML

from catalogue.document import read_document
from catalogue.errors import CatalogueError, Problem


def edit_section(folder: Path, tenant: str, section: str, values: Mapping[str, Any]) -> None:
    """Set the keys of a section of an entry; None removes a key. The file is replaced in one step, or not at all.

    Raises `CatalogueError` where the entry cannot be found.
    """
    path = _home(folder, tenant, section)
    text = path.read_text(encoding="utf-8")
    yaml = _yaml()
    tree = yaml.load(text)
    here = tree["tenants"][tenant][section]
    before = dict(here)
    for key, value in values.items():
        if value is None:
            here.pop(key, None)
        elif here.get(key) != value:
            here[key] = value
    if dict(here) != before:
        written = io.StringIO()
        yaml.dump(tree, written)
        _replace(path, written.getvalue())


def _home(folder: Path, tenant: str, section: str) -> Path:
    """The file that holds the entry."""
    several = folder / "tenants"
    paths = sorted(several.glob("*.yaml")) if several.is_dir() else [folder / "tenants.yaml"]
    for path in paths:
        root = read_document(path, path.name).root
        tenants = root.get("tenants") if root else None
        entry = tenants.get(tenant) if isinstance(tenants, dict) else None
        if isinstance(entry, dict) and isinstance(entry.get(section), dict):
            return path
    raise CatalogueError([Problem("tenants.yaml", 1, 1, f"tenants.{tenant}.{section}", "there is no such section")])


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    # An entry on one line stays on one line.
    yaml.width = 10_000
    return yaml


def _replace(path: Path, text: str) -> None:
    target = path.resolve()
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as stream:
        stream.write(text)
        stream.flush()
        os.fchmod(stream.fileno(), target.stat().st_mode & 0o777)
        os.fsync(stream.fileno())
    Path(stream.name).replace(target)
