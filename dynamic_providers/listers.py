"""Who lists what carries our mark, one row for each vendor: what `resume` compares with the states."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Protocol, runtime_checkable

import httpx

from dynamic_providers.api import Api, Patience
from dynamic_providers.configuration import KEYS, NATIVE_TOKENS, Configuration, Source, read_configuration
from dynamic_providers.digitalocean import clusters
from dynamic_providers.digitalocean import marked as digitalocean
from dynamic_providers.hetzner import marked as hetzner
from dynamic_providers.limiter import HostLimiter, default_folder
from dynamic_providers.linode import marked as linode
from dynamic_providers.marks import Marked
from dynamic_providers.neon.marked import NeonLister
from dynamic_providers.neon.session import open_session as open_neon
from dynamic_providers.postgres.connection import Limits
from dynamic_providers.postgres.marked import Place, PostgresLister
from dynamic_providers.postgres.platform.address import platform_address
from dynamic_providers.postgres.platform.marked import PlatformLister
from dynamic_providers.timeweb.marked import TimewebLister
from dynamic_providers.timeweb.session import open_session
from dynamic_providers.waiting import Pace

# The least of the three allows 200 listings a minute, and a run makes a few.
REQUESTS_PER_SECOND = 3.0


class Lister(Protocol):
    """Finds every object of some types, and can remove one."""

    @property
    def types(self) -> tuple[str, ...]:
        """Pulumi's tokens of what `marked` finds all of; what lies in another object comes before it."""

    def marked(self) -> Iterator[Marked]:
        """Everything that carries our mark. Raises ProviderError where the vendor does not answer."""

    def remove(self, found: Marked) -> None:
        """Delete an object with all it holds, and read back that it is gone."""


@runtime_checkable
class Host(Protocol):
    """An account that has servers of ours."""

    def places(self) -> Iterator[Place]:
        """Their databases that can be looked into."""


@dataclass(frozen=True)
class Owner:
    """Whose marks: the base stack, and the prefix of names that are marks themselves."""

    stack: str
    prefix: str


def _timeweb(settings: Source, owner: Owner) -> list[Lister]:
    configuration = read_configuration(settings)
    if not configuration.token:
        return []
    return [TimewebLister(open_session(configuration), owner.stack, owner.prefix)]


def _neon(settings: Source, owner: Owner) -> list[Lister]:
    configuration = read_configuration(settings)
    if not configuration.neon_api_key:
        return []
    return [NeonLister(open_neon(configuration), owner.stack, owner.prefix)]


@dataclass(frozen=True)
class Native:
    """A vendor whose own plugin makes the objects: where its settings stand, and who lists what it made.

    `url` is a configuration key and an environment variable: the plugin's own, like those of the token.
    """

    vendor: str
    url: tuple[str, str]
    default_url: str
    lister: Callable[[Api, str, Pace], Lister]
    absent: Callable[[httpx.Response], bool]

    @property
    def token(self) -> tuple[str, str]:
        """The configuration key and the environment variable of the token."""
        return NATIVE_TOKENS[self.vendor]

    def __call__(self, settings: Source, owner: Owner) -> list[Lister]:
        """The lister of the account that the settings name; none without a token."""
        configuration = read_configuration(settings)
        token = _setting(settings, self.token)
        if not token:
            return []
        limiter = HostLimiter(configuration.rate_dir or default_folder(), REQUESTS_PER_SECOND)
        api = Api(
            _setting(settings, self.url) or self.default_url,
            token,
            limiter=limiter,
            absent=self.absent,
            vendor=self.vendor,
            patience=Patience(deadline=configuration.retry_seconds),
        )
        return [self.lister(api, owner.stack, Pace(configuration.poll_seconds, configuration.deadline_seconds))]


def _setting(settings: Source, names: tuple[str, str]) -> str:
    """A value from the environment, else from the configuration, as everywhere."""
    key, variable = names
    return str(os.environ.get(variable) or settings.get(key) or "")


HETZNER = Native(
    "Hetzner",
    ("hcloud:endpoint", "HCLOUD_ENDPOINT"),
    "https://api.hetzner.cloud/v1",
    hetzner.HetznerLister,
    hetzner.not_found,
)
DIGITALOCEAN = Native(
    "DigitalOcean",
    KEYS["digitalocean_url"],
    Configuration.digitalocean_url,
    digitalocean.DigitalOceanLister,
    clusters.not_found,
)
LINODE = Native(
    "Linode",
    ("linode:url", "LINODE_URL"),
    "https://api.linode.com",
    linode.LinodeLister,
    linode.not_found,
)

NATIVES = (HETZNER, DIGITALOCEAN, LINODE)


def _platform(settings: Source, owner: Owner) -> list[Lister]:
    configuration = read_configuration(settings)
    if not configuration.platform_url:
        return []
    limits = Limits(total=configuration.retry_seconds)
    return [PlatformLister(platform_address(configuration.platform_url), owner.stack, limits)]


# A vendor → the listers of an account that the stack's configuration, or the environment, names; none without a token.
# In the order in which objects are removed: what lies in another goes before it.
VENDORS: Mapping[str, Callable[[Source, Owner], list[Lister]]] = {
    "platform database": _platform,
    "Timeweb": _timeweb,
    "Neon": _neon,
    **{native.vendor: native for native in NATIVES},
}


def open_listers(settings: Source, owner: Owner) -> list[Lister]:
    """The listers of all vendors that this stack has an account at. Raises ProviderError.

    What is in databases is of the same kinds whoever runs them, so one lister looks into all, and its objects go first.
    """
    accounts = [lister for open_vendor in VENDORS.values() for lister in open_vendor(settings, owner)]
    hosts = [account for account in accounts if isinstance(account, Host)]
    if not hosts:
        return accounts
    limits = Limits(total=read_configuration(settings).retry_seconds)
    return [PostgresLister(partial(_places, hosts), owner.stack, limits), *accounts]


def _places(hosts: Sequence[Host]) -> Iterator[Place]:
    return chain.from_iterable(host.places() for host in hosts)
