"""The policy of a tenant's user in an S3-compatible store: its own bucket, or nothing."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from components.s3_storage import policy_document

BUCKET = "arn:aws:s3:::customer-acme"


def allowed(policy: str, action: str, resource: str) -> bool:
    """IAM's own rule: a deny wins, and what nobody allows is refused."""
    statements: list[dict[str, Any]] = json.loads(policy)["Statement"]
    effects = {
        statement["Effect"]
        for statement in statements
        if any(fnmatchcase(action, pattern) for pattern in statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
    }
    return effects == {"Allow"}


OWN = [
    ("s3:GetObject", f"{BUCKET}/a/file"),
    ("s3:PutObject", f"{BUCKET}/a/file"),
    ("s3:DeleteObject", f"{BUCKET}/a/file"),
    ("s3:AbortMultipartUpload", f"{BUCKET}/a/file"),
    ("s3:ListBucket", BUCKET),
    ("s3:ListBucketMultipartUploads", BUCKET),
    ("s3:GetBucketLocation", BUCKET),
]
FOREIGN = [
    ("s3:GetObject", "arn:aws:s3:::customer-beta/a/file"),
    ("s3:GetObject", "arn:aws:s3:::customer-acme-2/a/file"),
    ("s3:ListBucket", "arn:aws:s3:::customer-beta"),
    ("s3:ListBucket", "arn:aws:s3:::customer-acme-2"),
    ("s3:ListAllMyBuckets", "*"),
    ("s3:CreateBucket", "arn:aws:s3:::another"),
    ("iam:CreateAccessKey", "arn:aws:iam::1:user/prod-acme"),
    ("sts:AssumeRole", "*"),
]
# What would open the bucket to others, or take it away with what it holds.
OWNER_S = [
    ("s3:DeleteBucket", BUCKET),
    ("s3:PutBucketPolicy", BUCKET),
    ("s3:PutBucketAcl", BUCKET),
    ("s3:PutLifecycleConfiguration", BUCKET),
    ("s3:PutBucketVersioning", BUCKET),
]


@pytest.mark.parametrize(("action", "resource"), OWN)
def test_a_tenant_may_work_in_its_own_bucket(action: str, resource: str) -> None:
    assert allowed(policy_document("customer-acme", blocked=False), action, resource)


@pytest.mark.parametrize(("action", "resource"), FOREIGN + OWNER_S)
def test_a_tenant_may_do_nothing_outside_its_bucket_and_nothing_to_the_bucket_itself(
    action: str, resource: str
) -> None:
    """A37, G5: a bucket whose name only begins like the tenant's is another's."""
    assert not allowed(policy_document("customer-acme", blocked=False), action, resource)


@pytest.mark.parametrize(("action", "resource"), OWN + FOREIGN + OWNER_S)
def test_a_blocked_tenant_may_do_nothing_at_all(action: str, resource: str) -> None:
    """G46: deny wins over whatever else the user is given."""
    policy = policy_document("customer-acme", blocked=True)
    assert not allowed(policy, action, resource)
    assert [statement["Effect"] for statement in json.loads(policy)["Statement"]] == ["Deny"]
