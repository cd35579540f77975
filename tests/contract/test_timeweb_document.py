"""The Timeweb simulator against the vendor's own documents: every operation, request and answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.s3 import S3Server
from sandbox.simulators.clock import MovableClock
from sandbox.simulators.servers import NoServers
from sandbox.simulators.timeweb.serve import RunningTimeweb, serve
from sandbox.simulators.timeweb.storage import NoStorage
from sandbox.simulators.timeweb.urls import OPERATIONS, UNDOCUMENTED
from tests.contract.document import ABSENT, SPECS, Document, Json

CURRENT = "timeweb.min.json"
LEGACY = "timeweb.legacy-dbs.min.json"

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=ABSENT)

FULL_CLUSTER: Json = {
    "name": "shared-free-1",
    "type": "postgres15",
    "preset_id": 124,
    "description": "tenantry:prod:shared-free-1-cluster-1",
    "availability_zone": "spb-3",
    "admin": {"login": "first", "password": "pw", "privileges": ["SELECT", "CREATE"], "description": "d"},
    "instance": {"name": "first", "description": "d"},
    "auto_backups": {
        "copy_count": 7,
        "creation_start_at": "2026-11-21T00:00:00Z",
        "interval": "day",
        "day_of_week": 1,
    },
    "disk_autoscaling": {"is_enabled": True, "step_size": 5120, "threshold_percent": 90},
    "maintenance_slot": {"type": "any_time"},
    "config_parameters": {"max_connections": "100"},
}
SCHEDULE: Json = {
    "is_enabled": True,
    "copy_count": 14,
    "creation_start_at": "2026-11-21T00:00:00Z",
    "interval": "day",
    "day_of_week": 1,
}
CONFIGURATION: Json = {"configurator_id": 11, "cpu": 3, "ram": 6144, "disk": 61440}

NEW_BUCKET: Json = {"name": "b", "type": "private", "preset_id": 382}


@dataclass
class Checked:
    """A client that holds every request and answer against the documents, and remembers what was covered."""

    timeweb: RunningTimeweb
    documents: tuple[Document, ...]
    client: httpx.Client
    covered: set[tuple[str, str]] = field(default_factory=set)

    def __call__(
        self,
        method: str,
        template: str,
        body: object = None,
        query: Json | None = None,
        **ids: Any,  # noqa: ANN401 - ids are numbers or uuids
    ) -> Any:  # noqa: ANN401 - JSON
        """The answer to a request, after both were held against the document."""
        response = self.client.request(method, template.format(**ids), json=body, params=query)
        document, operation = self.find(method, template)
        if response.is_success:
            self.covered.add((method, template))
            if body is not None:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert document.problems(schema, body) == [], f"{method} {template} sends what it should not"
        answers = operation["responses"]
        assert str(response.status_code) in answers, f"{method} {template}: {response.status_code} {response.text}"
        content = answers[str(response.status_code)].get("content")
        if content is None:
            assert response.content == b""
            return None
        answer = response.json()
        schema = content["application/json"]["schema"]
        assert document.problems(schema, answer) == [], f"{method} {template} {response.status_code}"
        return answer

    def find(self, method: str, template: str) -> tuple[Document, Json]:
        """The first document with this operation, and what it says."""
        for document in self.documents:
            if operation := document.operation(method, template):
                return document, operation
        pytest.fail(f"{method} {template} is in no official document")

    def cluster(self) -> int:
        """The id of a new cluster."""
        made = self("POST", "/api/v1/databases", FULL_CLUSTER)
        return int(made["db"]["id"])


@pytest.fixture(scope="module")
def documents() -> tuple[Document, ...]:
    return tuple(Document.read(name) for name in (CURRENT, LEGACY))


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def checked(tmp_path: Path, clock: MovableClock, documents: tuple[Document, ...]) -> Iterator[Checked]:
    running = serve(
        tmp_path, token="t", servers=NoServers(), storage=NoStorage(), clock=clock, requests_per_second=1000
    )
    with httpx.Client(base_url=running.url, headers={"Authorization": "Bearer t"}) as client:
        yield Checked(running, documents, client)
    running.stop()


CLUSTER = "/api/v1/databases/{db_cluster_id}"
INSTANCE = CLUSTER + "/instances/{instance_id}"
ADMIN = CLUSTER + "/admins/{admin_id}"
DBS = "/api/v1/dbs/{db_id}"
BUCKET = "/api/v1/storages/buckets/{bucket_id}"


def test_every_served_operation_is_in_a_document_under_the_same_path(documents: tuple[Document, ...]) -> None:
    """A11; the one exception is G5."""
    missing = [
        (operation.method, operation.path)
        for operation in OPERATIONS
        if not any(document.operation(operation.method, operation.path) for document in documents)
    ]
    assert missing == []
    for operation in UNDOCUMENTED:
        assert not any(document.operation(operation.method, operation.path) for document in documents)
        assert operation.path.startswith("/api/v2/storages/users")


def test_every_operation_answers_as_its_document_says(checked: Checked, clock: MovableClock) -> None:
    """A11, G1, G12: requests and answers of both shapes, before and after a cluster has started."""
    walk_clusters(checked, clock)
    walk_legacy(checked, clock)
    walk_storage(checked)
    for path in (
        "/api/v1/account/status",
        "/api/v1/account/finances",
        "/api/v1/account/services/cost",
        "/api/v1/database-types",
        "/api/v2/locations",
    ):
        checked("GET", path)
    assert checked.covered == {(operation.method, operation.path) for operation in OPERATIONS}


def walk_clusters(checked: Checked, clock: MovableClock) -> None:
    checked("GET", "/api/v2/presets/dbs", query={"with_unavailable": "true"})
    checked("GET", "/api/v2/dbs/presets/{preset_id}", preset_id=124)
    cluster_id = checked.cluster()
    assert checked("GET", CLUSTER, db_cluster_id=cluster_id)["db"]["status"] == "starting"
    clock.advance(10)
    assert checked("GET", CLUSTER, db_cluster_id=cluster_id)["db"]["status"] == "started"
    assert checked("GET", "/api/v1/databases", query={"limit": 1, "offset": 0})["meta"]["total"] == 1
    checked("GET", "/api/v2/presets/dbs", query={"cluster_id": cluster_id})
    checked("PATCH", CLUSTER, {"description": "other", "name": "n", "preset_id": 125}, db_cluster_id=cluster_id)
    clock.advance(10)
    change = {"configuration": CONFIGURATION | {"disk": 102400}, "is_enabled_public_network": False}
    checked("PATCH", "/api/v2/databases/{db_cluster_id}", change, db_cluster_id=cluster_id)
    clock.advance(10)
    for action in ("reboot", "shutdown", "start"):
        checked("POST", CLUSTER + "/action", {"action": action}, db_cluster_id=cluster_id)
        clock.advance(10)
    checked("GET", CLUSTER + "/privileges", db_cluster_id=cluster_id)
    walk_instances_and_admins(checked, cluster_id)
    checked("GET", DBS + "/auto-backups", db_id=cluster_id)
    checked("PATCH", DBS + "/auto-backups", SCHEDULE, db_id=cluster_id)
    checked("PATCH", DBS + "/auto-backups", {"is_enabled": False}, db_id=cluster_id)
    checked("GET", DBS + "/auto-backups", db_id=cluster_id)
    walk_backups(checked, clock, cluster_id)
    checked.timeweb.strike("delete-needs-confirmation")
    assert checked("DELETE", CLUSTER, db_cluster_id=cluster_id)["database_delete"]["hash"]
    checked("DELETE", CLUSTER, db_cluster_id=cluster_id)
    assert checked("GET", CLUSTER, db_cluster_id=cluster_id)["error_code"] == "not_found"


def walk_backups(checked: Checked, clock: MovableClock, cluster_id: int) -> None:
    """A48, G3: a restore has no body in either direction, and the cluster is away meanwhile."""
    made = checked("POST", DBS + "/backups", {"comment": "c"}, db_id=cluster_id)["backup"]
    backup = {"db_id": cluster_id, "backup_id": made["id"]}
    assert checked("PUT", DBS + "/backups/{backup_id}", **backup)["status_code"] == 409
    assert made["status"] == "create"
    clock.advance(10)
    assert checked("GET", DBS + "/backups/{backup_id}", **backup)["backup"]["status"] == "done"
    assert checked("GET", DBS + "/backups", query={"limit": 1}, db_id=cluster_id)["meta"]["total"] == 1
    checked("PUT", DBS + "/backups/{backup_id}", **backup)
    assert checked("GET", CLUSTER, db_cluster_id=cluster_id)["db"]["status"] == "backup_recovery"
    assert checked("POST", DBS + "/backups", db_id=cluster_id)["status_code"] == 409
    clock.advance(10)
    assert checked("GET", CLUSTER, db_cluster_id=cluster_id)["db"]["status"] == "started"
    assert checked("PUT", DBS + "/backups/{backup_id}", {"action": "restore"}, **backup)["status_code"] == 400
    checked("DELETE", DBS + "/backups/{backup_id}", **backup)
    assert checked("GET", DBS + "/backups/{backup_id}", **backup)["error_code"] == "not_found"


def walk_instances_and_admins(checked: Checked, cluster_id: int) -> None:
    made = checked("POST", CLUSTER + "/instances", {"name": "main", "description": "d"}, db_cluster_id=cluster_id)
    instance = {"db_cluster_id": cluster_id, "instance_id": made["instance"]["id"]}
    order = {"login": "admin", "password": "pw", "privileges": ["SELECT", "CREATEDB"], "description": "d"}
    user = checked("POST", CLUSTER + "/admins", order, db_cluster_id=cluster_id)["admin"]
    admin = {"db_cluster_id": cluster_id, "admin_id": user["id"]}
    checked("GET", CLUSTER + "/instances", db_cluster_id=cluster_id)
    checked("GET", INSTANCE, **instance)
    change = {
        "name": "other",
        "owner_id": user["id"],
        "extensions": {"extension_list": ["pg_trgm"], "is_global": False},
    }
    assert checked("PATCH", INSTANCE, change, **instance)["instance"]["owner_id"] == user["id"]
    checked("GET", CLUSTER + "/admins", db_cluster_id=cluster_id)
    checked("GET", ADMIN, **admin)
    checked("PATCH", ADMIN, {"login": "root", "password": "pw2", "instance_id": instance["instance_id"]}, **admin)
    assert checked("PATCH", INSTANCE, {"config_parameters": {"partitions": 1}}, **instance)["status_code"] == 409
    checked("DELETE", ADMIN, **admin)
    checked("DELETE", INSTANCE, **instance)
    assert checked("GET", ADMIN, **admin)["error_code"] == "not_found"
    assert checked("GET", INSTANCE, **instance)["error_code"] == "not_found"


def walk_legacy(checked: Checked, clock: MovableClock) -> None:
    order = {"name": "old", "type": "postgres15", "preset_id": 124, "login": "l", "password": "p"}
    cluster_id = checked("POST", "/api/v1/dbs", order)["db"]["id"]
    assert checked("GET", DBS, db_id=cluster_id)["db"]["host"] is None
    clock.advance(10)
    assert checked("GET", DBS, db_id=cluster_id)["db"]["host"] == "localhost"
    changed = checked("PATCH", DBS, {"name": "newer", "password": "p2", "is_external_ip": True}, db_id=cluster_id)
    assert changed["db"]["password"] == "p2"
    assert [each["id"] for each in checked("GET", "/api/v1/dbs")["dbs"]] == [cluster_id]
    checked.timeweb.strike("delete-needs-confirmation")
    pending = checked("DELETE", DBS, db_id=cluster_id)["database_delete"]["hash"]
    assert checked("DELETE", DBS, query={"hash": "wrong", "code": "0000"}, db_id=cluster_id)["status_code"] == 400
    checked("DELETE", DBS, query={"hash": pending, "code": "0000"}, db_id=cluster_id)
    assert checked("GET", DBS, db_id=cluster_id)["status_code"] == 404


def walk_storage(checked: Checked) -> None:
    checked("GET", "/api/v1/presets/storages")
    order = {"name": "customer-acme", "type": "private", "preset_id": 382, "description": "d"}
    bucket_id = checked("POST", "/api/v1/storages/buckets", order)["bucket"]["id"]
    checked("GET", "/api/v1/storages/buckets")
    checked("GET", BUCKET, bucket_id=bucket_id)
    change = {"bucket_type": "public", "configurator": {"id": 73, "disk": 20480}, "description": "e"}
    assert checked("PATCH", BUCKET, change, bucket_id=bucket_id)["bucket"]["disk_stats"]["size"] == 20480 * 1024
    checked.timeweb.strike("delete-needs-confirmation")
    pending = checked("DELETE", BUCKET, bucket_id=bucket_id)["bucket_delete"]["hash"]
    checked("DELETE", BUCKET, query={"hash": pending, "code": "0000"}, bucket_id=bucket_id)
    assert checked("GET", BUCKET, bucket_id=bucket_id)["error_code"] == "not_found"
    signer = checked("GET", "/api/v1/storages/users")["users"][0]
    checked("PATCH", "/api/v1/storages/users/{user_id}", {"secret_key": "new"}, user_id=signer["id"])


def test_a_refused_token_and_a_broken_pace_are_answered_in_the_documented_envelope(
    checked: Checked, tmp_path: Path, documents: tuple[Document, ...], s3: S3Server
) -> None:
    """A6: at most 20 requests a second and endpoint, others unaffected."""
    checked.client.headers["Authorization"] = "Bearer other"
    assert checked("GET", "/api/v1/databases")["error_code"] == "unauthorized"
    (tmp_path / "paced").mkdir()
    paced = serve(tmp_path / "paced", token="t", servers=NoServers(), storage=s3.timeweb)
    with httpx.Client(base_url=paced.url, headers={"Authorization": "Bearer t"}) as client:
        quick = Checked(paced, documents, client)
        answers = [quick("GET", "/api/v1/databases") for _ in range(25)]
        assert [answer.get("status_code") for answer in answers] == [None] * 20 + [429] * 5
        quick("GET", "/api/v2/locations")
    paced.stop()


# name, method, path, body, whether the document itself can tell (else it says so in words only, or not at all)
FORBIDDEN: tuple[tuple[str, str, str, object, bool], ...] = (
    ("no name", "POST", "/api/v1/databases", {"type": "postgres15", "preset_id": 124}, True),
    ("no type", "POST", "/api/v1/databases", {"name": "x", "preset_id": 124}, True),
    ("a family as type", "POST", "/api/v1/databases", {"name": "x", "type": "postgres", "preset_id": 124}, True),
    ("no size", "POST", "/api/v1/databases", {"name": "x", "type": "postgres15"}, False),
    ("both sizes", "POST", "/api/v1/databases", FULL_CLUSTER | {"configuration": CONFIGURATION}, False),
    ("preset as text", "POST", "/api/v1/databases", FULL_CLUSTER | {"preset_id": "124"}, True),
    ("a preset of another engine", "POST", "/api/v1/databases", FULL_CLUSTER | {"preset_id": 424}, False),
    ("an unknown preset", "POST", "/api/v1/databases", FULL_CLUSTER | {"preset_id": 9}, False),
    ("a null", "POST", "/api/v1/databases", FULL_CLUSTER | {"description": None}, True),
    ("an unknown key", "POST", "/api/v1/databases", FULL_CLUSTER | {"location": "ru-1"}, False),
    ("an unknown zone", "POST", "/api/v1/databases", FULL_CLUSTER | {"availability_zone": "moon-1"}, True),
    ("a zone elsewhere", "POST", "/api/v1/databases", FULL_CLUSTER | {"availability_zone": "ams-1"}, False),
    ("flat credentials", "POST", "/api/v1/databases", FULL_CLUSTER | {"login": "l"}, False),
    ("an unknown privilege", "POST", CLUSTER + "/admins", {"login": "a", "password": "p", "privileges": ["ALL"]}, True),
    ("no password", "POST", CLUSTER + "/admins", {"login": "a"}, True),
    ("a login that is there", "POST", CLUSTER + "/admins", {"login": "first", "password": "p"}, False),
    ("a database without a name", "POST", CLUSTER + "/instances", {"description": "d"}, True),
    ("a database that is there", "POST", CLUSTER + "/instances", {"name": "first"}, False),
    ("a database of the server's own", "POST", CLUSTER + "/instances", {"name": "postgres"}, False),
    ("a login of the server's own", "POST", CLUSTER + "/admins", {"login": "pg_monitor", "password": "p"}, False),
    ("a smaller disk", "PATCH", CLUSTER, {"preset_id": 123}, False),
    ("a size elsewhere", "PATCH", CLUSTER, {"preset_id": 326}, False),
    ("both new sizes", "PATCH", CLUSTER, {"preset_id": 125, "configuration": CONFIGURATION}, False),
    ("an unknown action", "POST", CLUSTER + "/action", {"action": "explode"}, True),
    ("a start of what runs", "POST", CLUSTER + "/action", {"action": "start"}, False),
    ("half a schedule", "PATCH", DBS + "/auto-backups", {"is_enabled": True, "copy_count": 7}, False),
    ("too many copies", "PATCH", DBS + "/auto-backups", SCHEDULE | {"copy_count": 100}, True),
    ("no on or off", "PATCH", DBS + "/auto-backups", {"copy_count": 7}, True),
    ("an older order without a password", "POST", "/api/v1/dbs", {"name": "x", "type": "postgres15"}, True),
    ("a bucket without a type", "POST", "/api/v1/storages/buckets", {"name": "b", "preset_id": 382}, True),
    ("a bucket without a size", "POST", "/api/v1/storages/buckets", {"name": "b", "type": "private"}, False),
    ("a bucket's type on a change", "PATCH", BUCKET, {"type": "public"}, False),
    ("a bucket of another kind", "PATCH", BUCKET, {"bucket_type": "secret"}, True),
    (
        "a bucket that is there",
        "POST",
        "/api/v1/storages/buckets",
        {"name": "b", "type": "private", "preset_id": 382},
        False,
    ),
    ("no body", "POST", "/api/v1/databases", None, False),
    ("a list", "POST", "/api/v1/databases", [], True),
)


def test_what_the_document_forbids_is_refused(checked: Checked, clock: MovableClock) -> None:
    """A11: each refusal is a 400 in the vendor's envelope and changes nothing."""
    cluster_id = checked.cluster()
    bucket = checked("POST", "/api/v1/storages/buckets", NEW_BUCKET)["bucket"]
    clock.advance(10)
    ids = {"db_cluster_id": cluster_id, "db_id": cluster_id, "bucket_id": bucket["id"]}
    before = checked.client.get("/_sandbox/inventory").json()
    for name, method, template, body, told in FORBIDDEN:
        document, operation = checked.find(method, template)
        schema: Mapping[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
        assert bool(document.problems(dict(schema), body)) is told or body is None, name
        assert checked(method, template, body, **ids)["status_code"] == 400, name
    assert checked.client.get("/_sandbox/inventory").json() == before


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/databases/nonsense", 400),
        ("/api/v1/databases?limit=x", 400),
        ("/api/v1/databases?limit=-1", 400),
        ("/api/v2/presets/dbs?with_unavailable=perhaps", 400),
        ("/api/v1/databases/7", 404),
        ("/api/v1/databases/7/admins", 404),
        ("/api/v1/storages/buckets/7", 404),
        ("/api/v1/dbs/7/backups", 404),
        ("/api/v1/nothing", 404),
    ],
)
def test_wrong_addresses_are_refused_in_the_documented_envelope(
    checked: Checked, documents: tuple[Document, ...], path: str, status: int
) -> None:
    """G17: a canonical not-found has an `error_code`."""
    response = checked.client.get(path)
    assert response.status_code == status
    schema = {"$ref": "#/components/schemas/getImage_404_response"}
    assert documents[0].problems(schema, response.json()) == []
    assert response.json()["status_code"] == status
