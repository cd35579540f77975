"""Each input field of each dynamic resource: mended where the cloud was edited, one request where the program was."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import psycopg
import pytest
from psycopg import sql

from dynamic_providers.admin_password import derive_admin_password
from tests.e2e.world import ENGINES, PROJECT, World

pytestmark = pytest.mark.e2e

MARK = "tenantry:sandbox:"
BIGGER = {"cpu": 2, "ram_gb": 2, "disk_gb": 30}
BIGGER_STILL = 124
# What the provider puts on a new cluster unasked.
THE_PROVIDERS_OWN = {"default_db", "gen_user"}
SCHEDULE = {
    "is_enabled": True,
    "interval": "day",
    "copy_count": 7,
    "creation_start_at": "2026-11-01T00:00:00Z",
    "day_of_week": 1,
}
WANTED: dict[str, dict[str, Any]] = {
    "cluster": {
        "name": "one",
        "engine": "postgres15",
        "cpu": 1,
        "ram_gb": 2,
        "disk_gb": 20,
        "location": "ru-1",
        "mark": MARK + "cluster",
    },
    "database": {"name": "main", "mark": MARK + "database"},
    "admin": {
        "login": "admin",
        "privileges": ["CREATE", "CREATEDB", "CREATEROLE", "TEMPORARY"],
        "cluster_mark": MARK + "cluster",
        "mark": MARK + "admin",
    },
    "backups": {"enabled": True, "interval": "day", "copy_count": 7},
    "bucket": {
        "name": "customer-one",
        "disk_gb": 10,
        "storage_class": "hot",
        "location": "ru-1",
        "mark": MARK + "bucket",
    },
    "user": {"name": "sandbox-one", "blocked": False},
    "schema": {
        "database": "main",
        "admin_login": "admin",
        "cluster_mark": MARK + "cluster",
        "schema": "c_one",
        "owner": "c_one_owner",
        "login": "c_one",
        "connection_limit": 5,
        "statement_timeout_ms": 30000,
        "extensions": ["citext"],
        "blocked": False,
        "mark": MARK + "schema",
    },
}


@dataclass
class Resources:
    """The program of one of each resource in a sandbox; `wanted` is what it asks for."""

    world: World
    wanted: dict[str, dict[str, Any]] = field(default_factory=lambda: copy.deepcopy(WANTED))
    # What a disk has grown to: the provider makes none smaller.
    size: dict[str, int] = field(default_factory=dict)

    def restore(self) -> None:
        """Ask again for what was asked for at first, but for the disk's size."""
        self.wanted = copy.deepcopy(WANTED)
        self.wanted["cluster"] |= self.size

    def write(self) -> None:
        """Put the wanted inputs where the program reads them."""
        Path(self.world.environ["RESOURCES"]).write_text(json.dumps(self.wanted))

    def up(self, *, refresh: bool = False) -> Any:  # noqa: ANN401  an engine's Result; its failures are asserted on
        """Run the program with the request logs empty."""
        self.write()
        self.world.forget_requests()
        return self.world.engine().up(refresh=refresh)

    def id_of(self, kind: str) -> str:
        """The id of our only object of a kind."""
        objects = [item for item in self.world.inventory()[kind] if item["name"] not in THE_PROVIDERS_OWN]
        assert len(objects) == 1
        return str(objects[0]["id"])

    def panel(self, method: str, path: str, **body: object) -> None:
        """What somebody does in the provider's panel, with the account's own token."""
        headers = {"Authorization": f"Bearer {self.world.environ['TIMEWEB_CLOUD_TOKEN']}"}
        url = self.world.environ["TIMEWEB_API_URL"] + path
        httpx.request(method, url, json=body, headers=headers, timeout=30).raise_for_status()

    def sql(self, *statements: sql.SQL) -> list[Any]:
        """Statements as the cluster's administrator; the rows of the last one."""
        password = derive_admin_password(self.world.environ["TENANTRY_ADMIN_SECRET"], MARK + "cluster")
        port = self.world.inventory()["clusters"][0]["port"]
        with psycopg.connect(
            host="127.0.0.1", port=port, user="admin", dbname="main", password=password, autocommit=True
        ) as session:
            for statement in statements:
                found = session.execute(statement)
            return found.fetchall() if found.description else []

    def grant(self, statements: list[dict[str, object]]) -> None:
        """Put a policy of somebody else's making on the storage user, signed by the account's own keys."""
        url = self.world.environ["TIMEWEB_API_URL"] + "/api/v1/storages/users"
        headers = {"Authorization": f"Bearer {self.world.environ['TIMEWEB_CLOUD_TOKEN']}"}
        signer = httpx.get(url, headers=headers).json()["users"][0]
        client = boto3.client(
            "iam",
            endpoint_url=self.world.environ["TIMEWEB_IAM_URL"],
            region_name="ru-1",
            aws_access_key_id=signer["access_key"],
            aws_secret_access_key=signer["secret_key"],
        )
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        client.put_user_policy(UserName="sandbox-one", PolicyName="iam-user-policy", PolicyDocument=document)
        client.close()


@pytest.fixture(scope="module", params=ENGINES)
def resources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resources]:
    folder = tmp_path_factory.mktemp(f"fields-{request.param}")
    world = World.start(folder / "sandbox", request.param, project=PROJECT / "tests" / "e2e" / "resources")
    world.environ["RESOURCES"] = str(folder / "wanted.json")
    lab = Resources(world)
    try:
        result = lab.up()
        assert result.ok, [failure.message for failure in result.failures]
        yield lab
    finally:
        world.stop()


@pytest.fixture
def embedded(resources: Resources) -> Resources:
    """Field by field on one engine; the other gets all fields at once, since each of its runs takes seconds."""
    if resources.world.engine_name != "embedded":
        pytest.skip("field by field on the embedded engine; all at once on this one")
    return resources


def cluster_path(lab: Resources) -> str:
    return f"/api/v1/databases/{lab.id_of('clusters')}"


def backups_path(lab: Resources) -> str:
    return f"/api/v1/dbs/{lab.id_of('clusters')}/auto-backups"


def bucket_path(lab: Resources) -> str:
    return f"/api/v1/storages/buckets/{lab.id_of('buckets')}"


# What somebody does behind our back, by (resource, field); fields the provider lets nobody change are not here.
CLOUD_EDITS: dict[tuple[str, str], Callable[[Resources], object]] = {
    ("cluster", "name"): lambda lab: lab.panel("PATCH", cluster_path(lab), name="renamed"),
    ("cluster", "cpu, ram_gb"): lambda lab: lab.world.edit_cloud("cluster", lab.id_of("clusters"), cpu=8, ram=16384),
    ("cluster", "mark"): lambda lab: lab.panel("PATCH", cluster_path(lab), description="mine now"),
    ("database", "name"): lambda lab: lab.panel(
        "PATCH", f"{cluster_path(lab)}/instances/{lab.id_of('databases')}", name="renamed"
    ),
    ("database", "mark"): lambda lab: lab.panel(
        "PATCH", f"{cluster_path(lab)}/instances/{lab.id_of('databases')}", description=""
    ),
    ("admin", "login"): lambda lab: lab.panel(
        "PATCH", f"{cluster_path(lab)}/admins/{lab.id_of('admins')}", login="renamed"
    ),
    ("admin", "password"): lambda lab: lab.panel(
        "PATCH", f"{cluster_path(lab)}/admins/{lab.id_of('admins')}", password="changed-in-the-panel"
    ),
    ("admin", "privileges"): lambda lab: lab.panel(
        "PATCH", f"{cluster_path(lab)}/admins/{lab.id_of('admins')}", privileges=["CREATE", "CREATEROLE"]
    ),
    ("admin", "mark"): lambda lab: lab.panel(
        "PATCH", f"{cluster_path(lab)}/admins/{lab.id_of('admins')}", description="mine now"
    ),
    ("backups", "enabled"): lambda lab: lab.panel("PATCH", backups_path(lab), is_enabled=False),
    ("backups", "interval"): lambda lab: lab.panel("PATCH", backups_path(lab), **{**SCHEDULE, "interval": "week"}),
    ("backups", "copy_count"): lambda lab: lab.panel("PATCH", backups_path(lab), **{**SCHEDULE, "copy_count": 1}),
    ("bucket", "disk_gb"): lambda lab: lab.panel("PATCH", bucket_path(lab), preset_id=399),
    ("bucket", "visibility"): lambda lab: lab.panel("PATCH", bucket_path(lab), bucket_type="public"),
    ("bucket", "mark"): lambda lab: lab.panel("PATCH", bucket_path(lab), description="mine now"),
    ("user", "blocked"): lambda lab: lab.grant([{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]),
    ("user", "bucket"): lambda lab: lab.grant(
        [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::somebody-elses/*"}]
    ),
    ("schema", "connection_limit"): lambda lab: lab.sql(sql.SQL("ALTER ROLE c_one CONNECTION LIMIT 99")),
    ("schema", "statement_timeout_ms"): lambda lab: lab.sql(sql.SQL("ALTER ROLE c_one RESET statement_timeout")),
    ("schema", "extensions"): lambda lab: lab.sql(sql.SQL("DROP EXTENSION citext")),
    ("schema", "blocked"): lambda lab: lab.sql(sql.SQL("ALTER ROLE c_one NOLOGIN")),
    ("schema", "mark"): lambda lab: lab.sql(sql.SQL("COMMENT ON ROLE c_one IS NULL")),
}

# What an edit of the program causes: the new value, and the one request that changes something. "" is one in SQL, which
# no HTTP log sees; None is none at all.
PROGRAM_EDITS: dict[tuple[str, str], tuple[object, str | None]] = {
    ("cluster", "name"): ("two", r"PATCH /api/v1/databases/\d+"),
    ("cluster", "ram_gb"): (BIGGER, r"PATCH /api/v1/databases/\d+"),
    ("cluster", "mark"): (MARK + "cluster-of-two", r"PATCH /api/v1/databases/\d+"),
    ("cluster", "adopt"): ("17", None),
    ("database", "mark"): (MARK + "database-of-two", r"PATCH /api/v1/databases/\d+/instances/\d+"),
    ("admin", "privileges"): (["CREATE", "CREATEDB", "CREATEROLE"], r"PATCH /api/v1/databases/\d+/admins/\d+"),
    ("admin", "mark"): (MARK + "admin-of-two", r"PATCH /api/v1/databases/\d+/admins/\d+"),
    ("backups", "interval"): ("week", r"PATCH /api/v1/dbs/\d+/auto-backups"),
    ("backups", "copy_count"): (14, r"PATCH /api/v1/dbs/\d+/auto-backups"),
    ("backups", "enabled"): (False, r"PATCH /api/v1/dbs/\d+/auto-backups"),
    ("bucket", "disk_gb"): (100, r"PATCH /api/v1/storages/buckets/\d+"),
    ("bucket", "visibility"): ("public", r"PATCH /api/v1/storages/buckets/\d+"),
    ("bucket", "mark"): (MARK + "bucket-of-two", r"PATCH /api/v1/storages/buckets/\d+"),
    ("bucket", "empty_on_delete"): (True, None),
    ("bucket", "adopt"): ("17", None),
    ("user", "blocked"): (True, "PutUserPolicy"),
    ("user", "bucket"): ("another-bucket", "PutUserPolicy"),
    ("schema", "connection_limit"): (7, ""),
    ("schema", "statement_timeout_ms"): (60000, ""),
    ("schema", "extensions"): (["citext", "pg_trgm"], ""),
    ("schema", "blocked"): (True, ""),
    ("schema", "mark"): (MARK + "schema-of-two", ""),
}
# Fields whose change would need another object: refused by one sentence, and nothing is sent.
STATEFUL_EDITS: dict[tuple[str, str], object] = {
    ("cluster", "engine"): "postgres16",
    ("cluster", "location"): "ru-3",
    ("bucket", "name"): "customer-two",
    ("bucket", "storage_class"): "cold",
    ("bucket", "location"): "ru-3",
    ("user", "name"): "sandbox-two",
    ("schema", "schema"): "c_two",
    ("schema", "owner"): "c_two_owner",
    ("schema", "login"): "c_two",
}


def state_of_schema(lab: Resources) -> list[Any]:
    """What PostgreSQL says of the tenant's role, schema, settings and extensions."""
    return lab.sql(
        sql.SQL(
            "SELECT rolconnlimit, rolcanlogin, shobj_description(oid, 'pg_authid'),"
            " ARRAY(SELECT unnest(rolconfig) ORDER BY 1),"
            " (SELECT array_agg(extname ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql')"
            " FROM pg_roles WHERE rolname = 'c_one'"
        )
    )


def updated(result: Any) -> list[str]:  # noqa: ANN401  an engine's Result
    assert result.ok, [failure.message for failure in result.failures]
    return [change.name for change in result.changes if change.operation == "update"]


@pytest.mark.parametrize(("kind", "field"), CLOUD_EDITS, ids=str)
def test_a_field_edited_behind_our_back_is_mended_by_the_next_up_with_refresh(
    embedded: Resources, kind: str, field: str
) -> None:
    """H5: drift shows per field, and is mended."""
    updated(embedded.up(refresh=True))
    before = state_of_schema(embedded)
    CLOUD_EDITS[kind, field](embedded)
    assert kind in updated(embedded.up(refresh=True))
    assert not embedded.up(refresh=True).changed
    assert state_of_schema(embedded) == before


@pytest.mark.parametrize(("kind", "field"), PROGRAM_EDITS, ids=str)
def test_an_edit_of_a_field_causes_exactly_the_one_request(embedded: Resources, kind: str, field: str) -> None:
    updated(embedded.up())
    before, (value, request) = state_of_schema(embedded), PROGRAM_EDITS[kind, field]
    embedded.wanted[kind] |= value if isinstance(value, dict) else {field: value}
    result = embedded.up()
    changes = embedded.world.changes()
    if request is None:
        assert changes == []
    elif request:
        assert len(changes) == 1
        assert re.fullmatch(request, changes[0])
        assert updated(result) == [kind]
    else:
        assert changes == []
        assert updated(result) == [kind]
        assert state_of_schema(embedded) != before
    assert not embedded.up(refresh=True).changed
    embedded.size |= BIGGER if value is BIGGER else {}
    embedded.restore()


@pytest.mark.parametrize(("kind", "field"), STATEFUL_EDITS, ids=str)
def test_an_edit_that_would_need_another_object_is_refused_and_sends_nothing(
    embedded: Resources, kind: str, field: str
) -> None:
    """F22, H1: nothing that holds data is replaced by itself."""
    updated(embedded.up())
    embedded.wanted[kind][field] = STATEFUL_EDITS[kind, field]
    result = embedded.up()
    refused = [failure for failure in result.failures if "not attempted" not in failure.message]
    embedded.restore()
    assert [failure.name for failure in refused] == [kind]
    assert "holds data" in refused[0].message
    assert embedded.world.changes() == []
    assert result.counts["replace"] == result.counts["delete"] == 0


def test_all_fields_at_once_are_mended_and_edited(resources: Resources) -> None:
    """The same on both engines: one run mends everything, one run changes everything, each object by one request."""
    resources.restore()
    updated(resources.up())
    together = [edit for edit in CLOUD_EDITS if edit not in {("database", "name"), ("user", "bucket")}]
    # The administrator last: the edits in SQL are made with its login.
    for edit in sorted(together, key=lambda edit: edit[0] == "admin"):
        CLOUD_EDITS[edit](resources)
    assert set(updated(resources.up(refresh=True))) == set(WANTED)
    assert not resources.up(refresh=True).changed

    for (kind, name), (value, request) in PROGRAM_EDITS.items():
        if request is not None and (kind, name) not in {("user", "bucket"), ("cluster", "ram_gb")}:
            resources.wanted[kind][name] = value
    assert set(updated(resources.up())) == set(WANTED)
    kinds = [re.sub(r"\d+$|(?<=/)\d+(?=/)", "#", change) for change in resources.world.changes()]
    assert sorted(kinds) == sorted(
        [
            "PATCH /api/v1/databases/#",
            "PATCH /api/v1/databases/#/instances/#",
            "PATCH /api/v1/databases/#/admins/#",
            "PATCH /api/v1/dbs/#/auto-backups",
            "PATCH /api/v1/storages/buckets/#",
            "PutUserPolicy",
        ]
    )
    assert not resources.up().changed


def test_a_refresh_tells_what_is_other_than_the_state_says(embedded: Resources) -> None:
    """H5: drift is told per resource by a refresh alone, which changes nothing in the cloud."""
    embedded.restore()
    updated(embedded.up(refresh=True))
    CLOUD_EDITS["cluster", "mark"](embedded)
    embedded.world.forget_requests()
    result = embedded.world.engine().refresh()
    assert [change.name for change in result.changes if change.operation == "refresh"] == ["cluster"]
    assert embedded.world.changes() == []
    assert updated(embedded.up()) == ["cluster"]


def test_a_cluster_that_somebody_made_bigger_is_left_bigger_and_an_edit_to_smaller_is_refused(
    embedded: Resources,
) -> None:
    """The provider makes no disk smaller: a cluster enlarged in an emergency must not hold up its tenants' updates."""
    embedded.restore()
    updated(embedded.up())
    embedded.panel("PATCH", cluster_path(embedded), preset_id=BIGGER_STILL)
    assert not embedded.up(refresh=True).failures
    assert embedded.world.changes() == []
    embedded.wanted["cluster"] |= {"cpu": 1, "ram_gb": 1, "disk_gb": 8}
    result = embedded.up()
    refused = [failure for failure in result.failures if "not attempted" not in failure.message]
    assert [failure.name for failure in refused] == ["cluster"], refused
