"""The request bodies the document allows; another type or an unknown key is refused.

The vendor's own plugin writes what is not given as null or as an empty text, so both mean just that.
"""

import json
from ipaddress import AddressValueError, IPv4Network
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, model_validator

from sandbox.simulators import bodies
from sandbox.simulators.bodies import Body
from sandbox.simulators.digitalocean.errors import BadRequestError, UnprocessableError
from sandbox.simulators.digitalocean.records import PoolMode, RuleType

MOST_RULES = 100


B = TypeVar("B", bound=Body)


def parse(model: type[B], body: bytes) -> B:
    """The body as a typed value; BadRequestError for no JSON object, UnprocessableError naming what is wrong in it."""
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise BadRequestError("the body is no JSON") from error
    if not isinstance(given, dict):
        raise BadRequestError("the body is no JSON object")
    try:
        return bodies.parse(model, json.dumps(_given(given)).encode())
    except bodies.BodyError as error:
        raise UnprocessableError(str(error)) from error


def _given(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value without what is explicitly nothing."""
    if isinstance(value, dict):
        return {key: _given(item) for key, item in value.items() if item not in (None, "")}
    if isinstance(value, list):
        return [_given(item) for item in value if item not in (None, "")]
    return value


def _network(value: str) -> str:
    """Trusted sources are IPv4 addresses and networks only."""
    try:
        IPv4Network(value, strict=False)
    except (AddressValueError, ValueError) as error:
        raise ValueError(f"{value} is no IPv4 address or network") from error
    return value


TagName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_\-:]+$", max_length=255)]


class RuleBody(Body):
    """A trusted source; what the vendor wrote into it is accepted back."""

    type: RuleType
    value: str
    description: str | None = None
    uuid: str | None = None
    cluster_uuid: str | None = None
    created_at: str | None = None

    @model_validator(mode="after")
    def _an_address(self) -> Self:
        if self.type == "ip_addr":
            _network(self.value)
        return self


Rules = Annotated[list[RuleBody], Field(max_length=MOST_RULES)]


class Restore(Body):
    """A backup to start from."""

    database_name: str
    backup_created_at: str | None = None


class CreateCluster(Body):
    """POST /v2/databases."""

    name: str = Field(min_length=3, max_length=63, pattern=r"^[a-z][a-z0-9-]*[a-z0-9]$")
    engine: str
    num_nodes: int
    size: str
    region: str
    version: str | None = None
    private_network_uuid: str | None = None
    tags: list[TagName] = Field(default_factory=list)
    project_id: str | None = None
    rules: Rules = Field(default_factory=list)
    storage_size_mib: int | None = None
    backup_restore: Restore | None = None


class ResizeCluster(Body):
    """PUT /v2/databases/{id}/resize."""

    size: str
    num_nodes: int
    storage_size_mib: int | None = None


class ReplaceRules(Body):
    """PUT /v2/databases/{id}/firewall: all of them at once."""

    rules: Rules = Field(default_factory=list)


class MaintenanceWindow(Body):
    """PUT /v2/databases/{id}/maintenance."""

    day: str
    hour: str


class CreateDb(Body):
    """POST /v2/databases/{id}/dbs."""

    name: str


class CreateUser(Body):
    """POST /v2/databases/{id}/users; replication and MySQL's settings are not simulated."""

    name: str


class ResetAuth(Body):
    """POST /v2/databases/{id}/users/{name}/reset_auth: nothing to say for PostgreSQL."""


class UpdatePool(Body):
    """PUT /v2/databases/{id}/pools/{name}."""

    mode: PoolMode
    size: int = Field(ge=1)
    db: str
    user: str | None = None


class CreatePool(UpdatePool):
    """POST /v2/databases/{id}/pools."""

    name: str = Field(min_length=3, max_length=60)


class CreateTag(Body):
    """POST /v2/tags."""

    name: TagName


class Tagged(Body):
    """Something that carries a tag."""

    resource_id: str
    resource_type: str


class TagResources(Body):
    """POST and DELETE /v2/tags/{name}/resources."""

    resources: list[Tagged]
