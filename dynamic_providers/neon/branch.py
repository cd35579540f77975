"""A further branch of a Neon project, for development and previews (B6): the default one is the project's own.

It is ours by its name within the project. An endpoint is asked for explicitly and may come and go; without one nobody
reaches the branch, which is how it is closed with its tenant.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult
from pydantic import AfterValidator, Field

from dynamic_providers.base import GONE, Inputs, Props, declared
from dynamic_providers.errors import ProviderError
from dynamic_providers.inventory import Inventory, find_or_create
from dynamic_providers.neon.contents import READ_WRITE, contents, serving
from dynamic_providers.neon.models import Branch as Found
from dynamic_providers.neon.models import Endpoint, Place
from dynamic_providers.neon.project import BRANCH, DATABASE, ROLE
from dynamic_providers.neon.session import NeonProvider, Session
from dynamic_providers.waiting import found_by, wait_until


def _timed(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time names its zone, like 2026-12-01T00:00:00Z")
    return text


Moment = Annotated[str, AfterValidator(_timed)]


class BranchInputs(Inputs):
    """What a branch is to be: it starts as its parent is then. `expires_at` in RFC 3339 is when Neon deletes it."""

    project_id: str
    name: Annotated[str, Field(min_length=1, max_length=256)]
    parent: str = BRANCH
    endpoint: bool = True
    expires_at: Moment | None = None


class BranchProvider(NeonProvider):
    """Find ours by name within the project or create; never touches the default branch."""

    inputs = BranchInputs
    stateful_fields = frozenset({"project_id", "parent"})

    def connect(self, session: Session) -> None:
        """Takes the session and prepares the look-up by name, per project."""
        super().connect(session)
        self.ours: Inventory[str, Found] = Inventory(session.neon.branches, lambda branch: branch.name)

    def create(self, props: Props) -> CreateResult:
        """Also goes on waiting for one that an earlier run began."""
        want = BranchInputs.of(props)
        project = want.project_id
        with self.session.turn(project):
            parent = self._parent(want)
            make = partial(self._make, want, parent)
            branch = find_or_create(self.ours, project, want.name, make, self.session.pace)
            _refuse_other(want, branch, parent)
            self.session.settle_all(project)
            seen = self._mended(want, self._seen(project, branch))
        return CreateResult(branch.id, outputs(want, seen))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Inputs as found, so that drift is mended by the next update."""
        want, neon = BranchInputs.recorded(props), self.session.neon
        branch = found_by(partial(neon.branch, want.project_id, id_))
        if branch is None:
            return GONE
        seen = self._seen(want.project_id, branch)
        return ReadResult(id_, outputs(want, seen), observed(want, seen).props())

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        """Changes what differs from what is there."""
        self.changes_in_place(id_, olds, news)
        want = BranchInputs.of(news)
        with self.session.turn(want.project_id):
            branch = self.session.neon.branch(want.project_id, id_)
            seen = self._mended(want, self._seen(want.project_id, branch))
        return UpdateResult(outputs(want, seen))

    def delete(self, id_: str, props: Props) -> None:
        """Deletes the branch with its endpoint; gone with its project, or by its expiry, is gone."""
        project, neon = BranchInputs.recorded(props).project_id, self.session.neon
        with self.session.turn(project):
            branch = found_by(partial(neon.branch, project, id_))
            if branch is None:
                return
            if branch.default:
                raise ProviderError(f"branch {id_} ({branch.name}) is the default of Neon project {project}: it stays")
            self.session.settle(project, neon.delete_branch(project, id_))
            wait_until(
                partial(found_by, partial(neon.branch, project, id_)),
                lambda found: "it still answers" if found else "",
                what=f"the delete of branch {id_} of Neon project {project}",
                pace=self.session.pace,
            )
        self.ours.forget(project)

    def _parent(self, want: BranchInputs) -> Found:
        project = want.project_id
        parent = self.ours.find(project, want.parent) or self.ours.find_afresh(project, want.parent)
        if parent is None:
            raise ProviderError(f"Neon project {project} has no branch {want.parent} to start {want.name} from")
        return parent

    def _make(self, want: BranchInputs, parent: Found) -> Found:
        fields = {"name": want.name, "parent_id": parent.id}
        if want.expires_at:
            fields["expires_at"] = want.expires_at
        return self.session.neon.create_branch(want.project_id, fields, endpoint=want.endpoint).branch

    def _seen(self, project: str, branch: Found) -> "_Seen":
        neon = self.session.neon
        endpoint = serving(neon.endpoints(project), branch.id)
        if endpoint is None or endpoint.disabled:
            return _Seen(branch, endpoint, None)
        found = contents(neon, project, branch.id, endpoint=endpoint, database=DATABASE, role=ROLE)
        return _Seen(branch, endpoint, found.direct)

    def _mended(self, want: BranchInputs, seen: "_Seen") -> "_Seen":
        """Changes what differs; it is the caller's turn at the project."""
        changed = self.changed_fields(observed(want, seen).props(), want.props()) - self.stateful_fields
        project, branch = want.project_id, seen.branch
        if changed & {"name", "expires_at"}:
            fields = {"name": want.name, "expires_at": want.expires_at}
            answer = self.session.neon.change_branch(project, branch.id, fields)
            self.session.settle(project, answer.operations)
            branch = answer.branch
        if "endpoint" in changed:
            self._set_endpoint(want, branch, seen.endpoint)
        return self._seen(project, branch) if changed else seen

    def _set_endpoint(self, want: BranchInputs, branch: Found, endpoint: Endpoint | None) -> None:
        neon, project = self.session.neon, want.project_id
        if endpoint is None:
            # Each branch has one at most, so a repeated request is refused and makes no second one.
            begun = neon.create_endpoint(project, {"branch_id": branch.id, "type": READ_WRITE}).operations
        elif want.endpoint:
            begun = neon.change_endpoint(project, endpoint.id, {"disabled": False}).operations
        else:
            begun = neon.delete_endpoint(project, endpoint.id)
        self.session.settle(project, begun)


@dataclass(frozen=True)
class _Seen:
    """A branch as it is, and where it is reached, if it is."""

    branch: Found
    endpoint: Endpoint | None
    place: Place | None


def _refuse_other(want: BranchInputs, branch: Found, parent: Found) -> None:
    """A name alone proves little."""
    if branch.default:
        raise ProviderError(f"{want.name} is the default branch of Neon project {want.project_id}: choose another name")
    if branch.parent_id != parent.id:
        raise ProviderError(
            f"branch {branch.id} ({branch.name}) of Neon project {want.project_id} does not start from {want.parent}: "
            "rename or delete it in the console, then run again"
        )


def observed(want: BranchInputs, seen: _Seen) -> BranchInputs:
    """The inputs that would describe the branch as it is, its parent aside, which never changes.

    A closed endpoint is none.
    """
    expires = seen.branch.expires_at
    return want.model_copy(
        update={
            "name": seen.branch.name,
            "endpoint": seen.endpoint is not None and not seen.endpoint.disabled,
            "expires_at": want.expires_at if _same_moment(want.expires_at, expires) else expires,
        }
    )


def _same_moment(first: str | None, second: str | None) -> bool:
    return bool(first and second) and datetime.fromisoformat(str(first)) == datetime.fromisoformat(str(second))


def outputs(want: BranchInputs, seen: _Seen) -> Props:
    """Every input as found, and where the branch is reached."""
    place = {"host": seen.place.host, "port": seen.place.port} if seen.place else {}
    return observed(want, seen).props() | {"branch_id": seen.branch.id} | place


@dataclass(frozen=True, kw_only=True)
class BranchArgs:
    """Arguments of Branch; `expires_at` in RFC 3339, to the second."""

    project_id: pulumi.Input[str]
    name: pulumi.Input[str]
    parent: pulumi.Input[str] = BRANCH
    endpoint: pulumi.Input[bool] = True
    expires_at: pulumi.Input[str] | None = None


class Branch(Resource, module="neon", name="Branch"):
    """A branch of a Neon project; `id` is the vendor's, host and port are there while it has an endpoint."""

    branch_id: pulumi.Output[str]
    host: pulumi.Output[str | None]
    port: pulumi.Output[int | None]

    def __init__(self, name: str, args: BranchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(BranchProvider(), name, declared(args, "branch_id", "host", "port"), opts)
