"""What every request passes before the vendor's rules see it: request log, faults, token."""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import Fault, FaultBox
from sandbox.simulators.request_log import RequestLog

CONTROL_PREFIX = "/_sandbox/"
FAULT_KEY = "sandbox.fault"
_LOOPBACK = "127.0.0.1"
_BARE_BODY = "<html><body><h1>404 Not Found</h1></body></html>"

Refusal = Callable[[int, str], Response]


@dataclass(frozen=True)
class Gate:
    """The outermost application of a simulator.

    `app` serves the vendor's API, `control` what is under `/_sandbox/`; `refuse` words an error as the vendor does.
    """

    app: ASGIApp
    control: ASGIApp
    token: str
    refuse: Refusal
    log: RequestLog
    faults: FaultBox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"]
        if path.startswith(CONTROL_PREFIX):
            await self._serve_control(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            # Who ends while it is still asking has asked for nothing.
            return
        fault = self.faults.take(request.method, path)
        number = self.log.arrived(request.method, path, request.url.query, body, fault.name if fault else None)
        if fault is not None and fault.switch.stage == "after":
            await self._spoil(fault, number, request, body, send)
            return
        answer = await self._before(fault, request)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.log.answered(number, message["status"])
            await send(message)

        scope[FAULT_KEY] = fault
        await (answer or self.app)(scope, _replay(body), noted)

    async def _serve_control(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        allowed = client is not None and client[0] == _LOOPBACK
        await (self.control if allowed else self.refuse(403, "Only for this machine"))(scope, receive, send)

    async def _before(self, fault: Fault | None, request: Request) -> Response | None:
        """The answer that is given without asking the vendor's rules, or None."""
        if fault is not None and fault.switch.stage == "slow":
            await asyncio.sleep(float(str(fault.options.get("seconds", 1))))
        if fault is not None and fault.switch.stage == "instead":
            if fault.name == "bare-404":
                return Response(_BARE_BODY, 404, media_type="text/html")
            return self.refuse(fault.switch.status, fault.switch.message)
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            return self.refuse(401, "Unauthorized")
        return None

    async def _spoil(self, fault: Fault, number: int, request: Request, body: bytes, send: Send) -> None:
        """Let the work be done, then drop the connection or answer with the fault's status."""
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)

        request.scope[FAULT_KEY] = None
        await (await self._before(None, request) or self.app)(request.scope, _replay(body), hold)
        if fault.switch.status:
            self.log.answered(number, fault.switch.status)
            await self.refuse(fault.switch.status, fault.switch.message)(request.scope, request.receive, send)
            return
        await _hang_up(request.receive, send)


async def _hang_up(receive: Receive, send: Send) -> None:
    """End the connection without an answer. ASGI has no word for it, so the server's own transport is closed."""
    cycle = getattr(send, "__self__", None)
    if cycle is None:
        raise RuntimeError("a lost response needs uvicorn's connection: serve the simulator by uvicorn")
    cycle.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
