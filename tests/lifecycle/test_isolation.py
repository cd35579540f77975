"""The certificate: what proves isolation, what proves nothing, and the probes themselves on real servers."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product

import psycopg
import pytest
from botocore.exceptions import ClientError

from components.outputs import BackupOutput, DatabaseOutput, FeaturesOutput, StorageOutput, TenantOutputs
from dynamic_providers.admin_password import derive_admin_password
from dynamic_providers.postgres.urls import database_url
from lifecycle.isolation import Certificate, Probe, certify, pairs, probe_database, probe_storage, s3_outcome
from sandbox.postgres import HOST, Binaries, PostgresServer
from sandbox.s3 import REGION, S3Server
from sandbox.simulators.timeweb.storage import Login
from tests.dynamic_providers.postgres.place import (
    ADMIN,
    ADMIN_PASSWORD,
    DATABASE,
    Made,
    Place,
    configured_provider,
)

NAMES = ("alpha", "beta", "gamma", "delta")


@pytest.mark.parametrize("neighbours", [1, 2, 3, 4, 100])
def test_each_tenant_is_probed_by_itself_and_by_its_next_neighbours(neighbours: int) -> None:
    found = list(pairs(NAMES, neighbours))
    assert len(found) == len(set(found)) == len(NAMES) * min(neighbours + 1, len(NAMES))
    for name in NAMES:
        assert (name, name) in found
    # A ring: everybody is attacked as often as everybody else, the first by the last.
    assert ("delta", "alpha") in found
    assert {against for by, against in found if by != against} == set(NAMES)


def test_without_a_number_everybody_probes_everybody() -> None:
    assert set(pairs(NAMES, None)) == set(product(NAMES, NAMES))


@pytest.mark.parametrize("neighbours", [None, 1, 5])
def test_a_single_tenant_has_its_control_and_a_fleet_without_tenants_nothing(neighbours: int | None) -> None:
    assert list(pairs(["alone"], neighbours)) == [("alone", "alone")]
    assert list(pairs([], neighbours)) == []


CONTROL = Probe("acme", "acme", "SQL: make a table", "allowed")
ATTEMPT = Probe("beta", "acme", "SQL: make a table", "refused")
REFUSED_CONTROL = replace(CONTROL, outcome="refused")
ALLOWED_ATTEMPT = replace(ATTEMPT, outcome="allowed")
TIMED_OUT = replace(ATTEMPT, outcome="fault: ConnectionTimeout")


@pytest.mark.parametrize(
    ("controls", "attempts", "successes", "broken"),
    [
        ([CONTROL], [ATTEMPT], [], []),
        ([REFUSED_CONTROL], [ATTEMPT], [], [REFUSED_CONTROL]),
        ([CONTROL], [ATTEMPT, ALLOWED_ATTEMPT], [ALLOWED_ATTEMPT], []),
        ([CONTROL], [TIMED_OUT], [TIMED_OUT], []),
        ([replace(CONTROL, outcome="fault: 08006")], [ATTEMPT], [], [replace(CONTROL, outcome="fault: 08006")]),
    ],
    ids=["isolated", "a control is refused", "an attempt is allowed", "an attempt times out", "a control times out"],
)
def test_a_certificate_holds_only_where_every_control_is_allowed_and_every_attempt_refused(
    controls: list[Probe], attempts: list[Probe], successes: list[Probe], broken: list[Probe]
) -> None:
    """G5, B28: without its control a refusal proves nothing, and neither does a time-out."""
    certificate = Certificate(tuple(controls), tuple(attempts))
    assert list(certificate.successes) == successes
    assert list(certificate.broken_controls) == broken
    assert certificate.holds is (not successes and not broken)


def test_a_certificate_without_a_control_does_not_hold() -> None:
    assert not Certificate((), ()).holds


def test_a_certificate_as_json_has_its_keys() -> None:
    """Design 3.2: JSON keys `attempts`, `controls`, `successes`."""
    told = json.loads(json.dumps(Certificate((CONTROL,), (ATTEMPT, ALLOWED_ATTEMPT)).as_json()))
    attempt = {"by": "beta", "against": "acme", "what": "SQL: make a table", "outcome": "allowed"}
    assert told["successes"] == [attempt]
    assert told["attempts"] == [attempt | {"outcome": "refused"}, attempt]
    assert told["controls"] == [{"by": "acme", "against": "acme", "what": "SQL: make a table", "outcome": "allowed"}]
    assert told["holds"] is False


@dataclass(frozen=True)
class Cluster:
    """A shared cluster with two tenants, and the outputs each would be given."""

    place: Place
    tenants: dict[str, Made]

    def outputs(self, name: str, port: int = 0, **changes: object) -> DatabaseOutput:
        """The `database` part of a tenant's outputs."""
        made, port = self.tenants[name], port or self.place.port
        login, password = made.outs["login"], made.outs["password"]
        url = database_url(
            login=login,
            password=password,
            host=HOST,
            port=port,
            database=DATABASE,
            schema=made.outs["schema_name"],
            sslmode="disable",
        )
        found = DatabaseOutput(
            plan="timeweb-free",
            provider="timeweb",
            mode="shared",
            region="ru-1",
            cluster="shared-free-1",
            cluster_id="1",
            host=HOST,
            port=port,
            database=DATABASE,
            schema_name=made.outs["schema_name"],
            login=login,
            connection_limit=3,
            backups=BackupOutput(interval="none", copies=0, note=""),
            monthly_cost=None,
            password=password,
            database_url=url,
            direct_url=url,
            status="active",
            branch="main",
            features=FeaturesOutput(real_time=True, branches=True, api_generation=True),
            sslmode="disable",
        )
        return found.model_copy(update=changes)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One real server with an admin who is no superuser."""
    running = PostgresServer(tmp_path_factory.mktemp("isolation"), Binaries.find("embedded"), durable=False)
    port = running.start()
    try:
        running.create_admin(ADMIN, ADMIN_PASSWORD)
        running.create_database(DATABASE, ADMIN)
        yield Place(running, port, configured_provider(), running.superuser_dsn)
    finally:
        running.stop()


@pytest.fixture(scope="module")
def cluster(server: Place) -> Cluster:
    """Two tenants on it, made as the provider makes them."""
    return Cluster(server, {name: server.create(name) for name in ("acme", "beta")})


def outcomes(found: Iterator[Probe]) -> list[str]:
    return [probe.outcome for probe in found]


def test_a_tenant_works_in_its_own_schema_and_is_refused_in_its_neighbour_s(cluster: Cluster) -> None:
    """G5, B28: each refusal has its control."""
    acme, beta = cluster.outputs("acme"), cluster.outputs("beta")
    assert outcomes(probe_database("acme", acme, "acme", acme)) == ["allowed"] * 5
    assert outcomes(probe_database("beta", beta, "acme", acme)) == ["refused"] * 5


def test_a_probe_leaves_nothing_behind(cluster: Cluster) -> None:
    acme = cluster.outputs("acme")
    assert outcomes(probe_database("acme", acme, "acme", acme)) == ["allowed"] * 5
    with cluster.place.superuser() as session:
        tables = session.execute("SELECT relname FROM pg_class WHERE relname LIKE '%probe%'").fetchall()
    assert tables == []


@pytest.mark.parametrize(
    ("grant", "revoke", "found"),
    [
        (
            "GRANT USAGE, CREATE ON SCHEMA c_acme TO c_beta_owner",
            "REVOKE ALL ON SCHEMA c_acme FROM c_beta_owner",
            ["allowed", "refused"],
        ),
        (
            "GRANT USAGE, CREATE ON SCHEMA c_acme TO PUBLIC",
            "REVOKE ALL ON SCHEMA c_acme FROM PUBLIC",
            ["allowed", "refused"],
        ),
        (
            "GRANT c_acme_owner TO c_beta WITH INHERIT FALSE",
            "REVOKE c_acme_owner FROM c_beta",
            ["refused", "allowed"],
        ),
    ],
)
def test_a_neighbour_who_was_given_too_much_is_found_out(
    cluster: Cluster, grant: str, revoke: str, found: list[str]
) -> None:
    acme, beta = cluster.outputs("acme"), cluster.outputs("beta")
    with changed(cluster, grant, revoke):
        first, *_, role, name = outcomes(probe_database("beta", beta, "acme", acme))
        assert [first, role, name] == [*found, "refused"]


@pytest.mark.parametrize(
    ("grant", "revoke"),
    [
        ("GRANT USAGE ON SCHEMA c_acme TO PUBLIC", "REVOKE USAGE ON SCHEMA c_acme FROM PUBLIC"),
        ("GRANT USAGE, CREATE ON SCHEMA c_acme TO c_beta", "REVOKE ALL ON SCHEMA c_acme FROM c_beta"),
    ],
    ids=["may read what is granted", "may write once it has left its owner's role"],
)
def test_a_neighbour_who_was_given_a_little_is_found_out(cluster: Cluster, grant: str, revoke: str) -> None:
    """Sessions run as the owner, and `SET ROLE NONE` makes them the login's; reading needs no right to create."""
    acme, beta = cluster.outputs("acme"), cluster.outputs("beta")
    with changed(cluster, grant, revoke):
        assert "allowed" in outcomes(probe_database("beta", beta, "acme", acme))


@contextmanager
def changed(cluster: Cluster, grant: str, revoke: str) -> Iterator[None]:
    """What somebody with a superuser's session may have done."""
    with cluster.place.superuser() as session:
        session.execute(grant.encode())
        try:
            yield
        finally:
            session.execute(revoke.encode())


def test_a_wrong_password_is_a_refusal(cluster: Cluster) -> None:
    acme, stranger = cluster.outputs("acme"), cluster.outputs("beta", password="not-beta's")
    assert outcomes(probe_database("beta", stranger, "acme", acme)) == ["refused"] * 5


def closed_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_server_that_does_not_answer_proves_nothing(cluster: Cluster) -> None:
    """A refusal is PostgreSQL's word, not the network's."""
    beta, gone = cluster.outputs("beta"), cluster.outputs("acme", port=closed_port())
    assert all(outcome.startswith("fault: ") for outcome in outcomes(probe_database("beta", beta, "acme", gone)))


def test_a_session_that_is_still_ending_is_waited_for(cluster: Cluster) -> None:
    """A login of a full plan has one connection, and the server needs a moment to end the one before."""
    acme = cluster.outputs("acme")
    with changed(cluster, "ALTER ROLE c_acme CONNECTION LIMIT 1", "ALTER ROLE c_acme CONNECTION LIMIT 3"):
        leaving = psycopg.connect(acme.database_url)
        ending = threading.Timer(0.3, leaving.close)
        ending.start()
        try:
            assert outcomes(probe_database("acme", acme, "acme", acme)) == ["allowed"] * 5
        finally:
            ending.join()


def test_an_error_that_is_no_refusal_proves_nothing(cluster: Cluster) -> None:
    """A schema that is not there would refuse nobody."""
    acme = cluster.outputs("acme", schema_name="c_nobody")
    assert outcomes(probe_database("acme", acme, "acme", acme))[0] == "fault: 3F000"


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


def test_a_tenant_works_in_its_own_bucket_and_is_refused_in_its_neighbour_s(buckets: S3Server) -> None:
    """A37, G5: list, write, read and delete, each with its control."""
    acme, beta = storage(buckets, "acme"), storage(buckets, "beta")
    assert outcomes(probe_storage("acme", acme, "acme", acme)) == ["allowed"] * 4
    assert outcomes(probe_storage("beta", beta, "acme", acme)) == ["refused"] * 4
    assert buckets.timeweb.usage("customer-acme").objects == 0


def test_a_user_whose_grants_reach_too_far_is_found_out(buckets: S3Server) -> None:
    give(buckets, "beta", "customer-*")
    acme, beta = storage(buckets, "acme"), storage(buckets, "beta")
    assert outcomes(probe_storage("beta", beta, "acme", acme)) == ["allowed"] * 4


def test_keys_that_the_store_does_not_know_are_refused(buckets: S3Server) -> None:
    stranger = storage(buckets, "beta", access_key="A" * 20)
    assert outcomes(probe_storage("beta", stranger, "acme", storage(buckets, "acme"))) == ["refused"] * 4


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
    assert s3_outcome(s3_error(code)) == outcome


def tenant(
    database: DatabaseOutput | None, bucket: StorageOutput | None = None, state: str = "active"
) -> TenantOutputs:
    return TenantOutputs.model_validate(
        {"name": "a tenant", "state": state, "cell": 1, "database": database, "storage": bucket}
    )


def test_a_fleet_is_certified_by_both_its_databases_and_its_buckets(cluster: Cluster, buckets: S3Server) -> None:
    """B28: two tenants, five probes in SQL and four in S3, each way."""
    fleet = {name: tenant(cluster.outputs(name), storage(buckets, name)) for name in ("acme", "beta")}
    certificate = certify(fleet)
    assert certificate.holds
    assert (len(certificate.controls), len(certificate.attempts)) == (18, 18)
    assert {(probe.by, probe.against) for probe in certificate.attempts} == {("acme", "beta"), ("beta", "acme")}


@pytest.mark.parametrize("state", ["suspended", "terminated"])
def test_a_blocked_tenant_is_left_out(cluster: Cluster, state: str) -> None:
    """It holds no rights to be its own control."""
    fleet = {"acme": tenant(cluster.outputs("acme")), "beta": tenant(cluster.outputs("beta"), state=state)}
    certificate = certify(fleet)
    assert {(probe.by, probe.against) for probe in certificate.controls} == {("acme", "acme")}
    assert certificate.attempts == ()


def test_tenants_without_a_section_are_not_probed_for_it(cluster: Cluster, buckets: S3Server) -> None:
    fleet = {"acme": tenant(cluster.outputs("acme")), "beta": tenant(None, storage(buckets, "beta"))}
    certificate = certify(fleet, neighbours=1)
    assert {probe.what.partition(":")[0] for probe in certificate.controls} == {"SQL", "S3"}
    assert certificate.attempts == ()


def test_the_probes_need_no_administrator(cluster: Cluster) -> None:
    """The admin's password is derived, and none of the outputs holds it."""
    password = derive_admin_password("another secret", "tenantry:prod:shared-free-1-cluster-1")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(host=HOST, port=cluster.place.port, dbname=DATABASE, user=ADMIN, password=password)
    assert ADMIN_PASSWORD not in cluster.outputs("acme").model_dump_json()
