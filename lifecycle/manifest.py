"""What is kept beside each archive: whose it is, of which moment, what it holds; and how backups are named.

In the store: `<base stack>/tenants/<tenant>/<id>/archive.zip`, and `…/manifest.json`, written last. An archive without
a manifest, or of another size than its manifest says, is no backup.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from lifecycle.contents import Contents
from lifecycle.errors import DamagedError, MistakeError
from lifecycle.store import Store

ARCHIVE, MANIFEST = "archive.zip", "manifest.json"
Reason = Literal["scheduled", "manual", "final"]
_ID = re.compile(r"b-(\d{8}t\d{6}z)-[0-9a-f]{4}")
_STAMP = "%Y%m%dt%H%M%Sz"


class Manifest(BaseModel):
    """One backup of one tenant.

    `recovery_point` is the moment the archive holds; `gap_seconds` how long before it the tenant's former backup was,
    None for the first: the recovery point as it was measured, not as it was promised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    id: str
    stack: str
    tenant: str
    plan: str
    generation: int
    reason: Reason
    schema_name: str
    server_version: int
    recovery_point: AwareDatetime
    gap_seconds: int | None
    started: AwareDatetime
    finished: AwareDatetime
    bytes: int
    sha256: str
    contents: Contents
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shelf:
    """One tenant's place in the store."""

    store: Store
    stack: str
    tenant: str

    @property
    def prefix(self) -> str:
        """What all keys of the tenant begin with."""
        return f"{self.stack}/tenants/{self.tenant}/"

    def key(self, id_: str, name: str) -> str:
        """The key of an object of a backup."""
        return f"{self.prefix}{id_}/{name}"

    def look(self) -> Mapping[str, Mapping[str, int]]:
        """Bytes by object name by id, oldest first, as the store lists them now."""
        found: dict[str, dict[str, int]] = {}
        for key, size in sorted(self.store.sizes(self.prefix).items()):
            id_, _, name = key.removeprefix(self.prefix).partition("/")
            if _ID.fullmatch(id_):
                found.setdefault(id_, {})[name] = size
        return found

    def manifest(self, id_: str, sizes: Mapping[str, int]) -> Manifest | None:
        """The manifest of a backup that counts as one; None for what a killed run left, or what was damaged since."""
        data = self.store.get(self.key(id_, MANIFEST)) if MANIFEST in sizes else None
        if data is None:
            return None
        try:
            manifest = Manifest.model_validate_json(data)
        except ValidationError:
            return None
        ours = (manifest.id, manifest.stack, manifest.tenant) == (id_, self.stack, self.tenant)
        return manifest if ours and sizes.get(ARCHIVE) == manifest.bytes else None

    def newest(self, looked: Mapping[str, Mapping[str, int]], until: datetime | None = None) -> Manifest | None:
        """The newest good backup of a moment not after `until`."""
        for id_ in sorted(looked, reverse=True):
            if until is None or moment(id_) <= until:
                manifest = self.manifest(id_, looked[id_])
                if manifest is not None and (until is None or manifest.recovery_point <= until):
                    return manifest
        return None

    def all(self) -> Sequence[Manifest]:
        """All good backups, oldest first."""
        looked = self.look()
        return [manifest for id_ in looked if (manifest := self.manifest(id_, looked[id_])) is not None]

    def find(self, id_: str) -> Manifest:
        """A backup by its id. Raises `MistakeError` where the tenant has none, `DamagedError` where it is none."""
        sizes = self.look().get(id_)
        if sizes is None:
            raise MistakeError(f"{self.tenant} has no backup '{id_}': see `tenantry backup --list`")
        manifest = self.manifest(id_, sizes)
        if manifest is None:
            raise DamagedError(
                f"backup {id_} of {self.tenant} is damaged: its archive or its manifest is missing, of another size or"
                " of another tenant"
            )
        return manifest


def new_id(now: datetime) -> str:
    """`b-20261124t155212z-1f3a`: sorts by its moment, and two of one second are two."""
    return f"b-{now.astimezone(UTC).strftime(_STAMP)}-{secrets.token_hex(2)}"


def moment(id_: str) -> datetime:
    """When a backup of this id was begun, to the second."""
    found = _ID.fullmatch(id_)
    if found is None:
        raise MistakeError(f"'{id_}' is no backup's id: it reads b-<moment>-<four digits>")
    return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)
