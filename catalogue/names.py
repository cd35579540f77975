"""Names of what a tenant gets: each follows from the tenant's id or its cluster and the generation, and never changes.

They are in users' state and at their providers: a change here renames live objects.
"""

import re
from dataclasses import dataclass

MAIN_BRANCH = "main"
"""The branch that every database has, and at Neon every project."""
LONGEST_ID = 40
LONGEST_LABEL = 63
LONGEST_STORAGE_USER = 64
# What DigitalOcean takes as the name of a cluster.
LONGEST_MANAGED_CLUSTER = 63
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# Endings that S3 keeps for itself: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
RESERVED_BUCKET_ENDINGS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def is_label(text: str, longest: int = LONGEST_LABEL) -> bool:
    """Whether `text` is a DNS label of at most `longest` characters."""
    return len(text) <= longest and DNS_LABEL.fullmatch(text) is not None


def _subject(text: str, longest: int = LONGEST_LABEL) -> str:
    if not is_label(text, longest):
        raise ValueError(f"'{text}' is no DNS label of at most {longest} characters: use a-z, 0-9 and '-' inside")
    return text


def _later(name: str, generation: int) -> str:
    """Vendors see the number only from the second generation on: the first keeps the plain name."""
    if generation < 1:
        raise ValueError(f"generation {generation} of '{name}' does not exist: generations count from 1")
    return name if generation == 1 else f"{name}-{generation}"


def logical_name(subject: str, part: str, generation: int) -> str:
    """The resource's name in the state: `acme-bucket-1`; `subject` is a tenant's id or a cluster."""
    if generation < 1:
        raise ValueError(f"generation {generation} of '{subject}' does not exist: generations count from 1")
    return f"{_subject(subject)}-{_subject(part)}-{generation}"


def shared_cluster_name(short: str, number: int) -> str:
    """`shared-free-1`: the cluster with this number among those of a plan."""
    return _subject(f"shared-{short}-{number}")


def cluster_stem(provider: str, plan: str) -> str:
    """What the shared clusters of a plan are numbered under: `pro` of `timeweb-pro`, but `managed-pro`."""
    return plan.partition("-")[2] if provider == "timeweb" else plan


def dedicated_cluster_name(tenant: str) -> str:
    """`customer-acme`: the cluster that serves one tenant alone."""
    return f"customer-{_subject(tenant, LONGEST_ID)}"


def cluster_vendor_name(cluster: str, generation: int) -> str:
    """The cluster's name at its provider."""
    return _later(_subject(cluster), generation)


def bucket_name(tenant: str, generation: int) -> str:
    """The bucket's name as we ask for it; a provider may put something before it."""
    name = _later(f"customer-{_subject(tenant, LONGEST_ID)}", generation)
    for ending in RESERVED_BUCKET_ENDINGS:
        if name.endswith(ending):
            raise ValueError(f"'{name}' is no bucket name: S3 keeps names that end in '{ending}' for itself")
    return name


def storage_user_name(prefix: str, tenant: str, generation: int) -> str:
    """The storage user's name, which is also its mark: `<prefix>-<tenant>`."""
    name = _later(f"{_subject(prefix)}-{_subject(tenant, LONGEST_ID)}", generation)
    if len(name) > LONGEST_STORAGE_USER:
        raise ValueError(
            f"storage user '{name}' has {len(name)} characters, at most {LONGEST_STORAGE_USER}: "
            f"shorten the prefix '{prefix}' or the id '{tenant}'"
        )
    return name


def schema_name(tenant: str) -> str:
    """The tenant's schema on a shared cluster."""
    return f"c_{_subject(tenant, LONGEST_ID)}"


def owner_name(tenant: str) -> str:
    """The role that owns the tenant's objects and cannot log in."""
    return f"{schema_name(tenant)}_owner"


def login_name(tenant: str) -> str:
    """The role the tenant logs in with."""
    return schema_name(tenant)


def project_name(prefix: str, tenant: str, generation: int) -> str:
    """The name of a tenant's Neon project, which is also its mark: `<prefix>-<tenant>`."""
    return _later(f"{_subject(prefix)}-{_subject(tenant, LONGEST_ID)}", generation)


def managed_cluster_name(prefix: str, cluster: str, generation: int) -> str:
    """The name of a DigitalOcean cluster; unlike a tag it is unique in an account."""
    name = _later(f"{_subject(prefix)}-{_subject(cluster)}", generation)
    if len(name) > LONGEST_MANAGED_CLUSTER:
        raise ValueError(
            f"cluster '{name}' has {len(name)} characters, at most {LONGEST_MANAGED_CLUSTER}: shorten the prefix "
            f"'{prefix}' or the plan's name"
        )
    return name


@dataclass(frozen=True)
class DatabaseNames:
    """What a tenant's database is called inside its server; `base` is what further roles of the tenant begin with."""

    database: str
    schema: str
    owner: str
    login: str
    base: str


def database_names(provider: str, mode: str | None, tenant: str) -> DatabaseNames:
    """The names by who runs the server and whether others are on it.

    On DigitalOcean tenants share a cluster, but each has a database to itself (B30); at Neon each has a project.
    """
    base = schema_name(tenant)
    if provider == "digitalocean":
        base = f"tenant_{_subject(tenant, LONGEST_ID)}"
        return DatabaseNames(base, "public", f"{base}_owner", f"{base}_user", base)
    schema = base if (provider, mode) == ("timeweb", "shared") else "public"
    return DatabaseNames("main", schema, owner_name(tenant), login_name(tenant), base)
