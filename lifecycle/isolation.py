"""Certifies isolation: as each tenant, with its own credentials, try what only another may, and show that one may."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product

from components.outputs import TenantOutputs
from lifecycle.certificate import Certificate, Ledger
from lifecycle.isolation_buckets import probe_buckets
from lifecycle.isolation_databases import probe_databases


def certify(
    tenants: Mapping[str, TenantOutputs],
    *,
    only: Sequence[str] | None = None,
    neighbours: int | None = None,
    platform: str | None = None,
    stack: str = "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Certificate:
    """Probe every served tenant by itself and by its next `neighbours` tenants (by all others where it is `None`).

    `tenants` are all outputs, secrets shown, of whom `only` these are probed where it is given; `platform` is the URL
    of the platform's own database. Blocked tenants hold no rights to prove anything with and are left out.
    """
    began, when = time.monotonic(), now()
    served = {
        name: tenant
        for name, tenant in tenants.items()
        if tenant.state in {"active", "trial"} and (only is None or name in only)
    }
    databases = {name: tenant.database for name, tenant in served.items() if tenant.database}
    buckets = {name: tenant.storage for name, tenant in served.items() if tenant.storage}
    ledger = Ledger()
    everybodys = [tenant.database for tenant in tenants.values() if tenant.database]
    probe_databases(databases, frozenset(pairs(list(databases), neighbours)), everybodys, platform, ledger)
    probe_buckets(buckets, list(pairs(list(buckets), neighbours)), ledger)
    return Certificate(
        controls=tuple(ledger.controls),
        tried=tuple(ledger.tried),
        stack=stack,
        when=when,
        tenants=tuple(served),
        seconds=time.monotonic() - began,
    )


def pairs(names: Sequence[str], neighbours: int | None) -> Iterator[tuple[str, str]]:
    """Each name with itself and with the next `neighbours` names round the ring."""
    if neighbours is None:
        yield from product(names, names)
        return
    for index, name in enumerate(names):
        for step in range(min(neighbours + 1, len(names))):
            yield name, names[(index + step) % len(names)]
