"""What Neon's providers share once they are configured: the client, whose turn it is, the waiting for operations."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import httpx
from pulumi.dynamic import ConfigureRequest

from dynamic_providers.api import Api, Patience, Promise
from dynamic_providers.base import TypedProvider
from dynamic_providers.circuit import Circuit, shared
from dynamic_providers.configuration import Configuration, read_configuration
from dynamic_providers.errors import FailedOperationError, ProviderError
from dynamic_providers.limiter import AccountLimiter, HostLimiter, default_folder
from dynamic_providers.neon.client import Neon, not_found
from dynamic_providers.neon.models import DONE, FAILED, Operation
from dynamic_providers.turns import Turns
from dynamic_providers.waiting import Pace, wait_until

SETTING = "neon:apiKey (secret) or NEON_API_KEY"
# The other half of Neon's limits: how often one route may be called, whatever is left of the minute.
ROUTE_PER_SECOND = 40.0
SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True)
class Session:
    """Read-only after `open_session`, so any number of threads share it."""

    configuration: Configuration
    neon: Neon
    pace: Pace
    turns: Turns

    def turn(self, project: str) -> AbstractContextManager[None]:
        """A turn at a project: held from a mutation until its operations have ended, so that nobody begins another."""
        return self.turns.take(f"Neon project {project}", self.pace)

    def settle(self, project: str, begun: Iterable[Operation]) -> None:
        """Waits until the operations that a mutation began have ended.

        Raises FailedOperationError with the id of one that failed, DeadlineError where they go on.
        """
        started = tuple(begun)
        if not pending(project, started, ids := frozenset(each.id for each in started)):
            return
        # What has only just begun is not looked at at once.
        self.pace.sleep(self.pace.poll)
        wait_until(
            partial(self.neon.operations, project),
            lambda seen: pending(project, seen, ids),
            what=f"the work on Neon project {project}",
            pace=self.pace,
        )

    def settle_all(self, project: str) -> None:
        """Waits for whatever still goes on in a project: an earlier run, or somebody else, may have begun it."""
        self.settle(project, [each for each in self.neon.operations(project) if each.status not in DONE | FAILED])


class NeonProvider(TypedProvider):
    """A provider with a session; `connect` is the seam for tests."""

    session: Session

    def configure(self, req: ConfigureRequest) -> None:
        """Builds the client from the provider instance's configuration and the environment."""
        configuration = read_configuration(req.config)
        self.connect(open_session(configuration, circuit=shared(configuration.neon_api_key)))

    def connect(self, session: Session) -> None:
        """Takes the session; nothing is sent yet."""
        self.session = session


def open_session(
    configuration: Configuration,
    *,
    patience: Patience | None = None,
    pace: Pace | None = None,
    circuit: Circuit | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Session:
    """A client for one account. Raises ProviderError without a key."""
    if not configuration.neon_api_key:
        raise ProviderError(f"no Neon API key: set {SETTING}")
    folder = configuration.rate_dir or default_folder()
    pace = pace or Pace(configuration.neon_poll_seconds, configuration.neon_deadline_seconds)
    api = Api(
        configuration.neon_api_url,
        configuration.neon_api_key,
        limiter=AccountLimiter(
            account=HostLimiter(folder, configuration.neon_requests_per_minute / SECONDS_A_MINUTE),
            endpoints=HostLimiter(folder, ROUTE_PER_SECOND),
        ),
        absent=not_found,
        vendor="Neon",
        setting=SETTING,
        patience=patience or Patience(deadline=configuration.retry_seconds),
        promise=Promise(locked_seconds=pace.deadline),
        circuit=circuit,
        transport=transport,
    )
    return Session(configuration, Neon(api), pace, Turns(folder))


def pending(project: str, seen: Iterable[Operation], ids: frozenset[str]) -> str:
    """Which of these operations has not ended yet, "" when all have. Raises FailedOperationError."""
    known = {each.id: each for each in seen if each.id in ids}
    for operation in known.values():
        if operation.status in FAILED:
            reason = f": {operation.error}" if operation.error else ""
            raise FailedOperationError(
                f"operation {operation.id} ({operation.action}) of Neon project {project} has failed{reason}; run "
                "again, and if it stays so ask Neon's support by this id"
            )
    unknown = ids - known.keys()
    going = [f"{each.action} is {each.status}" for each in known.values() if each.status not in DONE]
    return "; ".join([*going, *(f"operation {id_} is not listed" for id_ in sorted(unknown))])
