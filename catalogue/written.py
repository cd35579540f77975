"""Reads a lock file that is, byte for byte, what `place` has written: by far the largest file, and the most regular.

Tenants of one cluster have the same rows, so each row is understood once. Whatever is not exactly what writing it again
gives, an edit by hand or two merged branches, is left to the YAML reader, which says what is wrong and where.
"""

import re
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from catalogue.lockfile import HEADER, placements_text
from catalogue.placement import ClusterPlacement, Placements, TenantPlacement
from catalogue.vocabulary import WRITTEN

SECTIONS = re.compile(r"clusters:(?: \{\})?\n((?:  .*\n)*)tenants:(?: \{\})?\n((?:  .*\n)*)")
CLUSTER = re.compile(r'  "?([A-Za-z0-9-]+)"?: \{(.*)\}\n')
TENANT = re.compile(r'  "?([A-Za-z0-9-]+)"?:(?: \{\})?\n((?:    .*\n)*)')
PART = re.compile(r"    ([a-z_]+): \{(.*)\}\n")
PAIR = re.compile(r'([a-z_]+): (?:([0-9]{1,18})|([a-z][a-z0-9-]*)|"([ !#-\[\]-~]*)")')


def read_written(path: Path, longest: int) -> Placements | None:
    """What the file holds; None where it is not exactly what `place` writes, or cannot be read at all."""
    try:
        if not path.is_file() or path.stat().st_size > longest:
            return None
        text = path.read_bytes().decode("utf-8")
        found = _parse(text)
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
    return found if found is not None and placements_text(found) == text else None


def _parse(text: str) -> Placements | None:
    """The placements as far as they are written as ours are; what is overlooked, writing them again brings to light."""
    sections = SECTIONS.fullmatch(text, len(HEADER)) if text.startswith(HEADER) else None
    if sections is None:
        return None

    @cache
    def cluster(row: str) -> ClusterPlacement:
        return ClusterPlacement.model_validate(_pairs(row), context=WRITTEN)

    @cache
    def tenant(rows: str) -> TenantPlacement:
        parts = {part[1]: _pairs(part[2]) for part in PART.finditer(rows)}
        return TenantPlacement.model_validate(parts, context=WRITTEN)

    return Placements(
        {found[1]: cluster(found[2]) for found in CLUSTER.finditer(sections[1])},
        {found[1]: tenant(found[2]) for found in TENANT.finditer(sections[2])},
    )


def _pairs(row: str) -> dict[str, int | str]:
    return {pair[1]: int(pair[2]) if pair[2] else pair[3] or pair[4] for pair in PAIR.finditer(row)}
