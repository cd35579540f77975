"""Object storage on loopback: moto in auth mode, in this process, with a request log and faults before it.

Keys and policies are enforced. Nothing is durable: when the process ends, objects and grants are gone. The Timeweb
simulator makes its buckets and users again with the same keys, and `up --refresh` puts the grants back. Three
accounts share the port: the one behind the Timeweb simulator, a plain S3-compatible one with users of its own, and the
offsite store, whose only user has nothing but its bucket.
"""

import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from moto import settings
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Request, Response

from sandbox.faults import SWITCHES, Fault, FaultBox
from sandbox.folder import REGION
from sandbox.s3_account import S3Account, forget_everything
from sandbox.simulators.control import FaultOrder
from sandbox.simulators.gate import CONTROL_PREFIX
from sandbox.simulators.server import HOST, bind

TIMEWEB_ACCOUNT = "000000000001"
PLAIN_ACCOUNT = "000000000002"
OFFSITE_ACCOUNT = "000000000003"
__all__ = ["OFFSITE_ACCOUNT", "PLAIN_ACCOUNT", "REGION", "TIMEWEB_ACCOUNT", "S3Request", "S3Server"]

_ACCESS_KEY = re.compile(r"Credential=([A-Z0-9]+)/")
_CODES: Mapping[int, str] = {
    401: "InvalidAccessKeyId",
    403: "AccessDenied",
    404: "NoSuchKey",
    422: "InvalidRequest",
    423: "OperationAborted",
    429: "SlowDown",
    500: "InternalError",
    503: "ServiceUnavailable",
}

StartResponse = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


@dataclass(frozen=True)
class S3Request:
    """One request: `action` for the IAM API, `user` by the access key; `status` is None when no answer was given."""

    n: int
    time: float
    method: str
    path: str
    action: str | None
    user: str | None
    status: int | None
    fault: str | None


class S3Server:
    """The store on a loopback port, served by threads of this process. One at a time: moto's tables are global."""

    def __init__(self, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        listener = bind(port, "object storage")
        self.port: int = listener.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self.faults = FaultBox()
        self.timeweb = S3Account(TIMEWEB_ACCOUNT, f"{HOST}:{self.port}")
        self.plain = S3Account(PLAIN_ACCOUNT, f"{HOST}:{self.port}")
        self.offsite = S3Account(OFFSITE_ACCOUNT, f"{HOST}:{self.port}")
        self._clock = clock
        self._lock = threading.Lock()
        self._log: list[S3Request] = []
        self._store: WsgiApp = DomainDispatcherApplication(create_backend_app)
        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        with listener:
            self._server: BaseWSGIServer = make_server(
                HOST, self.port, self._serve, threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the server and empty the store."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        forget_everything()
        settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")

    def reset(self) -> None:
        """Empty the store, the log and the faults."""
        forget_everything()
        self.faults.clear()
        self.forget_requests()

    def requests(self, action: str | None = None) -> list[S3Request]:
        """The log, or that of one IAM action."""
        with self._lock:
            return [entry for entry in self._log if action in (None, entry.action)]

    def forget_requests(self) -> None:
        """Empty the log alone."""
        with self._lock:
            self._log.clear()

    def _serve(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith(CONTROL_PREFIX):
            return self._control(Request(environ))(environ, start_response)
        action = _iam_action(environ)
        method: str = environ["REQUEST_METHOD"]
        fault = self.faults.take(method, f"{path}?Action={action}" if action else path)
        number = self._note(method, path, action, self._user(environ), fault)
        if fault is not None and fault.switch.stage == "slow":
            time.sleep(float(str(fault.options.get("seconds", 1))))
        refusal = _refusal(fault) if fault and fault.switch.stage == "instead" else _unsigned(environ)
        if refusal is not None:
            self._answered(number, refusal.status_code)
            return refusal(environ, start_response)
        if fault is not None and fault.switch.stage == "after":
            return self._spoil(fault, number, environ, start_response)

        def noted(status: str, *rest: Any) -> Any:  # noqa: ANN401 - WSGI's own signature
            self._answered(number, int(status.split(maxsplit=1)[0]))
            return start_response(status, *rest)

        return self._store(environ, noted)

    def _spoil(
        self, fault: Fault, number: int, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Let the work be done, then drop the connection or answer with the fault's status."""
        for _ in self._store(environ, lambda *_: lambda _: None):
            pass
        if fault.switch.status:
            self._answered(number, fault.switch.status)
            return _refusal(fault)(environ, start_response)
        connection: socket.socket = environ["werkzeug.socket"]
        connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError(fault.name)

    def _user(self, environ: dict[str, Any]) -> str | None:
        found = _ACCESS_KEY.search(environ.get("HTTP_AUTHORIZATION", ""))
        return found and (
            self.timeweb.owner_of(found[1]) or self.plain.owner_of(found[1]) or self.offsite.owner_of(found[1])
        )

    def _note(self, method: str, path: str, action: str | None, user: str | None, fault: Fault | None) -> int:
        with self._lock:
            number = len(self._log)
            self._log.append(
                S3Request(number + 1, self._clock(), method, path, action, user, None, fault.name if fault else None)
            )
        return number

    def _answered(self, number: int, status: int) -> None:
        with self._lock:
            if number < len(self._log):
                self._log[number] = replace(self._log[number], status=status)

    def _control(self, request: Request) -> Response:
        """The control endpoints, as on the simulators."""
        endpoints: Mapping[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "health"): lambda _: _json({"status": "ok"}),
            ("GET", "requests"): lambda _: _json([asdict(entry) for entry in self.requests()]),
            ("DELETE", "requests"): lambda _: self._empty(self.forget_requests),
            ("GET", "faults"): self._show_faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): lambda _: self._empty(self.faults.clear),
        }
        endpoint = endpoints.get((request.method, request.path.removeprefix(CONTROL_PREFIX)))
        return endpoint(request) if endpoint else _json({"error": "unknown path"}, 404)

    @staticmethod
    def _empty(act: Callable[[], None]) -> Response:
        act()
        return Response(status=204)

    def _show_faults(self, _request: Request) -> Response:
        switches = {name: switch.incident for name, switch in SWITCHES.items() if switch.stage != "rule"}
        return _json({"active": [asdict(each) for each in self.faults.active()], "switches": switches})

    def _add_fault(self, request: Request) -> Response:
        try:
            self.faults.add(FaultOrder.model_validate_json(request.get_data()).fault())
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        return Response(status=201)


class _QuietHandler(MotoRequestHandler):
    """Writes no line per request: the log is for that."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _iam_action(environ: dict[str, Any]) -> str | None:
    """The `Action` of a form in the IAM Query API; the body stays readable."""
    if environ["PATH_INFO"] != "/" or environ["REQUEST_METHOD"] != "POST":
        return None
    request = Request(environ)
    body = request.get_data(cache=True)
    environ["wsgi.input"] = io.BytesIO(body)
    return parse_qs(body.decode("utf-8", "replace")).get("Action", [None])[0]


def _refusal(fault: Fault) -> Response:
    if fault.name == "bare-404":
        return Response("<html><body><h1>404 Not Found</h1></body></html>", 404, mimetype="text/html")
    return _error(fault.switch.status, _CODES[fault.switch.status], fault.switch.message)


def _unsigned(environ: dict[str, Any]) -> Response | None:
    """The refusal of a request whose head is not signed; moto itself would fail on it."""
    if "HTTP_AUTHORIZATION" in environ:
        return None
    if "X-Amz-Signature" in environ.get("QUERY_STRING", ""):
        return _error(501, "NotImplemented", "the sandbox's object storage has no presigned addresses")
    return _error(403, "AccessDenied", "Access Denied")


def _error(status: int, code: str, message: str) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(f'<?xml version="1.0"?><ErrorResponse>{error}</ErrorResponse>', status, mimetype="text/xml")


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype="application/json")
