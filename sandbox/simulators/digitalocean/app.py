"""The Starlette application: routes the document's operations to their handlers, paced, behind the gate."""

import logging
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import FaultBox
from sandbox.simulators.control import create_control
from sandbox.simulators.digitalocean.calls import Call
from sandbox.simulators.digitalocean.errors import TOO_MANY, ApiError, NotFoundError, envelope
from sandbox.simulators.digitalocean.inventory import edit, forget, inventory
from sandbox.simulators.digitalocean.limit import Limits, RateLimit
from sandbox.simulators.digitalocean.state import State
from sandbox.simulators.digitalocean.urls import OPERATIONS, Operation
from sandbox.simulators.gate import FAULT_KEY, Gate
from sandbox.simulators.request_log import RequestLog

logger = logging.getLogger(__name__)


def create_app(state: State, token: str, log: RequestLog, faults: FaultBox, limits: Limits) -> Gate:
    """The simulator as one ASGI application, control endpoints included; every answer tells the rate limit."""
    limit = RateLimit(limits, state.clock)

    def refuse(status: int, message: str) -> Response:
        return envelope(status, message, limit.headers())

    def unknown_path(_request: Request, _error: Exception) -> Response:
        # An unknown path and a method a path does not have are the same to this vendor.
        return refuse(NotFoundError.status, str(NotFoundError()))

    api = Starlette(
        routes=[_route(operation, state, limit) for operation in OPERATIONS],
        exception_handlers={HTTPException: unknown_path},
    )
    control = create_control(log, faults, partial(inventory, state), partial(edit, state))
    return Gate(api, control, token, refuse, log, faults)


def _route(operation: Operation, state: State, limit: RateLimit) -> Route:
    async def endpoint(request: Request) -> Response:
        if wait := limit.wait():
            return envelope(TOO_MANY, "API rate limit exceeded.", limit.headers() | {"retry-after": str(wait)})
        call = Call(
            path=request.path_params,
            query=dict(request.query_params),
            raw=await request.body(),
            url=str(request.url.replace(query="")),
            fault=request.scope[FAULT_KEY],
        )
        return await run_in_threadpool(_answer, operation, state, limit, call)

    return Route(operation.path, endpoint, methods=[operation.method])


def _answer(operation: Operation, state: State, limit: RateLimit, call: Call) -> Response:
    headers = limit.headers()
    if call.struck_by("gone"):
        forget(state, call.path)
    if call.struck_by("delete-ignored"):
        return Response(status_code=204, headers=headers)
    try:
        answer = operation.handler(state, call)
    except ApiError as error:
        return envelope(error.status, str(error), headers)
    except Exception:
        logger.exception("%s %s failed in the simulator", operation.method, operation.path)
        return envelope(500, "The server had an error.", headers)
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    return JSONResponse(answer.body, answer.status, headers)
