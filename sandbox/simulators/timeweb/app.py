"""The Starlette application: routes the document's operations to their handlers, paced, behind the gate."""

import logging
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import FaultBox
from sandbox.simulators.control import create_control
from sandbox.simulators.gate import FAULT_KEY, Gate
from sandbox.simulators.pace import SlidingWindow
from sandbox.simulators.request_log import RequestLog
from sandbox.simulators.timeweb.calls import Call
from sandbox.simulators.timeweb.errors import ApiError, envelope
from sandbox.simulators.timeweb.inventory import edit, forget, inventory
from sandbox.simulators.timeweb.state import State
from sandbox.simulators.timeweb.urls import OPERATIONS, UNDOCUMENTED, Operation

REQUESTS_PER_SECOND = 20

logger = logging.getLogger(__name__)


def create_app(
    state: State,
    token: str,
    log: RequestLog,
    faults: FaultBox,
    *,
    requests_per_second: int = REQUESTS_PER_SECOND,
    monotonic: Callable[[], float] = time.monotonic,
) -> Gate:
    """The simulator as one ASGI application, control endpoints included."""
    pace = SlidingWindow(requests_per_second, monotonic)
    api = Starlette(
        routes=[_route(operation, state, pace) for operation in (*OPERATIONS, *UNDOCUMENTED)],
        exception_handlers={HTTPException: _unknown_path},
    )
    control = create_control(log, faults, lambda: inventory(state), lambda order: edit(state, order))
    return Gate(api, control, token, envelope, log, faults)


def _route(operation: Operation, state: State, pace: SlidingWindow) -> Route:
    key = f"{operation.method} {operation.path}"

    async def endpoint(request: Request) -> Response:
        if not pace.admits(key):
            return envelope(429, "Too many requests")
        call = Call(
            path=request.path_params,
            query=dict(request.query_params),
            raw=await request.body(),
            fault=request.scope[FAULT_KEY],
        )
        return await run_in_threadpool(_answer, operation, state, call)

    return Route(operation.path, endpoint, methods=[operation.method])


def _answer(operation: Operation, state: State, call: Call) -> Response:
    if call.struck_by("gone"):
        forget(state, call.path)
    if call.struck_by("delete-ignored"):
        return Response(status_code=204)
    try:
        answer = operation.handler(state, call)
    except ApiError as error:
        return envelope(error.status, str(error))
    except Exception:
        logger.exception("%s %s failed in the simulator", operation.method, operation.path)
        return envelope(500, "Internal server error")
    return Response(status_code=answer.status) if answer.body is None else JSONResponse(answer.body, answer.status)


def _unknown_path(_request: Request, _error: Exception) -> Response:
    # An unknown path and a method a path does not have are the same to this vendor.
    return envelope(404, "Resource not found")
