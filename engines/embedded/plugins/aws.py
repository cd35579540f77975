"""The package `aws` on boto3, for S3-compatible stores: buckets, and IAM users with keys and policies."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from engines.embedded.errors import RefusedError
from engines.embedded.plugins import Arguments, Problem
from engines.embedded.plugins.aws_clients import Clients
from engines.embedded.plugins.aws_iam import AccessKeys, UserPolicies, Users
from engines.embedded.plugins.aws_s3 import Buckets
from engines.embedded.properties import UNKNOWN
from engines.embedded.provider import Difference, Found, Made

# Production would check these against the vendor; here they must be switched off, as for any S3-compatible store.
SKIPPED = ("skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation", "skipRequestingAccountId")
NEEDED = ("endpoints", "region", "accessKey", "secretKey")
KNOWN = frozenset({*SKIPPED, *NEEDED, "s3UsePathStyle", "version"})
SERVICES = ("s3", "iam")


class Kind(Protocol):
    """One type of resource. `arguments` are all it knows, `replaces` those that cannot change in place."""

    arguments: frozenset[str]
    required: frozenset[str]
    replaces: frozenset[str]

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer the arguments with defaults, in a form that can be compared."""
        ...

    def create(self, arguments: Arguments) -> Made:
        """Make or adopt the object."""
        ...

    def read(self, id_: str, outputs: Arguments) -> dict[str, Any] | None:
        """Answer the outputs of today, None where the object is gone."""
        ...

    def update(self, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Change the object."""
        ...

    def delete(self, id_: str, outputs: Arguments) -> None:
        """Delete the object."""
        ...


def check_config(arguments: Arguments) -> Sequence[Problem]:
    """Say what is wrong with a provider's arguments; nested ones are JSON texts, as the SDK writes them."""
    problems = [(name, "the embedded engine does not know this argument") for name in sorted(arguments.keys() - KNOWN)]
    problems += [(name, "it must be given explicitly") for name in NEEDED if name not in arguments]
    problems += [
        (name, "it must be true: the embedded engine makes no such check")
        for name in SKIPPED
        if arguments.get(name) not in ("true", True, UNKNOWN)
    ]
    if arguments.get("endpoints") not in (None, UNKNOWN):
        endpoints = _endpoints(arguments)
        problems += [("endpoints", f"'{service}' is missing") for service in SERVICES if service not in endpoints]
    return problems


def _endpoints(arguments: Arguments) -> dict[str, str]:
    entries: list[Mapping[str, str]] = json.loads(arguments["endpoints"])
    return {service: url for entry in entries for service, url in entry.items()}


class Plugin:
    """One provider instance: what each type does with its clients."""

    def __init__(self, arguments: Arguments) -> None:
        clients = Clients(arguments, _endpoints(arguments))
        self._kinds: Mapping[str, Kind] = {
            "aws:s3/bucket:Bucket": Buckets(clients),
            "aws:iam/user:User": Users(clients),
            "aws:iam/accessKey:AccessKey": AccessKeys(clients),
            "aws:iam/userPolicy:UserPolicy": UserPolicies(clients),
        }

    def check(self, type_: str, news: Arguments) -> Sequence[Problem]:
        """Refuse what a type does not know and miss what it needs."""
        kind = self._kind(type_)
        unknown = sorted(news.keys() - kind.arguments)
        problems = [(name, "the embedded engine does not know this argument") for name in unknown]
        missing = sorted(kind.required - news.keys())
        return problems + [(name, "it must be given: the embedded engine makes up no names") for name in missing]

    def diff(self, type_: str, olds: Arguments, news: Arguments) -> Difference:
        """Compare argument by argument."""
        kind = self._kind(type_)
        before, wanted = kind.normal(olds), kind.normal(news)
        changed = {name for name in kind.arguments if before.get(name) != wanted.get(name)}
        return Difference(bool(changed), sorted(changed & kind.replaces))

    def create(self, type_: str, arguments: Arguments) -> Made:
        """Make or adopt the object."""
        return self._kind(type_).create(arguments)

    def read(self, type_: str, id_: str, outputs: Arguments) -> Found | None:
        """Read the object; its drift shows in the outputs."""
        found = self._kind(type_).read(id_, outputs)
        return None if found is None else Found(id_, found)

    def update(self, type_: str, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Change the object."""
        return self._kind(type_).update(id_, olds, news)

    def delete(self, type_: str, id_: str, outputs: Arguments) -> None:
        """Delete the object."""
        self._kind(type_).delete(id_, outputs)

    def _kind(self, type_: str) -> Kind:
        if type_ not in self._kinds:
            raise RefusedError(f"the type '{type_}'")
        return self._kinds[type_]
