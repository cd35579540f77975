"""What the tests of the Neon simulator share: an order, the paths of what was made, and a look from outside."""

from datetime import UTC, datetime
from typing import Any

import httpx

from sandbox.simulators.neon.serve import RunningNeon

Json = dict[str, Any]
KEY = "a-neon-key"
ORDER: Json = {
    "name": "acme-prod-alder",
    "region_id": "aws-us-east-1",
    "pg_version": 15,
    "branch": {"name": "main", "role_name": "neondb_owner", "database_name": "main"},
}
# Seconds after which the operations of any change are done, where each takes one.
TO_THE_END = 3.0


def client_of(neon: RunningNeon) -> httpx.Client:
    """A client with the right key."""
    return httpx.Client(base_url=neon.api_url, headers={"Authorization": f"Bearer {neon.key}"})


def made(api: httpx.Client, **changes: object) -> Json:
    """The answer to the order of a project."""
    answer: Json = api.post("/projects", json={"project": ORDER | changes}).raise_for_status().json()
    return answer


def default_branch(api: httpx.Client, project: str) -> str:
    """The path of the default branch."""
    found = api.get(f"{project}/branches").json()["branches"]
    return f"{project}/branches/{next(each['id'] for each in found if each['default'])}"


def inventory(neon: RunningNeon) -> dict[str, list[Json]]:
    """What exists."""
    found: dict[str, list[Json]] = httpx.get(f"{neon.url}/_sandbox/inventory").json()
    return found


def rfc3339(seconds: float) -> str:
    """A time as the document wants it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
