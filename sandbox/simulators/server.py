"""An ASGI application on a loopback port, served by uvicorn in a thread of this process."""

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
_START_SECONDS = 10
_ANSWER_SECONDS = 2


class PortTakenError(Exception):
    """The port asked for is in use; the text names it."""


class _PromptServer(uvicorn.Server):
    """Ends as soon as it is told to: uvicorn takes up to 0.2 s, and hundreds of tests would wait for it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def main_loop(self) -> None:
        """Tick once a second until the end."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self.ready.set()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is idle, and wait a moment for answers that are being made."""
        for closing in (*self.servers, *(sockets or ())):
            closing.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_ANSWER_SECONDS)
        await asyncio.sleep(0)

    def end(self) -> None:
        """End the server, from any thread."""
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._ended.set)


@dataclass(frozen=True)
class AppServer:
    """A running server; `stop` returns when its thread has ended."""

    port: int
    _server: _PromptServer
    _thread: threading.Thread

    @property
    def url(self) -> str:
        """Its base URL, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        """End open connections and the thread."""
        self._server.end()
        self._thread.join()


def bind(port: int, purpose: str) -> socket.socket:
    """A listening socket on the port (0: any free one); PortTakenError names the purpose when it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it: without it a head and a body sent apart cost 40 ms an answer.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(f"port {port} for {purpose} is taken by another program; choose another port") from error
    listener.listen(128)
    return listener


def serve_app(app: ASGIApp, port: int = 0, purpose: str = "the simulator") -> AppServer:
    """Serve the application until `stop`; returns when it answers."""
    listener = bind(port, purpose)
    config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_level="error", access_log=False)
    server = _PromptServer(config)
    thread = threading.Thread(target=_run, args=(server, listener), daemon=True)
    thread.start()
    if not server.ready.wait(_START_SECONDS):
        raise RuntimeError(f"{purpose} did not start")
    return AppServer(listener.getsockname()[1], server, thread)


def _run(server: _PromptServer, listener: socket.socket) -> None:
    sockets: list[Any] = [listener]
    try:
        server.run(sockets=sockets)
    finally:
        listener.close()
