"""A sandbox with a fleet of its own, an engine that runs it, and what can be asked of both."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import boto3
import httpx
import psycopg
import pytest
from botocore.config import Config
from ruamel.yaml import YAML

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import place
from cli.sandbox import environment_of
from components.outputs import DatabaseOutput, StorageOutput, TenantOutputs, parse_tenants
from engines.embedded import EmbeddedEngine
from engines.engine import Engine
from engines.pulumi_cli import PulumiCli, make_stack, plugins
from sandbox.start import ANY_PORTS, start, stop

PROJECT = Path(__file__).resolve().parent.parent.parent
STACK = "sandbox"
ENGINES = ("embedded", "pulumi")
S3_PLAN = "s3-standard"
# Whose simulators there are, and the variable that says where each is.
VENDORS = {"timeweb": "TIMEWEB_API_URL", "neon": "NEON_API_URL", "digitalocean": "DIGITALOCEAN_API_URL"}
# Kinds of an inventory that nobody pays for: what was done, and names that outlive what carried them.
NO_OBJECTS = ("operations", "tags")


@dataclass
class World:
    """One sandbox and one engine; `left_out` are tenants whose storage needs a plugin that is not here."""

    folder: Path
    engine_name: str
    project: Path = PROJECT
    environ: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def start(
        cls, folder: Path, engine_name: str, fleet: Mapping[str, Any] | None = None, project: Path = PROJECT
    ) -> Self:
        """Start a sandbox in `folder`; without `fleet` it has the example fleet."""
        if engine_name == "pulumi" and not PulumiCli.available():
            pytest.skip("there is no `pulumi` on PATH")
        start(folder, ANY_PORTS, fleet_source=PROJECT / "examples" / "fleet")
        world = cls(folder, engine_name, project)
        if fleet is not None:
            world.write({"tenants": dict(fleet)})
        world.environ = {
            **os.environ,
            **environment_of(folder),
            "TENANTRY_STACK": STACK,
            "TENANTRY_ENGINE": engine_name,
        }
        if engine_name == "embedded":
            world.environ.pop("TENANTRY_SANDBOX_WITHOUT", None)
        else:
            make_stack(project, STACK, world.environ)
        world.leave_out()
        world.place()
        return world

    def leave_out(self) -> None:
        """Take plans from the fleet that this engine has no plugin for, and remember whose they were."""
        if self.engine_name == "embedded" or "aws" in plugins(self.environ):
            return
        catalogue = self.read()
        for name, tenant in catalogue["tenants"].items():
            if (tenant.get("storage") or {}).get("plan") == S3_PLAN:
                self.left_out.append(name)

    def stop(self) -> None:
        """End the sandbox and remove it."""
        stop(self.folder, wipe=True)

    @property
    def fleet(self) -> Path:
        """The catalogue's folder."""
        return self.folder / "fleet"

    def read(self) -> dict[str, Any]:
        """The catalogue as it is written."""
        catalogue: dict[str, Any] = YAML(typ="safe").load(self.fleet / "tenants.yaml")
        return catalogue

    def write(self, catalogue: Mapping[str, Any]) -> None:
        """Write the catalogue."""
        YAML().dump(dict(catalogue), self.fleet / "tenants.yaml")

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Edit the catalogue's tenants, and place who is new."""
        catalogue = self.read()
        change(catalogue["tenants"])
        self.write(catalogue)
        self.place()

    def edit_plan(self, section: str, name: str, **values: object) -> None:
        """Edit a row of plans.yaml."""
        path = self.fleet / "plans.yaml"
        plans = YAML().load(path)
        plans[section][name].update(values)
        YAML().dump(plans, path)

    def place(self) -> None:
        """`tenantry place`."""
        fleet = load_fleet(self.fleet, require_placed=False)
        write_placements(self.fleet / "placements.yaml", place(fleet.tenants, fleet.plans, fleet.placements))

    def engine(self) -> Engine:
        """The engine, opened anew as a command would."""
        if self.engine_name == "pulumi":
            return PulumiCli(self.project, STACK, self.environ)
        return EmbeddedEngine(self.project, STACK, Path(self.environ["TENANTRY_STATE"]), self.environ)

    def tenants(self) -> dict[str, TenantOutputs]:
        """The typed outputs, credentials shown."""
        return parse_tenants(self.engine().outputs(show_secrets=True)["tenants"])

    def inventory(self) -> dict[str, list[dict[str, Any]]]:
        """What exists at the providers, by kind; those of Timeweb by their own names, others as `neon projects`."""
        found: dict[str, list[dict[str, Any]]] = {}
        for vendor in VENDORS:
            kinds = self._control("GET", "inventory", vendor=vendor).json()
            gone = {item["id"] for items in kinds.values() for item in items if item.get("deleted")}
            gone |= {item["id"] for item in kinds.get("branches", ()) if item["project_id"] in gone}
            for kind, items in kinds.items():
                if kind not in NO_OBJECTS:
                    there = [item for item in items if not gone.intersection({item["id"], *_within(item)})]
                    found[kind if vendor == "timeweb" else f"{vendor} {kind}"] = there
        return found

    def edit_cloud(self, kind: str, id_: object, **values: object) -> None:
        """Change an object at the provider behind our back."""
        self._control("POST", "edit", {"kind": kind, "id": id_, "set": values})

    def requests(self) -> list[dict[str, Any]]:
        """Requests to the providers' APIs and to the store's IAM since they were last forgotten, oldest first."""
        api: list[dict[str, Any]] = []
        for vendor in VENDORS:
            api += self._control("GET", "requests", vendor=vendor).json()
        iam = httpx.get(f"{self.environ['TIMEWEB_IAM_URL']}/_sandbox/requests").json()
        return api + [entry for entry in iam if entry.get("action")]

    def changes(self) -> list[str]:
        """Requests that change something: `PATCH /api/v1/databases/1`, `PutUserPolicy`."""
        changing = [entry for entry in self.requests() if entry["method"] not in {"GET", "HEAD"}]
        named = [entry.get("action") or f"{entry['method']} {entry['path']}" for entry in changing]
        return [name for name in named if not name.startswith(("Get", "List"))]

    def forget_requests(self) -> None:
        """Empty the request logs."""
        for vendor in VENDORS:
            self._control("DELETE", "requests", vendor=vendor)
        httpx.delete(f"{self.environ['TIMEWEB_IAM_URL']}/_sandbox/requests").raise_for_status()

    def _control(self, method: str, what: str, body: object = None, *, vendor: str = "timeweb") -> httpx.Response:
        host = "/".join(self.environ[VENDORS[vendor]].split("/")[:3])
        return httpx.request(method, f"{host}/_sandbox/{what}", json=body, timeout=30).raise_for_status()


def _within(item: Mapping[str, Any]) -> set[object]:
    """What an object lies in."""
    return {item[key] for key in ("project_id", "branch_id") if key in item}


def connect(database: DatabaseOutput) -> psycopg.Connection:
    """A session with the tenant's own credentials; libpq wants the server's authority as a file."""
    with TemporaryDirectory() as folder:
        authority, where = Path(folder) / "ca.crt", database.database_url
        if database.ca is not None:
            authority.write_text(database.ca)
            where = psycopg.conninfo.make_conninfo(where, sslrootcert=str(authority))
        return psycopg.connect(where, connect_timeout=10, autocommit=True)


def bucket_of(storage: StorageOutput) -> Any:  # noqa: ANN401  boto3 makes its clients at run time
    """An S3 client with the tenant's own keys."""
    return boto3.client(
        "s3",
        endpoint_url=storage.endpoint,
        region_name=storage.region,
        aws_access_key_id=storage.access_key,
        aws_secret_access_key=storage.secret_key,
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )
