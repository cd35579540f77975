"""A backup of one tenant: dumped as a stream into the offsite store, read back, and only then told to be one."""

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from lifecycle.courier import TenantPlace
from lifecycle.dump import dump
from lifecycle.errors import DamagedError, StoreError
from lifecycle.manifest import ARCHIVE, MANIFEST, Manifest, Reason, Shelf, moment, new_id
from lifecycle.programs import Programs
from lifecycle.schedule import UNFINISHED, Promise

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Subject:
    """A tenant's database as it stands: the plan and generation it is placed with, and the way in."""

    tenant: str
    plan: str
    generation: int
    place: TenantPlace


def back_up(subject: Subject, shelf: Shelf, programs: Programs, clock: Clock, reason: Reason = "manual") -> Manifest:
    """Take a backup; on return the store lists it, with the right size, and has given back what was written.

    Raises:
        DataError: and its kinds; then there is no new backup, and what of it reached the store is gone or counts as
            nothing.
        PostgresError: the cluster's admin was refused, or cannot reach it.

    """
    started = clock()
    former = shelf.newest(shelf.look())
    id_ = new_id(started)
    key = shelf.key(id_, ARCHIVE)
    try:
        with shelf.store.upload(key) as upload:
            about = dump(subject.place, upload, programs)
        _read_back(shelf, key, upload.size, upload.sha256)
        manifest = Manifest(
            id=id_,
            stack=shelf.stack,
            tenant=subject.tenant,
            plan=subject.plan,
            generation=subject.generation,
            reason=reason,
            schema_name=about.schema_name,
            server_version=about.server_version,
            recovery_point=started,
            gap_seconds=int((started - former.recovery_point).total_seconds()) if former else None,
            started=started,
            finished=clock(),
            bytes=upload.size,
            sha256=upload.sha256,
            contents=about.contents,
            left_out=about.left_out,
        )
        shelf.store.put(shelf.key(id_, MANIFEST), manifest.model_dump_json(indent=1).encode())
        _listed(shelf, manifest)
    except BaseException:
        _take_back(shelf, id_)
        raise
    return manifest


def prune(shelf: Shelf, promise: Promise, named: Collection[str], now: datetime) -> list[str]:
    """Remove what is expired, as the store lists it now; answers the ids. Raises `StoreError`."""
    looked = shelf.look()
    old = [id_ for id_ in looked if moment(id_) < now - UNFINISHED]
    # Only what is old enough to go is read, and the newest good one, which never goes.
    newest = shelf.newest(looked)
    good = {id_ for id_ in old if shelf.manifest(id_, looked[id_]) is not None} | ({newest.id} if newest else set())
    moments = {id_: moment(id_) for id_ in {*old, *good}}
    gone = promise.expired(moments, good, named, now)
    for id_ in gone:
        _remove(shelf, id_, looked[id_])
    shelf.store.abort_uploads(shelf.prefix, now - UNFINISHED)
    return gone


def _read_back(shelf: Shelf, key: str, size: int, sha256: str) -> None:
    listed = shelf.store.sizes(key).get(key)
    if listed != size:
        raise DamagedError(f"{shelf.store} lists {listed} bytes of {key} instead of {size}")
    if hash_of(shelf.store.chunks(key)) != sha256:
        raise DamagedError(f"{shelf.store} gives back other bytes of {key} than were written")


def _listed(shelf: Shelf, manifest: Manifest) -> None:
    if shelf.manifest(manifest.id, shelf.look().get(manifest.id, {})) != manifest:
        raise DamagedError(f"backup {manifest.id} of {manifest.tenant} is not in {shelf.store} as written")


def hash_of(chunks: Iterable[bytes]) -> str:
    """SHA-256 of a stream, in hex."""
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()


def _take_back(shelf: Shelf, id_: str) -> None:
    """Without its manifest nothing counts as a backup; a store that does not answer now is cleared by a later run."""
    try:
        _remove(shelf, id_, {MANIFEST, ARCHIVE})
    except StoreError:
        return


def _remove(shelf: Shelf, id_: str, names: Collection[str]) -> None:
    """The manifest goes first: whatever is left then is no backup."""
    shelf.store.delete([shelf.key(id_, name) for name in sorted(names, key=lambda name: name != MANIFEST)])
