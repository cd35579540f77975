"""Policy documents of scoped storage users: what they grant, compared as sets (pure)."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

LIST_BUCKET_NAMES: Mapping[str, Any] = {
    "Sid": "IamListAllMyBuckets",
    "Effect": "Allow",
    "Action": "s3:ListAllMyBuckets",
    "Resource": ["*"],
}


class Statement(NamedTuple):
    """One statement without its Sid; `rest` is whatever else it holds (a condition), as canonical JSON."""

    effect: str
    actions: frozenset[str]
    resources: frozenset[str]
    rest: str = "{}"


def document(bucket: str, *, blocked: bool) -> dict[str, Any]:
    """Read and write on one bucket (real name); blocked, nothing but the names of the buckets."""
    statements = [
        LIST_BUCKET_NAMES,
        {
            "Sid": "AllowFullAccessToObjects",
            "Effect": "Allow",
            "Action": ["s3:*"],
            "Resource": [f"arn:aws:s3:::{bucket}/*"],
        },
        {
            "Sid": "AllowReadBucketMetadata",
            "Effect": "Allow",
            "Action": ["s3:Get*", "s3:List*"],
            "Resource": [f"arn:aws:s3:::{bucket}"],
        },
    ]
    return {"Version": "2012-10-17", "Statement": statements[:1] if blocked else statements}


def statements(policy: Mapping[str, Any]) -> frozenset[Statement]:
    """What a document grants: Sids repeat and order is not kept, so neither counts."""
    found = policy.get("Statement", [])
    return frozenset(_statement(entry) for entry in (found if isinstance(found, list) else [found]))


def granted(found: frozenset[Statement], bucket: str) -> tuple[bool, str]:
    """(blocked, bucket) as the grants have it; the bucket's place tells what else was found, so that drift shows."""
    for blocked in (False, True):
        if found == statements(document(bucket, blocked=blocked)):
            return blocked, bucket
    if not found:
        return True, "no policy"
    resources = sorted({resource for statement in found for resource in statement.resources})
    return False, f"another policy: {', '.join(resources)}"


def _statement(entry: Mapping[str, Any]) -> Statement:
    rest = {key: value for key, value in entry.items() if key not in {"Sid", "Effect", "Action", "Resource"}}
    return Statement(
        str(entry.get("Effect", "")),
        _texts(entry.get("Action", [])),
        _texts(entry.get("Resource", [])),
        json.dumps(rest, sort_keys=True),
    )


def _texts(value: object) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset([str(value)])
