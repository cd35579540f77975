"""TLS before plain PostgreSQL servers: it speaks the beginning of the wire protocol, then passes the bytes on.

A client is let in encrypted or not at all, as managed databases do it; only a request to cancel may come in clear, for
that is how libpq sends it.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

_PROTOCOL, _CANCEL, _SSL, _GSS = 196608, 80877102, 80877103, 80877104
_HEAD = struct.Struct("!II")
# The server's own limit for what a client may send before it is known.
_LONGEST_START = 10_000
_CHUNK = 1 << 16
_FAREWELL_SECONDS = 0.5

T = TypeVar("T")


@dataclass(frozen=True)
class Door:
    """What is behind one port.

    `server` tells where the plain server listens, or None while it does not; `admits` whether a client's address may
    come in; `database` which database is meant by the name a client gives, or None where there is no such name.
    """

    server: Callable[[], tuple[str, int] | None]
    admits: Callable[[str], bool] = lambda _address: True
    database: Callable[[str], str | None] = lambda name: name


@dataclass
class _Opened:
    server: asyncio.Server
    sessions: set["asyncio.Task[Any]"] = field(default_factory=set)


class TlsFront:
    """Listening doors on one event loop, which runs in a thread until `stop`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._doors: dict[int, _Opened] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls-front", daemon=True)
        self._thread.start()

    def open(self, listener: socket.socket, door: Door) -> int:
        """Serve a listening socket, which is ours from now on; its port."""
        port: int = listener.getsockname()[1]
        self._run(self._open(port, listener, door))
        return port

    def close(self, port: int) -> None:
        """End a door with its sessions; one that is not open is no error."""
        self._run(self._close(port))

    def stop(self) -> None:
        """End all doors and the thread."""
        for port in list(self._doors):
            self.close(port)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self, port: int, listener: socket.socket, door: Door) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - a coroutine runs in a task
            opened.sessions.add(task)
            try:
                # A client that goes away in the middle is nobody's fault.
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await self._session(door, reader, writer)
            finally:
                await _part(writer)
                opened.sessions.discard(task)

        self._doors[port] = opened = _Opened(await asyncio.start_server(serve, sock=listener))

    async def _close(self, port: int) -> None:
        opened = self._doors.pop(port, None)
        if opened is None:
            return
        opened.server.close()
        sessions = list(opened.sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def _session(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address: str = writer.get_extra_info("peername")[0]
        if not door.admits(address):
            # The vendor's firewall does not answer; neither do we.
            return
        start = await self._start(reader, writer)
        if start is None:
            return
        refusal = None if start.is_cancel else _refusal(start, door, address)
        there = None if refusal else await _connected(door)
        if there is None:
            writer.write(refusal or _fatal("57P03", "the database system is starting up"))
            await writer.drain()
            return
        server_reader, server_writer = there
        try:
            server_writer.write(start.packet(door))
            await _either(_pass_on(reader, server_writer), _pass_on(server_reader, writer))
        finally:
            await _part(server_writer)

    async def _start(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> "_Start | None":
        """The client's first message after all that was said about encryption; None for what is none."""
        encrypted = False
        while True:
            length, code = _HEAD.unpack(head := await reader.readexactly(_HEAD.size))
            if not _HEAD.size <= length <= _LONGEST_START:
                return None
            rest = await reader.readexactly(length - _HEAD.size)
            if code not in (_SSL, _GSS):
                return _Start(code, head, rest, encrypted=encrypted)
            if code == _GSS or encrypted:
                writer.write(b"N")
                continue
            writer.write(b"S")
            await writer.start_tls(self._context)
            encrypted = True


@dataclass(frozen=True)
class _Start:
    """The message a client starts with: parameters of a session, or a request to cancel what another one does."""

    code: int
    head: bytes
    rest: bytes
    encrypted: bool

    @property
    def is_cancel(self) -> bool:
        return self.code == _CANCEL

    @property
    def parameters(self) -> dict[bytes, bytes]:
        words = self.rest.split(b"\0")
        return dict(zip(words[::2], words[1::2], strict=False))

    @property
    def user(self) -> str:
        return self.parameters.get(b"user", b"").decode(errors="replace")

    @property
    def database(self) -> str:
        """The name given; without one it is the user's."""
        return self.parameters.get(b"database", b"").decode(errors="replace") or self.user

    def packet(self, door: Door) -> bytes:
        """The message for the server, with the database that is meant."""
        meant = None if self.is_cancel else door.database(self.database)
        if meant is None or meant == self.database:
            return self.head + self.rest
        given = self.parameters | {b"database": meant.encode()}
        body = b"".join(b"%b\0%b\0" % pair for pair in given.items() if pair[0]) + b"\0"
        return _HEAD.pack(_HEAD.size + len(body), self.code) + body


def _refusal(start: _Start, door: Door, address: str) -> bytes | None:
    """Why a session is not let in, as the client is told, if so."""
    if not start.encrypted:
        asked = f'host "{address}", user "{start.user}", database "{start.database}", no encryption'
        return _fatal("28000", f"no pg_hba.conf entry for {asked}")
    if start.code >> 16 == _PROTOCOL >> 16 and door.database(start.database) is None:
        return _fatal("3D000", f"no such database: {start.database}")
    return None


def _fatal(code: str, message: str) -> bytes:
    fields = ("SFATAL", "VFATAL", f"C{code}", f"M{message}")
    body = b"".join(text.encode() + b"\0" for text in fields) + b"\0"
    return b"E" + struct.pack("!I", 4 + len(body)) + body


async def _connected(door: Door) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    if (address := door.server()) is None:
        return None
    try:
        return await asyncio.open_connection(*address)
    except OSError:
        return None


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


async def _either(*directions: Awaitable[None]) -> None:
    """Until one direction ends: a session whose one side is gone is over."""
    running = [asyncio.ensure_future(direction) for direction in directions]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for direction in running:
            direction.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _part(writer: asyncio.StreamWriter) -> None:
    """Close a connection; what was written leaves first, and a side that does not say goodbye is not waited for."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await writer.wait_closed()
    writer.transport.abort()
