"""A user's statement in a tenant's database: may it run, is there a run left today, and then what comes of it."""

from dataclasses import dataclass, field

from catalogue.names import database_names
from components.outputs import DatabaseOutput
from dynamic_providers.admin_password import derive_access_password
from dynamic_providers.postgres.access_roles import access_role
from dynamic_providers.postgres.connection import Address, Limits
from dynamic_providers.postgres.platform.records import Role
from dynamic_providers.postgres.urls import search_path
from lifecycle.admission import NO_DATABASE, Caller, count, role_of
from lifecycle.errors import MistakeError, RefusedError
from lifecycle.statement import Answer, Statement, run

# Somebody waits: the platform database is asked again for some seconds, not for a minute.
PLATFORM_SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    """A tenant's database as its outputs tell it, and the mark of what is set up there; `secret` is the fleet's own."""

    database: DatabaseOutput
    setup_mark: str
    secret: str = field(repr=False)

    def address(self, tenant: str, role: Role) -> Address:
        """As the login of a role, past any pooler. Raises MistakeError without a secret."""
        database = self.database
        login = access_role(database_names(database.provider, database.mode, tenant).base, role)
        try:
            password = derive_access_password(self.secret, self.setup_mark, login)
        except ValueError as error:
            raise MistakeError(str(error)) from error
        return Address(
            host=database.host,
            port=database.port,
            database=database.database,
            login=login,
            password=password,
            sslmode=database.sslmode,
            ca=database.ca,
        )


@dataclass(frozen=True)
class Question:
    """What somebody wants to know: `seconds` and `rows` bound the answer."""

    caller: Caller
    text: str = field(repr=False)
    seconds: float
    rows: int


def ask(platform: Address, place: Place | None, question: Question) -> Answer:
    """The answer, from the tenant's database as the login of the user's role.

    Nothing is sent there before the platform database has found the user's role and counted the run; a run counts
    whatever comes of it.

    Raises:
        RefusedError: it may not run, or the database refused it.
        DataError, PostgresError: a database does not answer.

    """
    caller = question.caller
    limits = Limits(total=PLATFORM_SECONDS)
    role = role_of(platform, caller, limits)
    if place is None:
        raise RefusedError(NO_DATABASE.format(tenant=caller.tenant))
    count(platform, caller, limits)
    statement = Statement(question.text, caller.user, question.seconds, question.rows, may_grant=role == "owner")
    return run(place.address(caller.tenant, role), search_path(place.database.schema_name), statement)
