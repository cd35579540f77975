"""The store enforces keys and policies, logs who did what, and gets its users back after a restart."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError
from mypy_boto3_iam import IAMClient
from mypy_boto3_s3 import S3Client

from sandbox.s3 import REGION, S3Server
from sandbox.simulators.servers import NoServers
from sandbox.simulators.timeweb.serve import RunningTimeweb, serve
from sandbox.simulators.timeweb.storage import Login

POLICY = "iam-user-policy"
LIST_BUCKETS = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": ["*"]}
CONFIG = Config(
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    retries={"max_attempts": 0},
)
ROOT = Login("root", "R" * 20, "root-secret")
ACME = Login("tenantry-acme", "A" * 20, "acme-secret")


def grants(bucket: str) -> str:
    own = [
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": [f"arn:aws:s3:::{bucket}/*"]},
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": [f"arn:aws:s3:::{bucket}"]},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": [LIST_BUCKETS, *own]})


SUSPENDED = json.dumps({"Version": "2012-10-17", "Statement": [LIST_BUCKETS]})


def s3_client(server: S3Server, login: Login) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=login.access_key,
        aws_secret_access_key=login.secret_key,
        config=CONFIG,
    )


def iam_client(server: S3Server, login: Login) -> IAMClient:
    return boto3.client(
        "iam",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=login.access_key,
        aws_secret_access_key=login.secret_key,
        config=CONFIG,
    )


def put(client: S3Client, bucket: str) -> str:
    try:
        client.put_object(Bucket=bucket, Key="a/file", Body=b"content")
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


@pytest.fixture
def store(s3: S3Server) -> S3Server:
    s3.timeweb.set_signer(ROOT)
    for bucket in ("one-acme", "two-bravo"):
        s3.timeweb.create_bucket(bucket)
    s3.timeweb.create_user(ACME)
    return s3


@pytest.fixture
def root(store: S3Server) -> Iterator[IAMClient]:
    client = iam_client(store, ROOT)
    yield client
    client.close()


def test_a_user_reaches_its_own_bucket_and_no_other(store: S3Server, root: IAMClient) -> None:
    """A24, A37, G5."""
    acme = s3_client(store, ACME)
    assert put(acme, "one-acme") == "AccessDenied"
    root.put_user_policy(UserName=ACME.name, PolicyName=POLICY, PolicyDocument=grants("one-acme"))
    assert put(acme, "one-acme") == "ok"
    assert acme.get_object(Bucket="one-acme", Key="a/file")["Body"].read() == b"content"
    assert [each["Key"] for each in acme.list_objects_v2(Bucket="one-acme")["Contents"]] == ["a/file"]
    assert put(acme, "two-bravo") == "AccessDenied"
    with pytest.raises(ClientError, match="AccessDenied"):
        acme.list_objects_v2(Bucket="two-bravo")
    with pytest.raises(ClientError, match="AccessDenied"):
        acme.delete_bucket(Bucket="one-acme")


def test_a_suspended_user_is_refused_everywhere(store: S3Server, root: IAMClient) -> None:
    """G46: the policy is replaced and can be read back."""
    acme = s3_client(store, ACME)
    root.put_user_policy(UserName=ACME.name, PolicyName=POLICY, PolicyDocument=grants("one-acme"))
    assert put(acme, "one-acme") == "ok"
    root.put_user_policy(UserName=ACME.name, PolicyName=POLICY, PolicyDocument=SUSPENDED)
    assert put(acme, "one-acme") == "AccessDenied"
    found = root.get_user_policy(UserName=ACME.name, PolicyName=POLICY)["PolicyDocument"]
    assert found == json.loads(SUSPENDED)


def test_a_user_without_grants_is_told_apart_from_a_failure(root: IAMClient) -> None:
    """G17: absent is `NoSuchEntity`."""
    with pytest.raises(ClientError, match="NoSuchEntity"):
        root.get_user_policy(UserName=ACME.name, PolicyName=POLICY)
    assert root.list_user_policies(UserName=ACME.name)["PolicyNames"] == []


def test_wrong_secrets_unknown_keys_and_no_signature_are_refused(store: S3Server) -> None:
    assert put(s3_client(store, Login("x", ACME.access_key, "wrong")), "one-acme") == "SignatureDoesNotMatch"
    assert put(s3_client(store, Login("x", "N" * 20, "wrong")), "one-acme") == "InvalidAccessKeyId"
    assert httpx.get(f"{store.url}/one-acme/a/file").status_code == 403


def test_the_two_accounts_have_users_of_their_own(store: S3Server) -> None:
    """The plain S3-compatible store makes its users by the API itself."""
    plain = Login("root", "P" * 20, "plain-secret")
    store.plain.set_signer(plain)
    iam = iam_client(store, plain)
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["root"]
    iam.create_user(UserName="bravo")
    key = iam.create_access_key(UserName="bravo")["AccessKey"]
    s3_client(store, plain).create_bucket(
        Bucket="plain-bravo",
        CreateBucketConfiguration={"LocationConstraint": REGION},  # type: ignore[typeddict-item] # not one of AWS's own
    )
    bravo = s3_client(store, Login("bravo", key["AccessKeyId"], key["SecretAccessKey"]))
    assert put(bravo, "plain-bravo") == "AccessDenied"
    iam.put_user_policy(UserName="bravo", PolicyName="own", PolicyDocument=grants("plain-bravo"))
    assert put(bravo, "plain-bravo") == "ok"
    assert [bucket["Name"] for bucket in s3_client(store, ROOT).list_buckets()["Buckets"]] == ["one-acme", "two-bravo"]


def test_the_log_tells_who_asked_for_what(store: S3Server, root: IAMClient) -> None:
    root.list_user_policies(UserName=ACME.name)
    put(s3_client(store, ACME), "two-bravo")
    seen = [(each.method, each.path, each.action, each.user, each.status) for each in store.requests()]
    assert seen == [
        ("POST", "/", "ListUserPolicies", "root", 200),
        ("PUT", "/two-bravo/a/file", None, "tenantry-acme", 403),
    ]
    assert [each["n"] for each in httpx.get(f"{store.url}/_sandbox/requests").json()] == [1, 2]


def test_faults_strike_single_actions(store: S3Server, root: IAMClient) -> None:
    order = {"name": "unavailable", "path": "Action=PutUserPolicy"}
    assert httpx.post(f"{store.url}/_sandbox/faults", json=order).status_code == 201
    root.list_user_policies(UserName=ACME.name)
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        root.put_user_policy(UserName=ACME.name, PolicyName=POLICY, PolicyDocument=SUSPENDED)
    assert root.list_user_policies(UserName=ACME.name)["PolicyNames"] == []
    assert [(each.action, each.fault) for each in store.requests("PutUserPolicy")] == [("PutUserPolicy", "unavailable")]


def test_a_lost_response_leaves_the_grant(store: S3Server, root: IAMClient) -> None:
    httpx.post(f"{store.url}/_sandbox/faults", json={"name": "response-lost", "path": "Action=PutUserPolicy"})
    with pytest.raises((EndpointConnectionError, HTTPClientError)):
        root.put_user_policy(UserName=ACME.name, PolicyName=POLICY, PolicyDocument=SUSPENDED)
    assert root.list_user_policies(UserName=ACME.name)["PolicyNames"] == [POLICY]
    assert store.requests("PutUserPolicy")[0].status is None


def test_a_bucket_reports_what_it_holds_and_goes_to_quarantine_with_it(timeweb: RunningTimeweb, s3: S3Server) -> None:
    """A23, G16."""
    account = timeweb.state.account
    with httpx.Client(base_url=timeweb.url, headers={"Authorization": f"Bearer {timeweb.token}"}) as api:
        body = {"name": "customer-acme", "type": "private", "preset_id": 380}
        bucket = api.post("/api/v1/storages/buckets", json=body).json()["bucket"]
        client = s3_client(s3, Login("account", account.access_key, account.secret_key))
        client.put_object(Bucket=bucket["full_name"], Key="k", Body=b"x" * 2048)
        path = f"/api/v1/storages/buckets/{bucket['id']}"
        found = api.get(path).json()["bucket"]
        assert (found["object_amount"], found["disk_stats"]["used"]) == (1, 2.0)
        assert api.delete(path).json() == {"bucket_delete": {"is_moved_in_quarantine": True}}
        assert api.get(path).json()["bucket"]["moved_in_quarantine_at"]
        client.delete_object(Bucket=bucket["full_name"], Key="k")
        assert api.delete(path).json() == {"bucket_delete": {"is_moved_in_quarantine": False}}
        assert api.get(path).status_code == 404
        assert client.list_buckets()["Buckets"] == []


def test_a_restart_brings_back_buckets_and_keys_but_no_objects_and_no_grants(tmp_path: Path, s3: S3Server) -> None:
    first = serve(tmp_path, token="t", servers=NoServers(), storage=s3.timeweb)
    headers = {"Authorization": "Bearer t"}
    body = {"name": "customer-acme", "type": "private", "preset_id": 380}
    bucket = httpx.post(f"{first.url}/api/v1/storages/buckets", json=body, headers=headers).json()["bucket"]
    made = httpx.post(f"{first.url}/api/v2/storages/users", json={"name": "acme"}, headers=headers).json()["iam_user"]
    user = Login("acme", made["access_key"], made["secret_key"])
    account = first.state.account
    signer = Login("account", account.access_key, account.secret_key)
    iam_client(s3, signer).put_user_policy(
        UserName="acme", PolicyName=POLICY, PolicyDocument=grants(bucket["full_name"])
    )
    assert put(s3_client(s3, user), bucket["full_name"]) == "ok"
    first.stop()
    s3.reset()
    second = serve(tmp_path, token="t", servers=NoServers(), storage=s3.timeweb)
    assert put(s3_client(s3, user), bucket["full_name"]) == "AccessDenied"
    assert s3_client(s3, signer).list_objects_v2(Bucket=bucket["full_name"])["KeyCount"] == 0
    second.stop()


def test_a_removed_user_is_gone_with_its_key_and_policy(timeweb: RunningTimeweb, s3: S3Server) -> None:
    """G5."""
    headers = {"Authorization": f"Bearer {timeweb.token}"}
    url = f"{timeweb.url}/api/v2/storages/users"
    made = httpx.post(url, json={"name": "acme"}, headers=headers).json()["iam_user"]
    account = timeweb.state.account
    signer = iam_client(s3, Login("account", account.access_key, account.secret_key))
    signer.put_user_policy(UserName="acme", PolicyName=POLICY, PolicyDocument=grants("any"))
    assert httpx.delete(f"{url}/{made['id']}", headers=headers).status_code == 204
    assert put(s3_client(s3, Login("acme", made["access_key"], made["secret_key"])), "any") == "InvalidAccessKeyId"
    httpx.post(url, json={"name": "acme"}, headers=headers).raise_for_status()
    assert signer.list_user_policies(UserName="acme")["PolicyNames"] == []
