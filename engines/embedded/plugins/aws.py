"""The package `aws` on boto3, for S3-compatible stores: buckets, and IAM users with keys and policies."""

import json
from collections.abc import Mapping, Sequence

from engines.embedded.plugins import Arguments, Problem
from engines.embedded.plugins.aws_clients import Clients
from engines.embedded.plugins.aws_iam import AccessKeys, UserPolicies, Users
from engines.embedded.plugins.aws_s3 import Buckets
from engines.embedded.plugins.kinds import KindsPlugin
from engines.embedded.properties import UNKNOWN

# Production would check these against the vendor; here they must be switched off, as for any S3-compatible store.
SKIPPED = ("skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation", "skipRequestingAccountId")
NEEDED = ("endpoints", "region", "accessKey", "secretKey")
KNOWN = frozenset({*SKIPPED, *NEEDED, "s3UsePathStyle", "version"})
SERVICES = ("s3", "iam")


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


class Plugin(KindsPlugin):
    """One provider instance with its clients."""

    def __init__(self, arguments: Arguments) -> None:
        clients = Clients(arguments, _endpoints(arguments))
        super().__init__(
            {
                "aws:s3/bucket:Bucket": Buckets(clients),
                "aws:iam/user:User": Users(clients),
                "aws:iam/accessKey:AccessKey": AccessKeys(clients),
                "aws:iam/userPolicy:UserPolicy": UserPolicies(clients),
            }
        )
