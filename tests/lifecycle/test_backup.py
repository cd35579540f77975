"""Backups of a tenant in a real store: what counts as one, what is restored, and what a fault leaves."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from dynamic_providers.postgres.connection import Address
from dynamic_providers.postgres.inputs import LAYOUT
from lifecycle.backup import Subject, back_up, hash_of, prune
from lifecycle.bootstrap import offsite
from lifecycle.courier import TenantPlace
from lifecycle.errors import DamagedError, DataError, MistakeError, StoreError
from lifecycle.manifest import ARCHIVE, MANIFEST, Manifest, Shelf
from lifecycle.programs import Programs
from lifecycle.restore import Job, choose, drop_kept, kept_schemas
from lifecycle.schedule import Promise
from lifecycle.store import Store, StoreSettings
from sandbox.faults import Fault
from sandbox.postgres import HOST, Binaries, PostgresServer
from sandbox.s3 import REGION, S3Server
from sandbox.simulators.timeweb.storage import Login
from tests.dynamic_providers.postgres.conftest import reset
from tests.dynamic_providers.postgres.place import (
    ADMIN,
    ADMIN_PASSWORD,
    DATABASE,
    Made,
    Place,
    configured_provider,
    one,
)

BUCKET, KEYS = "offsite", ("AKIAOFFSITE000000000", "a-secret-of-the-offsite-store")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DAILY = Promise(DAY, 7 * DAY)


@dataclass
class Tenant:
    """One tenant with a table of 5,000 rows, its shelf in the store, and a clock that the test holds."""

    place: Place
    made: Made
    subject: Subject
    shelf: Shelf
    server: S3Server
    programs: Programs
    now: datetime = NOON

    def back_up(self) -> Manifest:
        """Take a backup at `now`."""
        return back_up(self.subject, self.shelf, self.programs, lambda: self.now)

    def job(self, manifest: Manifest) -> Job:
        """A restore, or a drill, at `now`."""
        return Job(
            subject=self.subject,
            shelf=self.shelf,
            manifest=manifest,
            promise=DAILY,
            programs=self.programs,
            now=self.now,
        )

    def rows(self) -> object:
        """How many rows the tenant sees."""
        with self.place.connect(self.made) as connection:
            return one(connection, "SELECT count(*) FROM things")[0]

    def delete(self) -> None:
        """Let the tenant lose them all."""
        with self.place.connect(self.made) as connection:
            connection.execute("DELETE FROM things")

    def strike(self, name: str, method: str, path: str, times: int = 1, skip: int = 0) -> None:
        """Let the store fail."""
        self.server.faults.add(Fault(name, method, path, times=times, skip=skip))

    def sent(self, method: str) -> list[str]:
        """Last words of the paths that the store was asked for."""
        return [entry.path.rpartition("/")[2] for entry in self.server.requests() if entry.method == method]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One server of the newest version: the versions' differences are the dump's tests' subject."""
    server = PostgresServer(tmp_path_factory.mktemp("backup"), Binaries.best(), durable=False)
    port = server.start()
    try:
        server.create_admin(ADMIN, ADMIN_PASSWORD)
        server.create_database(DATABASE, ADMIN)
        yield Place(server, port, configured_provider(), server.superuser_dsn)
    finally:
        server.stop()


@pytest.fixture
def acme(database: Place, s3: S3Server, programs: Programs) -> Iterator[Tenant]:
    """A tenant with data, and an empty store with a key of its own."""
    s3.offsite.set_bucket_user(Login("offsite", *KEYS), BUCKET)
    store = Store(StoreSettings(s3.url, BUCKET, REGION, *KEYS), part_bytes=5 << 20)
    store.make_bucket()
    made = database.create("acme")
    with database.connect(made) as connection:
        connection.execute(
            "CREATE TABLE things AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 5000) AS g"
        )
    address = Address(HOST, database.port, DATABASE, ADMIN, ADMIN_PASSWORD, "disable")
    subject = Subject("acme", "timeweb-pro", 1, TenantPlace(address, "c_acme", "c_acme_owner", "c_acme"))
    yield Tenant(database, made, subject, Shelf(store, "prod", "acme"), s3, programs)
    store.close()
    reset(database)


def test_a_backup_is_listed_sized_and_read_back_before_it_counts(acme: Tenant) -> None:
    """A49, H9, G14: the manifest tells the recovery point as measured, and the distance to the one before."""
    first = acme.back_up()
    acme.now += timedelta(hours=5)
    second = acme.back_up()
    assert [first.gap_seconds, second.gap_seconds] == [None, 5 * 3600]
    assert list(acme.shelf.all()) == [first, second]
    assert (first.contents.rows, first.recovery_point, first.tenant, first.generation) == (5000, NOON, "acme", 1)
    assert acme.shelf.look()[first.id] == {ARCHIVE: first.bytes, MANIFEST: acme.shelf.look()[first.id][MANIFEST]}
    assert acme.sent("PUT") == [BUCKET, *[ARCHIVE, MANIFEST] * 2]
    assert acme.sent("GET").count(ARCHIVE) == 2, "what was written was read back"


def test_a_restore_brings_the_rows_back_keeps_what_was_there_and_ends_sessions(acme: Tenant) -> None:
    """A50, F32."""
    manifest = acme.back_up()
    acme.delete()
    session = acme.place.connect(acme.made)
    acme.now += 2 * DAY
    receipt = acme.job(manifest).restore()
    assert acme.rows() == 5000
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    assert (receipt.rows, receipt.age_seconds, receipt.age_within_promise) == (5000, 2 * 86400, False)
    assert kept_schemas(acme.subject.place) == [receipt.kept_as] == ["c_acme_20261126120000"]
    assert acme.place.read(acme.made)["layout"] == LAYOUT, "the next `up` has nothing to do"
    assert drop_kept(acme.subject.place) == [receipt.kept_as]
    assert kept_schemas(acme.subject.place) == []
    assert acme.rows() == 5000


def test_what_is_kept_is_not_dropped_while_the_tenant_refers_to_it(acme: Tenant) -> None:
    manifest = acme.back_up()
    kept = acme.job(manifest).restore().kept_as
    with acme.place.connect(acme.made) as connection:
        connection.execute(sql.SQL("CREATE VIEW old AS SELECT * FROM {}").format(sql.Identifier(kept, "things")))
    with pytest.raises(DataError, match="refer to"):
        drop_kept(acme.subject.place)
    assert kept_schemas(acme.subject.place) == [kept]


def test_a_drill_measures_and_changes_nothing(acme: Tenant) -> None:
    manifest = acme.back_up()
    acme.delete()
    receipt = acme.job(manifest).drill()
    assert (receipt.kind, receipt.rows, receipt.kept_as, receipt.promised_age_seconds) == ("drill", 5000, "", 86400)
    assert receipt.age_within_promise
    assert receipt.seconds > 0
    assert acme.rows() == 0
    assert kept_schemas(acme.subject.place) == []


def test_a_drill_chooses_by_chance_and_again_the_same_by_the_same_seed() -> None:
    tenants = {"pro": [f"t{number}" for number in range(50)], "business": ["one"], "empty": []}
    assert choose(tenants, 1) == choose(tenants, 1)
    assert len({choose(tenants, seed)["pro"] for seed in range(20)}) > 5
    assert choose(tenants, None).keys() == {"pro", "business"}


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("unavailable", "PUT", ARCHIVE),
        ("unavailable", "GET", ARCHIVE),
        ("unavailable", "PUT", MANIFEST),
        ("token-refused", "PUT", MANIFEST),
    ],
)
def test_a_store_that_fails_leaves_no_backup_and_the_next_run_makes_one(
    acme: Tenant, name: str, method: str, path: str
) -> None:
    acme.strike(name, method, f".*{path}", times=3)
    with pytest.raises(StoreError):
        acme.back_up()
    assert acme.shelf.all() == []
    assert acme.shelf.store.sizes("") == {}
    acme.server.faults.clear()
    manifest = acme.back_up()
    assert list(acme.shelf.all()) == [manifest]


def test_a_lost_answer_is_asked_again_and_makes_one_backup(acme: Tenant) -> None:
    for path in (ARCHIVE, MANIFEST):
        acme.strike("response-lost", "PUT", f".*{path}")
    manifest = acme.back_up()
    assert list(acme.shelf.all()) == [manifest]
    assert acme.sent("PUT") == [BUCKET, ARCHIVE, ARCHIVE, MANIFEST, MANIFEST]


def test_a_big_object_goes_in_parts_and_a_broken_one_is_ended(acme: Tenant) -> None:
    """Whatever its size, no more than one part is held."""
    store, data = acme.shelf.store, bytes(range(256)) * (11 << 12)
    acme.strike("unavailable", "PUT", ".*/big", times=3, skip=1)
    with pytest.raises(StoreError), store.upload("big") as upload:
        upload.write(data)
    assert store.sizes("") == {}
    assert store.abort_uploads("", datetime.now(UTC) + DAY) == 0, "its parts are gone already"
    acme.server.faults.clear()
    with store.upload("big") as upload:
        for start in range(0, len(data), 1 << 20):
            upload.write(data[start : start + (1 << 20)])
    assert store.sizes("") == {"big": upload.size} == {"big": 11 << 20}
    assert hash_of(store.chunks("big")) == upload.sha256 == hashlib.sha256(data).hexdigest()
    assert acme.sent("PUT").count("big") == 1 + 3 + 3


def test_what_a_killed_run_left_is_no_backup_and_goes_after_a_day(acme: Tenant) -> None:
    """A49: retention looks at the store. Nothing has been told of the archive without a manifest but its bytes."""
    manifest = acme.back_up()
    store, left = acme.shelf.store, "b-20261124t110000z-0000"
    store.put(acme.shelf.key(left, ARCHIVE), b"half")
    begun = store._client.create_multipart_upload(Bucket=BUCKET, Key=acme.shelf.key(left, "part"))  # noqa: SLF001  as a killed process leaves it
    assert list(acme.shelf.all()) == [manifest]
    with pytest.raises(DamagedError, match="is damaged"):
        acme.shelf.find(left)
    assert prune(acme.shelf, DAILY, set(), NOON + timedelta(hours=22)) == []
    assert prune(acme.shelf, DAILY, set(), datetime.now(UTC) + 2 * DAY) == [left]
    assert begun["UploadId"]
    assert store.abort_uploads("", datetime.now(UTC) + 2 * DAY) == 0


def test_retention_removes_what_is_expired_and_nothing_else(acme: Tenant) -> None:
    made = []
    for day in (0, 1, 2, 3, 10):
        acme.now = NOON + day * DAY
        made.append(acme.back_up().id)
    assert prune(acme.shelf, DAILY, {made[1]}, acme.now) == [made[0], made[2]]
    acme.now += 365 * DAY
    prune(acme.shelf, DAILY, {made[1]}, acme.now)
    assert list(acme.shelf.look()) == [made[1], made[-1]], "the last good one stays, and the one that `removed:` names"


@pytest.mark.parametrize("spoil", ["archive", "size", "manifest", "foreign"])
def test_a_damaged_or_foreign_backup_is_refused_and_nothing_is_touched(acme: Tenant, spoil: str) -> None:
    manifest = acme.back_up()
    store, shelf = acme.shelf.store, acme.shelf
    data = store.get(shelf.key(manifest.id, ARCHIVE)) or b""
    changed = manifest.model_copy(update={"tenant": "beta"}).model_dump_json().encode()
    writes = {
        "archive": (ARCHIVE, data[:99] + bytes([data[99] ^ 1]) + data[100:]),
        "size": (ARCHIVE, data[:-1]),
        "manifest": (MANIFEST, b"{}"),
        "foreign": (MANIFEST, changed),
    }
    name, spoilt = writes[spoil]
    store.put(shelf.key(manifest.id, name), spoilt)
    with pytest.raises(DamagedError, match="is damaged"):
        acme.job(shelf.find(manifest.id)).restore()
    assert acme.rows() == 5000
    assert kept_schemas(acme.subject.place) == []


def test_a_backup_that_is_not_there_is_a_mistake_of_the_users(acme: Tenant) -> None:
    acme.back_up()
    with pytest.raises(MistakeError, match="no backup 'b-17'"):
        acme.shelf.find("b-17")
    assert acme.shelf.newest(acme.shelf.look(), NOON - DAY) is None


def test_refused_keys_and_a_missing_bucket_are_one_sentence_without_a_secret(acme: Tenant, s3: S3Server) -> None:
    settings = StoreSettings(s3.url, BUCKET, REGION, *KEYS)
    for changed in (replace(settings, secret_key="wrong"), replace(settings, bucket="another")):
        shelf = replace(acme.shelf, store=Store(changed))
        with pytest.raises(StoreError, match="refuses our keys") as refused:
            back_up(acme.subject, shelf, acme.programs, lambda: NOON)
        assert KEYS[1] not in f"{refused.value}{changed!r}"
        shelf.store.close()
    s3.offsite.delete_bucket(BUCKET)
    with pytest.raises(StoreError, match="has no bucket offsite"):
        acme.back_up()
    assert acme.rows() == 5000


def test_the_store_is_set_whole_and_encrypted_or_refused() -> None:
    with pytest.raises(MistakeError, match=re.escape("backup:bucket (or BACKUP_BUCKET)")):
        StoreSettings.read({"backup:endpoint": "https://x.example"}, {})
    given = {"backup:bucket": "b", "backup:accessKey": "k", "backup:secretKey": "s"}
    with pytest.raises(MistakeError, match="https"):
        StoreSettings.read({**given, "backup:endpoint": "http://x.example"}, {})
    found = StoreSettings.read({**given, "backup:endpoint": "https://x.example"}, {"BACKUP_BUCKET": "other"})
    assert (found.bucket, found.region) == ("other", "us-east-1")


def test_the_bucket_is_made_once_and_only_when_it_is_asked_for(acme: Tenant, s3: S3Server) -> None:
    store = acme.shelf.store
    assert offsite(store, check=False).outcome == "present"
    s3.offsite.delete_bucket(BUCKET)
    outcomes = [offsite(store, check=check).outcome for check in (True, True, False, False)]
    assert outcomes == ["missing", "missing", "made", "present"]
    refused = offsite(Store(StoreSettings(s3.url, "another", REGION, *KEYS)), check=False)
    assert (refused.outcome, KEYS[1] in refused.detail) == ("refused", False)
