"""What a move does to a fleet's folder, its clusters and its stores."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from catalogue.edit import edit_section
from catalogue.generations import Pair
from catalogue.load import Fleet, load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import Placements
from catalogue.plan import Size
from components.outputs import DatabaseOutput, StorageOutput, TenantOutputs
from lifecycle.courier import TenantPlace
from lifecycle.errors import DataError
from lifecycle.move import Phase
from lifecycle.objects import BucketPlace, copy_objects, differences
from lifecycle.places import Keys
from lifecycle.programs import Programs
from lifecycle.transfer import compared, transfer


@dataclass
class Mover:
    """The rim of a move. `apply` brings a cell to what the files say; `outputs` answers a tenant's, secrets shown."""

    folder: Path
    apply: Callable[[int], None]
    outputs: Callable[[str, int], TenantOutputs]
    keys: Keys
    programs: Callable[[], Programs]
    clock: Callable[[], datetime]
    tell: Callable[[Phase, str], None]
    hold: int | None = None
    notes: list[str] = field(default_factory=list)
    # Outputs change by a run only.
    _told: dict[str, TenantOutputs] = field(default_factory=dict)

    def placements(self) -> Placements:
        """The lock file as it is now; it fits the catalogue, or an error says where it does not."""
        return self._fleet().placements

    def write(self, placements: Placements) -> None:
        """Replace the lock file, durably."""
        write_placements(self.folder / "placements.yaml", placements)

    def wish(self, pair: Pair, *, back: bool) -> None:
        """The entry says again what it said before the move: plan, region, and the size of a custom plan."""
        fleet = self._fleet()
        stays = pair.other if back else pair.serving
        plans = fleet.plans.database if pair.section == "database" else fleet.plans.storage
        cluster = fleet.placements.clusters.get(stays.cluster or "")
        size = Size.parse(cluster.size).model_dump() if cluster and cluster.size else None
        default = plans[stays.plan].regions[0] == stays.region
        values: dict[str, Any] = {"plan": stays.plan, "region": None if default else stays.region, "migrate": None}
        if pair.section == "database":
            values |= {"preset": cluster.preset if cluster else None, "size": size}
        edit_section(self.folder, pair.tenant, pair.section, values)

    def up(self, tenant: str) -> None:
        """One run of the tenant's cell."""
        self._told.clear()
        self.apply(self._cell(tenant))

    def precopy(self, pair: Pair) -> None:
        """Objects can be copied while more are put; a schema is copied at one instant, so its programs must be here."""
        if pair.section == "storage":
            with self._buckets(pair) as buckets:
                copy_objects(*buckets)
        else:
            self.programs()

    def copy(self, pair: Pair) -> None:
        """All rows, or what has changed of the objects."""
        if pair.section == "storage":
            with self._buckets(pair) as buckets:
                copy_objects(*buckets)
        else:
            self.notes.extend(transfer(*self._databases(pair), self.programs()))

    def verify(self, pair: Pair) -> list[str]:
        """Rows, checksums and sequences of every table; sizes and contents of every object."""
        if pair.section == "storage":
            with self._buckets(pair) as buckets:
                return differences(*buckets)
        return compared(*self._databases(pair))

    def hold_days(self, pair: Pair) -> int:
        """What was asked for, else what the plan says that is left."""
        plans = self._fleet().plans
        rows = plans.database if pair.section == "database" else plans.storage
        return rows[pair.serving.plan].hold_days if self.hold is None else self.hold

    def instant(self) -> datetime:
        """The time of day."""
        return self.clock()

    def phase(self, phase: Phase, tenant: str) -> None:
        """Tell what is begun."""
        self.tell(phase, tenant)

    def _fleet(self) -> Fleet:
        return load_fleet(self.folder, require_placed=False)

    def _cell(self, tenant: str) -> int:
        placement = self.placements().tenants.get(tenant)
        if placement is None or placement.cell is None:
            raise DataError(f"tenant {tenant} is not placed: look at its name, or run `tenantry place`")
        return placement.cell

    def _databases(self, pair: Pair) -> tuple[TenantPlace, TenantPlace]:
        placements = self.placements()
        serving, other = self._outputs(pair)
        if not isinstance(serving, DatabaseOutput) or not isinstance(other, DatabaseOutput):
            raise DataError(f"the outputs of {pair.tenant} do not name both its databases: run `tenantry up`")
        return (
            self.keys.database(placements, pair.tenant, pair.serving, serving),
            self.keys.database(placements, pair.tenant, pair.other, other),
        )

    @contextmanager
    def _buckets(self, pair: Pair) -> Iterator[tuple[BucketPlace, BucketPlace]]:
        serving, other = self._outputs(pair)
        if not isinstance(serving, StorageOutput) or not isinstance(other, StorageOutput):
            raise DataError(f"the outputs of {pair.tenant} do not name both its buckets: run `tenantry up`")
        with (
            closing(self.keys.bucket(pair.serving, serving)) as source,
            closing(self.keys.bucket(pair.other, other)) as target,
        ):
            yield source, target

    def _outputs(self, pair: Pair) -> tuple[object, object]:
        if pair.tenant not in self._told:
            self._told[pair.tenant] = self.outputs(pair.tenant, self._cell(pair.tenant))
        told = self._told[pair.tenant]
        return getattr(told, pair.section), getattr(told.other, pair.section, None)
