"""Typed settings of a stack: each value comes from the environment or, failing that, from the stack's configuration."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.pooler import POOLER_SOURCES, PoolerSettings, read_pooler

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_LANES = 4
SECRETS = frozenset(
    {
        "timeweb:token",
        "neon:apiKey",
        "digitalocean:token",
        "platform:databaseUrl",
        "tenantry:adminSecret",
        "s3:accessKey",
        "s3:secretKey",
        "backup:accessKey",
        "backup:secretKey",
    }
)

# Where a value may come from: stack configuration key → environment variable, which wins.
SOURCES: Mapping[str, str] = {
    "timeweb:token": "TIMEWEB_CLOUD_TOKEN",
    "timeweb:apiUrl": "TIMEWEB_API_URL",
    "timeweb:iamUrl": "TIMEWEB_IAM_URL",
    "timeweb:s3Endpoint": "TIMEWEB_S3_ENDPOINT",
    "timeweb:s3Region": "TIMEWEB_S3_REGION",
    "timeweb:sslmode": "TIMEWEB_SSLMODE",
    "timeweb:pollSeconds": "TIMEWEB_POLL_SECONDS",
    "timeweb:requestsPerSecond": "TIMEWEB_REQUESTS_PER_SECOND",
    "timeweb:defaultPreset": "TIMEWEB_DEFAULT_PRESET_ID",
    "neon:apiKey": "NEON_API_KEY",
    "neon:apiUrl": "NEON_API_URL",
    "neon:orgId": "NEON_ORG_ID",
    "neon:sslmode": "NEON_SSLMODE",
    "neon:pollSeconds": "NEON_POLL_SECONDS",
    "neon:deadlineSeconds": "NEON_DEADLINE_SECONDS",
    "neon:requestsPerMinute": "NEON_REQUESTS_PER_MINUTE",
    "digitalocean:token": "DIGITALOCEAN_TOKEN",
    "digitalocean:apiEndpoint": "DIGITALOCEAN_API_URL",
    "digitalocean:trustedSources": "DIGITALOCEAN_TRUSTED_SOURCES",
    "platform:databaseUrl": "PLATFORM_DATABASE_URL",
    "tenantry:adminSecret": "TENANTRY_ADMIN_SECRET",
    "s3:endpoint": "S3_ENDPOINT",
    "s3:iamEndpoint": "S3_IAM_ENDPOINT",
    "s3:region": "S3_REGION",
    "s3:accessKey": "S3_ACCESS_KEY",
    "s3:secretKey": "S3_SECRET_KEY",
    "backup:endpoint": "BACKUP_ENDPOINT",
    "backup:bucket": "BACKUP_BUCKET",
    "backup:region": "BACKUP_REGION",
    "backup:accessKey": "BACKUP_ACCESS_KEY",
    "backup:secretKey": "BACKUP_SECRET_KEY",
    **POOLER_SOURCES,
}
PLATFORM = "platform:databaseUrl"
# Without these no lane can do anything for a tenant of the provider.
ADMIN_SECRET = "tenantry:adminSecret"  # noqa: S105 - the name of the setting
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "timeweb": ("timeweb:token", ADMIN_SECRET),
    "neon": ("neon:apiKey", ADMIN_SECRET),
    "digitalocean": ("digitalocean:token", ADMIN_SECRET),
}
# What a lane's provider process reads. Values of the environment are not repeated here: the process inherits them,
# so that a rotated token works at once and never enters the state.
LANE_KEYS = (
    "timeweb:token",
    "timeweb:apiUrl",
    "timeweb:iamUrl",
    "timeweb:s3Endpoint",
    "timeweb:sslmode",
    "timeweb:pollSeconds",
    "timeweb:requestsPerSecond",
    "timeweb:s3Region",
    "neon:apiKey",
    "neon:apiUrl",
    "neon:orgId",
    "neon:sslmode",
    "neon:pollSeconds",
    "neon:deadlineSeconds",
    "neon:requestsPerMinute",
    "digitalocean:token",
    "digitalocean:apiEndpoint",
    "platform:databaseUrl",
    "tenantry:adminSecret",
)


class SettingsError(pulumi.RunError):
    """A setting is missing or wrong; printed as one sentence, without a traceback."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a stack says beside the catalogue: `lane_config` with secrets as secret outputs.

    `missing` are the keys of REQUIRED that it lacks, whether or not a tenant of that provider needs them.
    """

    base_stack: str
    cell: int
    prefix: str
    lanes: int
    fleet: Path
    lane_config: Mapping[str, pulumi.Input[str]]
    missing: frozenset[str]
    default_preset: int | None
    timeweb_sslmode: str
    timeweb_s3_endpoint: str | None
    neon_sslmode: str
    neon_org_id: str | None
    digitalocean_api_endpoint: str | None
    digitalocean_token: pulumi.Input[str] | None
    digitalocean_trusted_sources: tuple[str, ...]
    platform: bool
    s3_endpoint: str | None
    s3_iam_endpoint: str | None
    s3_region: str
    s3_access_key: pulumi.Input[str] | None
    s3_secret_key: pulumi.Input[str] | None
    leave_out: frozenset[str]
    pooler: PoolerSettings


def setting(key: str, configuration: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> str:
    """A value for what runs beside the program: `configuration` is the stack's, "" where it is set nowhere."""
    return environ.get(SOURCES.get(key, ""), "") or configuration.get(key, "")


def cell_number(stack: str, base_stack: str) -> int:
    """`prod` is cell 1 of base stack `prod`, `prod-2` is cell 2; any other name is refused."""
    if stack == base_stack:
        return 1
    match = re.fullmatch(re.escape(base_stack) + r"-([2-9]|[1-9]\d+)", stack)
    if match is None:
        raise SettingsError(
            f"stack '{stack}' does not belong to base stack '{base_stack}': name it '{base_stack}' or "
            f"'{base_stack}-<cell>', or correct tenantry:baseStack in Pulumi.{stack}.yaml"
        )
    return int(match[1])


def _secret(key: str) -> pulumi.Output[str] | None:
    package, _, name = key.partition(":")
    return pulumi.Config(package).get_secret(name)


def _plain(key: str, environ: Mapping[str, str], default: str | None = None) -> str | None:
    package, _, name = key.partition(":")
    return environ.get(SOURCES.get(key, ""), "") or pulumi.Config(package).get(name) or default


def _input(key: str, environ: Mapping[str, str]) -> pulumi.Input[str] | None:
    if value := environ.get(SOURCES[key]):
        return pulumi.Output.secret(value) if key in SECRETS else value
    return _secret(key) if key in SECRETS else _plain(key, {})


def _lane_config(environ: Mapping[str, str]) -> dict[str, pulumi.Input[str]]:
    values = {
        key: _secret(key) if key in SECRETS else _plain(key, {}) for key in LANE_KEYS if not environ.get(SOURCES[key])
    }
    return {key: value for key, value in values.items() if value is not None}


def _leave_out(stack: str, environ: Mapping[str, str]) -> frozenset[str]:
    plans = frozenset(filter(None, environ.get("TENANTRY_SANDBOX_WITHOUT", "").split(",")))
    if plans and stack != "sandbox":
        # What a program does not declare is deleted: leaving plans out is for throw-away stacks only.
        raise SettingsError("TENANTRY_SANDBOX_WITHOUT is honoured on stack 'sandbox' only: unset it")
    return plans


def _number(key: str, value: str | None, *, low: int = 1) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or int(value) < low:
        raise SettingsError(f"setting {key} must be a whole number of at least {low}, not '{value}'")
    return int(value)


def _words(text: str | None) -> tuple[str, ...]:
    """The words of a list with commas between them."""
    return tuple(filter(None, (word.strip() for word in (text or "").split(","))))


def _pooler(environ: Mapping[str, str]) -> PoolerSettings:
    try:
        return read_pooler(lambda key: _plain(key, environ))
    except ValueError as error:
        raise SettingsError(str(error)) from error


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the running stack. Raises `SettingsError` where one is missing or wrong."""
    stack = pulumi.get_stack()
    base_stack = pulumi.Config("tenantry").get("baseStack")
    if base_stack is None:
        raise SettingsError(f"tenantry:baseStack is not set: add `tenantry:baseStack: {stack}` to Pulumi.{stack}.yaml")
    prefix = pulumi.Config("tenantry").get("prefix") or base_stack
    fleet = Path(environ.get("TENANTRY_FLEET") or PROJECT)
    lane_config = _lane_config(environ)
    return Settings(
        base_stack=base_stack,
        cell=cell_number(stack, base_stack),
        prefix=prefix,
        lanes=_number("tenantry:lanes", pulumi.Config("tenantry").get("lanes")) or DEFAULT_LANES,
        fleet=fleet,
        lane_config=lane_config,
        missing=frozenset(
            key
            for keys in REQUIRED.values()
            for key in keys
            if key not in lane_config and not environ.get(SOURCES[key])
        ),
        default_preset=_number("timeweb:defaultPreset", _plain("timeweb:defaultPreset", environ)),
        timeweb_sslmode=_plain("timeweb:sslmode", environ, "require") or "require",
        timeweb_s3_endpoint=_plain("timeweb:s3Endpoint", environ),
        neon_sslmode=_plain("neon:sslmode", environ, "verify-full") or "verify-full",
        neon_org_id=_plain("neon:orgId", environ),
        digitalocean_api_endpoint=_plain("digitalocean:apiEndpoint", environ),
        digitalocean_token=_input("digitalocean:token", environ),
        digitalocean_trusted_sources=_words(_plain("digitalocean:trustedSources", environ)),
        platform=PLATFORM in lane_config or bool(environ.get(SOURCES[PLATFORM])),
        s3_endpoint=_plain("s3:endpoint", environ),
        s3_iam_endpoint=_plain("s3:iamEndpoint", environ),
        s3_region=_plain("s3:region", environ, "us-east-1") or "us-east-1",
        s3_access_key=_input("s3:accessKey", environ),
        s3_secret_key=_input("s3:secretKey", environ),
        leave_out=_leave_out(stack, environ),
        pooler=_pooler(environ),
    )
