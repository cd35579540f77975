"""Buckets against the simulated account, with a real object store behind it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from dynamic_providers.errors import (
    AmbiguousMarkError,
    ConfirmationNeededError,
    FailedStateError,
    PresetError,
    ProviderError,
    StatefulChangeError,
)
from dynamic_providers.timeweb.bucket import BucketProvider, pending
from dynamic_providers.timeweb.models import Bucket
from dynamic_providers.timeweb.objects import open_s3
from tests.dynamic_providers.timeweb.conftest import Account, Between, connect, drift

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

BUCKETS = "/api/v1/storages/buckets"
MARK = "tenantry:prod:acme-bucket-1"
WANTED: dict[str, Any] = {
    "name": "customer-acme",
    "disk_gb": 10.0,
    "storage_class": "hot",
    "location": "ru-1",
    "visibility": "private",
    "mark": MARK,
    "empty_on_delete": False,
}


@pytest.fixture
def provider(account: Account) -> BucketProvider:
    return account.provider(BucketProvider)


def made(provider: BucketProvider, wanted: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    result = provider.create(wanted or WANTED)
    assert result.outs is not None
    return result.id, result.outs


def open_store(account: Account) -> "S3Client":
    settings = account.session.configuration
    return open_s3(settings.s3_endpoint, settings.s3_region, account.session.timeweb.signer())


def fill(account: Account, bucket: str) -> None:
    """Versions, a delete marker and an unfinished upload: all that keeps a bucket from being empty."""
    s3 = open_store(account)
    try:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for body in (b"one", b"two"):
            s3.put_object(Bucket=bucket, Key="report", Body=body)
        s3.put_object(Bucket=bucket, Key="kept", Body=b"x")
        s3.delete_object(Bucket=bucket, Key="report")
        s3.create_multipart_upload(Bucket=bucket, Key="never-finished")
    finally:
        s3.close()


def test_a_create_is_a_listing_the_presets_and_one_post(account: Account, provider: BucketProvider) -> None:
    """A10, A22, G4: the real name and the host are read back."""
    id_, outs = made(provider)
    assert account.mutations() == [f"POST {BUCKETS}"]
    assert account.bodies("POST") == [
        {"name": "customer-acme", "type": "private", "preset_id": outs["preset_id"], "description": MARK}
    ]
    assert outs["bucket"].endswith("-customer-acme")
    assert outs["hostname"]
    assert outs["name"] == "customer-acme"
    assert "secret_key" not in outs
    assert provider.diff(id_, outs, WANTED).changes is False
    assert drift(provider, id_, WANTED, outs) == set()


@pytest.mark.parametrize("fault", ["response-lost", "error-after-work"])
def test_a_create_whose_answer_is_lost_leaves_one_bucket_and_one_post(
    account: Account, provider: BucketProvider, fault: str
) -> None:
    """G43, F37."""
    account.running.strike(fault, method="POST", path=f"^{BUCKETS}$")
    made(provider)
    assert account.mutations() == [f"POST {BUCKETS}"]
    assert len(account.session.timeweb.buckets()) == 1


def test_a_second_create_finds_ours_and_sends_no_post(account: Account, provider: BucketProvider) -> None:
    id_, _ = made(provider)
    assert made(account.provider(BucketProvider))[0] == id_
    assert len(account.mutations()) == 1


@pytest.mark.parametrize(
    ("change", "field", "sent"),
    [
        ({"description": ""}, "mark", {"description"}),
        ({"type": "public"}, "visibility", {"bucket_type"}),
        ({"preset_id": 383, "disk": 20 * 1024}, "disk_gb", {"preset_id"}),
    ],
    ids=str,
)
def test_drift_is_mended_by_one_request(
    account: Account, provider: BucketProvider, change: dict[str, Any], field: str, sent: set[str]
) -> None:
    """H5, A23: a quota is its preset."""
    id_, outs = made(provider)
    account.edit("bucket", id_, **change)
    assert drift(provider, id_, WANTED, outs) == {field}
    account.running.log.clear()
    mended = provider.update(id_, provider.read(id_, outs).outs or {}, WANTED)
    assert account.mutations() == [f"PATCH {BUCKETS}/{id_}"]
    assert set(account.bodies("PATCH")[0]) == sent
    assert provider.diff(id_, mended.outs or {}, WANTED).changes is False


def test_a_bigger_quota_is_one_patch(account: Account, provider: BucketProvider) -> None:
    """A23."""
    id_, outs = made(provider)
    account.running.log.clear()
    grown = provider.update(id_, outs, WANTED | {"disk_gb": 50.0}).outs
    assert grown
    assert grown["disk_gb"] == 50
    assert len(account.mutations()) == 1


@pytest.mark.parametrize("field", ["name", "storage_class", "location"])
def test_a_stateful_change_is_refused_and_sends_nothing(account: Account, provider: BucketProvider, field: str) -> None:
    """H1."""
    id_, outs = made(provider)
    account.running.log.clear()
    news = WANTED | {field: "cold" if field == "storage_class" else "other"}
    assert provider.diff(id_, outs, news).replaces == []
    with pytest.raises(StatefulChangeError, match=field):
        provider.update(id_, outs, news)
    assert account.running.requests() == []


def test_an_empty_bucket_is_deleted_and_read_back(account: Account, provider: BucketProvider) -> None:
    """G16."""
    id_, outs = made(provider)
    provider.delete(id_, outs)
    assert account.session.timeweb.buckets() == ()
    assert provider.read(id_, outs).id is None
    provider.delete(id_, outs)


def test_a_bucket_with_objects_is_refused_in_one_sentence(account: Account, provider: BucketProvider) -> None:
    """A23, H6."""
    id_, outs = made(provider)
    fill(account, outs["bucket"])
    account.running.log.clear()
    with pytest.raises(ProviderError, match=rf"^bucket {outs['bucket']} holds \d+ objects: export it"):
        provider.delete(id_, outs)
    assert account.mutations() == []


def test_a_bucket_that_may_be_emptied_is_emptied_of_everything_and_deleted(
    account: Account, provider: BucketProvider
) -> None:
    """A23: versions, delete markers and unfinished uploads go as well. The switch is an update that sends nothing."""
    id_, outs = made(provider)
    fill(account, outs["bucket"])
    told = WANTED | {"empty_on_delete": True}
    assert provider.diff(id_, outs, told).changes is True
    account.running.log.clear()
    noted = provider.update(id_, outs, told).outs
    assert noted
    assert account.mutations() == []
    provider.delete(id_, noted)
    assert account.session.timeweb.buckets() == ()


def test_a_delete_that_wants_a_confirmation_is_no_delete(account: Account, provider: BucketProvider) -> None:
    """G16."""
    id_, outs = made(provider)
    account.running.strike("delete-needs-confirmation")
    with pytest.raises(ConfirmationNeededError, match=f"bucket {id_}"):
        provider.delete(id_, outs)
    assert len(account.session.timeweb.buckets()) == 1


def test_a_bucket_in_quarantine_counts_as_deleted_and_as_nobodys(account: Account, provider: BucketProvider) -> None:
    """G16: somebody deleted it in the panel."""
    id_, outs = made(provider)
    account.edit("bucket", id_, quarantined_at=1.0)
    assert (provider.read(id_, outs).outs or {})["status"] == "quarantine"
    provider.delete(id_, outs)
    assert account.provider(BucketProvider).ours.find(None, MARK) is None


def test_an_object_that_comes_in_last_puts_the_bucket_into_quarantine(
    account: Account, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """G16: between the count and the delete; what is left is charged, and the log says so."""
    bucket: list[str] = []

    def upload_before_delete(request: httpx.Request) -> None:
        if request.method == "DELETE":
            fill(account, bucket[0])

    provider = BucketProvider()
    provider.connect(connect(account.running, tmp_path, Between(upload_before_delete)))
    id_, outs = made(provider)
    bucket.append(outs["bucket"])
    provider.delete(id_, outs)
    assert account.session.timeweb.bucket(id_).moved_in_quarantine_at
    assert [record.getMessage() for record in caplog.records if record.name.startswith("dynamic_providers")] == [
        f"bucket {outs['bucket']} is in quarantine, charged until the vendor drops it"
    ]


def test_a_quota_that_is_not_offered_lists_those_that_are(provider: BucketProvider) -> None:
    with pytest.raises(PresetError, match=r"hot storage preset in ru-1 with disk_gb 11: none matches; offered: id "):
        provider.create(WANTED | {"disk_gb": 11.0})


def test_adoption_takes_over_by_id(account: Account, provider: BucketProvider) -> None:
    """H5."""
    preset = account.session.timeweb.storage_presets()[2].id
    fields = {"name": "customer-acme", "type": "private", "preset_id": preset}
    found = account.session.timeweb.create_bucket(fields)
    account.running.log.clear()
    id_, outs = made(provider, WANTED | {"adopt": str(found.id)})
    assert id_ == str(found.id)
    assert account.bodies("PATCH") == [{"description": MARK}]
    assert len(account.mutations()) == 1
    assert provider.diff(id_, outs, WANTED).changes is False


def test_adoption_refuses_what_is_anothers_or_in_quarantine(account: Account, provider: BucketProvider) -> None:
    preset = account.session.timeweb.storage_presets()[2].id
    fields = {"name": "x", "type": "private", "preset_id": preset, "description": "tenantry:prod:other-bucket-1"}
    id_ = str(account.session.timeweb.create_bucket(fields).id)
    with pytest.raises(AmbiguousMarkError):
        provider.create(WANTED | {"adopt": id_})
    account.edit("bucket", id_, quarantined_at=1.0, description="")
    with pytest.raises(ProviderError, match="in quarantine"):
        provider.create(WANTED | {"adopt": id_})
    assert account.bodies("PATCH") == []


def test_a_bucket_that_waits_for_payment_is_no_endless_wait() -> None:
    bucket = Bucket(id=7, name="customer-acme", status="no_paid")
    with pytest.raises(FailedStateError, match="pay the account"):
        pending(bucket)
    assert pending(bucket.model_copy(update={"status": "transfer"})) == "its state is 'transfer'"
