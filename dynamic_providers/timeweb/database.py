"""A database of a cluster; the vendor says "instance"."""

from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from dynamic_providers.base import GONE, Inputs, Props, declared
from dynamic_providers.inventory import Inventory, find_or_create
from dynamic_providers.marks import MarkText, mark_in
from dynamic_providers.timeweb.models import Database as Found
from dynamic_providers.timeweb.session import Session, TimewebProvider
from dynamic_providers.waiting import found_by

PATCHED = {"name": "name", "mark": "description"}


class DatabaseInputs(Inputs):
    """What a database is to be."""

    cluster_id: str
    name: str
    mark: MarkText


class DatabaseProvider(TimewebProvider):
    """Find ours in the cluster or create; the name is changed in place."""

    inputs = DatabaseInputs
    stateful_fields = frozenset({"cluster_id"})

    def connect(self, session: Session) -> None:
        """Takes the session and prepares the look-up by mark, per cluster."""
        super().connect(session)
        self.ours: Inventory[str, Found] = Inventory(
            session.timeweb.databases, lambda database: mark_in(database.description)
        )

    def create(self, props: Props) -> CreateResult:
        """One listing of the cluster's databases, and a POST when ours is not among them."""
        want = DatabaseInputs.of(props)
        fields = {"name": want.name, "description": want.mark}
        create = partial(self.session.timeweb.create_database, want.cluster_id, fields)
        database = find_or_create(self.ours, want.cluster_id, want.mark, create, self.session.pace)
        return CreateResult(str(database.id), outputs(want, database))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Inputs as found, so that drift is mended by the next update."""
        want = DatabaseInputs.recorded(props)
        database = found_by(partial(self.session.timeweb.database, want.cluster_id, id_))
        return ReadResult(id_, outputs(want, database), outputs(want, database)) if database else GONE

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """One PATCH with what changed."""
        changed = self.changes_in_place(id_, olds, news)
        want = DatabaseInputs.of(news)
        fields = {theirs: getattr(want, ours) for ours, theirs in PATCHED.items() if ours in changed}
        return UpdateResult(outputs(want, self.session.timeweb.change_database(want.cluster_id, id_, fields)))

    def delete(self, id_: str, props: Props) -> None:
        """Deletes the database with all it holds; with its cluster gone it is gone too."""
        cluster, timeweb = DatabaseInputs.recorded(props).cluster_id, self.session.timeweb
        self.session.remove(
            partial(timeweb.delete_database, cluster, id_),
            partial(timeweb.database, cluster, id_),
            what=f"database {id_}",
        )
        self.ours.forget(cluster)


def outputs(want: DatabaseInputs, database: Found) -> Props:
    """The inputs as found; there is nothing to add."""
    return want.model_copy(update={"name": database.name, "mark": database.description}).props()


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """Arguments of Database."""

    cluster_id: pulumi.Input[str]
    name: pulumi.Input[str]
    mark: pulumi.Input[str]


class Database(Resource, module="timeweb", name="Database"):
    """A database of a Timeweb cluster; `id` is the vendor's."""

    name: pulumi.Output[str]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(DatabaseProvider(), name, declared(args), opts)
