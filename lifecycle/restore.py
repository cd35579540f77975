"""A backup back into its tenant's database, or rehearsed there; and the receipt that tells how it went."""

import hashlib
import random
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Literal

import psycopg
from psycopg import sql
from pydantic import AwareDatetime, BaseModel, ConfigDict

from dynamic_providers.postgres.connection import transact
from dynamic_providers.postgres.sessions import ask_sessions_to_end
from lifecycle.backup import Subject
from lifecycle.courier import LIMITS, TenantPlace, connect, courier
from lifecycle.dump import about, sentence
from lifecycle.errors import DamagedError, DataError
from lifecycle.load import load
from lifecycle.manifest import ARCHIVE, Manifest, Shelf
from lifecycle.programs import Programs
from lifecycle.schedule import Promise

_KEPT_STAMP = "%Y%m%d%H%M%S"
_KEPT = """
SELECT nspname::text FROM pg_namespace WHERE nspname ~ %s AND pg_get_userbyid(nspowner) = ANY (%s) ORDER BY nspname
"""
_RELATIONS = (
    "SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) ORDER BY 1"
)


class Receipt(BaseModel):
    """What one restore, or its rehearsal, came to: measured figures beside what the plan promises.

    `seconds` is the time from the first byte fetched to the verified schema (RTO), `age_seconds` how far back the
    backup was (RPO); the promise of a plan without backups is None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["restore", "drill"]
    tenant: str
    plan: str
    backup: str
    at: AwareDatetime
    tables: int
    rows: int
    checksum: str
    bytes: int
    seconds: float
    age_seconds: int
    promised_age_seconds: int | None
    promised_keep_days: int
    age_within_promise: bool
    kept_as: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """One backup and the tenant whose it is, at the moment `now`."""

    subject: Subject
    shelf: Shelf
    manifest: Manifest
    promise: Promise
    programs: Programs
    now: datetime

    def restore(self) -> Receipt:
        """Bring the tenant's schema to what the backup holds; what it held is kept as `<schema>_<moment>`.

        The tenant's sessions end when the restored schema is in place, so that none goes on with the former one.

        Raises:
            DataError: and its kinds; the tenant's data is as it was.
            PostgresError: the cluster's admin was refused, or cannot reach it.

        """
        place = self.subject.place
        receipt = self._run(f"{place.schema}_{self.now.astimezone(UTC).strftime(_KEPT_STAMP)}", rehearse=False)
        logins = [place.login, *place.people]
        transact(place.address, lambda connection: ask_sessions_to_end(connection, *logins), LIMITS)
        return receipt

    def drill(self) -> Receipt:
        """Load and verify the backup in the tenant's database, in a transaction that is undone. Raises as `restore`."""
        return self._run("tenantry_drill", rehearse=True)

    def _run(self, keep_as: str, *, rehearse: bool) -> Receipt:
        began = time.monotonic()
        with self._fetched() as archive:
            loaded = load(self.subject.place, archive, self.programs, keep_as=keep_as, rehearse=rehearse)
        held, every = self.manifest.contents, self.promise.every
        age = int((self.now - self.manifest.recovery_point).total_seconds())
        promised = None if every is None else int(every.total_seconds())
        return Receipt(
            kind="drill" if rehearse else "restore",
            tenant=self.subject.tenant,
            plan=self.subject.plan,
            backup=self.manifest.id,
            at=self.now,
            tables=len(held.tables),
            rows=held.rows,
            checksum=held.checksum,
            bytes=self.manifest.bytes,
            seconds=round(time.monotonic() - began, 3),
            age_seconds=age,
            promised_age_seconds=promised,
            promised_keep_days=self.promise.keep.days,
            age_within_promise=promised is not None and age <= promised,
            kept_as="" if rehearse else loaded.kept_as,
            notes=loaded.notes,
        )

    @contextmanager
    def _fetched(self) -> Iterator[IO[bytes]]:
        """The archive as a file on this machine, proven to be the one that was written."""
        key = self.shelf.key(self.manifest.id, ARCHIVE)
        name = f"backup {self.manifest.id} of {self.manifest.tenant}"
        with tempfile.TemporaryFile(prefix="tenantry-") as file:
            total = hashlib.sha256()
            for chunk in self.shelf.store.chunks(key):
                total.update(chunk)
                file.write(chunk)
            if (file.tell(), total.hexdigest()) != (self.manifest.bytes, self.manifest.sha256):
                raise DamagedError(f"{name} is damaged: its archive has another size or checksum than when it was made")
            file.seek(0)
            if about(file).contents != self.manifest.contents:
                raise DamagedError(f"{name} is damaged: its manifest tells of other contents than its archive")
            yield file


def choose(tenants: Mapping[str, Sequence[str]], seed: int | None) -> dict[str, str]:
    """One tenant per plan, by chance; the same seed chooses the same among the same."""
    chance = random.Random(seed)  # noqa: S311  nothing is kept secret by it
    return {plan: chance.choice(sorted(names)) for plan, names in sorted(tenants.items()) if names}


def kept_schemas(place: TenantPlace) -> list[str]:
    """What former restores of the tenant have kept, oldest first."""

    def look(connection: psycopg.Connection) -> list[str]:
        pattern = f"^{re.escape(place.schema)}_[0-9]{{14}}$"
        return [str(name) for (name,) in connection.execute(_KEPT, [pattern, [place.owner, place.login]])]

    return transact(place.address, look, LIMITS)


def drop_kept(place: TenantPlace) -> list[str]:
    """Drop what former restores have kept; answers the names.

    Raises:
        DataError: something of the tenant's schema itself hangs on it; nothing was dropped.

    """
    names = kept_schemas(place)
    if not names:
        return []
    with courier(place) as address, connect(address) as connection, connection.transaction():
        before = connection.execute(_RELATIONS, [place.schema]).fetchall()
        for name in names:
            try:
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
            except psycopg.Error as error:
                raise DataError(f"{name} cannot be dropped, nothing was: {sentence(error)}") from None
        if connection.execute(_RELATIONS, [place.schema]).fetchall() != before:
            raise DataError(f"{place}: tables or views of it refer to {', '.join(names)}, so nothing was dropped")
    return names
