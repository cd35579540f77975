"""The Starlette application: routes the document's operations to their handlers, paced, behind the gate."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import FaultBox
from sandbox.simulators.control import create_control
from sandbox.simulators.gate import FAULT_KEY, Gate
from sandbox.simulators.neon.calls import Call
from sandbox.simulators.neon.errors import ApiError, refusal
from sandbox.simulators.neon.inventory import edit, forget, inventory
from sandbox.simulators.neon.state import State
from sandbox.simulators.neon.urls import OPERATIONS, PREFIX, Operation
from sandbox.simulators.pace import SlidingWindow
from sandbox.simulators.request_log import RequestLog

MINUTE = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How many requests a key may make in a minute, and a second on one route."""

    per_minute: int = 700
    per_second: int = 40


class _Windows:
    """The requests of the one key there is, on each route and together."""

    def __init__(self, pace: Pace, monotonic: Callable[[], float]) -> None:
        self._routes = SlidingWindow(pace.per_second, monotonic)
        self._key = SlidingWindow(pace.per_minute, monotonic, MINUTE)

    def admit(self, route: str) -> bool:
        return self._routes.admits(route) and self._key.admits("")


def create_app(
    state: State,
    key: str,
    log: RequestLog,
    faults: FaultBox,
    *,
    pace: Pace,
    monotonic: Callable[[], float] = time.monotonic,
) -> Gate:
    """The simulator as one ASGI application, control endpoints included."""
    windows = _Windows(pace, monotonic)
    api = Starlette(
        routes=[_route(operation, state, windows) for operation in OPERATIONS],
        exception_handlers={HTTPException: _unknown_path},
    )
    control = create_control(log, faults, lambda: inventory(state), lambda order: edit(state, order))
    return Gate(api, control, key, refusal, log, faults)


def _route(operation: Operation, state: State, windows: _Windows) -> Route:
    name = f"{operation.method} {operation.path}"

    async def endpoint(request: Request) -> Response:
        if not windows.admit(name):
            return refusal(429, "rate limit exceeded")
        call = Call(
            path=request.path_params,
            query=request.query_params.multi_items(),
            raw=await request.body(),
            fault=request.scope[FAULT_KEY],
        )
        return await run_in_threadpool(_answer, operation, state, call, request.headers.get("x-request-id"))

    return Route(PREFIX + operation.path, endpoint, methods=[operation.method])


def _answer(operation: Operation, state: State, call: Call, request_id: str | None) -> Response:
    if call.struck_by("gone"):
        forget(state, call.path)
    try:
        answer = operation.handler(state, call)
    except ApiError as error:
        return refusal(error.status, str(error), request_id)
    except Exception:
        logger.exception("%s %s failed in the simulator", operation.method, operation.path)
        return refusal(500, "internal server error", request_id)
    return Response(status_code=answer.status) if answer.body is None else JSONResponse(answer.body, answer.status)


def _unknown_path(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return refusal(status, "this path or method is not served")
