"""What of ours is in a project: its default branch, that one's endpoint, and one database with its owner."""

from dataclasses import dataclass
from functools import partial

from dynamic_providers.errors import FailedStateError
from dynamic_providers.inventory import Inventory, find_or_create
from dynamic_providers.neon.client import Neon
from dynamic_providers.neon.models import Branch, Database, Endpoint, MadeProject, Place, Project, Role
from dynamic_providers.neon.session import Session
from dynamic_providers.waiting import found_by

READ_WRITE = "read_write"


@dataclass(frozen=True)
class Contents:
    """Whether the database and its owner are there, and where the one is reached as the other, if it is."""

    database: bool
    role: bool
    direct: Place | None = None
    pooled: Place | None = None


@dataclass(frozen=True)
class Seen:
    """A project as it is."""

    project: Project
    branch: Branch
    endpoint: Endpoint | None
    contents: Contents


def look(neon: Neon, project: Project, database: str, role: str) -> Seen:
    """Reads what is in a project. Raises FailedStateError where it has no branch to look into."""
    branch = next((each for each in neon.branches(project.id) if each.default), None)
    if branch is None:
        raise FailedStateError(
            f"Neon project {project.id} ({project.name}) has no default branch: if it stays so, delete it in the "
            "console and run again"
        )
    endpoint = serving(neon.endpoints(project.id), branch.id)
    found = contents(neon, project.id, branch.id, endpoint=endpoint, database=database, role=role)
    return Seen(project, branch, endpoint, found)


def made(answer: MadeProject) -> Seen:
    """The same of a project that was just made, from the answer alone."""
    connection = answer.connections[0] if answer.connections else None
    return Seen(
        answer.project,
        answer.branch,
        serving(answer.endpoints, answer.branch.id),
        Contents(
            database=bool(answer.databases),
            role=bool(answer.roles),
            direct=connection.direct if connection else None,
            pooled=connection.pooled if connection else None,
        ),
    )


def serving(endpoints: tuple[Endpoint, ...], branch: str) -> Endpoint | None:
    """The endpoint of a branch that takes writes; a branch has one at most."""
    return next((each for each in endpoints if each.branch_id == branch and each.type == READ_WRITE), None)


def contents(neon: Neon, project: str, branch: str, *, endpoint: Endpoint | None, database: str, role: str) -> Contents:
    """What lacks is asked for only where Neon knows no way to the database."""
    way = partial(neon.place, project, branch, database, role)
    if endpoint and (direct := found_by(partial(way, pooled=False))):
        return Contents(database=True, role=True, direct=direct, pooled=way(pooled=True))
    return Contents(
        database=database in {each.name for each in neon.databases(project, branch)},
        role=role in {each.name for each in neon.roles(project, branch)},
    )


def complete(session: Session, project: str, branch: str, database: str, role: str) -> None:
    """Makes the owner and its database where they lack; it is the caller's turn at the project."""
    neon = session.neon
    roles: Inventory[str, Role] = Inventory(partial(neon.roles, project), lambda each: each.name)
    find_or_create(roles, branch, role, lambda: neon.create_role(project, branch, role).role, session.pace)
    session.settle_all(project)
    databases: Inventory[str, Database] = Inventory(partial(neon.databases, project), lambda each: each.name)
    find_or_create(
        databases,
        branch,
        database,
        lambda: neon.create_database(project, branch, database, role).database,
        session.pace,
    )
    session.settle_all(project)
