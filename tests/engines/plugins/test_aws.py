"""The package `aws` of the embedded engine, through Pulumi's SDK, on a store that enforces keys and policies."""

import json
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from engines.engine import EngineError, Result
from sandbox.s3 import S3Server
from sandbox.simulators.timeweb.storage import Login
from tests.engines.laboratory import Laboratory, is_secret

# The SDK's own classes carry decorators that warn when its package is imported.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:(aws\.)?[\w/]+\.\w+ has been deprecated in favor of:DeprecationWarning"
)

ROOT = Login("root-of-the-store", "AKIAROOTOFTHESTORE00", "secret-of-the-root-of-the-store-000000000")
HEADER = """
    import json
    import pulumi_aws as aws

    url = pulumi.Config().require("url")
    store = aws.Provider(
        "store",
        endpoints=[aws.ProviderEndpointArgs(s3=url, iam=url, sts=url)],
        region="us-east-1",
        access_key=pulumi.Config().require_secret("accessKey"),
        secret_key=pulumi.Config().require_secret("secretKey"),
        s3_use_path_style=True,
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_region_validation=True,
        skip_requesting_account_id=True,
    )
    here = pulumi.ResourceOptions(provider=store)

    def marks(name):
        return {"tenantry-stack": "prod", "tenantry-name": name}
"""
TENANT = """
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": ["arn:aws:s3:::customer-acme/*"]},
    ]}
    bucket = aws.s3.Bucket(
        "acme-bucket-1", bucket="customer-acme", tags=marks("acme-bucket-1"), force_destroy=FORCE, opts=here
    )
    user = aws.iam.User("acme-user-1", name="prod-acme", tags=marks("acme-user-1"), force_destroy=True, opts=here)
    key = aws.iam.AccessKey("acme-key-1", user=user.name, opts=here)
    aws.iam.UserPolicy("acme-policy-1", name="tenant", user=user.name, policy=json.dumps(policy), opts=here)
    pulumi.export("key", {"id": key.id, "secret": key.secret, "bucket": bucket.bucket})
"""


@pytest.fixture
def store(s3: S3Server, tmp_path: Path) -> "Store":
    """An empty store and a project that talks to it."""
    s3.plain.set_signer(ROOT)
    return Store(s3, Laboratory(tmp_path, "embedded"))


class Store:
    """The project and the store behind it."""

    def __init__(self, server: S3Server, lab: Laboratory) -> None:
        self.server = server
        self.lab = lab
        lab.configure(
            stack_config={"playground:url": server.url},
            secrets={"playground:accessKey": ROOT.access_key, "playground:secretKey": ROOT.secret_key},
        )
        self.s3: Any = self.client("s3", ROOT.access_key, ROOT.secret_key)
        self.iam: Any = self.client("iam", ROOT.access_key, ROOT.secret_key)

    def client(self, service: Any, access_key: str, secret_key: str) -> Any:  # noqa: ANN401 - boto3's names
        """A client of the store."""
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name="us-east-1",
        )

    def program(self, text: str, *, force: bool = True) -> None:
        """Write a program that declares something in the store."""
        self.lab.program(HEADER + indent(dedent(text.replace("FORCE", str(force))), "    "))

    def up(self, text: str = TENANT, *, refresh: bool = False, force: bool = True) -> Result:
        """Run an update of a program."""
        self.program(text, force=force)
        return self.lab.up(refresh=refresh)


def done(result: Result) -> dict[str, str]:
    assert result.ok, result.failures
    return {change.name: change.operation for change in result.changes if change.type.startswith("aws:")}


def everything(operation: str) -> dict[str, str]:
    return dict.fromkeys(["acme-bucket-1", "acme-user-1", "acme-key-1", "acme-policy-1"], operation)


def test_a_tenant_gets_a_bucket_and_a_key_that_opens_nothing_else(store: Store) -> None:
    assert done(store.up()) == everything("create")
    key = store.lab.engine.outputs(show_secrets=True)["key"]
    tenant = store.client("s3", key["id"], key["secret"])
    tenant.put_object(Bucket="customer-acme", Key="a", Body=b"x")
    store.s3.create_bucket(Bucket="customer-other")
    with pytest.raises(ClientError, match="AccessDenied"):
        tenant.put_object(Bucket="customer-other", Key="a", Body=b"x")
    assert done(store.up()) == everything("same")


def test_a_preview_and_an_unchanged_run_send_nothing(store: Store) -> None:
    store.program(TENANT)
    assert done(store.lab.preview()) == everything("create")
    assert store.server.requests() == []
    done(store.up())
    sent = len(store.server.requests())
    done(store.up())
    assert len(store.server.requests()) == sent


def test_the_secret_of_a_key_is_a_secret_in_the_state(store: Store) -> None:
    done(store.up())
    entry = store.lab.resources()["acme-key-1"]
    assert is_secret(entry["outputs"]["secret"])
    text = json.dumps(store.lab.deployment())
    secret = store.lab.engine.outputs(show_secrets=True)["key"]["secret"]
    assert secret not in text
    assert ROOT.secret_key not in text
    assert is_secret(store.lab.resources()["store"]["inputs"]["secretKey"])


def test_a_lost_state_adopts_what_carries_our_tags(store: Store) -> None:
    done(store.up())
    store.s3.put_object(Bucket="customer-acme", Key="a", Body=b"x")
    for file in store.lab.state.glob("dev.*"):
        file.unlink()
    assert done(store.up()) == everything("create")
    assert store.s3.list_objects_v2(Bucket="customer-acme")["KeyCount"] == 1
    assert len(store.iam.list_users()["Users"]) == 2


@pytest.mark.parametrize(
    "tags", [[], [{"Key": "tenantry-stack", "Value": "prod"}, {"Key": "tenantry-name", "Value": "b"}]]
)
def test_a_bucket_that_is_not_ours_is_refused(store: Store, tags: list[Any]) -> None:
    store.s3.create_bucket(Bucket="customer-acme")
    if tags:
        store.s3.put_bucket_tagging(Bucket="customer-acme", Tagging={"TagSet": tags})
    result = store.up()
    message = next(failure.message for failure in result.failures if failure.name == "acme-bucket-1")
    assert message == "bucket 'customer-acme' exists and does not carry our tags: remove it, or take another name"
    assert "acme-bucket-1" not in store.lab.names()


def test_a_user_that_is_not_ours_is_refused(store: Store) -> None:
    store.iam.create_user(UserName="prod-acme")
    result = store.up()
    assert {failure.name for failure in result.failures} == {"acme-user-1", "acme-key-1", "acme-policy-1"}
    assert "does not carry our tags" in result.failures[0].message
    assert store.iam.list_access_keys(UserName="prod-acme")["AccessKeyMetadata"] == []


def test_the_same_policy_in_another_form_is_no_change(store: Store) -> None:
    done(store.up())
    assert (
        done(store.up(TENANT.replace("json.dumps(policy)", "json.dumps(policy, indent=2)")))["acme-policy-1"] == "same"
    )
    changed = done(store.up(TENANT.replace('"s3:PutObject", ', "")))
    assert changed["acme-policy-1"] == "update"
    document = store.iam.get_user_policy(UserName="prod-acme", PolicyName="tenant")["PolicyDocument"]
    assert document["Statement"][0]["Action"] == ["s3:GetObject"]


def test_a_user_is_not_renamed(store: Store) -> None:
    done(store.up())
    result = store.up(TENANT.replace('name="prod-acme"', 'name="prod-other"'))
    assert any("cannot be renamed" in failure.message for failure in result.failures)
    assert [user["UserName"] for user in store.iam.list_users()["Users"]].count("prod-acme") == 1


def test_a_key_is_switched_off_in_place(store: Store) -> None:
    done(store.up())
    changed = done(
        store.up(
            TENANT.replace(
                "user=user.name, opts=here)\n    aws", 'user=user.name, status="Inactive", opts=here)\n    aws', 1
            )
        )
    )
    assert changed["acme-key-1"] == "update"
    (key,) = store.iam.list_access_keys(UserName="prod-acme")["AccessKeyMetadata"]
    assert key["Status"] == "Inactive"


def test_tags_follow_the_program_and_drift_is_undone(store: Store) -> None:
    done(store.up())
    store.s3.put_bucket_tagging(Bucket="customer-acme", Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    store.iam.tag_user(UserName="prod-acme", Tags=[{"Key": "x", "Value": "y"}])
    changed = done(store.up(refresh=True))
    assert (changed["acme-bucket-1"], changed["acme-user-1"]) == ("update", "update")
    tags = store.s3.get_bucket_tagging(Bucket="customer-acme")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"tenantry-stack": "prod", "tenantry-name": "acme-bucket-1"}
    assert [tag["Key"] for tag in store.iam.list_user_tags(UserName="prod-acme")["Tags"]] != []
    assert done(store.up(refresh=True)) == everything("same")


def test_what_is_gone_is_made_again_by_a_refreshing_run(store: Store) -> None:
    done(store.up())
    store.s3.delete_bucket(Bucket="customer-acme")
    store.iam.delete_user_policy(UserName="prod-acme", PolicyName="tenant")
    changed = done(store.up(refresh=True))
    assert changed == {**everything("same"), "acme-bucket-1": "create", "acme-policy-1": "create"}


def test_a_bucket_with_contents_goes_only_with_force_destroy(store: Store) -> None:
    done(store.up(force=False))
    store.s3.put_object(Bucket="customer-acme", Key="a", Body=b"x")
    result = store.lab.engine.destroy()
    message = next(failure.message for failure in result.failures if failure.name == "acme-bucket-1")
    assert message == "bucket 'customer-acme' is not empty: empty it, or set force_destroy=True first"
    done(store.up(force=True))
    assert store.lab.engine.destroy().ok
    assert store.s3.list_buckets()["Buckets"] == []
    assert [user["UserName"] for user in store.iam.list_users()["Users"]] == [ROOT.name]


def test_a_destroy_after_everything_is_gone_succeeds(store: Store) -> None:
    done(store.up())
    store.server.plain.delete_user("prod-acme")
    store.s3.delete_bucket(Bucket="customer-acme")
    assert store.lab.engine.destroy().ok
    assert store.lab.names() == set()


@pytest.mark.parametrize(
    ("declaration", "sentence"),
    [
        ('aws.s3.Bucket("b", opts=here)', "property bucket has a problem: it must be given"),
        ('aws.s3.Bucket("b", bucket="b", acl="private", opts=here)', "does not know this argument"),
    ],
)
def test_an_argument_it_does_not_know_is_refused(store: Store, declaration: str, sentence: str) -> None:
    result = store.up(declaration)
    assert not result.ok
    assert sentence in result.failures[0].message
    assert store.server.requests() == []


def test_a_type_it_does_not_know_is_refused(store: Store) -> None:
    with pytest.raises(EngineError, match="does not implement the type 'aws:sqs/queue:Queue'"):
        store.up('aws.sqs.Queue("q", opts=here)')


def test_a_provider_without_endpoints_is_refused(store: Store) -> None:
    """Nobody reaches a real cloud by leaving an argument out."""
    store.lab.program('import pulumi_aws as aws\naws.Provider("store", region="eu-west-1")')
    result = store.lab.up()
    assert "property endpoints has a problem: it must be given explicitly" in result.failures[0].message
