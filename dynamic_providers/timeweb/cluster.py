"""A PostgreSQL cluster. It is made without a secret: its admin and its database are resources of their own."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult
from pydantic import model_validator

from dynamic_providers.base import GONE, Inputs, Props, declared
from dynamic_providers.errors import FailedStateError, ProviderError, RefusedError
from dynamic_providers.inventory import Inventory, adopt, find_or_create
from dynamic_providers.marks import MarkText, mark_in
from dynamic_providers.timeweb.client import Fields
from dynamic_providers.timeweb.models import Cluster as Found
from dynamic_providers.timeweb.presets import FAMILY, database_preset
from dynamic_providers.timeweb.session import Session, TimewebProvider
from dynamic_providers.waiting import found_by, wait_until

log = logging.getLogger(__name__)

SIZE = ("cpu", "ram_gb", "disk_gb")
# Field of ours → field of the API, for what a PATCH changes at once.
PATCHED = {"name": "name", "mark": "description"}
# States that waiting does not end; the others pass, or the deadline does.
STUCK = {
    "error": "the vendor could not make it: ask its support, or delete it in the panel and run again",
    "blocked": "the vendor blocked it: ask its support",
    "no_paid": "the account's balance is used up: pay, then run again",
    "stopped": "it was stopped: start it in the panel, then run again",
}


class ClusterInputs(Inputs):
    """What a cluster is to be. Its size is a preset id or at least one of cpu, ram_gb and disk_gb, never both."""

    name: str
    engine: Literal["postgres14", "postgres15", "postgres16", "postgres17", "postgres18"]
    preset_id: int | None = None
    cpu: int | None = None
    ram_gb: float | None = None
    disk_gb: float | None = None
    location: str
    mark: MarkText
    adopt: str | None = None

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.preset_id is not None) == bool(self.size):
            raise ValueError("give either preset_id or a size (cpu, ram_gb, disk_gb)")
        return self

    @property
    def size(self) -> dict[str, float]:
        """The stated parts of the size."""
        return {name: value for name in SIZE if (value := getattr(self, name)) is not None}


class ClusterProvider(TimewebProvider):
    """Find ours or create, wait until it can be connected to, change in place, delete with a read-back."""

    inputs = ClusterInputs
    stateful_fields = frozenset({"engine", "location"})
    connection_fields = frozenset({"adopt"})

    def connect(self, session: Session) -> None:
        """Takes the session and prepares the look-up by mark."""
        super().connect(session)
        timeweb = session.timeweb
        self.ours: Inventory[None, Found] = Inventory(
            lambda _account: timeweb.clusters(), lambda cluster: mark_in(cluster.description)
        )

    def changed_fields(self, olds: Props, news: Props) -> frozenset[str]:
        """As ever, but a size is compared with what the cluster has, however it was asked for."""
        changed = super().changed_fields(olds, news) - {"preset_id", *SIZE}
        if (preset := news.get("preset_id")) is not None:
            return changed | ({"preset_id"} if preset != olds.get("resolved_preset") else set())
        return changed | {name for name in SIZE if news.get(name) is not None and news[name] != olds.get(name)}

    def create(self, props: Props) -> CreateResult:
        """Also goes on waiting for one that an earlier run began."""
        want = ClusterInputs.of(props)
        if want.adopt:
            cluster = self._adopt(want, want.adopt)
        else:
            cluster = find_or_create(self.ours, None, want.mark, partial(self._make, want), self.session.pace)
        return CreateResult(str(cluster.id), outputs(want, self._settled(cluster)))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Inputs as found, so that drift is mended by the next update."""
        want = ClusterInputs.recorded(props)
        cluster = found_by(partial(self.session.timeweb.cluster, id_))
        return ReadResult(id_, outputs(want, cluster), observed(want, cluster).props()) if cluster else GONE

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """One PATCH with what changed; a new size is waited for, also one that an earlier run has ordered."""
        changed = self.changes_in_place(id_, olds, news)
        want = ClusterInputs.of(news)
        fields: dict[str, Any] = {theirs: getattr(want, ours) for ours, theirs in PATCHED.items() if ours in changed}
        preset = self._preset(want, cluster=id_) if changed & {"preset_id", *SIZE} else None
        if preset is not None and not self._has_size(id_, want, preset):
            fields["preset_id"] = preset
        cluster = self._change(id_, fields)
        return UpdateResult(outputs(want, self._settled(cluster, preset) if preset is not None else cluster))

    def delete(self, id_: str, _props: Props) -> None:
        """Deletes the cluster with all it holds."""
        timeweb = self.session.timeweb
        self.session.remove(partial(timeweb.delete_cluster, id_), partial(timeweb.cluster, id_), what=f"cluster {id_}")
        self.ours.forget(None)

    def _make(self, want: ClusterInputs) -> Found:
        fields = {"name": want.name, "type": want.engine, "preset_id": self._preset(want), "description": want.mark}
        return self.session.timeweb.create_cluster(fields)

    def _change(self, id_: str, fields: Fields) -> Found:
        timeweb = self.session.timeweb
        if not fields:
            return timeweb.cluster(id_)
        try:
            return timeweb.change_cluster(id_, fields)
        except RefusedError:
            # Repeated after a lost answer, an order is refused because it is being carried out.
            cluster = timeweb.cluster(id_)
            if fields.get("preset_id") != cluster.preset_id:
                raise
            return cluster

    def _has_size(self, id_: str, want: ClusterInputs, preset: int) -> bool:
        """Whether a size is there, once a restart is over: until then every order is refused, or would be a second."""
        cluster = self._settled(self.session.timeweb.cluster(id_))
        return cluster.preset_id == preset and observed(want, cluster).size == want.size

    def _adopt(self, want: ClusterInputs, id_: str) -> Found:
        found = self.session.timeweb.cluster(id_)
        engine = _engine(found, want)
        if (engine, found.location) != (want.engine, want.location):
            raise ProviderError(
                f"cluster {id_} is {engine} in {found.location}, not {want.engine} in {want.location}: not adopted"
            )
        change = self.session.timeweb.change_cluster
        return adopt(self.ours, None, want.mark, found, lambda: change(id_, {"description": want.mark}))

    def _preset(self, want: ClusterInputs, cluster: str | None = None) -> int:
        presets = self.session.timeweb.database_presets(cluster)
        return database_preset(presets, location=want.location, preset_id=want.preset_id, size=want.size).id

    def _settled(self, cluster: Found, preset: int | None = None) -> Found:
        if not pending(cluster, preset=preset):
            return cluster
        return wait_until(
            partial(self.session.timeweb.cluster, str(cluster.id)),
            lambda seen: pending(seen, preset=preset),
            what=f"cluster {cluster.id}",
            pace=self.session.pace,
        )


def pending(cluster: Found, *, preset: int | None = None) -> str:
    """Why a cluster cannot be used yet, "" when it can. Raises FailedStateError for a state it does not leave."""
    if reason := STUCK.get(cluster.status):
        raise FailedStateError(f"cluster {cluster.id} ({cluster.name}) is in state '{cluster.status}': {reason}")
    if cluster.status != "started":
        return f"its state is '{cluster.status}'"
    if preset is not None and cluster.preset_id != preset:
        return f"it still has preset {cluster.preset_id}, not {preset}"
    return "" if cluster.address and cluster.port else "it has no address yet"


def observed(want: ClusterInputs, cluster: Found) -> ClusterInputs:
    """The inputs that would describe the cluster as it is, its size in the same terms as asked for."""
    size = (
        {"preset_id": cluster.preset_id} if want.preset_id else {name: _size(want, cluster)[name] for name in want.size}
    )
    return want.model_copy(
        update={
            "name": cluster.name,
            "engine": _engine(cluster, want),
            "location": cluster.location or want.location,
            "mark": cluster.description,
            **size,
        }
    )


def outputs(want: ClusterInputs, cluster: Found) -> Props:
    """Every input as found, and what only the vendor knows. Sizes in GB."""
    computed = {
        "host": cluster.address,
        "port": cluster.port,
        "status": cluster.status,
        "resolved_preset": cluster.preset_id,
        **_size(want, cluster),
    }
    return observed(want, cluster).props() | {name: value for name, value in computed.items() if value is not None}


def _size(want: ClusterInputs, cluster: Found) -> dict[str, float | None]:
    """The cluster's size; as it was asked for where somebody made it bigger.

    The vendor makes no disk smaller, so an update could only fail, and with it everything that the cluster holds.
    """
    found = {name: getattr(cluster, name) for name in SIZE}
    if want.disk_gb is None or (cluster.disk_gb or 0) <= want.disk_gb:
        return found
    log.warning(
        "cluster %s (%s) is bigger than asked for (%s) and stays so, since its provider makes no disk smaller: "
        "raise the size in the catalogue",
        cluster.id,
        cluster.name,
        ", ".join(f"{name} {value:g}" for name, value in found.items() if value is not None),
    )
    return found | want.size


def _engine(cluster: Found, want: ClusterInputs) -> str:
    # Old clusters answer with the family, which says nothing against the version that was asked for.
    return want.engine if cluster.type in {FAMILY, ""} else cluster.type


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Arguments of Cluster; sizes in GB. `adopt` is the id of a cluster to take over instead of making one."""

    name: pulumi.Input[str]
    engine: pulumi.Input[str]
    location: pulumi.Input[str]
    mark: pulumi.Input[str]
    preset_id: pulumi.Input[int] | None = None
    cpu: pulumi.Input[int] | None = None
    ram_gb: pulumi.Input[float] | None = None
    disk_gb: pulumi.Input[float] | None = None
    adopt: pulumi.Input[str] | None = None


class Cluster(Resource, module="timeweb", name="Cluster"):
    """A PostgreSQL cluster at Timeweb; `id` is the vendor's. Numbers are whole but arrive as floats."""

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    status: pulumi.Output[str]
    resolved_preset: pulumi.Output[int]
    cpu: pulumi.Output[int]
    ram_gb: pulumi.Output[float]
    disk_gb: pulumi.Output[float]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(ClusterProvider(), name, declared(args, "host", "port", "status", "resolved_preset"), opts)
