"""What Timeweb answers when it refuses: one error with a status, and the envelope it is sent in."""

from collections.abc import Mapping
from uuid import uuid4

from starlette.responses import JSONResponse, Response

ERROR_CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    422: "unprocessable_entity",
    423: "locked",
    429: "too_many_requests",
    500: "internal_server_error",
    503: "service_unavailable",
}


class ApiError(Exception):
    """A refusal: the HTTP status the vendor answers with, and its message.

    ApiError
    ├── BadRequestError   400: the document or a rule forbids it
    ├── NotFoundError     404: no such object, or no such path
    └── ConflictError     409: not in this state of the object
    """

    status = 500


class BadRequestError(ApiError):
    """The request is forbidden by the document or by a rule."""

    status = 400


class NotFoundError(ApiError):
    """There is no such object or path."""

    status = 404

    def __init__(self, message: str = "Resource not found") -> None:
        super().__init__(message)


class ConflictError(ApiError):
    """The object is not in a state that allows it."""

    status = 409


def envelope(status: int, message: str) -> Response:
    """The vendor's error body: `{status_code, error_code, message, response_id}`."""
    return JSONResponse(
        {"status_code": status, "error_code": ERROR_CODES[status], "message": message, "response_id": str(uuid4())},
        status,
    )
