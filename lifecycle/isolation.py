"""The isolation certificate: the rightful tenant succeeds (control), the same by another tenant is refused."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import boto3
import psycopg
import stamina
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import sql

from components.outputs import DatabaseOutput, StorageOutput, TenantOutputs

PROBE = "tenantry_isolation_probe"
# Refusals as PostgreSQL words them; anything else (a time-out, a missing table) proves nothing.
REFUSED_SQL = frozenset({"42501", "28P01", "28000", "3D000"})
REFUSED_S3 = frozenset({"AccessDenied", "403", "AllAccessDisabled"})
CONNECT_SECONDS = 10
# The session before this one may still be ending at the server, where a login may have but one.
LEAVING_SECONDS = 5


@dataclass(frozen=True)
class Probe:
    """One statement by one tenant against one tenant's property; `outcome` is "allowed", "refused" or the fault."""

    by: str
    against: str
    what: str
    outcome: str


@dataclass(frozen=True)
class Certificate:
    """`controls` are the rightful tenants' probes, `attempts` the others'."""

    controls: tuple[Probe, ...]
    attempts: tuple[Probe, ...]

    @property
    def successes(self) -> tuple[Probe, ...]:
        """Attempts that were not refused, and so prove no isolation."""
        return tuple(probe for probe in self.attempts if probe.outcome != "refused")

    @property
    def broken_controls(self) -> tuple[Probe, ...]:
        """Rightful tenants that were refused: without a control a refusal proves nothing."""
        return tuple(probe for probe in self.controls if probe.outcome != "allowed")

    @property
    def holds(self) -> bool:
        """Whether every control was allowed and every attempt refused; without a control nothing is proven."""
        return bool(self.controls) and not self.successes and not self.broken_controls

    def as_json(self) -> dict[str, Any]:
        """`{"attempts": [...], "controls": [...], "successes": [...], "holds": true}`."""
        return {
            "attempts": [asdict(probe) for probe in self.attempts],
            "controls": [asdict(probe) for probe in self.controls],
            "successes": [asdict(probe) for probe in self.successes],
            "holds": self.holds,
        }


def certify(tenants: Mapping[str, TenantOutputs], *, neighbours: int | None = None) -> Certificate:
    """Probe every served tenant by itself and by its next `neighbours` tenants (by all others where it is `None`).

    `tenants` are outputs with secrets shown. Blocked tenants hold no rights to prove anything with and are left out.
    """
    served = {name: tenant for name, tenant in tenants.items() if tenant.state in {"active", "trial"}}
    controls: list[Probe] = []
    attempts: list[Probe] = []
    for kind, probe in (("database", probe_database), ("storage", probe_storage)):
        holders = [name for name, tenant in served.items() if getattr(tenant, kind) is not None]
        for by, against in pairs(holders, neighbours):
            found = probe(by, getattr(served[by], kind), against, getattr(served[against], kind))
            (controls if by == against else attempts).extend(found)
    return Certificate(tuple(controls), tuple(attempts))


def pairs(names: Sequence[str], neighbours: int | None) -> Iterator[tuple[str, str]]:
    """Each name with itself and with the next `neighbours` names round the ring."""
    if neighbours is None:
        yield from product(names, names)
        return
    for index, name in enumerate(names):
        for step in range(min(neighbours + 1, len(names))):
            yield name, names[(index + step) % len(names)]


def probe_database(by: str, own: DatabaseOutput, against: str, target: DatabaseOutput) -> Iterator[Probe]:
    """Log in to the target's database with our own credentials; look into its schema, make a table, take its role."""
    schema, owner = target.schema_name, f"{target.login}_owner"
    table = sql.Identifier(schema, PROBE)
    statements: Mapping[str, Sequence[sql.SQL | sql.Composed]] = {
        "make a table": [
            sql.SQL("CREATE TABLE {} (id int)").format(table),
            sql.SQL("INSERT INTO {} VALUES (1)").format(table),
            sql.SQL("SELECT id FROM {}").format(table),
        ],
        # Reading needs less than making; and a right may have been given to the login itself, beside its owner's role.
        "drop a table": [sql.SQL("DROP TABLE IF EXISTS {}").format(table)],
        "drop a table as the login itself": [
            sql.SQL("SET ROLE NONE"),
            sql.SQL("DROP TABLE IF EXISTS {}").format(table),
        ],
        "take the owner's role": [sql.SQL("SET ROLE {}").format(sql.Identifier(owner))],
    }
    for what, lines in statements.items():
        yield Probe(by, against, f"SQL: {what}", sql_outcome(own, target, lines))
    # Under the target's name we would be in its pool, or in its schema.
    disguised = own.model_copy(update={"login": target.login})
    yield Probe(by, against, "SQL: log in by its name", sql_outcome(disguised, target, []))


def sql_outcome(own: DatabaseOutput, target: DatabaseOutput, statements: Sequence[sql.SQL | sql.Composed]) -> str:
    """Run statements as `own`'s login in `target`'s database and roll them back."""
    try:
        for attempt in stamina.retry_context(on=_still_leaving, attempts=None, timeout=LEAVING_SECONDS):
            with attempt, _session(own, target) as connection:
                for statement in statements:
                    connection.execute(statement)
                connection.rollback()
    except psycopg.Error as error:
        refused = error.sqlstate in REFUSED_SQL or "authentication failed" in str(error)
        return "refused" if refused else f"fault: {error.sqlstate or type(error).__name__}"
    return "allowed"


def _still_leaving(error: Exception) -> bool:
    return isinstance(error, psycopg.OperationalError) and "too many connections for role" in str(error)


@contextmanager
def _session(own: DatabaseOutput, target: DatabaseOutput) -> Iterator[psycopg.Connection]:
    """Our own credentials, where the target is reached: what its URL names, be it the cluster or the pooler before it.

    A pool may hold all the connections that the login is allowed, so behind a pooler the cluster itself is not tried:
    the same login runs the same statements on the same server either way.
    """
    at = psycopg.conninfo.conninfo_to_dict(target.database_url)
    with psycopg.connect(
        host=str(at["host"]),
        port=int(str(at["port"])),
        dbname=str(at["dbname"]),
        user=own.login,
        password=own.password,
        sslmode=str(at.get("sslmode", "require")),
        connect_timeout=CONNECT_SECONDS,
    ) as connection:
        yield connection


def probe_storage(by: str, own: StorageOutput, against: str, target: StorageOutput) -> Iterator[Probe]:
    """List, write and read in the target's bucket with our own keys."""
    client = boto3.client(
        "s3",
        endpoint_url=target.endpoint,
        region_name=target.region,
        aws_access_key_id=own.access_key,
        aws_secret_access_key=own.secret_key,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"total_max_attempts": 2},
        ),
    )
    steps: Mapping[str, Callable[[], object]] = {
        "list the bucket": lambda: client.list_objects_v2(Bucket=target.bucket, MaxKeys=1),
        "write an object": lambda: client.put_object(Bucket=target.bucket, Key=PROBE, Body=b"probe"),
        "read an object": lambda: client.get_object(Bucket=target.bucket, Key=PROBE),
        "delete an object": lambda: client.delete_object(Bucket=target.bucket, Key=PROBE),
    }
    for what, step in steps.items():
        yield Probe(by, against, f"S3: {what}", s3_outcome(step))
    client.close()


def s3_outcome(step: Callable[[], object]) -> str:
    """Whether the store allowed a step."""
    try:
        step()
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        return "refused" if code in REFUSED_S3 or code == "InvalidAccessKeyId" else f"fault: {code}"
    except BotoCoreError as error:
        return f"fault: {type(error).__name__}"
    return "allowed"
