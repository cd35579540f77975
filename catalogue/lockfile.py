"""The lock file `placements.yaml`: how placements are written, and where a file contradicts itself."""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from catalogue.errors import Finding
from catalogue.names import cluster_stem, cluster_vendor_name, dedicated_cluster_name, shared_cluster_name
from catalogue.placement import (
    MOVING,
    TENANTS_PER_CELL,
    ClusterPlacement,
    Placed,
    Placements,
    TenantPlacement,
    taken,
)
from catalogue.plan import Plans

HEADER = """\
# Written by `tenantry place`; committed like any lock file. Do not edit: what is placed never moves.
# Each database and bucket has its cell, cluster, generation and pins (region, provider, mode, version).
"""
# Whose databases are on no cluster.
NO_CLUSTERS = "neon"
WAY_OUT = "remove the lines of tenants that were never applied, and run `tenantry place`"


def write_placements(path: Path, placements: Placements) -> None:
    """Replace the file in one step, durably; the same placements give the same bytes, and the file keeps its mode."""
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(placements_text(placements))
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def placements_text(placements: Placements) -> str:
    """The file: a line for each cluster and each section, sorted, so that two branches merge line by line."""
    return HEADER + "\n".join([*_cluster_lines(placements), *_tenant_lines(placements), ""])


def _cluster_lines(placements: Placements) -> Iterator[str]:
    yield "clusters:" if placements.clusters else "clusters: {}"
    for name, cluster in sorted(placements.clusters.items()):
        yield f"  {_word(name)}: {_row(cluster)}"


def _tenant_lines(placements: Placements) -> Iterator[str]:
    yield "tenants:" if placements.tenants else "tenants: {}"
    # Tenants of one cluster have the same rows, and often the same values.
    known: dict[int, list[str]] = {}
    for name, tenant in sorted(placements.tenants.items()):
        rows = known.get(id(tenant))
        if rows is None:
            rows = known[id(tenant)] = [f"    {part}: {_row(placed)}" for part, placed in tenant if placed is not None]
        yield f"  {_word(name)}:" if rows else f"  {_word(name)}: {{}}"
        yield from rows


def _row(entry: ClusterPlacement | Placed) -> str:
    known = ((name, getattr(entry, name)) for name in type(entry).model_fields)
    written = (
        f"{name}: {value if isinstance(value, int) else _word(str(value))}"
        for name, value in known
        if value is not None
    )
    return "{" + ", ".join(written) + "}"


def _word(text: str) -> str:
    """Text as YAML; quoted where some reader would see a number, a date or a truth value."""
    plain = re.fullmatch(r"[a-z][a-z0-9-]+", text) and text not in ("null", "true", "false", "yes", "no", "on", "off")
    return text if plain else f'"{text}"'


def placements_findings(placements: Placements, plans: Plans) -> Iterator[Finding]:
    """Where the file contradicts itself, as after a merge of two branches or an edit by hand."""
    for name, cluster in placements.clusters.items():
        expected = _expected_name(name, cluster)
        if name != expected:
            yield ("clusters", name), f"by its plan and mode this cluster is called {expected}"
    for name, tenant in placements.tenants.items():
        yield from _tenant_findings(placements, name, tenant)
        yield from _generation_findings(name, tenant, plans)
    for cell, held in Counter(tenant.cell for tenant in placements.tenants.values()).items():
        if held > TENANTS_PER_CELL:
            yield ("tenants",), f"cell {cell} holds {held} tenants, at most {TENANTS_PER_CELL}: {WAY_OUT}"
    yield from _budget_findings(placements, plans)
    yield from _pooler_findings(placements)


def _tenant_findings(placements: Placements, name: str, tenant: TenantPlacement) -> Iterator[Finding]:
    for section, placed in tenant:
        if placed is None:
            continue
        if placed.cell != tenant.cell:
            yield ("tenants", name, section, "cell"), f"the tenant's other section is in cell {tenant.cell}"
        if section.startswith("database"):
            yield from _cluster_findings(placements, (name, section), placed)
        elif placed.cluster or placed.mode or placed.version:
            yield ("tenants", name, section), "a bucket has no cluster, mode or version"


def _generation_findings(tenant: str, placement: TenantPlacement, plans: Plans) -> Iterator[Finding]:
    offers: Mapping[str, Container[str]] = {"database": plans.database, "storage": plans.storage}
    for section, other in placement.others.items():
        here = ("tenants", tenant, f"{section}_other")
        serving = placement.sections.get(section)
        if serving is None or serving.generation == other.generation:
            yield (*here, "generation"), "it is the other generation of a section, but none, or the same, serves"
        elif other.cluster is not None and serving.cluster == other.cluster:
            yield (*here, "cluster"), "two generations of a database are never on one cluster"
        if other.role not in MOVING and other.drop_after is None:
            yield here, "a generation that has served has a day until which it is kept: drop_after is missing"
        if other.plan not in offers[section]:
            yield (*here, "plan"), f"plan {other.plan} is gone from plans.yaml: put it back until the move is over"


def _expected_name(name: str, cluster: ClusterPlacement) -> str:
    if cluster.mode == "dedicated":
        own = dedicated_cluster_name(cluster.tenant) if cluster.tenant else "customer-<tenant>"
        return cluster_vendor_name(own, cluster.generation) if cluster.tenant else own
    stem = cluster_stem(cluster.provider, cluster.plan)
    number = name.rpartition("-")[2]
    return shared_cluster_name(stem, int(number)) if re.fullmatch("[1-9][0-9]{0,8}", number) else f"shared-{stem}-<n>"


def _cluster_findings(placements: Placements, where: tuple[str, str], placed: Placed) -> Iterator[Finding]:
    here, tenant = ("tenants", *where), where[0]
    if placed.provider == NO_CLUSTERS:
        if placed.cluster is not None or placed.mode != "dedicated" or placed.version is None:
            yield here, "a Neon project is on no cluster, its mode is dedicated, and it has a version"
        return
    cluster = placements.clusters.get(placed.cluster or "")
    if cluster is None:
        missing = f"cluster '{placed.cluster}' is not in this file"
        yield (*here, "cluster"), missing if placed.cluster else "a database is on a cluster: its name is missing"
        return
    for pin in ("cell", "plan", "region", "provider", "mode", "version"):
        if getattr(placed, pin) != getattr(cluster, pin):
            yield (*here, pin), f"cluster '{placed.cluster}' says {getattr(cluster, pin)}"
    if cluster.tenant != (tenant if cluster.mode == "dedicated" else None):
        yield (*here, "cluster"), f"cluster '{placed.cluster}' serves {cluster.tenant or 'no single tenant'}"


def _budget_findings(placements: Placements, plans: Plans) -> Iterator[Finding]:
    """Clusters whose tenants could together open more connections than the cluster takes."""
    served = taken(placements.tenants)
    for name, cluster in placements.clusters.items():
        plan = plans.database.get(cluster.plan)
        if plan is None or plan.pooled:
            continue
        cap, needed = plan.connections.cap, served[name] * plan.connection_limit + plan.connections.reserve
        if needed > cap:
            too_many = f"its tenants may open {needed} of {cap} connections"
            yield ("clusters", name), f"{too_many}: undo the edit of plan {plan.name}, or {WAY_OUT}"


def _pooler_findings(placements: Placements) -> Iterator[Finding]:
    """Numbers of poolers, and with them ports, that two clusters have."""
    first: dict[int, str] = {}
    for name, cluster in sorted(placements.clusters.items()):
        if cluster.pooler is not None and (other := first.setdefault(cluster.pooler, name)) != name:
            taken = f"pooler {cluster.pooler} is that of cluster '{other}' too"
            yield ("clusters", name, "pooler"), f"{taken}: remove the key of the newer one, and run `tenantry place`"
