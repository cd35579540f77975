"""The program on a small catalogue: write who is served, declare it, look at what was declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.catalogue.fleets import FleetFolder
from tests.components.recorder import Declaration, record

# Whatever begins so must never be seen in plain text.
SENTINEL = "sentinel-"
CONFIG: Mapping[str, str] = {
    "tenantry:baseStack": "prod",
    "tenantry:adminSecret": f"{SENTINEL}admin",
    "timeweb:token": f"{SENTINEL}token",
    "s3:endpoint": "https://store.example",
    "s3:iamEndpoint": "https://iam.example",
    "s3:accessKey": f"{SENTINEL}store-access",
    "s3:secretKey": f"{SENTINEL}store-secret",
}


@dataclass
class Program:
    """A catalogue in `path` and a stack's configuration, both to be changed by a test."""

    path: Path
    config: dict[str, str] = field(default_factory=lambda: dict(CONFIG))

    def __post_init__(self) -> None:
        self.folder = FleetFolder(self.path)

    def declare(self, tenants: Mapping[str, str], stack: str = "prod") -> Declaration:
        """Place these tenants, each the inside of a YAML mapping by its id, and run the program."""
        self.write(tenants)
        self.folder.place()
        return self.run(stack)

    def write(self, tenants: Mapping[str, str]) -> None:
        """Write who is served."""
        lines = [f"  {name}: {{{section}}}" for name, section in tenants.items()]
        self.folder.write("tenants.yaml", "\n".join(["tenants:", *lines, ""]))

    def run(self, stack: str = "prod", environ: Mapping[str, str] | None = None) -> Declaration:
        """Run the program on what is placed."""
        return record(self.path, self.config, stack=stack, environ=environ)
