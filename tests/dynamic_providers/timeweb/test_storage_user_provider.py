"""Scoped storage users: identity at the simulated account, grants at a store that enforces them."""

import json
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from dynamic_providers.errors import AmbiguousMarkError, DeadlineError, StatefulChangeError
from dynamic_providers.timeweb.bucket import BucketProvider
from dynamic_providers.timeweb.grants import POLICY
from dynamic_providers.timeweb.models import Signer, StorageUser
from dynamic_providers.timeweb.objects import open_s3
from dynamic_providers.timeweb.policies import document, statements
from dynamic_providers.timeweb.storage_user import StorageUserProvider
from sandbox.faults import fault
from sandbox.s3 import S3Server
from tests.dynamic_providers.timeweb.conftest import Account, Between, drift
from tests.dynamic_providers.timeweb.test_bucket_provider import WANTED as BUCKET

USERS = "/api/v2/storages/users"
SIGNER = "/api/v1/storages/users"


@pytest.fixture
def bucket(account: Account) -> str:
    outs = account.provider(BucketProvider).create(BUCKET).outs
    assert outs
    account.running.log.clear()
    return str(outs["bucket"])


@pytest.fixture
def wanted(bucket: str) -> dict[str, Any]:
    return {"name": "tenantry-acme", "bucket": bucket, "blocked": False}


@pytest.fixture
def provider(account: Account) -> StorageUserProvider:
    return account.provider(StorageUserProvider)


def may_write(account: Account, outs: dict[str, Any], bucket: str) -> bool:
    settings = account.session.configuration
    keys = Signer(access_key=outs["access_key"], secret_key=outs["secret_key"])
    s3 = open_s3(settings.s3_endpoint, settings.s3_region, keys)
    try:
        s3.put_object(Bucket=bucket, Key="probe", Body=b"x")
        return s3.get_object(Bucket=bucket, Key="probe")["Body"].read() == b"x"
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"  # noqa: PT017  anything else is a broken test
        return False
    finally:
        s3.close()


def put_stray(account: Account, policy: dict[str, Any]) -> None:
    """A second policy, which our own client never puts."""
    signer = account.session.timeweb.signer()
    iam = boto3.client(
        "iam",
        endpoint_url=account.session.configuration.iam_url,
        region_name="ru-1",
        aws_access_key_id=signer.access_key,
        aws_secret_access_key=signer.secret_key,
    )
    iam.put_user_policy(UserName="tenantry-acme", PolicyName="stray", PolicyDocument=json.dumps(policy))
    iam.close()


def actions(s3: S3Server) -> list[str]:
    return [entry.action for entry in s3.requests() if entry.action]


def test_a_create_makes_the_identity_then_puts_and_reads_back_one_policy(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any], s3: S3Server
) -> None:
    """G5, A37: the keys reach the own bucket and no other."""
    made = provider.create(wanted)
    assert made.outs
    assert account.mutations() == [f"POST {USERS}"]
    assert actions(s3) == ["PutUserPolicy", "ListUserPolicies", "GetUserPolicy"]
    assert made.id == made.outs["user_id"]
    assert may_write(account, made.outs, wanted["bucket"])
    other = account.provider(BucketProvider).create(BUCKET | {"name": "other", "mark": "tenantry:prod:o-bucket-1"})
    assert not may_write(account, made.outs, (other.outs or {})["bucket"])
    assert provider.diff(made.id, made.outs, wanted).changes is False
    assert drift(provider, made.id, wanted, made.outs) == set()


def test_a_refresh_keeps_the_secret_that_only_the_create_told(
    provider: StorageUserProvider, wanted: dict[str, Any]
) -> None:
    made = provider.create(wanted)
    assert (provider.read(made.id, made.outs or {}).outs) == made.outs


def test_suspension_takes_the_grants_and_reactivation_gives_them_back(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any], s3: S3Server
) -> None:
    """G46, H2: proved by read-back, with one put each."""
    made = provider.create(wanted)
    blocked = wanted | {"blocked": True}
    before = len(s3.requests("PutUserPolicy"))
    suspended = provider.update(made.id, made.outs or {}, blocked).outs
    assert suspended
    assert len(s3.requests("PutUserPolicy")) == before + 1
    assert suspended["secret_key"] == (made.outs or {})["secret_key"]
    assert not may_write(account, suspended, wanted["bucket"])
    assert drift(provider, made.id, blocked, suspended) == set()
    back = provider.update(made.id, suspended, wanted).outs
    assert back
    assert may_write(account, back, wanted["bucket"])


def test_a_foreign_policy_shows_as_drift_and_is_removed(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any]
) -> None:
    """G46: whoever is suspended must not keep access by a second policy."""
    blocked = wanted | {"blocked": True}
    made = provider.create(blocked)
    put_stray(account, document(wanted["bucket"], blocked=False))
    assert drift(provider, made.id, blocked, made.outs or {}) == {"blocked"}
    mended = provider.update(made.id, provider.read(made.id, made.outs or {}).outs or {}, blocked).outs
    assert mended
    assert set(account.session.grants().policies("tenantry-acme")) == {POLICY}
    assert not may_write(account, mended, wanted["bucket"])


@pytest.mark.parametrize("blocked", [False, True])
def test_a_policy_that_is_gone_or_changed_shows_and_comes_back(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any], *, blocked: bool
) -> None:
    """H5."""
    wanted |= {"blocked": blocked}
    made = provider.create(wanted)
    grants = account.session.grants()
    grants.delete("tenantry-acme", POLICY)
    assert "bucket" in drift(provider, made.id, wanted, made.outs or {})
    grants.put("tenantry-acme", document("another-bucket", blocked=False))
    recorded = provider.read(made.id, made.outs or {}).outs or {}
    assert "bucket" in provider.changed_fields(recorded, wanted)
    mended = provider.update(made.id, recorded, wanted).outs or {}
    assert provider.diff(made.id, mended, wanted).changes is False
    wanted_now = statements(document(wanted["bucket"], blocked=blocked))
    assert grants.policies("tenantry-acme") == {POLICY: wanted_now}


def test_one_found_without_its_secret_is_made_anew(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any]
) -> None:
    """G5: the answer that told the secret was lost, or the state was."""
    first = provider.create(wanted)
    account.running.log.clear()
    second = account.provider(StorageUserProvider).create(wanted)
    assert second.id != first.id
    assert account.mutations() == [f"DELETE {USERS}/{first.id}", f"POST {USERS}"]
    assert [user.name for user in account.session.timeweb.storage_users()] == ["tenantry-acme"]
    assert may_write(account, second.outs or {}, wanted["bucket"])


def test_a_create_whose_answer_is_lost_ends_with_one_user_and_a_known_secret(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any]
) -> None:
    """G43."""
    account.running.strike("response-lost", method="POST", path=f"^{USERS}$")
    made = provider.create(wanted)
    assert len(account.session.timeweb.storage_users()) == 1
    assert (made.outs or {})["secret_key"]
    assert [entry.split()[0] for entry in account.mutations()] == ["POST", "DELETE", "POST"]


def test_the_signers_keys_are_read_for_each_use(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any]
) -> None:
    """G5: they are the panel's as well, and may be rotated between two uses."""
    made = provider.create(wanted)
    uses = len(account.requests("GET", SIGNER))
    provider.update(made.id, made.outs or {}, wanted | {"blocked": True})
    provider.read(made.id, made.outs or {})
    assert (uses, len(account.requests("GET", SIGNER))) == (1, 3)
    signer = account.session.timeweb.signer()
    assert signer.secret_key not in repr(signer)
    assert signer.secret_key not in str(made.outs)


@pytest.mark.parametrize("incident", ["unavailable", "rate-limited", "response-lost", "error-after-work"])
def test_a_put_is_repeated_until_it_reads_back(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any], s3: S3Server, incident: str
) -> None:
    """A6: a put names its policy in full, so twice is once."""
    s3.faults.add(fault(incident, path="PutUserPolicy"))
    made = provider.create(wanted)
    assert len(s3.requests("PutUserPolicy")) == 2
    assert may_write(account, made.outs or {}, wanted["bucket"])


def test_a_suspension_that_does_not_read_back_is_an_error(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any]
) -> None:
    """G46: the put was answered, and nothing came of it."""
    made = provider.create(wanted)

    def swallow_put(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, text="<ok/>") if b"PutUserPolicy" in request.content else None

    deaf = account.hasty(StorageUserProvider, Between(swallow_put))
    with pytest.raises(DeadlineError, match="it reads back differently"):
        deaf.update(made.id, made.outs or {}, wanted | {"blocked": True})


def test_the_name_is_the_mark_and_does_not_change(provider: StorageUserProvider, wanted: dict[str, Any]) -> None:
    made = provider.create(wanted)
    with pytest.raises(StatefulChangeError, match="name"):
        provider.update(made.id, made.outs or {}, wanted | {"name": "other"})


def test_two_users_of_one_name_are_refused(provider: StorageUserProvider) -> None:
    for number in range(2):
        provider.ours.add(None, StorageUser(id=f"u-{number}", name="tenantry-acme", secret_key="s"))
    with pytest.raises(AmbiguousMarkError) as caught:
        provider.ours.find(None, "tenantry-acme")
    assert "secret" not in str(caught.value)


def test_a_delete_takes_the_policy_along_and_reads_back(
    account: Account, provider: StorageUserProvider, wanted: dict[str, Any]
) -> None:
    """G16."""
    made = provider.create(wanted)
    account.running.log.clear()
    provider.delete(made.id, made.outs or {})
    assert [(entry.method, entry.status) for entry in account.running.requests()] == [("DELETE", 204), ("GET", 404)]
    assert not account.session.timeweb.storage_users()
    assert provider.read(made.id, made.outs or {}).id is None
    provider.delete(made.id, made.outs or {})
