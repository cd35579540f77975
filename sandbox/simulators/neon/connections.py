"""Connection strings: where a branch answers, for a role and a database of it, direct and pooled."""

from urllib.parse import quote

from sandbox.simulators.neon.records import BranchDatabase, Endpoint, Role
from sandbox.simulators.neon.state import State
from sandbox.simulators.servers import Address

# No TLS on loopback.
_OPTIONS = "sslmode=disable"


def host(place: Address | None, *, pooled: bool) -> str:
    """The host of a compute.

    The vendor tells a pooled connection by a suffix in the host's name. No pooler runs here, so the other name of the
    same server stands for it. The document has no field for a port: it is in the connection string alone.
    """
    if place is None:
        return "localhost"
    return place.ip if pooled else place.host


def uri(state: State, endpoint: Endpoint, database: BranchDatabase, role: Role, *, pooled: bool) -> str:
    """The connection string; it has no port where the server behind the compute could not be prepared."""
    place = state.servers.place(endpoint.branch_id)
    login = quote(role.name, safe="")
    if role.password is not None:
        login += f":{quote(role.password, safe='')}"
    port = f":{place.port}" if place else ""
    return f"postgresql://{login}@{host(place, pooled=pooled)}{port}/{quote(database.name, safe='')}?{_OPTIONS}"
