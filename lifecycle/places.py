"""Where a tenant's data is and with which keys we reach it: from the outputs, the placements and the settings.

The keys are ours, not the tenant's: a generation that is closed is closed to its tenant, and is read all the same.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from catalogue.names import database_names, dedicated_cluster_name, logical_name
from catalogue.placement import Placed, Placements
from components.outputs import DatabaseOutput, StorageOutput
from components.settings import SOURCES
from components.timeweb_cluster import ADMIN_LOGIN
from dynamic_providers.configuration import read_configuration
from dynamic_providers.marks import Mark
from dynamic_providers.neon.project import ROLE
from dynamic_providers.postgres.access import DIGITALOCEAN, NEON, Reach
from dynamic_providers.postgres.inputs import DERIVED, Server
from dynamic_providers.timeweb.models import Signer
from dynamic_providers.timeweb.objects import open_s3
from dynamic_providers.timeweb.session import open_session
from lifecycle.courier import TenantPlace
from lifecycle.errors import MistakeError
from lifecycle.objects import BucketPlace

# How the servers of a provider are reached, and as whom.
ACCESS: Mapping[str, tuple[str, str]] = {
    "timeweb": (DERIVED, ADMIN_LOGIN),
    "neon": (NEON, ROLE),
    "digitalocean": (DIGITALOCEAN, ADMIN_LOGIN),
}


@dataclass(frozen=True)
class Keys:
    """A stack's configuration, secrets in plain text; the environment wins."""

    configuration: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def database(self, placements: Placements, tenant: str, placed: Placed, output: DatabaseOutput) -> TenantPlace:
        """A generation of the tenant's database, reached as its server's admin."""
        access, login = ACCESS[placed.provider]
        server = Server(
            host=output.host,
            port=output.port,
            database=output.database,
            admin_login=login,
            cluster_mark=str(self._cluster_mark(placements, placed.cluster)) if placed.cluster else "",
            access=access,
            server_id=output.cluster_id,
        )
        names = database_names(placed.provider, placed.mode, tenant)
        return TenantPlace(self._reach.address(server), output.schema_name, names.owner, names.login)

    def _cluster_mark(self, placements: Placements, placed: str) -> Mark:
        cluster = placements.clusters[placed]
        name = dedicated_cluster_name(cluster.tenant) if cluster.tenant else placed
        return Mark(self._setting("tenantry:baseStack"), logical_name(name, "cluster", cluster.generation))

    @cached_property
    def _reach(self) -> Reach:
        return Reach(read_configuration(self.configuration, self.environ))

    def bucket(self, placed: Placed, output: StorageOutput) -> BucketPlace:
        """A generation of the tenant's bucket, reached with its store's own keys."""
        if placed.provider == "timeweb":
            settings = read_configuration(self.configuration, self.environ)
            signer = open_session(settings).timeweb.signer()
            return BucketPlace(open_s3(settings.s3_endpoint, settings.s3_region, signer), output.bucket)
        signer = Signer(access_key=self._setting("s3:accessKey"), secret_key=self._setting("s3:secretKey"))
        return BucketPlace(open_s3(self._setting("s3:endpoint"), output.region, signer), output.bucket)

    def _setting(self, key: str) -> str:
        value = self.environ.get(SOURCES.get(key, "")) or self.configuration.get(key)
        if not value:
            raise MistakeError(f"setting {key} is not set: use `pulumi config set`")
        return value
