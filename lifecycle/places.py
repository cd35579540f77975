"""Where a tenant's data is and with which keys we reach it: from the outputs, the placements and the settings.

The keys are ours, not the tenant's: a generation that is closed is closed to its tenant, and is read all the same.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalogue.names import dedicated_cluster_name, logical_name, login_name, owner_name
from catalogue.placement import Placed, Placements
from components.outputs import DatabaseOutput, StorageOutput
from components.settings import SOURCES
from components.timeweb_cluster import ADMIN_LOGIN
from dynamic_providers.admin_password import derive_admin_password
from dynamic_providers.configuration import read_configuration
from dynamic_providers.marks import Mark
from dynamic_providers.postgres.connection import Address
from dynamic_providers.timeweb.models import Signer
from dynamic_providers.timeweb.objects import open_s3
from dynamic_providers.timeweb.session import open_session
from lifecycle.courier import TenantPlace
from lifecycle.errors import MistakeError
from lifecycle.objects import BucketPlace


@dataclass(frozen=True)
class Keys:
    """A stack's configuration, secrets in plain text; the environment wins."""

    configuration: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def database(self, placements: Placements, tenant: str, placed: Placed, output: DatabaseOutput) -> TenantPlace:
        """A generation of the tenant's database, reached as its cluster's admin."""
        settings = read_configuration(self.configuration, self.environ)
        cluster = placements.clusters[str(placed.cluster)]
        name = dedicated_cluster_name(cluster.tenant) if cluster.tenant else str(placed.cluster)
        mark = Mark(self._setting("tenantry:baseStack"), logical_name(name, "cluster", cluster.generation))
        address = Address(
            host=output.host,
            port=output.port,
            database=output.database,
            login=ADMIN_LOGIN,
            password=derive_admin_password(settings.admin_secret, str(mark)),
            sslmode=settings.sslmode,
        )
        return TenantPlace(address, output.schema_name, owner_name(tenant), login_name(tenant))

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
