"""The probes in databases, on real servers of three versions: each finds the break it is made for, and nothing else."""

import socket
import threading
from collections.abc import Iterator
from itertools import product

import psycopg
import pytest

from components.outputs import TenantOutputs
from dynamic_providers.admin_password import derive_admin_password
from lifecycle import isolation_probes as probes
from lifecycle.certificate import Certificate, Ledger
from lifecycle.isolation import certify, pairs
from lifecycle.isolation_databases import (
    DISGUISE,
    LOG_IN,
    LOG_IN_AT_PLATFORM,
    PLATFORM,
    PREPARE,
    probe_databases,
)
from sandbox.postgres import HOST, Binaries
from tests.dynamic_providers.postgres.place import ADMIN, ADMIN_PASSWORD, DATABASE
from tests.lifecycle.isolated import OWN_DATABASE, Cluster, running, tenant
from tests.lifecycle.isolation_breaks import BREAKS

NAMES = ("alpha", "beta", "gamma", "delta")
# Roles work differently from PostgreSQL 16 on.
BUILDS = (
    "embedded",
    pytest.param("system15", marks=pytest.mark.e2e),
    pytest.param("pixeltable16", marks=pytest.mark.e2e),
)


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


@pytest.fixture(scope="module", params=BUILDS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three tenants, made as the provider makes them."""
    if request.param not in Binaries.available():
        pytest.skip(f"PostgreSQL build {request.param} is not installed")
    with running(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


def prove(cluster: Cluster, fleet: dict[str, TenantOutputs] | None = None, **how: object) -> Certificate:
    return certify(fleet or cluster.fleet(), platform=cluster.platform, **how)  # type: ignore[arg-type]  # its own options


def told(certificate: Certificate) -> set[tuple[str, str, str]]:
    return {(probe.by, probe.against, probe.what) for probe in certificate.successes}


def test_every_tenant_works_at_home_and_is_refused_elsewhere(cluster: Cluster) -> None:
    """G5, B28, B30: on a shared database, beside it on the same server, and at the platform's."""
    certificate = prove(cluster)
    assert certificate.holds, (certificate.summary, certificate.successes, certificate.faults, certificate.uncontrolled)
    tried = {(probe.by, probe.against): set() for probe in certificate.attempts}  # type: dict[tuple[str, str], set[str]]
    for probe in certificate.attempts:
        tried[probe.by, probe.against].add(probe.what.removeprefix("SQL: "))
    everything = {probe.what for probe in probes.AGAINST_OTHERS}
    everywhere = {probe.what for probe in probes.AGAINST_OTHERS if probe.everywhere}
    disguise, log_in = DISGUISE.removeprefix("SQL: "), LOG_IN.removeprefix("SQL: ")
    assert tried["beta", "acme"] == tried["acme", "beta"] == everything | {disguise}
    assert tried["gamma", "acme"] == tried["acme", "gamma"] == everywhere | {disguise, log_in}
    assert tried["acme", PLATFORM] == {LOG_IN_AT_PLATFORM.removeprefix("SQL: ")}
    assert tried["gamma", "database postgres"] == {probe.what for probe in probes.NOBODYS}
    assert tried["gamma", "database platform"] == {log_in}


def test_probes_leave_nothing_behind(cluster: Cluster) -> None:
    prove(cluster)
    assert left(cluster) == []


def left(cluster: Cluster) -> list[object]:
    query = (
        "SELECT relname FROM pg_class WHERE relname LIKE '%probe%' UNION ALL "
        "SELECT proname FROM pg_proc WHERE proname LIKE '%probe%' UNION ALL "
        "SELECT oid::text FROM pg_largeobject_metadata UNION ALL SELECT defaclrole::text FROM pg_default_acl"
    )
    found = []
    for database in (DATABASE, OWN_DATABASE, "postgres"):
        with cluster.superuser(database) as session:
            found += [row[0] for row in session.execute(query.encode())]
    return found


def test_what_a_killed_run_has_left_is_taken_away_by_the_next(cluster: Cluster) -> None:
    with cluster.place.connect(cluster.tenants["acme"]) as session:
        subject = probes.Subject("c_acme", "c_acme_owner", "c_acme", DATABASE, ("c_acme", "c_acme_owner"))
        session.execute(probes.makes(subject))
    assert len(left(cluster)) == 4
    assert prove(cluster).holds
    assert left(cluster) == []


class FullLedger(Ledger):
    """Fails when an attempt is noted."""

    def attempt(self, *_: object, **__: object) -> None:
        """Fail."""
        raise OSError("no space is left")


def test_what_was_made_is_taken_away_after_a_failure_too(cluster: Cluster) -> None:
    outputs = {name: cluster.outputs(name) for name in cluster.tenants}
    with pytest.raises(OSError, match="no space"):
        probe_databases(outputs, frozenset(pairs(list(outputs), None)), list(outputs.values()), None, FullLedger())
    assert left(cluster) == []


@pytest.mark.parametrize("name", BREAKS)
def test_what_was_given_away_is_found(cluster: Cluster, name: str) -> None:
    """G5, B20, B28, B30: each probe finds the break it is for, and names tenant and object."""
    hole = BREAKS[name]
    with cluster.changed(hole.do, hole.undo, hole.database):
        certificate = prove(cluster)
    through = {
        what.removeprefix("SQL: ") for by, against, what in told(certificate) if (by, against) == ("beta", hole.against)
    }
    assert hole.found <= through
    assert not certificate.holds
    named = [text for probe in certificate.successes if probe.against == hole.against for text in probe.found]
    assert not hole.names or hole.names in named
    assert left(cluster) == []


def test_no_probe_is_without_a_break_that_it_finds() -> None:
    every = {probe.what for probe in (*probes.AGAINST_OTHERS, *probes.AT_HOME, *probes.NOBODYS)}
    every |= {name.removeprefix("SQL: ") for name in (LOG_IN, LOG_IN_AT_PLATFORM)}
    # Extensions are proven where the build has them, a name that is another's password below.
    extensions = {what for what in every if what.startswith("make extension")}
    assert every - extensions == {what for hole in BREAKS.values() for what in hole.found}


def test_who_may_make_extensions_is_found(cluster: Cluster) -> None:
    """An extension that the server does not have has nobody to be refused."""
    with cluster.superuser() as session:
        query = "SELECT name FROM pg_available_extensions WHERE name IN ('dblink', 'postgres_fdw')"
        there = {f"SQL: make extension {row[0]}" for row in session.execute(query.encode())}
    assert {probe.what for probe in prove(cluster).attempts if "extension" in probe.what} == there
    with cluster.changed("ALTER ROLE c_beta SUPERUSER", "ALTER ROLE c_beta NOSUPERUSER"):
        found = told(prove(cluster))
    assert there == {what for by, against, what in found if by == against == "beta" and "extension" in what}


def test_a_password_that_two_tenants_share_is_found(cluster: Cluster) -> None:
    shared = cluster.tenants["acme"].outs["password"]
    try:
        cluster.place.server.set_password("c_beta", shared)
        beta = cluster.outputs("beta", password=shared)
        found = told(prove(cluster, cluster.fleet(beta=beta)))
    finally:
        cluster.place.server.set_password("c_beta", cluster.tenants["beta"].outs["password"])
    assert found == {("beta", "acme", DISGUISE), ("acme", "beta", DISGUISE)}


@pytest.mark.usefixtures("cluster")
def test_a_session_of_the_other_is_there_to_be_looked_at(cluster: Cluster) -> None:
    """Nothing is hidden where nothing is: without a session of its, its statements could not be refused."""
    certificate = prove(cluster)
    looks = [probe for probe in certificate.attempts if probe.what == "SQL: read the statements of its sessions"]
    assert len(looks) == 6
    assert {probe.outcome for probe in looks} == {"refused"}


def test_a_tenant_that_cannot_log_in_itself_proves_nothing(cluster: Cluster) -> None:
    """B28: its control is refused, and nothing is counted against it."""
    stranger = cluster.outputs("beta", password="not-beta's")
    certificate = prove(cluster, cluster.fleet(beta=stranger))
    assert not certificate.holds
    assert [(probe.by, probe.what, probe.outcome) for probe in certificate.broken_controls] == [
        ("beta", LOG_IN, "refused")
    ]
    assert "beta" not in {probe.against for probe in certificate.attempts}


def closed_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_server_that_does_not_answer_proves_nothing(cluster: Cluster) -> None:
    """A refusal is PostgreSQL's word, not the network's."""
    certificate = prove(cluster, cluster.fleet(gamma=cluster.outputs("gamma", port=closed_port())))
    assert not certificate.holds
    assert [(probe.by, probe.outcome) for probe in certificate.broken_controls] == [
        ("gamma", "fault: OperationalError")
    ]


def test_a_platform_that_does_not_answer_proves_nothing(cluster: Cluster) -> None:
    gone = f"postgresql://admin:secret@{HOST}:{closed_port()}/platform"
    certificate = certify(cluster.fleet(), platform=gone)
    assert not certificate.holds
    assert {probe.against for probe in certificate.uncontrolled} == {PLATFORM}
    assert not certificate.successes


def test_a_schema_that_is_not_there_proves_nothing(cluster: Cluster) -> None:
    """What is missing refuses nobody."""
    nowhere = cluster.outputs("acme", schema_name="c_nobody")
    certificate = prove(cluster, cluster.fleet(acme=nowhere))
    assert [(probe.by, probe.what, probe.outcome) for probe in certificate.broken_controls] == [
        ("acme", PREPARE, "fault: 3F000")
    ]
    assert not certificate.holds


def test_a_login_with_a_single_connection_is_enough(cluster: Cluster) -> None:
    """The session before may still be ending at the server, and no tenant has two at a time."""
    acme = cluster.outputs("acme")
    one, three = ("; ".join(f"ALTER ROLE {each} CONNECTION LIMIT {n}" for each in ("c_acme", "c_beta")) for n in (1, 3))
    with cluster.changed(one, three):
        leaving = psycopg.connect(acme.database_url)
        ending = threading.Timer(0.3, leaving.close)
        ending.start()
        try:
            assert prove(cluster).holds
        finally:
            ending.join()


@pytest.mark.parametrize("state", ["suspended", "terminated"])
def test_a_blocked_tenant_is_left_out(cluster: Cluster, state: str) -> None:
    """It holds no rights to be its own control; its database is still not nobody's."""
    fleet = cluster.fleet() | {"gamma": tenant(cluster.outputs("gamma"), state=state)}
    certificate = certify(fleet)
    assert {probe.by for probe in certificate.controls} == {"acme", "beta"}
    assert not {"gamma", f"database {OWN_DATABASE}"} & {probe.against for probe in certificate.attempts}


def test_only_those_who_are_named_are_probed(cluster: Cluster) -> None:
    certificate = certify(cluster.fleet(), only=["acme", "gamma"])
    assert certificate.holds
    assert certificate.tenants == ("acme", "gamma")
    assert {probe.by for probe in certificate.attempts} == {"acme", "gamma"}
    assert "beta" not in {probe.against for probe in certificate.attempts}


def test_no_secret_is_in_a_certificate(cluster: Cluster) -> None:
    """G25: also of what was found by those who may read everything."""
    with cluster.changed("ALTER ROLE c_beta SUPERUSER", "ALTER ROLE c_beta NOSUPERUSER"):
        text = str(prove(cluster).as_json())
    passwords = [made.outs["password"] for made in cluster.tenants.values()]
    assert not [secret for secret in (*passwords, ADMIN_PASSWORD, "SCRAM-SHA-256") if secret in text]


def test_the_probes_need_no_administrator(cluster: Cluster) -> None:
    """The admin's password is derived, and none of the outputs holds it."""
    password = derive_admin_password("another secret", "tenantry:prod:shared-free-1-cluster-1")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(host=HOST, port=cluster.place.port, dbname=DATABASE, user=ADMIN, password=password)
    assert ADMIN_PASSWORD not in cluster.outputs("acme").model_dump_json()
