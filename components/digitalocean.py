"""DigitalOcean's native plugin: its explicit providers, and who may reach its managed databases."""

from collections.abc import Mapping
from ipaddress import IPv4Network

import pulumi_digitalocean as do

from components.settings import Settings, SettingsError

DATABASES, DROPLETS = "digitalocean-databases", "digitalocean-droplets"
# How often each provider repeats a request that failed; None is the plugin's own number. It repeats a POST too, and a
# droplet whose answer was lost is then made twice, in silence. A cluster's name is unique, so its second POST is an
# error.
RETRIES: Mapping[str, int | None] = {DATABASES: None, DROPLETS: 0}
# What a trusted source may be beside an address: `tag:web`.
KINDS = ("tag", "droplet", "k8s", "app")
SETTING = "digitalocean:trustedSources"


def digitalocean_provider(settings: Settings, name: str) -> do.Provider:
    """One of the providers of RETRIES."""
    return do.Provider(
        name,
        token=settings.digitalocean_token,
        api_endpoint=settings.digitalocean_api_endpoint,
        http_retry_max=RETRIES[name],
    )


def trusted_sources(settings: Settings) -> list[do.DatabaseFirewallRuleArgs]:
    """Who may connect to our clusters. Raises SettingsError where nobody is named, or somebody wrongly.

    Without a rule the vendor lets everybody in, so none is an error here and never an open cluster.
    """
    if not settings.digitalocean_trusted_sources:
        raise SettingsError(
            f"a tenant is on a managed cluster, but {SETTING} is not set: name who may connect, this machine among"
            " them, like `203.0.113.7,tag:web`; a cluster that names nobody is open to everybody"
        )
    return [_rule(word) for word in sorted(set(settings.digitalocean_trusted_sources))]


def _rule(word: str) -> do.DatabaseFirewallRuleArgs:
    kind, _, value = word.partition(":")
    if value and kind in KINDS:
        return do.DatabaseFirewallRuleArgs(type=kind, value=value)
    try:
        network = IPv4Network(word)
    except ValueError as error:
        raise SettingsError(
            f"setting {SETTING}: '{word}' is no IPv4 address or network, and none of {', '.join(KINDS)} with its name,"
            " like `tag:web`"
        ) from error
    if network.prefixlen == 0:
        raise SettingsError(f"setting {SETTING}: '{word}' is everybody; name those who are to connect")
    return do.DatabaseFirewallRuleArgs(type="ip_addr", value=word)
