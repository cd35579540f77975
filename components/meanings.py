"""What each setting and environment variable means, in the words of the reference; none lacks here."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """A sentence, and the default in words where the code that reads the value does not hold it as a figure."""

    text: str
    default: str = "-"


# Stack configuration; its environment variable, where there is one, is in `settings.SOURCES` or the providers' `KEYS`.
SETTINGS: Mapping[str, Meaning] = {
    "tenantry:baseStack": Meaning(
        "name of the stack that is cell 1; part of the mark on every object, so it never changes", "required"
    ),
    "tenantry:prefix": Meaning(
        "first part of storage users' names, which are their mark; one per base stack, never changes", "the base stack"
    ),
    "tenantry:lanes": Meaning("instances of the dynamic provider; each serves four operations at a time", "4"),
    "tenantry:adminSecret": Meaning(
        "what the administrators' passwords of all clusters are derived from; never changes", "required"
    ),
    "tenantry:poolerHost": Meaning(
        "host of the poolers, in the `databaseUrl` of tenants on pooled plans", "none: they are sent to their clusters"
    ),
    "tenantry:poolerPort": Meaning(
        "port of the pooler with number 1 in `placements.yaml`; number 2 has the next port, and so on", "6432"
    ),
    "tenantry:poolerSslmode": Meaning("transport security of every connection to a pooler", "`require`"),
    "tenantry:rateDir": Meaning(
        "folder of the request budget that all processes of a host share",
        "a folder of yours in the system's temporary folder",
    ),
    "timeweb:token": Meaning("API token", "required"),
    "timeweb:apiUrl": Meaning("API"),
    "timeweb:iamUrl": Meaning("host of the storage users' grants"),
    "timeweb:s3Endpoint": Meaning(
        "S3 data endpoint, path style; without it the outputs show what the provider answers"
    ),
    "timeweb:s3Region": Meaning("region of the S3 data endpoint"),
    "timeweb:sslmode": Meaning("transport security of every connection to a cluster"),
    "timeweb:pollSeconds": Meaning("pause between two looks at an object that is being made"),
    "timeweb:deadlineSeconds": Meaning("how long an object may take to be made"),
    "timeweb:retrySeconds": Meaning("how long one call is repeated after faults that pass"),
    "timeweb:requestsPerSecond": Meaning("budget per endpoint, for all processes of a host"),
    "timeweb:defaultPreset": Meaning("preset of a plan that names no size"),
    "neon:apiKey": Meaning("API key of Neon", "required by a plan of Neon"),
    "neon:apiUrl": Meaning("Neon's API", "`https://console.neon.tech/api/v2`"),
    "neon:orgId": Meaning("organization in which projects are made, where the key is a person's", "the key's own"),
    "neon:sslmode": Meaning("transport security of every connection to a project", "`verify-full`"),
    "neon:pollSeconds": Meaning("pause between two looks at an operation of a project", "1"),
    "neon:deadlineSeconds": Meaning("how long the operations of a project may take", "600"),
    "neon:requestsPerMinute": Meaning("budget of the account, for all processes of a host", "700"),
    "digitalocean:token": Meaning("API token of DigitalOcean, the plugin's own setting", "required by a managed plan"),
    "digitalocean:apiEndpoint": Meaning(
        "DigitalOcean's API, the plugin's own setting", "`https://api.digitalocean.com`"
    ),
    "digitalocean:trustedSources": Meaning(
        "who may connect to managed clusters, this machine among them: IPv4 addresses, networks and the like of"
        " `tag:web`, with commas between them",
        "required by a managed plan",
    ),
    "platform:databaseUrl": Meaning(
        "database in which every tenant is recorded, a PostgreSQL URL of its owner; on a server of its own",
        "none: nobody is recorded",
    ),
    "s3:endpoint": Meaning("S3-compatible store of the plans of shape `s3`", "required by such a plan"),
    "s3:iamEndpoint": Meaning("its IAM API", "required by such a plan"),
    "s3:region": Meaning("its region", "`us-east-1`"),
    "s3:accessKey": Meaning("tenantry's own key there, never a tenant's", "required by such a plan"),
    "s3:secretKey": Meaning("the secret of that key", "required by such a plan"),
    "backup:endpoint": Meaning(
        "offsite store of tenants' backups, S3-compatible, https unless it is on this machine", "required by `backup`"
    ),
    "backup:bucket": Meaning("bucket there, for nothing else", "required by `backup`"),
    "backup:region": Meaning("its region", "`us-east-1`"),
    "backup:accessKey": Meaning("a key for this bucket alone, none that tenants' buckets know", "required by `backup`"),
    "backup:secretKey": Meaning("the secret of that key", "required by `backup`"),
}
# Variables that are no stack configuration and no option of a command.
ENVIRONMENT: Mapping[str, Meaning] = {
    "TENANTRY_STATE": Meaning("folder of the embedded engine's states", "`.tenantry` in the checkout"),
    "TENANTRY_PG_BIN": Meaning("folder with `pg_dump` and `pg_restore`, as new as the newest cluster", "those on PATH"),
    "TENANTRY_SANDBOX_WITHOUT": Meaning(
        "plans that the sandbox leaves out on the Pulumi CLI for want of their plugin; `sandbox env` sets it"
    ),
}
