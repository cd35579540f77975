"""Managed database clusters as DigitalOcean's API tells of them: where they are, who administers them, who certifies.

Only what our own code asks; the clusters themselves are made by the native plugin.
"""

import base64
import binascii
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dynamic_providers.api import Api, Call, Patience
from dynamic_providers.circuit import Circuit
from dynamic_providers.configuration import Configuration
from dynamic_providers.errors import ProviderError, ShapeError
from dynamic_providers.limiter import HostLimiter, default_folder
from dynamic_providers.native import json_of

# An account has 250 requests a minute for all endpoints together (official document, "Rate Limit").
REQUESTS_PER_SECOND = 3.0
SETTING = "digitalocean:token (secret) or DIGITALOCEAN_TOKEN"


def not_found(response: httpx.Response) -> bool:
    """The vendor's own not-found answer."""
    return bool(json_of(response).get("id") == "not_found")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Connection(_Answer):
    """How a cluster is reached as its admin; `password` is empty for a token that may not see credentials."""

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = Field(default="", repr=False)
    database: str = ""


class Cluster(_Answer):
    """A cluster; its connection is told from the start, and works once `status` is `online`."""

    id: str
    name: str
    engine: str
    status: str
    connection: Connection | None = None


@dataclass(frozen=True)
class Clusters:
    """The clusters of one account."""

    api: Api

    def cluster(self, id_: str) -> Cluster:
        """One cluster. Raises AbsentError where the vendor says that there is none."""
        answer = self.api.request(Call("GET", "/v2/databases/{id}", {"id": id_}))
        return cluster_of(json_of(answer).get("database"))

    def authority(self, id_: str) -> str:
        """The PEM text of the authority that certifies the cluster's server."""
        answer = self.api.request(Call("GET", "/v2/databases/{id}/ca", {"id": id_}))
        try:
            return base64.b64decode(answer.json()["ca"]["certificate"], validate=True).decode()
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise ShapeError(f"DigitalOcean: the certificate of cluster {id_} cannot be read") from error


def open_clusters(configuration: Configuration, *, circuit: Circuit | None = None) -> Clusters:
    """A client for one account; nothing is sent yet. Raises ProviderError without a token."""
    if not configuration.digitalocean_token:
        raise ProviderError(f"no DigitalOcean token: set {SETTING}")
    return Clusters(open_api(configuration, circuit=circuit))


def open_api(configuration: Configuration, *, circuit: Circuit | None = None) -> Api:
    """DigitalOcean's API at its pace."""
    return Api(
        configuration.digitalocean_url,
        configuration.digitalocean_token,
        limiter=HostLimiter(configuration.rate_dir or default_folder(), REQUESTS_PER_SECOND),
        absent=not_found,
        vendor="DigitalOcean",
        setting=SETTING,
        patience=Patience(deadline=configuration.retry_seconds),
        circuit=circuit,
    )


def cluster_of(row: object) -> Cluster:
    """A cluster as an answer shows it."""
    try:
        return Cluster.model_validate(row)
    except ValidationError as error:
        # Not chained: pydantic quotes what it was given, and that may hold the admin's password.
        fields = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}))
        raise ShapeError(f"DigitalOcean: a cluster cannot be read: {fields or 'it is no object'}") from None
