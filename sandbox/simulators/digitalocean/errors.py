"""What DigitalOcean answers when it refuses: one error with a status, and the body it is sent in."""

from collections.abc import Mapping
from uuid import uuid4

from starlette.responses import JSONResponse, Response

ERROR_IDS: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    412: "precondition_failed",
    422: "unprocessable_entity",
    423: "locked",
    429: "too_many_requests",
    500: "server_error",
    503: "service_unavailable",
}
TOO_MANY = 429
_USUAL_WAIT_SECONDS = 1


class ApiError(Exception):
    """A refusal: the HTTP status the vendor answers with, and its message.

    ApiError
    ├── BadRequestError     400: the body is no JSON object
    ├── NotFoundError       404: no such object, or no such path
    ├── PreconditionError   412: not in this state of the cluster
    └── UnprocessableError  422: the document or a rule forbids it
    """

    status = 500


class BadRequestError(ApiError):
    """The body cannot be read."""

    status = 400


class NotFoundError(ApiError):
    """There is no such object or path."""

    status = 404

    def __init__(self, message: str = "The resource you requested could not be found.") -> None:
        super().__init__(message)


class PreconditionError(ApiError):
    """The cluster is not in a state that allows it."""

    status = 412


class UnprocessableError(ApiError):
    """The request is forbidden by the document or by a rule."""

    status = 422


def envelope(status: int, message: str, headers: Mapping[str, str]) -> Response:
    """The vendor's error body: `{id, message, request_id}`; a 429 says when to come again."""
    wait = {"retry-after": str(_USUAL_WAIT_SECONDS)} if status == TOO_MANY else {}
    body = {"id": ERROR_IDS[status], "message": message, "request_id": str(uuid4())}
    return JSONResponse(body, status, {**wait, **headers})
