"""What the tests of managed databases share: an order, a client, and the state of a cluster."""

from typing import Any

import httpx

from sandbox.simulators.digitalocean.serve import RunningDigitalOcean

Json = dict[str, Any]
TOKEN = "a-digitalocean-token"
MARK = "tenantry:prod:shared-managed-pro-1"
ORDER: Json = {
    "name": "shared-managed-pro-1",
    "engine": "pg",
    "version": "16",
    "size": "db-s-1vcpu-1gb",
    "region": "fra1",
    "num_nodes": 1,
    "tags": [MARK],
}


def client_of(cloud: RunningDigitalOcean) -> httpx.Client:
    """A client of the account."""
    return httpx.Client(base_url=cloud.url, headers={"Authorization": f"Bearer {TOKEN}"})


def ordered(api: httpx.Client, **changes: object) -> str:
    """The path of a new cluster."""
    made = api.post("/v2/databases", json=ORDER | changes).raise_for_status().json()["database"]
    return f"/v2/databases/{made['id']}"


def status(api: httpx.Client, path: str) -> str:
    """The state of a cluster."""
    return str(api.get(path).json()["database"]["status"])
