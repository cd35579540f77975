"""Loading a fleet: its files against their models and against each other, every problem told at once."""

import gc
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import TypeVar

from catalogue.document import MAX_BYTES, MEGABYTE, Document, LateDocument, read_document
from catalogue.errors import CatalogueError, Finding, KeyPath, Problem, shown
from catalogue.lockfile import placements_findings
from catalogue.pins import pin_findings
from catalogue.placement import ClusterPlacement, Placements, TenantPlacement, place
from catalogue.plan import DatabasePlan, Plans, StoragePlan, database_plan_findings, storage_plan_findings
from catalogue.price import PriceBook, price_findings
from catalogue.rules import name_findings, removal_findings, tenant_findings
from catalogue.schema import no_rows, parse, parse_rows, unknown_sections
from catalogue.tenant import Tenant
from catalogue.written import read_written

P = TypeVar("P", DatabasePlan, StoragePlan)
R = TypeVar("R", ClusterPlacement, TenantPlacement)

# Ours, and at 100,000 tenants longer than anything written by hand.
MAX_PLACEMENTS_BYTES = 40 * MEGABYTE
VANISHED = (
    "is placed, but its entry is gone from the tenants, and nothing leaves that way: put the entry back with "
    "`state: terminated`, and remove it when `lifecycle run` has removed the tenant and `tenantry place` its place"
)


@dataclass(frozen=True)
class Fleet:
    """A catalogue without faults; `folder` is where its files are."""

    tenants: Mapping[str, Tenant]
    plans: Plans
    prices: PriceBook
    placements: Placements
    folder: Path


def load_fleet(folder: Path, *, require_placed: bool = True, today: date | None = None) -> Fleet:
    """The fleet of `folder`. Raises `CatalogueError` with all problems of all its files.

    With `require_placed` a tenant whose place is missing or stale is a problem too; `place` itself loads without. Who
    acts on a removal says what day it is: one that is dated later is then a problem.
    """
    loading = _Loading(folder, today)
    with _keeping_everything():
        plans = loading.plans()
        prices = loading.prices()
        tenants = loading.tenants(plans)
        placements = loading.placements(tenants, plans)
        if require_placed and not loading.problems:
            loading.stale(tenants, plans, placements)
    if loading.problems or prices is None:
        raise CatalogueError(loading.kept())
    return Fleet(tenants, plans, prices, placements, folder)


@contextmanager
def _keeping_everything() -> Iterator[None]:
    """Look for no garbage: what is read is kept, and going through it again and again costs a quarter of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@dataclass
class _Loading:
    """One pass over a folder: every problem met, and where each tenant stands, sound or not."""

    folder: Path
    today: date | None = None
    problems: list[Problem] = field(default_factory=list)
    faults_of_reading: set[Problem] = field(default_factory=set)
    lock: Document = Document("placements.yaml", None)  # noqa: RUF009 - frozen
    home: dict[str, Document] = field(default_factory=dict)
    # Keys of a tenant that could not be read.
    faulty: dict[str, frozenset[str]] = field(default_factory=dict)
    # Some tenants could not be read: then nobody is called vanished.
    tenants_missing: bool = False
    # Plans at fault, or all of them: nobody is blamed for being on one.
    unsound_plans: set[str] = field(default_factory=set)
    plans_missing: bool = False

    def plans(self) -> Plans:
        """All rows, as far as they could be read."""
        document = self._read("plans.yaml", ("database", "storage"))
        self.plans_missing = document.root is None
        return Plans(
            self._plan_rows(DatabasePlan, document, "database", database_plan_findings),
            self._plan_rows(StoragePlan, document, "storage", storage_plan_findings),
        )

    def prices(self) -> PriceBook | None:
        """None where the file is at fault."""
        document = self._read("prices.yaml", None)
        if document.root is None:
            return None
        parsed = parse(PriceBook, document, (), document.root)
        self.problems.extend(parsed.problems)
        self._note(document, (), price_findings(parsed.value) if parsed.value else ())
        return parsed.value

    def tenants(self, plans: Plans) -> dict[str, Tenant]:
        """All entries of `tenants.yaml` or `tenants/*.yaml` by id, as far as they could be read."""
        tenants: dict[str, Tenant] = {}
        for document in self._tenant_documents():
            missing = list(no_rows(document, "tenants"))
            self.problems.extend(missing)
            self.tenants_missing |= bool(missing) or document.root is None
            for tenant_id, parsed in parse_rows(Tenant, document, "tenants", "id"):
                self.problems.extend(parsed.problems)
                if self.home.setdefault(tenant_id, document) is not document:
                    self._note(document, ("tenants", tenant_id), [((), self._already(tenant_id))])
                elif parsed.value is not None:
                    tenants[tenant_id] = parsed.value
                    self.faulty[tenant_id] = parsed.faulty
                    self._check(parsed.value, plans, document)
        return tenants

    def placements(self, tenants: Mapping[str, Tenant], plans: Plans) -> Placements:
        """The lock file against itself and the tenants; an absent file is a fleet where nobody is placed."""
        path = self.folder / "placements.yaml"
        if not path.exists() and not path.is_symlink():
            return Placements()
        before = len(self.problems)
        placements = self._locked(path)
        document = self.lock
        if len(self.problems) == before:
            self._note(document, (), placements_findings(placements, plans))
            self._note(document, (), name_findings(tenants, placements))
        for tenant_id, placement in placements.tenants.items():
            if tenant_id in tenants and tenants[tenant_id].declared:
                findings = pin_findings(tenants[tenant_id], plans, placement)
                self._note(self.home[tenant_id], ("tenants", tenant_id), findings, self.faulty[tenant_id])
            if tenant_id not in self.home and not self.tenants_missing:
                self._note(document, ("tenants", tenant_id), [((), VANISHED)])
        return placements

    def stale(self, tenants: Mapping[str, Tenant], plans: Plans, placements: Placements) -> None:
        """Sections that `place` would still place or record, and empty clusters of plans that are gone."""
        for name, cluster in placements.clusters.items():
            if cluster.plan not in plans.database:
                gone = f"plan {cluster.plan} is gone from plans.yaml: put it back, or run `tenantry place --drop-empty`"
                self.problems.append(self.lock.problem(("clusters", name), gone))
            elif plans.database[cluster.plan].pooled and cluster.pooler is None:
                missing = f"plan {cluster.plan} has a pooler, and the cluster no number of one: run `tenantry place`"
                self.problems.append(self.lock.problem(("clusters", name), missing))
        wanted = place(tenants, plans, placements)
        for tenant_id, placement in wanted.tenants.items():
            before = placements.tenants.get(tenant_id, TenantPlacement())
            old = before.sections
            for section in sorted(placement.others.keys() - before.others.keys()):
                finding = ((section,), "its move is not planned yet: run `tenantry place`")
                self._note(self.home[tenant_id], ("tenants", tenant_id), [finding])
            for section, placed in placement.sections.items():
                if old.get(section) != placed:
                    what = f"is placed for plan {old[section].plan}" if section in old else "is not placed yet"
                    finding = ((section,), f"{what}: run `tenantry place`")
                    self._note(self.home[tenant_id], ("tenants", tenant_id), [finding])
        for name, cluster in wanted.clusters.items():
            before_it = placements.clusters.get(name, cluster)
            if cluster.tenant and cluster.plan == before_it.plan and cluster != before_it:
                finding = (("database",), "is placed with another size: run `tenantry place`")
                self._note(self.home[cluster.tenant], ("tenants", cluster.tenant), [finding])

    def kept(self) -> Iterator[Problem]:
        """The problems without echoes: a model's complaint about the gap where reading has found the fault."""
        places = {(fault.file, fault.line, fault.column) for fault in self.faults_of_reading}
        for problem in self.problems:
            if problem in self.faults_of_reading or (problem.file, problem.line, problem.column) not in places:
                yield problem

    def _plan_rows(
        self, model: type[P], document: Document, section: str, rule: Callable[[P], Iterable[Finding]]
    ) -> dict[str, P]:
        plans: dict[str, P] = {}
        # A section may be left out; an empty one is a slip.
        self.problems.extend(no_rows(document, section) if section in (document.root or ()) else ())
        for name, parsed in parse_rows(model, document, section, "name"):
            if parsed.problems:
                self.problems.extend(parsed.problems)
                self.unsound_plans.add(name)
            if parsed.value is not None:
                plans[name] = parsed.value
                self._note(document, (section, name), rule(parsed.value), parsed.faulty)
        return plans

    def _locked(self, path: Path) -> Placements:
        """The rows of the lock file; `lock` is then the document."""
        written = read_written(path, MAX_PLACEMENTS_BYTES)
        if written is not None:
            self.lock = LateDocument(
                path.name, None, read=cache(lambda: read_document(path, path.name, MAX_PLACEMENTS_BYTES))
            )
            return written
        document = self.lock = self._read(path.name, ("clusters", "tenants"), MAX_PLACEMENTS_BYTES)
        return Placements(
            self._lock_rows(ClusterPlacement, document, "clusters"),
            self._lock_rows(TenantPlacement, document, "tenants"),
        )

    def _lock_rows(self, model: type[R], document: Document, section: str) -> dict[str, R]:
        self.problems.extend(no_rows(document, section))
        rows: dict[str, R] = {}
        for name, parsed in parse_rows(model, document, section, None):
            self.problems.extend(parsed.problems)
            if parsed.value is not None:
                rows[name] = parsed.value
        return rows

    def _check(self, tenant: Tenant, plans: Plans, document: Document) -> None:
        if self.plans_missing:
            self.unsound_plans.update(section.plan for section in (tenant.database, tenant.storage) if section)
        findings = (*tenant_findings(tenant, plans, self.unsound_plans), *removal_findings(tenant, self.today))
        self._note(document, ("tenants", tenant.id), findings, self.faulty[tenant.id])

    def _already(self, tenant_id: str) -> str:
        first = self.home[tenant_id].problem(("tenants", tenant_id), "")
        return f"tenant '{shown(tenant_id)}' is already at {first.file}:{first.line}: remove one of them"

    def _tenant_documents(self) -> Iterator[Document]:
        single, several = self.folder / "tenants.yaml", self.folder / "tenants"
        if not several.is_dir():
            yield self._read(single.name, ("tenants",))
            return
        names = sorted(path.name for path in several.iterdir())
        for name in names:
            if name.endswith(".yml"):
                self._complain(f"tenants/{name}", "files of tenants end in .yaml: rename it")
        if single.exists():
            self._complain(single.name, "there is also a folder tenants/: keep one of the two")
        elif not any(name.endswith(".yaml") for name in names):
            self._complain("tenants", "the folder holds no *.yaml file")
        for name in names:
            if name.endswith(".yaml"):
                yield self._read(f"tenants/{name}", ("tenants",))

    def _read(self, name: str, sections: tuple[str, ...] | None, max_bytes: int = MAX_BYTES) -> Document:
        document = read_document(self.folder / name, name, max_bytes)
        self.faults_of_reading.update(document.problems)
        self.problems.extend(document.problems)
        if sections is not None:
            self.problems.extend(unknown_sections(document, sections))
        return document

    def _complain(self, file: str, message: str) -> None:
        self.tenants_missing = True
        self.problems.append(Problem(file, 1, 1, "", message))

    def _note(
        self, document: Document, path: KeyPath, findings: Iterable[Finding], faulty: Container[str | int] = ()
    ) -> None:
        """Of a key that is `faulty` enough has been said."""
        for inside, message in findings:
            if not inside or inside[0] not in faulty:
                self.problems.append(document.problem((*path, *inside), message))
