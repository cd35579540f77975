"""The demo: a whole fleet on this machine, made by the same commands that a user types."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from rich.console import Console

from components.outputs import DatabaseOutput, TenantOutputs, parse_tenants
from engines.embedded import EmbeddedEngine
from lifecycle.certificate import sentences
from lifecycle.isolation import certify
from sandbox.start import environment

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".sandbox"
TENANTRY = PROJECT / ".venv" / "bin" / "tenantry"
SHOWN_LINES = 40
console = Console(highlight=False)


def command(line: str, environ: Mapping[str, str]) -> str:
    """Show a command, run it, and answer what it printed; the demo ends where one fails."""
    console.print(f"\n$ tenantry {line}", style="bold", markup=False)
    started = time.monotonic()
    done = subprocess.run(
        [TENANTRY, *shlex.split(line)], env=dict(environ), cwd=PROJECT, check=False, text=True, stdout=subprocess.PIPE
    )
    shown = done.stdout.splitlines()
    half = SHOWN_LINES // 2
    left_out = [f"… {len(shown) - 2 * half} lines …"]
    head = shown if len(shown) <= SHOWN_LINES else [*shown[:half], *left_out, *shown[-half:]]
    console.print("\n".join(head), markup=False, soft_wrap=True)
    console.print(f"({time.monotonic() - started:.1f} s)", style="dim")
    if done.returncode:
        sys.exit(f"the demo ended: `tenantry {line}` answered exit code {done.returncode}")
    return done.stdout


def pair(tenants: Mapping[str, TenantOutputs]) -> tuple[str, str]:
    """Two served tenants with a database on the same cluster and a bucket each."""
    served = [
        name
        for name, tenant in sorted(tenants.items())
        if tenant.state == "active" and tenant.database and tenant.storage and tenant.database.mode == "shared"
    ]
    first = served[0]
    cluster = tenants[first].database.cluster  # type: ignore[union-attr]  # served tenants have a database
    second = next(name for name in served[1:] if tenants[name].database.cluster == cluster)  # type: ignore[union-attr]  # the same
    return first, second


def outputs(environ: Mapping[str, str]) -> dict[str, TenantOutputs]:
    """What the tenants are told, credentials shown."""
    engine = EmbeddedEngine(PROJECT, "sandbox", Path(environ["TENANTRY_STATE"]), environ)
    return parse_tenants(engine.outputs(show_secrets=True)["tenants"])


def show_logins(tenants: Mapping[str, TenantOutputs]) -> None:
    """A tenant of each kind of database logs in with what it is told, and asks for something."""
    console.print("\nA tenant of each kind, with its own databaseUrl:")
    kinds: dict[tuple[str, str], str] = {}
    for name, tenant in sorted(tenants.items()):
        if tenant.database is not None and tenant.state == "active":
            kinds.setdefault((tenant.database.provider, tenant.database.mode), name)
    for (provider, mode), name in sorted(kinds.items()):
        database = tenants[name].database
        if database is None:
            raise LookupError(name)
        with TemporaryDirectory() as folder, psycopg.connect(trusting(database, Path(folder))) as own:
            row = own.execute("SELECT current_user, current_database(), current_schema(), version()").fetchone()
        login, name_of_it, schema, version = row or ("-", "-", "-", "-")
        server = " ".join(version.split()[:2])
        told = f"  {name:<16} {provider} {mode}: {login} in {name_of_it}, schema {schema}, on {server}"
        console.print(told, markup=False, soft_wrap=True)


def trusting(database: DatabaseOutput, folder: Path) -> str:
    """The databaseUrl, and beside it what libpq wants as a file: whose word counts for the server."""
    if database.ca is None:
        return database.database_url
    authority = folder / "ca.crt"
    authority.write_text(database.ca)
    return psycopg.conninfo.make_conninfo(database.database_url, sslrootcert=str(authority))


def show_isolation(tenants: Mapping[str, TenantOutputs]) -> None:
    """One tenant's own credentials work, its neighbour's do not; what counts as an attempt has such a control."""
    owner, neighbour = pair(tenants)
    console.print(f"\nCredentials of {owner} and of {neighbour}, used on what belongs to {owner}:")
    certificate = certify(tenants, only=[owner, neighbour], stack="sandbox")
    for probe in certificate.attempts:
        if (probe.by, probe.against) == (neighbour, owner):
            told = f"  {probe.what:<48} {owner}: allowed   {neighbour}: {probe.outcome}"
            console.print(told, markup=False, soft_wrap=True)
    console.print(f"Between the two: {certificate.summary}", markup=False)
    if not certificate.holds:
        sys.exit(f"the demo ended: {'; '.join(sentences((*certificate.successes, *certificate.broken_controls)))}")


def main() -> None:
    """Start the sandbox, bring the example fleet up, prove it, and say how to take it down."""
    started = time.monotonic()
    base = {**os.environ, "TENANTRY_SANDBOX": str(FOLDER)}
    command("sandbox start", base)
    environ = {**base, **environment(FOLDER), "TENANTRY_STACK": "sandbox", "TENANTRY_ENGINE": "embedded"}
    command("place", environ)
    command("preview", environ)
    command("up --yes", environ)
    command("outputs", environ)
    tenants = outputs(environ)
    show_logins(tenants)
    show_isolation(tenants)
    second = command("up --yes --all", environ)
    if any(word in second for word in ("created ", "updated ", "deleted ", "replaced ")):
        sys.exit("the demo ended: a second up changed something")
    console.print(
        f"""
The fleet stands after {time.monotonic() - started:.0f} s, and a second up changed nothing.

Look round:
  eval "$(.venv/bin/tenantry sandbox env)"
  tenantry outputs --stack sandbox --engine embedded
Take it down:
  tenantry destroy --stack sandbox --engine embedded --including-data --confirm sandbox
  tenantry sandbox stop --wipe""",
        markup=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
