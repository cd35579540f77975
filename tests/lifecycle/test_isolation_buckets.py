"""The probes in buckets, on a store that enforces keys and policies."""

import json
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from components.outputs import StorageOutput
from lifecycle.certificate import Certificate
from lifecycle.isolation import certify
from lifecycle.isolation_buckets import outcome_of
from sandbox.s3 import REGION, S3Server
from sandbox.simulators.timeweb.storage import Login
from tests.lifecycle.isolated import tenant

STEPS = {"S3: list the bucket", "S3: write an object", "S3: read an object", "S3: delete an object"}


@pytest.fixture
def buckets(s3: S3Server) -> S3Server:
    """Two buckets, each with a user who may do everything in it and nothing elsewhere."""
    for name in ("acme", "beta"):
        bucket = f"customer-{name}"
        s3.timeweb.create_bucket(bucket)
        s3.timeweb.set_signer(login(name))
        give(s3, name, bucket)
    return s3


def login(name: str) -> Login:
    return Login(f"prod-{name}", name.upper().ljust(20, "A"), f"{name}-secret")


def give(s3: S3Server, name: str, bucket: str) -> None:
    """Make this bucket all that a user has."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": resources}]}
    s3.timeweb._iam.put_user_policy(f"prod-{name}", "everything", json.dumps(policy))  # noqa: SLF001 - the store's table


def storage(s3: S3Server, name: str, **changes: object) -> StorageOutput:
    keys = login(name)
    found = StorageOutput(
        plan="timeweb-s3",
        provider="timeweb",
        region=REGION,
        bucket=f"customer-{name}",
        bucket_id="1",
        endpoint=s3.url,
        s3_endpoint=f"{s3.url}/customer-{name}",
        user=keys.name,
        disk_gb=100,
        monthly_cost=None,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
    )
    return found.model_copy(update=changes)


def prove(s3: S3Server, **changed: StorageOutput) -> Certificate:
    names = ("acme", "beta")
    return certify({name: tenant(None, storage=changed.get(name) or storage(s3, name)) for name in names})


def test_a_tenant_works_in_its_own_bucket_and_is_refused_in_its_neighbour_s(buckets: S3Server) -> None:
    """A24, A37, G5: list, write, read and delete, each with its control."""
    certificate = prove(buckets)
    assert certificate.holds
    assert {(probe.by, probe.against) for probe in certificate.attempts} == {("acme", "beta"), ("beta", "acme")}
    assert {probe.what for probe in certificate.attempts} == STEPS
    assert (len(certificate.controls), len(certificate.attempts)) == (8, 8)
    assert [buckets.timeweb.usage(f"customer-{name}").objects for name in ("acme", "beta")] == [0, 0]


def test_a_user_whose_grants_reach_too_far_is_found_out(buckets: S3Server) -> None:
    give(buckets, "beta", "customer-*")
    certificate = prove(buckets)
    assert {(probe.by, probe.against) for probe in certificate.successes} == {("beta", "acme")}
    assert {probe.what for probe in certificate.successes} == STEPS
    assert buckets.timeweb.usage("customer-acme").objects == 0


def test_a_user_who_may_only_read_is_found_out(buckets: S3Server) -> None:
    """There is something to read: without it a reader would be told that nothing is there."""
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::customer-acme/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [reading]})
    buckets.timeweb._iam.put_user_policy("prod-beta", "reads", document)  # noqa: SLF001 - the store's table
    assert {probe.what for probe in prove(buckets).successes} == {"S3: read an object"}


def test_a_bucket_whose_owner_is_refused_proves_nothing(buckets: S3Server) -> None:
    """Keys that the store does not know are refused, to others and at home."""
    certificate = prove(buckets, beta=storage(buckets, "beta", access_key="A" * 20))
    assert not certificate.holds
    assert {probe.by for probe in certificate.broken_controls} == {"beta"}
    assert {(probe.by, probe.against) for probe in certificate.uncontrolled} == {("acme", "beta")}
    assert {(probe.by, probe.against) for probe in certificate.attempts} == {("beta", "acme")}


def s3_error(code: str) -> Callable[[], object]:
    def step() -> object:
        raise ClientError({"Error": {"Code": code}}, "GetObject")

    return step


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("AccessDenied", "refused"),
        ("InvalidAccessKeyId", "refused"),
        ("403", "refused"),
        ("NoSuchBucket", "fault: NoSuchBucket"),
        ("NoSuchKey", "fault: NoSuchKey"),
        ("SlowDown", "fault: SlowDown"),
        ("InternalError", "fault: InternalError"),
    ],
)
def test_only_a_refusal_of_the_store_is_a_refusal(code: str, outcome: str) -> None:
    """A bucket that is not there refuses nobody."""
    assert outcome_of(s3_error(code)) == outcome


def test_a_store_that_does_not_answer_refuses_nobody() -> None:
    def step() -> object:
        raise ConnectTimeoutError(endpoint_url="http://s3.invalid")

    assert outcome_of(step) == "fault: ConnectTimeoutError"
