"""Typed operations of Neon's API, as the official document of 2026-07-13 has them."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import ValidationError

from dynamic_providers.api import Api, Call
from dynamic_providers.errors import ProviderError, RefusedError, ShapeError
from dynamic_providers.neon.models import (
    Answer,
    Begun,
    Branch,
    BranchAnswer,
    Branches,
    Database,
    DatabaseAnswer,
    Databases,
    Endpoint,
    EndpointAnswer,
    Endpoints,
    Fields,
    MadeProject,
    Operation,
    Operations,
    Page,
    Password,
    Place,
    Project,
    ProjectAnswer,
    Projects,
    Role,
    RoleAnswer,
    Roles,
    Uri,
)

Model = TypeVar("Model", bound=Answer)
Paged = TypeVar("Paged", bound=Page)

PROJECTS = "/projects"
PROJECT = "/projects/{project}"
OPERATIONS = "/projects/{project}/operations"
CONNECTION_URI = "/projects/{project}/connection_uri"
BRANCHES = "/projects/{project}/branches"
BRANCH = "/projects/{project}/branches/{branch}"
ENDPOINTS = "/projects/{project}/endpoints"
ENDPOINT = "/projects/{project}/endpoints/{endpoint}"
DATABASES = "/projects/{project}/branches/{branch}/databases"
ROLES = "/projects/{project}/branches/{branch}/roles"
PASSWORD = "/projects/{project}/branches/{branch}/roles/{role}/reveal_password"  # noqa: S105 - a path

MOST_PROJECTS = 400
# As many as a run could have begun, and more; the newest come first.
NEWEST_OPERATIONS = 100


class Neon:
    """One account. Errors are Api's; AbsentError where the object does not exist; ShapeError for unknown answers."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def projects(self, organization: str, *, search: str = "", recoverable: bool = False) -> tuple[Project, ...]:
        """All projects of an organization; `recoverable` ones instead, deleted within the last days.

        Raises ShapeError where some could not be told in time: absence cannot be told from such a list.
        """
        given = {"org_id": organization, "search": search, "recoverable": "true" if recoverable else ""}
        query = {name: value for name, value in given.items() if value} | {"limit": str(MOST_PROJECTS)}
        pages = self._pages(
            lambda more: Call("GET", PROJECTS, query=query | more), Projects, lambda page: page.projects
        )
        if unavailable := [id_ for page in pages for id_ in page.unavailable]:
            raise ShapeError(f"Neon could not tell of {len(unavailable)} projects in its list: run again later")
        return tuple(project for page in pages for project in page.projects)

    def project(self, project: str) -> Project:
        """One project."""
        return self._read(Call("GET", PROJECT, {"project": project}), ProjectAnswer).project

    def create_project(self, fields: Fields) -> MadeProject:
        """A new project, with a branch, a database, its owner and an endpoint that are still being made."""
        return self._read(Call("POST", PROJECTS, body={"project": fields}), MadeProject)

    def change_project(self, project: str, fields: Fields) -> ProjectAnswer:
        """The project after a change."""
        return self._read(Call("PATCH", PROJECT, {"project": project}, body={"project": fields}), ProjectAnswer)

    def delete_project(self, project: str) -> None:
        """Deletes a project with all it holds; for some days it can be recovered."""
        self._api.request(Call("DELETE", PROJECT, {"project": project}))

    def operations(self, project: str) -> tuple[Operation, ...]:
        """The newest operations of a project."""
        call = Call("GET", OPERATIONS, {"project": project}, query={"limit": NEWEST_OPERATIONS})
        return self._read(call, Operations).operations

    def branches(self, project: str) -> tuple[Branch, ...]:
        """All branches of a project."""
        return tuple(branch for page in self._branches(project) for branch in page.branches)

    def annotated_branches(self, project: str) -> tuple[tuple[Branch, ...], dict[str, Mapping[str, str]]]:
        """All branches of a project, and their annotations by the branch's id."""
        pages = self._branches(project)
        annotations = {id_: found.value for page in pages for id_, found in page.annotations.items()}
        return tuple(branch for page in pages for branch in page.branches), annotations

    def branch(self, project: str, branch: str) -> Branch:
        """One branch."""
        return self._read(Call("GET", BRANCH, {"project": project, "branch": branch}), BranchAnswer).branch

    def create_branch(self, project: str, fields: Fields, *, endpoint: bool) -> BranchAnswer:
        """A new branch, still being made; it has an endpoint only where one is asked for."""
        endpoints = {"endpoints": [{"type": "read_write"}]} if endpoint else {}
        return self._read(
            Call("POST", BRANCHES, {"project": project}, body={"branch": fields} | endpoints), BranchAnswer
        )

    def change_branch(self, project: str, branch: str, fields: Fields) -> BranchAnswer:
        """The branch after a change."""
        ids = {"project": project, "branch": branch}
        return self._read(Call("PATCH", BRANCH, ids, body={"branch": fields}), BranchAnswer)

    def delete_branch(self, project: str, branch: str) -> tuple[Operation, ...]:
        """Begins the delete of a branch with its endpoints; one that is gone already begins nothing."""
        return self._end(Call("DELETE", BRANCH, {"project": project, "branch": branch}))

    def endpoints(self, project: str) -> tuple[Endpoint, ...]:
        """All endpoints of a project."""
        return self._read(Call("GET", ENDPOINTS, {"project": project}), Endpoints).endpoints

    def create_endpoint(self, project: str, fields: Fields) -> EndpointAnswer:
        """A new endpoint, still being made."""
        return self._read(Call("POST", ENDPOINTS, {"project": project}, body={"endpoint": fields}), EndpointAnswer)

    def change_endpoint(self, project: str, endpoint: str, fields: Fields) -> EndpointAnswer:
        """The endpoint after a change."""
        ids = {"project": project, "endpoint": endpoint}
        return self._read(Call("PATCH", ENDPOINT, ids, body={"endpoint": fields}), EndpointAnswer)

    def delete_endpoint(self, project: str, endpoint: str) -> tuple[Operation, ...]:
        """Begins the delete of an endpoint."""
        return self._end(Call("DELETE", ENDPOINT, {"project": project, "endpoint": endpoint}))

    def databases(self, project: str, branch: str) -> tuple[Database, ...]:
        """All databases of a branch."""
        return self._read(Call("GET", DATABASES, {"project": project, "branch": branch}), Databases).databases

    def create_database(self, project: str, branch: str, name: str, owner: str) -> DatabaseAnswer:
        """A new database, still being made."""
        body = {"database": {"name": name, "owner_name": owner}}
        return self._read(Call("POST", DATABASES, {"project": project, "branch": branch}, body=body), DatabaseAnswer)

    def roles(self, project: str, branch: str) -> tuple[Role, ...]:
        """All roles of a branch."""
        return self._read(Call("GET", ROLES, {"project": project, "branch": branch}), Roles).roles

    def create_role(self, project: str, branch: str, name: str) -> RoleAnswer:
        """A new role that can log in; its password is the vendor's to make."""
        body = {"role": {"name": name}}
        return self._read(Call("POST", ROLES, {"project": project, "branch": branch}, body=body), RoleAnswer)

    def password(self, project: str, branch: str, role: str) -> str:
        """A role's password. Raises ProviderError where the project does not keep its passwords."""
        call = Call("GET", PASSWORD, {"project": project, "branch": branch, "role": role})
        try:
            return self._read(call, Password).password
        except RefusedError as error:
            if error.status != HTTPStatus.PRECONDITION_FAILED:
                raise
            raise ProviderError(
                f"Neon project {project} does not keep its roles' passwords, so {role}'s cannot be read: only a "
                "project that was made with store_passwords can be used, so move the tenant to one"
            ) from error

    def place(self, project: str, branch: str, database: str, role: str, *, pooled: bool) -> Place:
        """Where a branch's database is reached, directly or by the pooler. AbsentError while it or the role lacks."""
        query = {"branch_id": branch, "database_name": database, "role_name": role} | (
            {"pooled": "true"} if pooled else {}
        )
        return self._read(Call("GET", CONNECTION_URI, {"project": project}, query=query), Uri).place

    def _branches(self, project: str) -> tuple[Branches, ...]:
        return self._pages(
            lambda more: Call("GET", BRANCHES, {"project": project}, query=more), Branches, lambda page: page.branches
        )

    def _pages(
        self, call: Callable[[dict[str, str]], Call], model: type[Paged], rows: Callable[[Paged], tuple[Answer, ...]]
    ) -> tuple[Paged, ...]:
        """Every page of a list: until one has no rows or names no other one."""
        pages = [self._read(call({}), model)]
        while (more := pages[-1].more) and rows(pages[-1]):
            pages.append(self._read(call({"cursor": more}), model))
        return tuple(pages)

    def _end(self, call: Call) -> tuple[Operation, ...]:
        response = self._api.request(call)
        return () if response.status_code == HTTPStatus.NO_CONTENT else _parsed(call, response, Begun).operations

    def _read(self, call: Call, model: type[Model]) -> Model:
        return _parsed(call, self._api.request(call), model)


def not_found(response: httpx.Response) -> bool:
    """Whether a 404 is the API's own: its body has a message and a code, which may be empty; the edge's has not."""
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and "code" in body and isinstance(body.get("message"), str)


def _parsed(call: Call, response: httpx.Response, model: type[Model]) -> Model:
    try:
        return model.model_validate(response.json())
    except ValidationError as error:
        # The error quotes the answer, which may hold passwords: only the places go on.
        places = sorted({".".join(str(part) for part in problem["loc"]) for problem in error.errors()})
        raise ShapeError(f"Neon: {call.method} {call.path} has unreadable {', '.join(places)}") from None
    except ValueError:
        raise ShapeError(f"Neon: {call.method} {call.path} is not answered with JSON") from None
