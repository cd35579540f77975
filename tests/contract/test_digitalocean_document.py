"""The DigitalOcean simulator against the vendor's own document, operation by operation, and under its own client."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pydo
import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import HeadersPolicy
from cryptography.x509 import load_pem_x509_certificate
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4

from sandbox.authority import open_authority
from sandbox.simulators.clock import MovableClock
from sandbox.simulators.digitalocean.serve import RunningDigitalOcean, serve
from sandbox.simulators.digitalocean.servers import NoManagedServers
from sandbox.simulators.digitalocean.urls import OPERATIONS

SPEC = Path(__file__).resolve().parents[3] / "shared" / "specs" / "digitalocean.min.json"

pytestmark = pytest.mark.skipif(not SPEC.is_file(), reason="the vendors' documents are not beside the checkout")

Json = dict[str, Any]
TOKEN = "a-digitalocean-token"
ORDER: Json = {
    "name": "shared-managed-pro-1",
    "engine": "pg",
    "version": "16",
    "size": "db-s-1vcpu-2gb",
    "region": "fra1",
    "num_nodes": 1,
    "tags": ["tenantry:prod:shared-managed-pro-1"],
    "rules": [{"type": "ip_addr", "value": "127.0.0.1", "description": "us"}],
}
POOL: Json = {"name": "a-pool", "mode": "transaction", "size": 5, "db": "tenant_acme", "user": "tenant_acme_user"}
CLUSTER = "/v2/databases/{database_cluster_uuid}"


@dataclass
class Checked:
    """A client that holds every request and answer against the document, and remembers what was covered."""

    cloud: RunningDigitalOcean
    document: Json
    client: httpx.Client
    covered: set[tuple[str, str]] = field(default_factory=set)

    def __call__(
        self,
        method: str,
        template: str,
        body: object = None,
        query: Json | None = None,
        **ids: Any,  # noqa: ANN401 - otherwise they would have to fit the parameters before, too
    ) -> Any:  # noqa: ANN401 - JSON
        """The answer to a request, after both were held against the document."""
        response = self.client.request(method, template.format(**ids), json=body, params=query)
        operation = self.document["paths"][template][method.lower()]
        if response.is_success:
            self.covered.add((method, template))
            if body is not None:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert self.problems(schema, body) == [], f"{method} {template} sends what it should not"
        for name in ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"):
            assert response.headers[name].isdecimal()
        answers = operation["responses"]
        said = answers.get(str(response.status_code)) or answers["default"]
        said = self.resolved(said)
        if "content" not in said:
            assert response.content == b""
            return None
        answer = response.json()
        assert self.problems(said["content"]["application/json"]["schema"], answer) == [], f"{method} {template}"
        return answer

    def resolved(self, said: Json) -> Json:
        """What a reference leads to."""
        while "$ref" in said:
            found: Any = self.document
            for step in said["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            said = found
        return said

    def problems(self, schema: Json, body: object) -> list[str]:
        """What the schema finds wrong with the body."""
        registry: Registry[Any] = Registry().with_resource("doc:", DRAFT4.create_resource(self.document))
        closed = json.loads(json.dumps(schema).replace('"#/', '"doc:#/'))
        validator = OAS30Validator(closed, registry=registry, format_checker=oas30_format_checker)
        return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(body)]


@pytest.fixture(scope="module")
def document() -> Json:
    contents: Json = json.loads(SPEC.read_text())
    return contents


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def cloud(tmp_path: Path, clock: MovableClock) -> Iterator[RunningDigitalOcean]:
    authority = open_authority(tmp_path / "tls")
    running = serve(tmp_path, token=TOKEN, servers=NoManagedServers(), certificate=authority.pem, clock=clock)
    yield running
    running.stop()


@pytest.fixture
def checked(cloud: RunningDigitalOcean, document: Json) -> Iterator[Checked]:
    with httpx.Client(base_url=cloud.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield Checked(cloud, document, client)


def test_every_operation_answers_as_its_document_says(checked: Checked, clock: MovableClock) -> None:
    """A11: requests and answers, before and after a cluster is online."""
    cluster: Json = {"database_cluster_uuid": checked("POST", "/v2/databases", ORDER)["database"]["id"]}
    assert checked("GET", CLUSTER, **cluster)["database"]["status"] == "creating"
    assert checked("POST", CLUSTER + "/dbs", {"name": "tenant_acme"}, **cluster)["id"] == "precondition_failed"
    clock.advance(10)
    assert checked("GET", CLUSTER, **cluster)["database"]["status"] == "online"
    query = {"tag_name": ORDER["tags"][0]}
    assert [each["name"] for each in checked("GET", "/v2/databases", query=query)["databases"]] == [ORDER["name"]]
    assert "16" in checked("GET", "/v2/databases/options")["options"]["pg"]["versions"]
    walk_contents(checked, cluster)
    assert checked("GET", CLUSTER + "/firewall", **cluster)["rules"][0]["value"] == "127.0.0.1"
    checked("PUT", CLUSTER + "/firewall", {"rules": [{"type": "tag", "value": "web"}]}, **cluster)
    assert [each["type"] for each in checked("GET", CLUSTER + "/firewall", **cluster)["rules"]] == ["tag"]
    checked("PUT", CLUSTER + "/maintenance", {"day": "sunday", "hour": "04:00:00"}, **cluster)
    checked("PUT", CLUSTER + "/resize", {"size": "db-s-2vcpu-4gb", "num_nodes": 2}, **cluster)
    assert checked("GET", CLUSTER, **cluster)["database"]["status"] == "resizing"
    clock.advance(86400 * 9)
    assert len(checked("GET", CLUSTER + "/backups", **cluster)["backups"]) == 7
    encoded = checked("GET", CLUSTER + "/ca", **cluster)["ca"]["certificate"]
    assert load_pem_x509_certificate(base64.b64decode(encoded)).subject.rfc4514_string() == "CN=tenantry sandbox"
    walk_tags(checked)
    assert checked("GET", "/v2/droplets")["droplets"] == []
    checked("DELETE", CLUSTER, **cluster)
    assert checked("GET", CLUSTER, **cluster)["id"] == "not_found"
    assert checked.covered == {(operation.method, operation.path) for operation in OPERATIONS} - UNDOCUMENTED_BODIES


# The document knows no databases among what can be tagged; the vendor's own plugin tags them so.
UNDOCUMENTED_BODIES = {("POST", "/v2/tags/{tag_id}/resources"), ("DELETE", "/v2/tags/{tag_id}/resources")}


def walk_contents(checked: Checked, cluster: Json) -> None:
    db: Json = {"database_name": "tenant_acme"}
    user: Json = {"username": "tenant_acme_user"}
    checked("POST", CLUSTER + "/dbs", {"name": "tenant_acme"}, **cluster)
    assert checked("POST", CLUSTER + "/dbs", {"name": "tenant_acme"}, **cluster)["id"] == "unprocessable_entity"
    assert checked("GET", CLUSTER + "/dbs", **cluster)["dbs"] == [{"name": "defaultdb"}, {"name": "tenant_acme"}]
    checked("GET", CLUSTER + "/dbs/{database_name}", **cluster, **db)
    made = checked("POST", CLUSTER + "/users", {"name": "tenant_acme_user"}, **cluster)["user"]
    assert (made["role"], len(made["password"]) > 20) == ("normal", True)
    assert checked("POST", CLUSTER + "/users", {"name": "tenant_acme_user"}, **cluster)["id"] == "unprocessable_entity"
    assert [each["role"] for each in checked("GET", CLUSTER + "/users", **cluster)["users"]] == ["primary", "normal"]
    assert checked("GET", CLUSTER + "/users/{username}", **cluster, **user)["user"] == made
    reset = checked("POST", CLUSTER + "/users/{username}/reset_auth", {}, **cluster, **user)["user"]
    assert reset["password"] != made["password"]
    pool: Json = {"pool_name": "a-pool"}
    shown = checked("POST", CLUSTER + "/pools", POOL, **cluster)["pool"]["connection"]
    assert (shown["port"], shown["database"], shown["user"]) == (25061, "a-pool", "tenant_acme_user")
    checked(
        "PUT", CLUSTER + "/pools/{pool_name}", {"mode": "session", "size": 6, "db": "tenant_acme"}, **cluster, **pool
    )
    assert checked("GET", CLUSTER + "/pools/{pool_name}", **cluster, **pool)["pool"]["size"] == 6
    assert len(checked("GET", CLUSTER + "/pools", **cluster)["pools"]) == 1
    checked("DELETE", CLUSTER + "/pools/{pool_name}", **cluster, **pool)
    checked("DELETE", CLUSTER + "/users/{username}", **cluster, **user)
    checked("DELETE", CLUSTER + "/dbs/{database_name}", **cluster, **db)
    assert checked("GET", CLUSTER + "/dbs/{database_name}", **cluster, **db)["id"] == "not_found"
    assert checked("GET", CLUSTER + "/users/{username}", **cluster, **user)["id"] == "not_found"
    assert checked("GET", CLUSTER + "/pools/{pool_name}", **cluster, **pool)["id"] == "not_found"


def walk_tags(checked: Checked) -> None:
    checked("POST", "/v2/tags", {"name": "later"})
    listed = checked("GET", "/v2/tags", query={"per_page": 1})
    assert listed["meta"]["total"] == 2
    assert set(listed["links"]["pages"]) == {"next", "last"}
    assert set(checked("GET", "/v2/tags", query={"per_page": 1, "page": 2})["links"]["pages"]) == {"first", "prev"}
    tag: Json = {"tag_id": ORDER["tags"][0]}
    assert checked("GET", "/v2/tags/{tag_id}", **tag)["tag"]["resources"]["databases"]["count"] == 1
    checked("DELETE", "/v2/tags/{tag_id}", **tag)
    assert checked("GET", "/v2/databases")["databases"][0]["tags"] == []


def test_a_refused_token_is_answered_in_the_documented_envelope(checked: Checked) -> None:
    checked.client.headers["Authorization"] = "Bearer other"
    assert checked("GET", "/v2/databases")["id"] == "unauthorized"


# name, method, path, body
FORBIDDEN: tuple[tuple[str, str, str, object], ...] = (
    ("no name", "POST", "/v2/databases", {key: value for key, value in ORDER.items() if key != "name"}),
    ("an empty name", "POST", "/v2/databases", ORDER | {"name": ""}),
    ("a null for a region", "POST", "/v2/databases", ORDER | {"name": "other", "region": None}),
    ("a name that is there", "POST", "/v2/databases", ORDER),
    ("another engine", "POST", "/v2/databases", ORDER | {"name": "other", "engine": "mysql"}),
    ("a version out of sale", "POST", "/v2/databases", ORDER | {"name": "other", "version": "13"}),
    ("an unknown size", "POST", "/v2/databases", ORDER | {"name": "other", "size": "s-1vcpu-1gb"}),
    (
        "a size for one node",
        "POST",
        "/v2/databases",
        ORDER | {"name": "other", "size": "db-s-1vcpu-1gb", "num_nodes": 2},
    ),
    ("an unknown region", "POST", "/v2/databases", ORDER | {"name": "other", "region": "moon1"}),
    ("a tag with a space", "POST", "/v2/databases", ORDER | {"name": "other", "tags": ["a b"]}),
    ("a status of one's own", "POST", "/v2/databases", ORDER | {"name": "other", "status": "online"}),
    ("nodes as text", "POST", "/v2/databases", ORDER | {"name": "other", "num_nodes": "1"}),
    ("a smaller disk", "PUT", CLUSTER + "/resize", {"size": "db-s-1vcpu-1gb", "num_nodes": 1, "storage_size_mib": 1}),
    ("an IPv6 source", "PUT", CLUSTER + "/firewall", {"rules": [{"type": "ip_addr", "value": "::1"}]}),
    ("an unknown kind of source", "PUT", CLUSTER + "/firewall", {"rules": [{"type": "host", "value": "x"}]}),
    ("too many sources", "PUT", CLUSTER + "/firewall", {"rules": [{"type": "tag", "value": "x"}] * 101}),
    ("the first database again", "POST", CLUSTER + "/dbs", {"name": "defaultdb"}),
    ("a database of the server's own", "POST", CLUSTER + "/dbs", {"name": "template1"}),
    ("the admin again", "POST", CLUSTER + "/users", {"name": "doadmin"}),
    ("the first database's end", "DELETE", CLUSTER + "/dbs/defaultdb", None),
    ("the admin's end", "DELETE", CLUSTER + "/users/doadmin", None),
    ("a pool of no database", "POST", CLUSTER + "/pools", POOL | {"db": "nothing", "user": "doadmin"}),
    ("a pool of nobody", "POST", CLUSTER + "/pools", POOL | {"db": "defaultdb", "user": "nobody"}),
    ("a pool beyond the size", "POST", CLUSTER + "/pools", POOL | {"db": "defaultdb", "user": "doadmin", "size": 48}),
    ("a pool's unknown mode", "POST", CLUSTER + "/pools", POOL | {"mode": "turbo"}),
    ("a page of nothing", "GET", CLUSTER + "/dbs?page=0", None),
    ("too long a page", "GET", "/v2/databases?per_page=201", None),
)


def test_what_is_forbidden_is_refused_and_changes_nothing(checked: Checked, clock: MovableClock) -> None:
    """A11: each refusal is a 422 in the vendor's envelope."""
    made = checked("POST", "/v2/databases", ORDER)["database"]
    clock.advance(10)
    before = checked.client.get("/_sandbox/inventory").json()
    for name, method, template, body in FORBIDDEN:
        path = template.format(database_cluster_uuid=made["id"])
        answer = checked.client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["id"]) == (422, "unprocessable_entity"), name
        assert set(answer.json()) == {"id", "message", "request_id"}
    assert checked.client.get("/_sandbox/inventory").json() == before
    for nonsense, content in (("/v2/databases", b"not json"), ("/v2/databases", b"[]")):
        assert checked.client.post(nonsense, content=content).json()["id"] == "bad_request"
    for nowhere in ("/v2/nothing", "/v2/databases/nonsense/dbs", "/databases"):
        assert checked.client.get(nowhere).json()["id"] == "not_found"


def test_explicitly_nothing_is_not_given(checked: Checked) -> None:
    """Facts 4: the native plugin writes nulls and empty texts."""
    given = ORDER | {"private_network_uuid": "", "project_id": "", "rules": None, "backup_restore": None, "tags": None}
    made = checked.client.post("/v2/databases", json=given)
    assert made.status_code == 201
    assert (made.json()["database"]["tags"], made.json()["database"]["rules"]) == ([], [])


def test_the_official_client_makes_uses_and_ends_a_cluster(cloud: RunningDigitalOcean, clock: MovableClock) -> None:
    """It sends bearer tokens over https only, unless the header is put by hand."""
    with pydo.Client(
        token=TOKEN,
        endpoint=cloud.url,
        authentication_policy=HeadersPolicy({"Authorization": f"Bearer {TOKEN}"}),
        retry_total=0,
    ) as client:
        databases = client.databases
        uuid = databases.create_cluster(body=ORDER)["database"]["id"]
        clock.advance(10)
        assert databases.get_cluster(uuid)["database"]["status"] == "online"
        assert [each["id"] for each in databases.list_clusters(tag_name=ORDER["tags"][0])["databases"]] == [uuid]
        databases.add(uuid, {"name": "tenant_acme"})
        assert databases.get(uuid, "tenant_acme") == {"db": {"name": "tenant_acme"}}
        assert databases.add_user(uuid, {"name": "tenant_acme_user"})["user"]["password"]
        assert databases.reset_auth(uuid, "tenant_acme_user", {})["user"]["password"]
        assert databases.add_connection_pool(uuid, POOL)["pool"]["connection"]["uri"].startswith("postgres://")
        databases.update_connection_pool(uuid, "a-pool", {"mode": "session", "size": 3, "db": "tenant_acme"})
        assert databases.get_connection_pool(uuid, "a-pool")["pool"]["mode"] == "session"
        databases.update_firewall_rules(uuid, {"rules": [{"type": "ip_addr", "value": "10.0.0.0/8"}]})
        assert [each["value"] for each in databases.list_firewall_rules(uuid)["rules"]] == ["10.0.0.0/8"]
        assert base64.b64decode(databases.get_ca(uuid)["ca"]["certificate"]).startswith(b"-----BEGIN CERTIFICATE")
        databases.update_cluster_size(uuid, {"size": "db-s-2vcpu-4gb", "num_nodes": 1})
        databases.delete_connection_pool(uuid, "a-pool")
        databases.delete_user(uuid, "tenant_acme_user")
        databases.delete(uuid, "tenant_acme")
        databases.destroy_cluster(uuid)
        cloud.strike("forbidden", method="GET")
        with pytest.raises(HttpResponseError) as caught:
            databases.list_clusters()
        assert caught.value.status_code == 403
        assert databases.list_clusters()["databases"] == []
