"""Ownership marks: the pair (base stack, logical name), written where each vendor keeps free text.

| vendor | where |
| --- | --- |
| Timeweb cluster, database, admin, bucket | `description` |
| Timeweb storage user | it has a name and nothing else, so the name is the mark |
| Neon project | its name is the mark, and an annotation of its default branch, `tenantry`, proves whose it is |
| Neon branch | its name, within a project of ours |
| Postgres schema, owner role, login role | `COMMENT` |
| Hetzner server, SSH key | labels `tenantry-stack` and `tenantry-name`, at most 63 characters each |
| DigitalOcean droplet, database cluster | a tag, `tenantry:<stack>:<name>` |
| Linode instance | a tag, at most 50 characters |

Where the vendor's limit is too short for a name, the name's hash of 16 hex digits stands for it.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self

from pydantic import AfterValidator

# Anywhere in the text: a note that somebody adds to a description must not turn our object into a stranger's.
PATTERN = re.compile(r"(?<!\S)tenantry:([\w.-]+):([\w.-]+)(?!\S)")

STACK_LABEL, NAME_LABEL = "tenantry-stack", "tenantry-name"
LABEL_LIMIT = 63
LINODE_TAG_LIMIT = 50
HASH_DIGITS = 16


@dataclass(frozen=True)
class Mark:
    """`tenantry:prod:acme-bucket-1`. The base stack, not the cell: moving a tenant between cells keeps its objects."""

    stack: str
    name: str

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """The mark in a vendor's free text; None when there is none."""
        found = PATTERN.search(text or "")
        return cls(*found.groups()) if found else None

    def __str__(self) -> str:
        return f"tenantry:{self.stack}:{self.name}"


@dataclass(frozen=True)
class Marked:
    """An object at a vendor that carries our mark.

    `type` is Pulumi's token (`pulumi-python:dynamic/timeweb:Cluster`), `name` the logical name in the mark, `id` the
    vendor's as the state writes it, `what` one line for a reader. `holds_data` says that its removal may lose
    somebody's data, `charged` that the vendor asks money for it, `size` what a price list knows it by (cpu, ram_gb,
    disk_gb; or a vendor's own word). `proven` is False where the name alone speaks for us and may be another's.
    `props` is what its removal needs.
    """

    type: str
    name: str
    id: str
    what: str
    holds_data: bool
    charged: bool = False
    size: Mapping[str, float | str] = field(default_factory=dict)
    proven: bool = True
    props: Mapping[str, Any] = field(default_factory=dict, repr=False)


def labels(mark: Mark) -> dict[str, str]:
    """A mark as Hetzner's labels."""
    return {STACK_LABEL: mark.stack, NAME_LABEL: _fitting(mark.name, LABEL_LIMIT)}


def tag(mark: Mark, limit: int | None = None) -> str:
    """A mark as a tag; `limit` is how long the vendor's tags may be."""
    whole = str(mark)
    return whole if limit is None else str(replace(mark, name=_fitting(mark.name, limit - len(whole) + len(mark.name))))


def named(found: Iterable[Marked], names: Iterable[str]) -> list[Marked]:
    """What was found, with the name instead of its hash where one of the names has that hash."""
    known = {_hash(name): name for name in names}
    return [replace(item, name=known.get(item.name, item.name)) for item in found]


def _fitting(name: str, limit: int) -> str:
    return name if len(name) <= limit else _hash(name)


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:HASH_DIGITS]


def mark_in(text: str | None) -> str:
    """The mark in a vendor's free text, as text; "" when there is none."""
    return str(Mark.parse(text) or "")


def _a_mark(text: str) -> str:
    if text != mark_in(text):
        raise ValueError("a mark reads tenantry:<base stack>:<logical name>")
    return text


MarkText = Annotated[str, AfterValidator(_a_mark)]
