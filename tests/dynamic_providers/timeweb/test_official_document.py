"""Every operation the client sends is in the official document, with a body that the document allows (A11)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator

from dynamic_providers.timeweb.admin import AdminProvider
from dynamic_providers.timeweb.backup_schedule import BackupScheduleProvider
from dynamic_providers.timeweb.bucket import BucketProvider
from dynamic_providers.timeweb.cluster import ClusterProvider
from dynamic_providers.timeweb.database import DatabaseProvider
from dynamic_providers.timeweb.storage_user import StorageUserProvider
from tests.dynamic_providers.timeweb.conftest import Account
from tests.dynamic_providers.timeweb.test_bucket_provider import WANTED as BUCKET
from tests.dynamic_providers.timeweb.test_cluster_provider import WANTED as CLUSTER

SPEC = Path(__file__).resolve().parents[4] / "shared" / "specs" / "timeweb.min.json"
MARK = "tenantry:prod:x-1"
# G5: the one documented exception.
UNDOCUMENTED = re.compile(r"/api/v2/storages/users(/[^/]+)?")

Document = dict[str, Any]


@pytest.fixture(scope="module")
def spec() -> Document:
    if not SPEC.exists():
        pytest.skip("the official documents are not beside this checkout")
    loaded: Document = json.loads(SPEC.read_text())
    return loaded


def lives(account: Account) -> Iterator[None]:
    """Each kind of resource through its whole life, so that every request is in the log."""
    cluster = account.provider(ClusterProvider).create(CLUSTER)
    bucket = account.provider(BucketProvider).create(BUCKET)
    inside = {"cluster_id": cluster.id, "mark": MARK, "cluster_mark": CLUSTER["mark"]}
    wanted: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
        (DatabaseProvider, inside | {"name": "main"}, {"name": "other"}),
        (AdminProvider, inside | {"login": "admin", "privileges": ["CREATEDB"]}, {"privileges": ["CREATEROLE"]}),
        (BackupScheduleProvider, inside | {"enabled": True}, {"copy_count": 14}),
        (StorageUserProvider, {"name": "u", "bucket": (bucket.outs or {})["bucket"]}, {"blocked": True}),
        (BucketProvider, BUCKET, {"disk_gb": 20.0, "visibility": "public"}),
        (ClusterProvider, CLUSTER, {"name": "new", "cpu": 4, "ram_gb": 8, "disk_gb": 80}),
    ]
    for kind, inputs, edit in wanted:
        provider = account.provider(kind)
        made = provider.create(inputs)
        changed = provider.update(made.id, made.outs, inputs | edit)
        provider.read(made.id, changed.outs)
        provider.delete(made.id, changed.outs)
        yield


def operation(spec: Document, method: str, path: str) -> Document | None:
    for template, operations in spec["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) and method.lower() in operations:
            found: Document = operations[method.lower()]
            return found
    return None


def test_every_request_of_every_life_is_in_the_document(account: Account, spec: Document) -> None:
    assert len(list(lives(account))) == 6
    seen = set()
    for entry in account.running.requests():
        if UNDOCUMENTED.fullmatch(entry.path):
            continue
        found = operation(spec, entry.method, entry.path)
        assert found, f"{entry.method} {entry.path} is in no document"
        if isinstance(entry.body, dict):
            schema = found["requestBody"]["content"]["application/json"]["schema"]
            OAS30Validator({**schema, "components": spec["components"]}).validate(entry.body)
            known = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
            assert set(entry.body) <= set(known), entry.path
        seen.add((entry.method, found["operationId"]))
    assert len(seen) > 20
