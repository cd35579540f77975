"""The part of a catalogue that one cell reads, as the files of a catalogue of its own.

A cell's program is given these files and nothing else of the fleet, so that its run costs as much as the cell is
large, and so that a digest of them changes exactly when something changes that the cell could see.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from catalogue.load import Fleet
from catalogue.lockfile import placements_text
from catalogue.placement import Placements
from catalogue.tenant import Tenant
from catalogue.vocabulary import Entry


def cell_files(fleet: Fleet, cell: int, prices: str) -> dict[str, str]:
    """The catalogue of one cell by file name: its tenants, and the plans they and its clusters are on.

    `prices` is the text of `prices.yaml`, which every cell has whole. The same catalogue gives the same bytes.
    """
    placements = fleet.placements.cell(cell)
    tenants = {name: fleet.tenants[name] for name in sorted(placements.tenants) if name in fleet.tenants}
    used = _plans_of(tenants.values(), placements)
    database = {name: row for name, row in sorted(fleet.plans.database.items()) if name in used}
    storage = {name: row for name, row in sorted(fleet.plans.storage.items()) if name in used}
    return {
        "tenants.yaml": _rows("tenants", tenants, "id"),
        "plans.yaml": _rows("database", database, "name") + _rows("storage", storage, "name"),
        "prices.yaml": prices,
        "placements.yaml": placements_text(placements),
    }


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Make the folder with these files in it."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _plans_of(tenants: Iterable[Tenant], placements: Placements) -> set[str]:
    sections = [section for tenant in tenants for section in (tenant.database, tenant.storage) if section]
    placed = [
        found
        for tenant in placements.tenants.values()
        for found in (*tenant.sections.values(), *tenant.others.values())
    ]
    return {found.plan for found in (*sections, *placed, *placements.clusters.values())}


def _rows(section: str, rows: Mapping[str, Entry], key: str) -> str:
    """A section with a row a line; JSON is YAML that leaves nothing to be guessed."""
    if not rows:
        return f"{section}: {{}}\n"
    lines = [
        f"  {json.dumps(name)}: "
        + json.dumps(row.model_dump(mode="json", exclude_unset=True, exclude={key}), ensure_ascii=False)
        for name, row in rows.items()
    ]
    return "\n".join([f"{section}:", *lines, ""])
