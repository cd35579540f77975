"""The control endpoints under `/_sandbox/`: request log, inventory, faults, and edits behind the caller's back."""

from collections.abc import Callable, Mapping
from dataclasses import asdict

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import SWITCHES, Fault, FaultBox, fault
from sandbox.simulators.request_log import RequestLog

Inventory = Mapping[str, list[dict[str, object]]]


class Edit(BaseModel):
    """A change made behind the caller's back: new values for fields of one object, or its removal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    id: int | str
    set: Mapping[str, object] = Field(default_factory=dict)
    delete: bool = False


class FaultOrder(BaseModel):
    """A request to turn a fault on; what is left out comes from the table of switches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    method: str | None = None
    path: str | None = None
    times: int | None = None
    skip: int = 0
    options: Mapping[str, object] = Field(default_factory=dict)

    def fault(self) -> Fault:
        """The fault asked for; ValueError when there is no such switch."""
        return fault(
            self.name, method=self.method, path=self.path, times=self.times, skip=self.skip, options=self.options
        )


def create_control(
    log: RequestLog, faults: FaultBox, inventory: Callable[[], Inventory], edit: Callable[[Edit], None]
) -> Starlette:
    """The application for `/_sandbox/`. `edit` raises LookupError for an unknown object, ValueError for a bad value."""

    def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    def requests(_request: Request) -> Response:
        return JSONResponse([asdict(entry) for entry in log.entries()])

    def forget_requests(_request: Request) -> Response:
        log.clear()
        return Response(status_code=204)

    def show_inventory(_request: Request) -> Response:
        return JSONResponse(inventory())

    def show_faults(_request: Request) -> Response:
        return JSONResponse(
            {
                "active": [asdict(active) for active in faults.active()],
                "switches": {name: switch.incident for name, switch in SWITCHES.items()},
            }
        )

    async def add_fault(request: Request) -> Response:
        faults.add(FaultOrder.model_validate_json(await request.body()).fault())
        return Response(status_code=201)

    def clear_faults(_request: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    async def edit_object(request: Request) -> Response:
        await run_in_threadpool(edit, Edit.model_validate_json(await request.body()))
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/_sandbox/health", health, methods=["GET"]),
            Route("/_sandbox/requests", requests, methods=["GET"]),
            Route("/_sandbox/requests", forget_requests, methods=["DELETE"]),
            Route("/_sandbox/inventory", show_inventory, methods=["GET"]),
            Route("/_sandbox/faults", show_faults, methods=["GET"]),
            Route("/_sandbox/faults", add_fault, methods=["POST"]),
            Route("/_sandbox/faults", clear_faults, methods=["DELETE"]),
            Route("/_sandbox/edit", edit_object, methods=["POST"]),
        ],
        exception_handlers={LookupError: _not_found, ValueError: _refused, ValidationError: _refused},
    )


def _not_found(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404)


def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)
