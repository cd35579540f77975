"""The server that a tenant's schema is made on, as every shape of database says it, whoever runs it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from dynamic_providers.postgres.inputs import DERIVED


@dataclass(frozen=True, kw_only=True)
class TenantServer:
    """Where the tenant's database is, how we reach it as its admin, and what has to be there before.

    `id` is what its provider calls it, `access` and `server_id` are as in `dynamic_providers.postgres.inputs.Server`,
    `sslmode` and `ca` (PEM text, None for a public authority) are for the tenant. What is on the server goes when
    `deleted_with` goes.
    """

    id: pulumi.Input[str]
    host: pulumi.Input[str]
    port: pulumi.Input[int]
    database: str
    admin_login: str
    cluster_mark: str
    sslmode: str
    ready: Sequence[pulumi.Resource]
    deleted_with: pulumi.Resource
    access: str = DERIVED
    server_id: pulumi.Input[str] = ""
    ca: pulumi.Input[str | None] = None
