"""Real PostgreSQL servers behind TLS, as a vendor's managed clusters are."""

import contextlib
import json
import socket
import ssl
import threading
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Protocol

from sandbox.cluster_servers import HOST_NAME, PORTS_TRIED, PostgresServers
from sandbox.folder import write_private
from sandbox.postgres import HOST
from sandbox.simulators.digitalocean.servers import Guard, Held
from sandbox.simulators.server import PortTakenError, bind
from sandbox.simulators.servers import Address, ClusterServers, Contents
from sandbox.tls_front import Door, TlsFront

PORTS_FILE = "ports.json"
_LAST_PORT = 65535


@dataclass(frozen=True)
class _Ports:
    """The public ports of a cluster."""

    sessions: int = 0
    pools: int = 0


class PlainServers(ClusterServers, Protocol):
    """Servers that speak no TLS themselves."""

    def names(self, cluster_id: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The databases and the logins without superuser's rights on the server; none while it does not answer."""


class FrontedServers:
    """Plain servers under `folder`, and before each two TLS ports from `first_port` up (0: any), kept over restarts.

    A pool is another name of its database: sessions are not shared, so whatever a pooler forbids is possible here.
    """

    hold_data = True

    def __init__(
        self, folder: Path, context: ssl.SSLContext, first_port: int = 0, plain: PlainServers | None = None
    ) -> None:
        self._plain = plain or PostgresServers(folder)
        self._front = TlsFront(context)
        self._first_port = first_port
        self._notes = folder / PORTS_FILE
        self._lock = threading.Lock()
        self._ports: dict[int, _Ports] = {}
        self._guards: dict[int, Guard] = {}
        self._without_port: dict[int, str] = {}

    def launch(self, cluster_id: int, engine: str, contents: Contents, *, copy_of: int | None = None) -> None:
        """Open the ports, where clients are told to wait, and begin to start the server."""
        with self._lock:
            try:
                if cluster_id not in self._ports:
                    self._ports[cluster_id] = self._opened(cluster_id)
            except PortTakenError as error:
                self._without_port[cluster_id] = str(error)
                return
        self._plain.launch(cluster_id, engine, contents, copy_of=copy_of)

    def place(self, cluster_id: int) -> Address | None:
        """Where sessions are opened; None where no port could be had."""
        ports = self._ports.get(cluster_id)
        return Address(HOST_NAME, HOST, ports.sessions) if ports else None

    def pool_place(self, cluster_id: int) -> Address | None:
        """Where sessions of pools are opened."""
        ports = self._ports.get(cluster_id)
        return Address(HOST_NAME, HOST, ports.pools) if ports else None

    def address(self, cluster_id: int) -> Address | None:
        """The public address while the server behind it answers."""
        return self.place(cluster_id) if self._plain.address(cluster_id) else None

    def guard(self, cluster_id: int, guard: Guard) -> None:
        """From now on let in only these, and serve these pools; sessions that run stay."""
        self._guards[cluster_id] = guard

    def held(self, cluster_id: int) -> Held:
        """What the server holds; nothing while it does not answer."""
        return Held(*self._plain.names(cluster_id))

    def failure(self, cluster_id: int) -> str | None:
        """Why the cluster could not be started, if so."""
        return self._without_port.get(cluster_id) or self._plain.failure(cluster_id)

    def halt(self, cluster_id: int) -> None:
        """Stop the server and keep its data; its ports stay open and say so."""
        self._plain.halt(cluster_id)

    def remove(self, cluster_id: int) -> None:
        """Close the ports, and delete the server with its data."""
        with self._lock:
            ports = self._ports.pop(cluster_id, _Ports())
            self._guards.pop(cluster_id, None)
            self._note({key: value for key, value in self._noted().items() if key != str(cluster_id)})
        self._front.close(ports.sessions)
        self._front.close(ports.pools)
        self._plain.remove(cluster_id)

    def ensure(self, cluster_id: int, contents: Contents) -> None:
        """Make the databases and logins be there as given."""
        self._plain.ensure(cluster_id, contents)

    def drop_database(self, cluster_id: int, name: str) -> None:
        """Drop a database with its sessions."""
        self._plain.drop_database(cluster_id, name)

    def drop_admin(self, cluster_id: int, login: str) -> None:
        """Drop a login; what it owned goes to the vendor."""
        self._plain.drop_admin(cluster_id, login)

    def rename_database(self, cluster_id: int, name: str, new_name: str) -> None:
        """Rename a database, ending its sessions."""
        self._plain.rename_database(cluster_id, name, new_name)

    def rename_admin(self, cluster_id: int, login: str, new_login: str) -> None:
        """Rename a login."""
        self._plain.rename_admin(cluster_id, login, new_login)

    def close(self) -> None:
        """End the front, then the servers; their data stays."""
        self._front.stop()
        self._plain.close()

    def _opened(self, cluster_id: int) -> _Ports:
        noted = self._noted()
        wanted = _Ports(*noted.get(str(cluster_id), ()))
        sessions = self._listener(wanted.sessions)
        try:
            pools = self._listener(wanted.pools)
        except PortTakenError:
            sessions.close()
            raise
        server, admits = partial(self._behind, cluster_id), partial(self._admits, cluster_id)
        ports = _Ports(
            self._front.open(sessions, Door(server, admits)),
            self._front.open(pools, Door(server, admits, partial(self._pooled, cluster_id))),
        )
        self._note(noted | {str(cluster_id): [ports.sessions, ports.pools]})
        return ports

    def _listener(self, wanted: int) -> socket.socket:
        first = self._first_port
        last = min(first + PORTS_TRIED, _LAST_PORT) if first else first
        for port in (*([wanted] if wanted else []), *range(first, last + 1)):
            with contextlib.suppress(PortTakenError):
                return bind(port, "a managed database")
        raise PortTakenError(f"no free port for a managed database from {first} up")

    def _behind(self, cluster_id: int) -> tuple[str, int] | None:
        address = self._plain.address(cluster_id)
        return (address.ip, address.port) if address else None

    def _admits(self, cluster_id: int, client: str) -> bool:
        trusted = self._guards.get(cluster_id, Guard()).trusted
        return trusted is None or any(ip_address(client) in ip_network(each, strict=False) for each in trusted)

    def _pooled(self, cluster_id: int, name: str) -> str | None:
        return self._guards.get(cluster_id, Guard()).pools.get(name)

    def _noted(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = json.loads(self._notes.read_text()) if self._notes.exists() else {}
        return found

    def _note(self, ports: dict[str, list[int]]) -> None:
        self._notes.parent.mkdir(parents=True, exist_ok=True)
        write_private(self._notes, ports)
