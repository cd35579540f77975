"""The package `digitalocean` on pydo: managed PostgreSQL clusters, their firewalls and their connection pools."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from engines.embedded.plugins import Arguments, Problem
from engines.embedded.plugins.digitalocean_account import Account
from engines.embedded.plugins.digitalocean_clusters import Clusters
from engines.embedded.plugins.digitalocean_inside import Firewalls, Pools
from engines.embedded.plugins.kinds import KindsPlugin
from engines.embedded.properties import UNKNOWN

KNOWN = frozenset({"token", "apiEndpoint", "httpRetryMax", "version"})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_config(arguments: Arguments) -> Sequence[Problem]:
    """Say what is wrong with a provider's arguments."""
    problems = [(name, "the embedded engine does not know this argument") for name in sorted(arguments.keys() - KNOWN)]
    if "token" not in arguments:
        problems.append(("token", "it must be given explicitly"))
    endpoint = arguments.get("apiEndpoint")
    if endpoint not in (None, UNKNOWN):
        address = urlsplit(endpoint)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            problems.append(("apiEndpoint", "it is no https address, the token would travel in the clear"))
    return problems


class Plugin(KindsPlugin):
    """One provider instance with its client."""

    def __init__(self, arguments: Arguments) -> None:
        account = Account(arguments)
        super().__init__(
            {
                "digitalocean:index/databaseCluster:DatabaseCluster": Clusters(account),
                "digitalocean:index/databaseFirewall:DatabaseFirewall": Firewalls(account),
                "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool": Pools(account),
            }
        )
