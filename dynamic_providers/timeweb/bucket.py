"""A bucket. Its quota is a preset, changed in place (A23); it is never emptied without being told to."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from dynamic_providers.base import GONE, Inputs, Props, declared
from dynamic_providers.errors import FailedStateError, ProviderError
from dynamic_providers.inventory import Inventory, adopt, find_or_create
from dynamic_providers.marks import MarkText, mark_in
from dynamic_providers.timeweb import objects
from dynamic_providers.timeweb.models import Bucket as Found
from dynamic_providers.timeweb.presets import storage_preset
from dynamic_providers.timeweb.session import Session, TimewebProvider
from dynamic_providers.waiting import found_by, wait_until

log = logging.getLogger(__name__)

PATCHED = {"visibility": "bucket_type", "mark": "description"}


class BucketInputs(Inputs):
    """What a bucket is to be; `disk_gb` is its quota."""

    name: str
    disk_gb: float
    storage_class: Literal["hot", "cold"] = "hot"
    location: str
    visibility: Literal["private", "public"] = "private"
    mark: MarkText
    empty_on_delete: bool = False
    adopt: str | None = None


class BucketProvider(TimewebProvider):
    """Find ours or create, change in place, delete with a read-back."""

    inputs = BucketInputs
    stateful_fields = frozenset({"name", "storage_class", "location"})
    connection_fields = frozenset({"adopt"})

    def connect(self, session: Session) -> None:
        """Takes the session and prepares the look-up by mark; a quarantined bucket is nobody's."""
        super().connect(session)
        timeweb = session.timeweb
        self.ours: Inventory[None, Found] = Inventory(
            lambda _account: timeweb.buckets(),
            lambda bucket: "" if bucket.moved_in_quarantine_at else mark_in(bucket.description),
        )

    def create(self, props: Props) -> CreateResult:
        """Also goes on waiting for one that an earlier run began."""
        want = BucketInputs.of(props)
        if want.adopt:
            bucket = self._adopt(want, want.adopt)
        else:
            bucket = find_or_create(self.ours, None, want.mark, partial(self._make, want), self.session.pace)
        return CreateResult(str(bucket.id), outputs(want, self._settled(bucket)))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Inputs as found, so that drift is mended by the next update."""
        want = BucketInputs.recorded(props)
        bucket = found_by(partial(self.session.timeweb.bucket, id_))
        return ReadResult(id_, outputs(want, bucket), observed(want, bucket).props()) if bucket else GONE

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """One PATCH with what changed; `empty_on_delete` is only noted, for the delete that reads it from the state."""
        changed = self.changes_in_place(id_, olds, news)
        want = BucketInputs.of(news)
        fields: dict[str, Any] = {theirs: getattr(want, ours) for ours, theirs in PATCHED.items() if ours in changed}
        if "disk_gb" in changed:
            fields["preset_id"] = self._preset(want)
        timeweb = self.session.timeweb
        bucket = timeweb.change_bucket(id_, fields) if fields else timeweb.bucket(id_)
        if preset := fields.get("preset_id"):
            bucket = self._settled(bucket, preset)
        return UpdateResult(outputs(want, bucket))

    def delete(self, id_: str, props: Props) -> None:
        """Refuses while there are objects, unless told to empty; quarantine counts as gone."""
        want, timeweb = BucketInputs.recorded(props), self.session.timeweb
        bucket = found_by(partial(timeweb.bucket, id_))
        if bucket is None or bucket.moved_in_quarantine_at:
            return
        if bucket.object_amount and not want.empty_on_delete:
            raise ProviderError(
                f"bucket {bucket.real_name} holds {bucket.object_amount} objects: export it and empty it, or set"
                " empty_on_delete, then run again"
            )
        if want.empty_on_delete:
            self._empty(bucket)
        left = self.session.remove(
            partial(timeweb.delete_bucket, id_),
            partial(timeweb.bucket, id_),
            what=f"bucket {bucket.real_name}",
            is_gone=lambda found: found.moved_in_quarantine_at is not None,
        )
        if left:
            log.warning("bucket %s is in quarantine, charged until the vendor drops it", left.real_name)
        self.ours.forget(None)

    def _make(self, want: BucketInputs) -> Found:
        fields = {
            "name": want.name,
            "type": want.visibility,
            "preset_id": self._preset(want),
            "description": want.mark,
        }
        return self.session.timeweb.create_bucket(fields)

    def _adopt(self, want: BucketInputs, id_: str) -> Found:
        found = self.session.timeweb.bucket(id_)
        if found.moved_in_quarantine_at:
            raise ProviderError(f"bucket {id_} is in quarantine: take it out in the panel before it is adopted")
        change = self.session.timeweb.change_bucket
        return adopt(self.ours, None, want.mark, found, lambda: change(id_, {"description": want.mark}))

    def _preset(self, want: BucketInputs) -> int:
        presets = self.session.timeweb.storage_presets()
        return storage_preset(
            presets, location=want.location, storage_class=want.storage_class, disk_gb=want.disk_gb
        ).id

    def _settled(self, bucket: Found, preset: int | None = None) -> Found:
        if not pending(bucket, preset=preset):
            return bucket
        return wait_until(
            partial(self.session.timeweb.bucket, str(bucket.id)),
            lambda seen: pending(seen, preset=preset),
            what=f"bucket {bucket.id}",
            pace=self.session.pace,
        )

    def _empty(self, bucket: Found) -> None:
        configuration = self.session.configuration
        signer = self.session.timeweb.signer()
        s3 = objects.open_s3(configuration.s3_endpoint, configuration.s3_region, signer)
        try:
            objects.empty(s3, bucket.real_name, self.session.patience)
        finally:
            s3.close()


def pending(bucket: Found, *, preset: int | None = None) -> str:
    """Why a bucket cannot be used yet, "" when it can. Raises FailedStateError for a state it does not leave."""
    if bucket.status == "no_paid":
        raise FailedStateError(f"bucket {bucket.real_name} is in state 'no_paid': pay the account, then run again")
    if bucket.status != "created":
        return f"its state is '{bucket.status}'"
    return f"it still has preset {bucket.preset_id}" if preset not in {None, bucket.preset_id} else ""


def observed(want: BucketInputs, bucket: Found) -> BucketInputs:
    """The inputs that would describe the bucket as it is."""
    found = {
        "disk_gb": bucket.disk_stats.size_gb if bucket.disk_stats else None,
        "storage_class": bucket.storage_class or None,
        "location": bucket.location or None,
        "visibility": bucket.type or None,
    }
    known = {name: value for name, value in found.items() if value is not None}
    # The vendor puts a random prefix before the name that was asked for, in a field of its own or in the name itself.
    name = want.name if bucket.name.endswith(f"-{want.name}") else bucket.name
    return want.model_copy(update={"name": name, "mark": bucket.description, **known})


def outputs(want: BucketInputs, bucket: Found) -> Props:
    """Every input as found; `bucket` and `hostname` are how S3 knows it (G4), `status` tells of a quarantine."""
    return observed(want, bucket).props() | {
        "bucket": bucket.real_name,
        "hostname": bucket.hostname,
        "preset_id": bucket.preset_id,
        "status": "quarantine" if bucket.moved_in_quarantine_at else bucket.status,
    }


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """Arguments of Bucket. `adopt` is the id of a bucket to take over instead of making one."""

    name: pulumi.Input[str]
    disk_gb: pulumi.Input[int]
    location: pulumi.Input[str]
    mark: pulumi.Input[str]
    storage_class: pulumi.Input[str] = "hot"
    visibility: pulumi.Input[str] = "private"
    empty_on_delete: pulumi.Input[bool] = False
    adopt: pulumi.Input[str] | None = None


class Bucket(Resource, module="timeweb", name="Bucket"):
    """A bucket at Timeweb; `id` is the vendor's, `bucket` the real name."""

    bucket: pulumi.Output[str]
    hostname: pulumi.Output[str]
    location: pulumi.Output[str]
    preset_id: pulumi.Output[int]
    status: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(BucketProvider(), name, declared(args, "bucket", "hostname", "preset_id", "status"), opts)
