"""What is asked of one tenant's place in a database, and how its server is reached."""

from typing import Annotated

from pydantic import Field, StringConstraints

from dynamic_providers.base import Inputs
from dynamic_providers.marks import MarkText
from dynamic_providers.postgres.names import DEDICATED_SCHEMA

LAYOUT = "3"
"""Raised when `layout.py` changes what it makes, so that every tenant's next update applies it.

2: verifiers are ours and the same whenever they are made, so that a pooler can hold them too.
3: schema `auth` with `auth.uid()` in every database, schema `storage` in that of a tenant that has it to itself.
"""
IDLE_IN_TRANSACTION_MS = 600_000
DERIVED = "derived"
"""The access of servers whose admin has the password that we have given him."""
UNREADABLE = -1
"""Read for a number that is not written as we write it."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[^\x00]+$")]


class Server(Inputs):
    """A database and how its server is reached as its admin: what every resource inside a server says of it.

    `access` is the row of `access.ACCESSES` that knows the admin's password, `server_id` what whoever runs the server
    calls it, `cluster_mark` what a derived password is derived from. None of it says what is in the database.
    """

    host: Annotated[str, Field(min_length=1)]
    port: int
    database: Name
    admin_login: Name
    cluster_mark: str
    access: str = DERIVED
    server_id: str = ""

    def beside(self, other: "Server") -> bool:
        """Whether both are databases of one server."""
        return self.model_copy(update={"database": other.database}) == other


class TenantSchemaInputs(Server):
    """One tenant in one database.

    `schema_name` is the program's `schema`, a word pydantic keeps for itself. `statement_timeout_ms` is in
    milliseconds, 0 for none. `layout` is not the program's to set:
    a refresh writes there what it found damaged, and the difference to LAYOUT makes the next update repair it.
    `given_password` counts at `create` alone: a database that is moved keeps its login's password.
    Whatever else a refresh may record is within the bounds here, so that state, too, is read by `of`.
    """

    schema_name: Name
    owner: Name
    login: Name
    connection_limit: Annotated[int, Field(ge=-1)]
    statement_timeout_ms: Annotated[int, Field(ge=-1)]
    extensions: tuple[Name, ...] = ()
    blocked: bool = False
    mark: MarkText
    given_password: str | None = Field(default=None, repr=False)
    layout: str = LAYOUT

    @property
    def dedicated(self) -> bool:
        """Whether the tenant has the database to itself, and with it schema `public`."""
        return self.schema_name == DEDICATED_SCHEMA
