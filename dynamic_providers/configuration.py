"""What providers read in `configure`: namespaced keys of the provider instance, each with an environment variable.

The environment wins, so that one process can be pointed at the sandbox without an edit of committed configuration.
Nothing here is read at import, and nothing here is pickled (facts 3.1, traps 3 and 5).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import stamina


class Source(Protocol):
    """Pulumi's `dynamic.Config`, as far as it is used."""

    def get(self, key: str) -> Any:  # noqa: ANN401  Pulumi hands over whatever the configuration holds
        """The value of a namespaced key, None when it is not set."""


# field of Configuration → (configuration key, environment variable)
KEYS = {
    "token": ("timeweb:token", "TIMEWEB_CLOUD_TOKEN"),
    "api_url": ("timeweb:apiUrl", "TIMEWEB_API_URL"),
    "iam_url": ("timeweb:iamUrl", "TIMEWEB_IAM_URL"),
    "s3_endpoint": ("timeweb:s3Endpoint", "TIMEWEB_S3_ENDPOINT"),
    "s3_region": ("timeweb:s3Region", "TIMEWEB_S3_REGION"),
    "sslmode": ("timeweb:sslmode", "TIMEWEB_SSLMODE"),
    "poll_seconds": ("timeweb:pollSeconds", "TIMEWEB_POLL_SECONDS"),
    "deadline_seconds": ("timeweb:deadlineSeconds", "TIMEWEB_DEADLINE_SECONDS"),
    "retry_seconds": ("timeweb:retrySeconds", "TIMEWEB_RETRY_SECONDS"),
    "requests_per_second": ("timeweb:requestsPerSecond", "TIMEWEB_REQUESTS_PER_SECOND"),
    "digitalocean_token": ("digitalocean:token", "DIGITALOCEAN_TOKEN"),
    "digitalocean_url": ("digitalocean:apiEndpoint", "DIGITALOCEAN_API_URL"),
    "neon_api_key": ("neon:apiKey", "NEON_API_KEY"),
    "neon_api_url": ("neon:apiUrl", "NEON_API_URL"),
    "neon_org_id": ("neon:orgId", "NEON_ORG_ID"),
    "neon_sslmode": ("neon:sslmode", "NEON_SSLMODE"),
    "neon_poll_seconds": ("neon:pollSeconds", "NEON_POLL_SECONDS"),
    "neon_deadline_seconds": ("neon:deadlineSeconds", "NEON_DEADLINE_SECONDS"),
    "neon_requests_per_minute": ("neon:requestsPerMinute", "NEON_REQUESTS_PER_MINUTE"),
    "admin_secret": ("tenantry:adminSecret", "TENANTRY_ADMIN_SECRET"),
    "rate_dir": ("tenantry:rateDir", "TENANTRY_RATE_DIR"),
    "platform_url": ("platform:databaseUrl", "PLATFORM_DATABASE_URL"),
}
# Vendors whose own plugin makes the objects: configuration key and environment variable of the token, the plugin's own.
NATIVE_TOKENS = {
    "Hetzner": ("hcloud:token", "HCLOUD_TOKEN"),
    "DigitalOcean": KEYS["digitalocean_token"],
    "Linode": ("linode:token", "LINODE_TOKEN"),
}
PARSERS = {
    "poll_seconds": float,
    "deadline_seconds": float,
    "retry_seconds": float,
    "requests_per_second": float,
    "neon_poll_seconds": float,
    "neon_deadline_seconds": float,
    "neon_requests_per_minute": float,
    "rate_dir": Path,
}


@dataclass(frozen=True)
class Configuration:
    """Typed settings of one provider instance; secrets stay out of `repr`.

    `poll_seconds` is the pause between two looks at an object that is still being made, `deadline_seconds` how long it
    may take, `retry_seconds` how long one call is repeated. `rate_dir` None is the limiter's own per-user folder.
    """

    token: str = field(default="", repr=False)
    api_url: str = "https://api.timeweb.cloud"
    iam_url: str = "https://panel.s3.twcstorage.ru"
    s3_endpoint: str = "https://s3.twcstorage.ru"
    s3_region: str = "ru-1"
    sslmode: str = "require"
    poll_seconds: float = 5.0
    deadline_seconds: float = 1800.0
    retry_seconds: float = 60.0
    requests_per_second: float = 20.0
    digitalocean_token: str = field(default="", repr=False)
    digitalocean_url: str = "https://api.digitalocean.com"
    neon_api_key: str = field(default="", repr=False)
    neon_api_url: str = "https://console.neon.tech/api/v2"
    neon_org_id: str = ""
    neon_sslmode: str = "verify-full"
    neon_poll_seconds: float = 1.0
    neon_deadline_seconds: float = 600.0
    neon_requests_per_minute: float = 700.0
    admin_secret: str = field(default="", repr=False)
    rate_dir: Path | None = None
    platform_url: str = field(default="", repr=False)


def read_configuration(source: Source, environ: Mapping[str, str] | None = None) -> Configuration:
    """The settings of a provider instance: environment, else its own configuration, else the default.

    Raises ValueError, naming the key, for a number that is not one.
    """
    # A retry is no news: its end is, and that is an error of ours. Said here, where every provider begins to work.
    stamina.instrumentation.set_on_retry_hooks(())
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for name, (key, variable) in KEYS.items():
        value = environ.get(variable) or source.get(key)
        if value is None or value == "":
            continue
        try:
            values[name] = PARSERS.get(name, str)(value)
        except ValueError as error:
            raise ValueError(f"{key} (or {variable}) is not a number: {value!r}") from error
    return Configuration(**values)


def has_native_token(settings: Mapping[str, object], environ: Mapping[str, str] | None = None) -> bool:
    """Whether any vendor's plugin has a token, in the environment or among a stack's settings, encrypted or not."""
    environ = os.environ if environ is None else environ
    return any(environ.get(variable) or settings.get(key) for key, variable in NATIVE_TOKENS.values())
