"""What Timeweb's providers share once they are configured: the clients, the pace of waiting, today's date."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TypeVar

import httpx
from pulumi.dynamic import ConfigureRequest

from dynamic_providers.api import Api, Patience
from dynamic_providers.base import TypedProvider
from dynamic_providers.circuit import Circuit, shared
from dynamic_providers.configuration import Configuration, read_configuration
from dynamic_providers.errors import AbsentError, ProviderError
from dynamic_providers.limiter import HostLimiter, default_folder
from dynamic_providers.timeweb import client, grants
from dynamic_providers.waiting import Pace, found_by, wait_until

Found = TypeVar("Found")
SETTING = "timeweb:token (secret) or TIMEWEB_CLOUD_TOKEN"


@dataclass(frozen=True)
class Session:
    """Read-only after `open_session`, so any number of threads share it."""

    configuration: Configuration
    timeweb: client.Timeweb
    patience: Patience
    pace: Pace
    today: Callable[[], date]
    iam: Api

    @property
    def brief(self) -> Pace:
        """The pace of what takes seconds, not minutes."""
        return replace(self.pace, deadline=min(self.pace.deadline, self.configuration.retry_seconds))

    def grants(self) -> grants.Grants:
        """The IAM API with keys read now."""
        return grants.Grants(self.iam, self.timeweb.signer(), self.configuration.s3_region)

    def remove(
        self,
        delete: Callable[[], object],
        read: Callable[[], Found],
        *,
        what: str,
        is_gone: Callable[[Found], bool] = lambda _found: False,
    ) -> Found | None:
        """Deletes and reads back until the object is proven gone (G16); one that was gone before is fine.

        Answers what is left, where `is_gone` accepts that.
        """
        try:
            delete()
        except AbsentError:
            return None
        return wait_until(
            lambda: found_by(read),
            lambda seen: "" if seen is None or is_gone(seen) else "it still answers",
            what=f"the delete of {what}",
            pace=self.pace,
        )


class TimewebProvider(TypedProvider):
    """A provider with a session; `connect` is the seam for tests."""

    session: Session

    def configure(self, req: ConfigureRequest) -> None:
        """Builds the clients from the provider instance's configuration and the environment."""
        configuration = read_configuration(req.config)
        self.connect(open_session(configuration, circuit=shared(configuration.token)))

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
    today: Callable[[], date] = lambda: datetime.now(UTC).date(),
) -> Session:
    """Clients for one account. Raises ProviderError without a token."""
    if not configuration.token:
        raise ProviderError(f"no Timeweb token: set {SETTING}")
    limiter = HostLimiter(configuration.rate_dir or default_folder(), configuration.requests_per_second)
    circuit = circuit or Circuit()
    patience = patience or Patience(deadline=configuration.retry_seconds)

    def api(url: str, absent: Callable[[httpx.Response], bool]) -> Api:
        return Api(
            url,
            configuration.token,
            limiter=limiter,
            absent=absent,
            setting=SETTING,
            patience=patience,
            circuit=circuit,
            transport=transport,
        )

    return Session(
        configuration,
        client.Timeweb(api(configuration.api_url, client.not_found)),
        patience,
        pace or Pace(configuration.poll_seconds, configuration.deadline_seconds),
        today,
        api(configuration.iam_url, grants.not_found),
    )
