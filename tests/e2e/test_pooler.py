"""A hundred tenants of a pooled plan on one cluster, behind a real PgBouncer that runs on the rendered files."""

import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from catalogue.load import load_fleet
from components.outputs import DatabaseOutput
from components.pooler import PoolerSettings
from dynamic_providers.admin_password import derive_admin_password
from lifecycle.isolation import certify
from lifecycle.pooler import Deployment, render
from lifecycle.pooler_folder import write
from sandbox.pooler import PgBouncer, PoolerServer
from sandbox.postgres import HOST
from sandbox.simulators.server import bind
from tests.e2e.world import PROJECT, STACK, World

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        PgBouncer.find() is None, reason="there is no PgBouncer: `make pooler` unpacks one where apt is"
    ),
]

CLUSTER = "shared-free-1"
TENANTS = 100
BUDGET, RESERVE = 95, 5
NEWCOMER = f"t-{TENANTS - 1:03}"
FLEET = {f"t-{number:03}": {"database": {"plan": "timeweb-free"}} for number in range(TENANTS - 1)}


@dataclass
class Pooled:
    """The fleet, the folder that was rendered, the pooler of its cluster, and the tenants' databases as last seen."""

    world: World
    folder: Path
    server: PoolerServer
    databases: dict[str, DatabaseOutput] = field(default_factory=dict)

    def up(self) -> None:
        """Bring the fleet up and read its outputs."""
        result = self.world.engine().up()
        assert result.ok, [failure.message for failure in result.failures]
        tenants = self.world.tenants()
        self.databases = {name: tenant.database for name, tenant in tenants.items() if tenant.database}

    def render(self) -> str:
        """`tenantry pooler render` in a process of its own."""
        words = ["pooler", "render", str(self.folder), "--listen", HOST, "--pgbouncer", "1.18", "--json"]
        command = [sys.executable, "-m", "cli.main", *words, "--stack", STACK]
        ran = subprocess.run(command, cwd=PROJECT, env=self.world.environ, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def connect(self, name: str, **changes: str | int) -> psycopg.Connection:
        """A session of the tenant's by the URL it was given, or by that with other parts."""
        return psycopg.connect(
            self.databases[name].database_url,
            autocommit=True,
            connect_timeout=10,
            prepare_threshold=None,
            **changes,  # type: ignore[arg-type]  # psycopg types each keyword by itself
        )

    def admin(self) -> psycopg.Connection:
        """A session of the cluster's administrator, past the pooler."""
        database = next(iter(self.databases.values()))
        secret = self.world.environ["TENANTRY_ADMIN_SECRET"]
        return psycopg.connect(
            host=database.host,
            port=database.port,
            dbname=database.database,
            user="admin",
            password=derive_admin_password(secret, f"tenantry:{STACK}:{CLUSTER}-cluster-1"),
            autocommit=True,
        )

    def files(self) -> dict[str, tuple[int, int]]:
        """Each rendered file with its inode, a new one when it is written, and its mode."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.name: (path.stat().st_ino, path.stat().st_mode & 0o777) for path in found}


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooled]:
    """Ninety-nine tenants behind a pooler; the hundredth comes later."""
    folder = tmp_path_factory.mktemp("pooled")
    pgbouncer = PgBouncer.find()
    assert pgbouncer is not None
    with ExitStack() as stack:
        world = World.start(folder / "sandbox", "embedded", {})
        stack.callback(world.stop)
        world.edit_plan("database", "timeweb-free", pooled=True)
        world.edit(lambda tenants: tenants.update(FLEET))
        with bind(0, "a pooler") as listener:
            port = listener.getsockname()[1]
        world.environ |= {"TENANTRY_POOLER_HOST": HOST, "TENANTRY_POOLER_PORT": str(port)}
        world.environ["TENANTRY_POOLER_SSLMODE"] = "disable"
        server = PoolerServer(folder / "files" / CLUSTER, folder / "pooler.log", pgbouncer)
        pooled = Pooled(world, folder / "files", server)
        pooled.up()
        pooled.render()
        server.start()
        stack.callback(server.stop)
        yield pooled


def eventually(act: object, seconds: float = 5.0) -> None:
    """Repeat a check until it holds: a reload is asked for by a signal and answers nothing."""
    assert callable(act)
    deadline = time.monotonic() + seconds
    while True:
        try:
            act()
        except (AssertionError, psycopg.Error):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def test_every_tenant_works_in_its_own_schema_by_the_url_it_was_given(pooled: Pooled) -> None:
    """A38, A40, G10: SCRAM on both sides, and the search path is the login role's own."""

    def visit(name: str) -> tuple[object, ...]:
        with pooled.connect(name) as session:
            session.execute("CREATE TABLE visits (by text); INSERT INTO visits VALUES (session_user)")
            asked = "SELECT current_schema(), (SELECT by FROM visits), inet_server_port()"
            return tuple(session.execute(asked).fetchone() or ())

    assert all(f":{pooled.server.port}/" in database.database_url for database in pooled.databases.values())
    assert all(f":{database.port}/" in database.direct_url for database in pooled.databases.values())
    with ThreadPoolExecutor(8) as pool:
        seen = dict(zip(FLEET, pool.map(visit, FLEET), strict=True))
    cluster = pooled.databases["t-000"].port
    assert seen == {name: (f"c_{name}", f"c_{name}", cluster) for name in FLEET}


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"password": "not-the-password"}, "SASL authentication failed"),
        ({"user": "c_t-001"}, "SASL authentication failed"),
        ({"user": "c_nobody"}, "SASL authentication failed"),
        ({"dbname": "postgres"}, "no such database: postgres"),
        ({"dbname": "pgbouncer"}, "not allowed"),
    ],
    ids=["a wrong password", "another tenant's name", "nobody's name", "another database", "the pooler's console"],
)
def test_what_is_not_the_tenant_s_own_is_refused_at_once(
    pooled: Pooled, changes: dict[str, str | int], refusal: str
) -> None:
    """A37, A38: by the pooler's own word and not by a time-out, so nobody waits in another's pool."""
    started = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match=refusal):
        pooled.connect("t-000", **changes)
    assert time.monotonic() - started < 3
    with pooled.connect("t-000") as session:
        assert session.execute("SELECT session_user").fetchone() == ("c_t-000",)


def test_tenants_are_apart_through_the_pooler(pooled: Pooled) -> None:
    """A24, A37, G5: the certificate goes where the outputs send the tenants."""
    some = dict(list(pooled.world.tenants().items())[:8])
    certificate = certify(some, neighbours=1)
    bad = (certificate.successes, certificate.faults, certificate.broken_controls, certificate.uncontrolled)
    assert certificate.holds, [probes[:3] for probes in bad]
    assert len({(probe.by, probe.against) for probe in certificate.attempts if probe.against in some}) == 8 * 2


def test_a_new_tenant_comes_by_a_reload_that_no_connection_notices(pooled: Pooled) -> None:
    """A38: only the user list is written again, and nobody is thrown out."""
    before = pooled.files()
    with pooled.connect("t-000") as here, pooled.connect("t-001") as busy, busy.transaction():
        at_work = busy.execute("SELECT pg_backend_pid()").fetchone()
        pooled.world.edit(lambda tenants: tenants.update({NEWCOMER: {"database": {"plan": "timeweb-free"}}}))
        pooled.up()
        pooled.render()
        after = pooled.files()
        assert [name for name in after if after[name] != before[name]] == ["userlist.txt"]
        assert {mode for _, mode in after.values()} == {0o600}
        pooled.server.reload()
        eventually(lambda: pooled.connect(NEWCOMER).close())
        assert busy.execute("SELECT pg_backend_pid()").fetchone() == at_work
        assert here.execute("SELECT session_user").fetchone() == ("c_t-000",)
    pooled.render()
    assert pooled.files() == after


def test_a_hundred_tenants_at_once_queue_and_never_open_more_than_the_budget(pooled: Pooled) -> None:
    """A39, G9, H10: three clients each, of whom nobody is refused, over 95 connections of the server's 100."""
    clients = [name for name in pooled.databases for _ in range(3)]
    together = threading.Barrier(len(clients) + 1)

    def work(name: str) -> int:
        with pooled.connect(name) as session:
            together.wait(60)
            for _ in range(4):
                session.execute(
                    "INSERT INTO visits SELECT session_user FROM pg_sleep(0.01)" if name != NEWCOMER else ""
                )
            return 1

    with ThreadPoolExecutor(len(clients)) as pool, pooled.admin() as admin:
        working = [pool.submit(work, name) for name in clients]
        together.wait(60)
        most, before = 0, open_connections(admin)
        while not all(each.done() for each in working):
            time.sleep(0.03)
            # One that the pooler has just closed ends in a moment: what two looks see is open.
            now = open_connections(admin)
            most, before = max(most, len(now & before)), now
        assert sum(each.result() for each in working) == 3 * TENANTS
        rows = [visits(pooled, name) for name in FLEET]
    assert rows == [1 + 3 * 4] * (TENANTS - 1)
    assert 10 < most <= BUDGET


def open_connections(admin: psycopg.Connection) -> set[int]:
    """The server's processes that serve tenants."""
    return {int(row[0]) for row in admin.execute("SELECT pid FROM pg_stat_activity WHERE usename LIKE 'c\\_%'")}


def visits(pooled: Pooled, name: str) -> int:
    with pooled.connect(name) as session:
        return int((session.execute("SELECT count(*) FROM visits").fetchone() or (0,))[0])


def test_the_reserve_is_left_for_us_while_every_pool_is_full(pooled: Pooled) -> None:
    """A39, G9: the ninety-sixth waits its turn, the administrator does not."""
    names = list(pooled.databases)
    with ExitStack() as waiting, ExitStack() as holding, ThreadPoolExecutor(RESERVE) as pool:
        for name in names[:BUDGET]:
            holding.enter_context(holding.enter_context(pooled.connect(name)).transaction())
        sessions = [waiting.enter_context(pooled.connect(name)) for name in names[BUDGET:]]
        answers = [pool.submit(session.execute, "SELECT session_user") for session in sessions]
        with pooled.admin() as admin:
            time.sleep(0.3)
            assert len(open_connections(admin)) == BUDGET
        assert not any(answer.done() for answer in answers)
        holding.close()
        assert [answer.result(30).fetchone() for answer in answers] == [(f"c_{name}",) for name in names[BUDGET:]]


def answer(session: psycopg.Connection) -> bytes | None:
    """What comes of a query within a second; a pooler that cannot log in lets its client wait for long."""
    connection = session.pgconn
    connection.send_query(b"SELECT 'served'")
    if not select.select([connection.socket], [], [], 1.0)[0]:
        return None
    connection.consume_input()
    result = connection.get_result()
    return result.get_value(0, 0) if result and result.ntuples else None


def test_a_tenant_reaches_the_pooler_by_tls_and_not_without(pooled: Pooled, tmp_path: Path) -> None:
    """A38: with the default `sslmode` the pooler takes TLS only, with the operator's certificate."""
    with bind(0, "a pooler") as listener:
        port = listener.getsockname()[1]
    tls = Deployment(settings=PoolerSettings(HOST, port), folder=tmp_path / "tls", listen=HOST, version=(1, 18))
    write(tls.folder, render(load_fleet(pooled.world.fleet), pooled.world.tenants(), tls), keep=[])
    certificate(tls.folder)
    with pooled.admin() as admin:
        # A second pooler finds the only connection of the role taken by the first.
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'c_t-000'")
    pgbouncer = PgBouncer.find()
    assert pgbouncer is not None
    server = PoolerServer(tls.folder / CLUSTER, tmp_path / "tls.log", pgbouncer)
    server.start()
    try:
        trusted = str(tls.folder / "tls.crt")
        with pooled.connect("t-000", port=port, sslmode="verify-ca", sslrootcert=trusted) as session:
            assert session.execute("SELECT session_user").fetchone() == ("c_t-000",)
        with pytest.raises(psycopg.OperationalError, match="SSL required"):
            pooled.connect("t-000", port=port, sslmode="disable")
    finally:
        server.stop()


def certificate(folder: Path) -> None:
    """A certificate that vouches for itself, where the rendered files look for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pooler")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (folder / "tls.crt").write_bytes(made.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "tls.key").write_bytes(secret)


def test_a_suspended_tenant_is_refused_and_its_session_ended(pooled: Pooled) -> None:
    """A38, design rule 5: by the server at once, and by the pooler from the next reload on."""
    # Its last query stays open, so it can only be closed.
    with closing(pooled.connect("t-002")) as session, pooled.connect("t-003") as neighbour:
        assert session.execute("SELECT 1").fetchone() == (1,)
        pooled.world.edit(lambda tenants: tenants["t-002"].update(state="suspended"))
        pooled.up()
        with pooled.admin() as admin:
            assert admin.execute("SELECT FROM pg_stat_activity WHERE usename = 'c_t-002'").fetchall() == []
        assert answer(session) is None
        pooled.render()
        users = (pooled.folder / CLUSTER / "userlist.txt").read_text()
        assert '"c_t-003"' in users
        assert '"c_t-002"' not in users
        pooled.server.reload()
        assert neighbour.execute("SELECT 1").fetchone() == (1,)

    def refused() -> None:
        with pytest.raises(psycopg.OperationalError, match="SASL authentication failed"):
            pooled.connect("t-002").close()

    eventually(refused)


def test_without_a_pooler_s_host_only_the_outputs_change(pooled: Pooled) -> None:
    """A40, G10: `databaseUrl` names the cluster again, and no resource is touched."""
    host = pooled.world.environ.pop("TENANTRY_POOLER_HOST")
    pooled.world.forget_requests()
    result = pooled.world.engine().up()
    assert not result.changed, [change for change in result.changes if change.operation != "same"]
    assert pooled.world.changes() == []
    database = pooled.world.tenants()["t-000"].database
    assert database is not None
    assert database.database_url == database.direct_url == pooled.databases["t-000"].direct_url
    pooled.world.environ["TENANTRY_POOLER_HOST"] = host
