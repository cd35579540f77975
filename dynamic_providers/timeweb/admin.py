"""The admin login of a cluster. Its password is derived here (design rule 6): never an input, an output or in state."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from dynamic_providers.admin_password import derive_admin_password
from dynamic_providers.base import GONE, Inputs, Props, declared
from dynamic_providers.inventory import Inventory, find_or_create
from dynamic_providers.marks import MarkText, mark_in
from dynamic_providers.timeweb.models import Admin as Found
from dynamic_providers.timeweb.session import Session, TimewebProvider
from dynamic_providers.waiting import found_by

Privilege = Literal[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "CREATE",
    "TEMPORARY",
    "CREATEDB",
    "CREATEROLE",
]


class AdminInputs(Inputs):
    """What the login is to be. `cluster_mark` is what its password is derived from."""

    cluster_id: str
    login: str
    privileges: list[Privilege]
    cluster_mark: MarkText
    mark: MarkText


class AdminProvider(TimewebProvider):
    """Find ours in the cluster or create; login, privileges and password are changed in place."""

    inputs = AdminInputs
    stateful_fields = frozenset({"cluster_id"})

    def connect(self, session: Session) -> None:
        """Takes the session and prepares the look-up by mark, per cluster."""
        super().connect(session)
        self.ours: Inventory[str, Found] = Inventory(session.timeweb.admins, lambda admin: mark_in(admin.description))

    def create(self, props: Props) -> CreateResult:
        """A login found again gets the password of today: the secret may have been rotated since it was made."""
        want = AdminInputs.of(props)
        password = self._password(want)
        fields = self._fields(want, frozenset(AdminInputs.model_fields))
        create = partial(self.session.timeweb.create_admin, want.cluster_id, fields)
        admin = find_or_create(self.ours, want.cluster_id, want.mark, create, self.session.pace)
        if admin.password != password:
            admin = self.session.timeweb.change_admin(want.cluster_id, str(admin.id), {"password": password})
        return CreateResult(str(admin.id), outputs(want, admin, password))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Inputs as found, so that drift is mended by the next update."""
        want = AdminInputs.recorded(props)
        admin = found_by(partial(self.session.timeweb.admin, want.cluster_id, id_))
        if admin is None:
            return GONE
        seen = outputs(want, admin, self._password(want))
        return ReadResult(id_, seen, dict(seen))

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """One PATCH with what changed."""
        changed = self.changes_in_place(id_, olds, news)
        want = AdminInputs.of(news)
        admin = self.session.timeweb.change_admin(want.cluster_id, id_, self._fields(want, changed))
        return UpdateResult(outputs(want, admin, self._password(want)))

    def delete(self, id_: str, props: Props) -> None:
        """Deletes the login; with its cluster gone it is gone too."""
        cluster, timeweb = AdminInputs.recorded(props).cluster_id, self.session.timeweb
        self.session.remove(
            partial(timeweb.delete_admin, cluster, id_), partial(timeweb.admin, cluster, id_), what=f"admin {id_}"
        )
        self.ours.forget(cluster)

    def _password(self, want: AdminInputs) -> str:
        return derive_admin_password(self.session.configuration.admin_secret, want.cluster_mark)

    def _fields(self, want: AdminInputs, changed: frozenset[str]) -> dict[str, Any]:
        """The request's fields for changed inputs; privileges are meant for every database of the cluster."""
        fields: dict[str, dict[str, Any]] = {
            "login": {"login": want.login},
            "privileges": {"privileges": sorted(want.privileges), "for_all": True},
            "mark": {"description": want.mark},
            "cluster_mark": {"password": self._password(want)},
        }
        return {key: value for name in fields if name in changed for key, value in fields[name].items()}


def outputs(want: AdminInputs, admin: Found, password: str) -> Props:
    """The inputs as found; a password that is not the derived one shows as an empty `cluster_mark`.

    Privileges count when every database has them; while there is none, those asked for stand. A password that the
    answer hides proves nothing.
    """
    granted = [frozenset(grant.privileges) for grant in admin.instances]
    hidden = set(admin.password) <= {"*"}
    seen = want.model_copy(
        update={
            "login": admin.login,
            "privileges": sorted(frozenset.intersection(*granted)) if granted else sorted(want.privileges),
            "cluster_mark": want.cluster_mark if hidden or admin.password == password else "",
            "mark": admin.description,
        }
    )
    return seen.props()


@dataclass(frozen=True, kw_only=True)
class AdminArgs:
    """Arguments of Admin."""

    cluster_id: pulumi.Input[str]
    login: pulumi.Input[str]
    privileges: pulumi.Input[list[str]]
    cluster_mark: pulumi.Input[str]
    mark: pulumi.Input[str]


class Admin(Resource, module="timeweb", name="Admin"):
    """The admin login of a Timeweb cluster; `id` is the vendor's."""

    login: pulumi.Output[str]

    def __init__(self, name: str, args: AdminArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(AdminProvider(), name, declared(args), opts)
