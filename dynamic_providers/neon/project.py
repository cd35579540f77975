"""A tenant's Neon project: one database with its owner on one branch. Its name is its mark, since Neon has no other."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult
from pydantic import Field

from dynamic_providers.base import GONE, Inputs, Props, declared
from dynamic_providers.errors import (
    AbsentError,
    AmbiguousMarkError,
    ProviderError,
    TenantProjectError,
)
from dynamic_providers.inventory import Inventory, find_or_create
from dynamic_providers.marks import MarkText
from dynamic_providers.neon.contents import Seen, complete, contents, look, made
from dynamic_providers.neon.models import Compute, MadeProject, Quota
from dynamic_providers.neon.models import Project as Found
from dynamic_providers.neon.session import NeonProvider, Session
from dynamic_providers.waiting import found_by, wait_until

log = logging.getLogger(__name__)

BRANCH, DATABASE, ROLE = "main", "main", "neondb_owner"
# Under this key the default branch is annotated with our mark: what proves that a project of ours is no other stack's.
ANNOTATION = "tenantry"
# What Neon may tell for its own default, which is asked for as 0.
DEFAULT_SUSPEND_SECONDS = 300
QUOTAS = tuple(Quota.model_fields)
COMPUTE = tuple(Compute.model_fields)
Bound = Annotated[int, Field(ge=1)]
Units = Annotated[float, Field(ge=0.25)]


class ProjectInputs(Inputs):
    """What a project is to be.

    Quotas are per billing period, in seconds and bytes, none where not given. Compute is in Neon's units; idle for
    `suspend_seconds` it sleeps: 0 is Neon's own default, -1 never. `organization` and `mark` count at `create` alone.
    """

    name: Annotated[str, Field(min_length=1, max_length=256)]
    region: str
    pg_version: int
    organization: str = ""
    active_time_seconds: Bound | None = None
    compute_time_seconds: Bound | None = None
    written_data_bytes: Bound | None = None
    data_transfer_bytes: Bound | None = None
    logical_size_bytes: Bound | None = None
    min_cu: Units
    max_cu: Units
    suspend_seconds: Annotated[int, Field(ge=-1, le=604_800)] = 0
    branch: str = BRANCH
    database: str = DATABASE
    role: str = ROLE
    mark: MarkText
    adopt: str | None = None


class ProjectProvider(NeonProvider):
    """Find ours by name or create, wait for its operations, change in place, delete with a read-back."""

    inputs = ProjectInputs
    stateful_fields = frozenset({"region", "pg_version"})
    connection_fields = frozenset({"organization", "mark", "adopt"})

    def connect(self, session: Session) -> None:
        """Takes the session and prepares the look-up by name, per organization; a deleted project is nobody's."""
        super().connect(session)
        neon = session.neon
        self.ours: Inventory[str, _Known] = Inventory(
            lambda organization: tuple(_Known(project) for project in neon.projects(organization)),
            lambda known: "" if known.project.deleted_at else known.project.name,
        )

    def create(self, props: Props) -> CreateResult:
        """Also goes on waiting for one that an earlier run began, and completes it."""
        want = ProjectInputs.of(props)
        with _told("Failed to create tenant project"):
            known = self._known(want)
            _refuse_other(want, known.project)
            seen = self._ready(want, known)
            return CreateResult(known.id, outputs(want, self._mended(want, seen)))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Inputs as found, so that drift is mended by the next update."""
        want = ProjectInputs.recorded(props)
        project = found_by(partial(self.session.neon.project, id_))
        if project is None or project.deleted_at:
            return GONE
        seen = look(self.session.neon, project, want.database, want.role)
        return ReadResult(id_, outputs(want, seen), observed(want, seen).props())

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Changes what differs from what is there, so that an update which was cut off is completed."""
        self.changes_in_place(id_, olds, news)
        want = ProjectInputs.of(news)
        neon = self.session.neon
        seen = look(neon, neon.project(id_), want.database, want.role)
        return UpdateResult(outputs(want, self._mended(want, seen)))

    def delete(self, id_: str, props: Props) -> None:
        """Deletes the project with all it holds; for some days Neon can bring it back."""
        want = ProjectInputs.recorded(props)
        with _told("Failed to delete tenant project"), self.session.turn(id_):
            try:
                self.session.neon.delete_project(id_)
            except AbsentError:
                return
            wait_until(
                partial(self._still_there, want, id_),
                lambda where: f"it is still {where}" if where else "",
                what=f"the delete of Neon project {id_}",
                pace=self.session.pace,
            )
            self._tell_recovery(want, id_)
        self.ours.forget(want.organization)

    def _known(self, want: ProjectInputs) -> "_Known":
        if not want.adopt:
            return find_or_create(self.ours, want.organization, want.name, partial(self._make, want), self.session.pace)
        project = found_by(partial(self.session.neon.project, want.adopt))
        if project is None or project.deleted_at:
            raise ProviderError(f"there is no Neon project {want.adopt}: correct `adopt` in the catalogue")
        if (ours := self.ours.find(want.organization, want.name)) and ours.id != project.id:
            raise AmbiguousMarkError(
                f"{ours.id} is already called {want.name}: {project.id} cannot be adopted under this name"
            )
        return _Known(project)

    def _make(self, want: ProjectInputs) -> "_Known":
        fields = {
            **_changeable(want),
            "region_id": want.region,
            "pg_version": want.pg_version,
            "store_passwords": True,
            "branch": {
                "name": want.branch,
                "database_name": want.database,
                "role_name": want.role,
                "annotations": {ANNOTATION: want.mark},
            },
        }
        if want.organization:
            fields["org_id"] = want.organization
        answer = self.session.neon.create_project(fields)
        return _Known(answer.project, answer)

    def _ready(self, want: ProjectInputs, known: "_Known") -> Seen:
        """The project once nothing goes on in it any more."""
        with self.session.turn(known.id):
            if known.made:
                self.session.settle(known.id, known.made.operations)
                return made(known.made)
            self.session.settle_all(known.id)
        neon = self.session.neon
        return look(neon, neon.project(known.id), want.database, want.role)

    def _mended(self, want: ProjectInputs, seen: Seen) -> Seen:
        """Changes what is not as wanted, one step after the other; nothing is sent where all is."""
        changed = self.changed_fields(observed(want, seen).props(), want.props()) - self.stateful_fields
        if not changed:
            return seen
        with self.session.turn(seen.project.id):
            for fields, step in STEPS.items():
                if changed & fields:
                    seen = step(self.session, want, seen)
        return seen

    def _still_there(self, want: ProjectInputs, id_: str) -> str:
        """Where a deleted project still shows: by its id, or in the list that the next create looks through."""
        neon = self.session.neon
        found = found_by(partial(neon.project, id_))
        if found and not found.deleted_at:
            return "there"
        listed = neon.projects(want.organization, search=id_)
        return "listed" if any(each.id == id_ and not each.deleted_at for each in listed) else ""

    def _tell_recovery(self, want: ProjectInputs, id_: str) -> None:
        for found in self.session.neon.projects(want.organization, search=id_, recoverable=True):
            if found.id == id_:
                log.warning(
                    "Neon project %s (%s) is deleted and can be recovered until %s",
                    id_,
                    found.name,
                    found.recoverable_until or "its vendor drops it",
                )


@dataclass(frozen=True)
class _Known:
    """A project of a listing, or one that was just made, with all that was told of it."""

    project: Found
    made: MadeProject | None = None

    @property
    def id(self) -> str:
        """The vendor's own key."""
        return self.project.id


@contextmanager
def _told(text: str) -> Iterator[None]:
    """Puts a text in front of an error's (B22)."""
    try:
        yield
    except ProviderError as error:
        raise TenantProjectError(f"{text}: {error}") from error


def _refuse_other(want: ProjectInputs, project: Found) -> None:
    """A name alone proves little: region and version have to fit too (B11)."""
    if (project.region_id, project.pg_version) != (want.region, want.pg_version):
        raise ProviderError(
            f"Neon project {project.id} ({project.name}) is PostgreSQL {project.pg_version} in {project.region_id}, "
            f"not {want.pg_version} in {want.region}: not taken over, rename it or correct the catalogue"
        )


def _changeable(want: ProjectInputs) -> dict[str, Any]:
    """A project's own fields that may change; a quota that is not wanted is 0, Neon's word for none."""
    return {
        "name": want.name,
        "settings": {"quota": {name: getattr(want, name) or 0 for name in QUOTAS}},
        "default_endpoint_settings": _compute(want),
    }


def _compute(want: ProjectInputs) -> dict[str, Any]:
    return {
        "autoscaling_limit_min_cu": want.min_cu,
        "autoscaling_limit_max_cu": want.max_cu,
        "suspend_timeout_seconds": want.suspend_seconds,
    }


def _change_project(session: Session, want: ProjectInputs, seen: Seen) -> Seen:
    answer = session.neon.change_project(seen.project.id, _changeable(want))
    session.settle(seen.project.id, answer.operations)
    return replace(seen, project=answer.project)


def _change_branch(session: Session, want: ProjectInputs, seen: Seen) -> Seen:
    answer = session.neon.change_branch(seen.project.id, seen.branch.id, {"name": want.branch})
    session.settle(seen.project.id, answer.operations)
    return replace(seen, branch=answer.branch)


def _change_endpoint(session: Session, want: ProjectInputs, seen: Seen) -> Seen:
    """The compute as wanted; one that is gone, or was closed, is made or opened again."""
    neon, project = session.neon, seen.project.id
    if seen.endpoint is None:
        fields = {"branch_id": seen.branch.id, "type": "read_write", **_compute(want)}
        answer = neon.create_endpoint(project, fields)
    else:
        answer = neon.change_endpoint(project, seen.endpoint.id, {**_compute(want), "disabled": False})
    session.settle(project, answer.operations)
    return _with_contents(session, want, replace(seen, endpoint=answer.endpoint))


def _change_contents(session: Session, want: ProjectInputs, seen: Seen) -> Seen:
    complete(session, seen.project.id, seen.branch.id, want.database, want.role)
    return _with_contents(session, want, seen)


def _with_contents(session: Session, want: ProjectInputs, seen: Seen) -> Seen:
    place = (seen.project.id, seen.branch.id)
    found = contents(session.neon, *place, endpoint=seen.endpoint, database=want.database, role=want.role)
    return replace(seen, contents=found)


# Changed inputs → the step that brings them about, in the order in which they are done.
STEPS: Mapping[frozenset[str], Callable[[Session, ProjectInputs, Seen], Seen]] = {
    frozenset({"name", *QUOTAS, *COMPUTE}): _change_project,
    frozenset({"branch"}): _change_branch,
    frozenset(COMPUTE): _change_endpoint,
    frozenset({"database", "role"}): _change_contents,
}


def observed(want: ProjectInputs, seen: Seen) -> ProjectInputs:
    """The inputs that would describe the project as it is; without an endpoint, or a closed one, it has no compute."""
    project = seen.project
    return want.model_copy(
        update={
            "name": project.name,
            "region": project.region_id,
            "pg_version": project.pg_version,
            "branch": seen.branch.name,
            "database": want.database if seen.contents.database else "",
            "role": want.role if seen.contents.role else "",
            **project.settings.quota.model_dump(),
            **{name: _seen_compute(name, want, seen) for name in COMPUTE},
        }
    )


def _seen_compute(name: str, want: ProjectInputs, seen: Seen) -> float | None:
    """What is said of the endpoint that serves; of those that are made next where only that differs."""
    if seen.endpoint is None or seen.endpoint.disabled:
        return None
    wanted: float = getattr(want, name)
    same = {wanted, None} | ({DEFAULT_SUSPEND_SECONDS} if name == "suspend_seconds" and wanted == 0 else set())
    found: tuple[float | None, ...] = (
        getattr(seen.endpoint, name),
        getattr(seen.project.default_endpoint_settings, name),
    )
    return next((value for value in found if value not in same), wanted)


def outputs(want: ProjectInputs, seen: Seen) -> Props:
    """Every input as found, and what only the vendor knows; no password is among it."""
    direct, pooled = seen.contents.direct, seen.contents.pooled
    computed = {
        "branch_id": seen.branch.id,
        "endpoint_id": seen.endpoint.id if seen.endpoint else None,
        "host": direct.host if direct else None,
        "port": direct.port if direct else None,
        "pooled_host": pooled.host if pooled else None,
        "pooled_port": pooled.port if pooled else None,
        "created_at": seen.project.created_at,
    }
    return observed(want, seen).props() | {name: value for name, value in computed.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class ProjectArgs:
    """Arguments of Project. `adopt` is the id of a project to take over, and to rename, instead of making one."""

    name: pulumi.Input[str]
    region: pulumi.Input[str]
    pg_version: pulumi.Input[int]
    min_cu: pulumi.Input[float]
    max_cu: pulumi.Input[float]
    suspend_seconds: pulumi.Input[int] = 0
    mark: pulumi.Input[str]
    organization: pulumi.Input[str] = ""
    active_time_seconds: pulumi.Input[int] | None = None
    compute_time_seconds: pulumi.Input[int] | None = None
    written_data_bytes: pulumi.Input[int] | None = None
    data_transfer_bytes: pulumi.Input[int] | None = None
    logical_size_bytes: pulumi.Input[int] | None = None
    adopt: pulumi.Input[str] | None = None


class Project(Resource, module="neon", name="Project"):
    """A Neon project; `id` is the vendor's. Where it is reached is output, by whom is not."""

    branch_id: pulumi.Output[str]
    endpoint_id: pulumi.Output[str]
    host: pulumi.Output[str]
    port: pulumi.Output[int]
    pooled_host: pulumi.Output[str]
    pooled_port: pulumi.Output[int]
    database: pulumi.Output[str]
    role: pulumi.Output[str]
    created_at: pulumi.Output[str]

    def __init__(self, name: str, args: ProjectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        computed = ("branch_id", "endpoint_id", "host", "port", "pooled_host", "pooled_port", "created_at")
        props = declared(args, *computed) | {"branch": BRANCH, "database": DATABASE, "role": ROLE}
        super().__init__(ProjectProvider(), name, props, opts)
