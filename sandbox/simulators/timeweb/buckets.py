"""Rules for buckets: names, sizes, removal, quarantine."""

import secrets
from dataclasses import dataclass
from uuid import uuid4

from sandbox.simulators.timeweb.errors import BadRequestError, NotFoundError
from sandbox.simulators.timeweb.presets import STORAGE_CONFIGURATORS, STORAGE_PRESETS
from sandbox.simulators.timeweb.records import Bucket, StorageClass
from sandbox.simulators.timeweb.schemas import CreateBucket, SizedBucket, UpdateBucket
from sandbox.simulators.timeweb.state import State

BYTES_PER_MB = 1024 * 1024


@dataclass(frozen=True)
class Size:
    """What a bucket may hold, in MB; one of the two ids says by which offer."""

    preset_id: int | None
    configurator_id: int | None
    disk: int
    storage_class: StorageClass


def get(state: State, bucket_id: int) -> Bucket:
    """One bucket; NotFoundError when there is none."""
    bucket = state.buckets.find(bucket_id)
    if bucket is None:
        raise NotFoundError
    return bucket


def create(state: State, order: CreateBucket) -> Bucket:
    """A new empty bucket; the store knows it by its name behind a random prefix."""
    size = _size(order)
    if size is None:
        raise BadRequestError("one of preset_id and configurator is needed")
    with state.database.transaction():
        if order.name in {bucket.name for bucket in state.buckets.all()}:
            raise BadRequestError(f"a bucket {order.name!r} exists")
        bucket = state.buckets.add(
            Bucket(
                name=order.name,
                full_name=f"{secrets.token_hex(4)}-{order.name}",
                description=order.description or "",
                type=order.type,
                location="ru-1",
                created_at=state.clock(),
                project_id=order.project_id or 1,
                **vars(size),
            )
        )
    state.storage.create_bucket(bucket.full_name)
    return bucket


def update(state: State, bucket_id: int, change: UpdateBucket) -> Bucket:
    """Change what was given; a size smaller than what the bucket holds is refused."""
    bucket = get(state, bucket_id)
    size = _size(change)
    if size and size.disk * BYTES_PER_MB < state.storage.usage(bucket.full_name).bytes:
        raise BadRequestError("the bucket holds more than the new size")
    values = (vars(size) if size else {}) | {
        field: value
        for field, value in {"type": change.bucket_type, "description": change.description}.items()
        if value is not None
    }
    return state.buckets.put(bucket.model_copy(update=values))


def request_deletion(state: State, bucket_id: int) -> str:
    """Delete nothing and give the hash that a confirmation has to repeat."""
    bucket = get(state, bucket_id)
    confirmation = str(uuid4())
    state.buckets.put(bucket.model_copy(update={"delete_hash": confirmation}))
    return confirmation


def delete(state: State, bucket_id: int, confirmation: str | None = None) -> bool:
    """Delete an empty bucket at once; one that holds objects goes to quarantine, which True tells."""
    bucket = get(state, bucket_id)
    if confirmation is not None and confirmation != bucket.delete_hash:
        raise BadRequestError("the hash is not that of this deletion")
    if state.storage.usage(bucket.full_name).objects:
        state.buckets.put(bucket.model_copy(update={"quarantined_at": state.clock()}))
        return True
    drop(state, bucket)
    return False


def drop(state: State, bucket: Bucket) -> None:
    """Remove a bucket with all it holds, as at the end of its quarantine."""
    state.buckets.remove(bucket.id)
    state.storage.delete_bucket(bucket.full_name)


def _size(choice: SizedBucket) -> Size | None:
    if choice.configurator is not None:
        if choice.configurator.id not in STORAGE_CONFIGURATORS:
            raise BadRequestError(f"configurator {choice.configurator.id} is unknown")
        return Size(None, choice.configurator.id, choice.configurator.disk, "hot")
    if choice.preset_id is None:
        return None
    preset = STORAGE_PRESETS.get(choice.preset_id)
    if preset is None:
        raise BadRequestError(f"preset_id {choice.preset_id} is no storage preset")
    return Size(preset.id, None, preset.disk, preset.storage_class)
