"""What Neon answers when it refuses: one error with a status, and the body it is sent in."""

from uuid import uuid4

from starlette.responses import JSONResponse, Response

LOCKED = "project already has running conflicting operations, scheduling of new ones is prohibited"


class ApiError(Exception):
    """A refusal: the HTTP status the vendor answers with, and its message.

    ApiError
    ├── BadRequestError      400: the document or a rule forbids it
    ├── ForbiddenError       403: not with this key
    ├── NotFoundError        404: no such object, or no such path
    ├── RangeError           406: a range of time that is not offered
    ├── ConflictError        409: there is one of that name
    ├── PreconditionError    412: the project does not keep what is asked for
    ├── UnprocessableError   422: not with this object
    └── LockedError          423: an operation of the project is not done yet
    """

    status = 500


class BadRequestError(ApiError):
    """The request is forbidden by the document or by a rule."""

    status = 400


class ForbiddenError(ApiError):
    """The key does not reach that far."""

    status = 403


class NotFoundError(ApiError):
    """There is no such object or path."""

    status = 404


class RangeError(ApiError):
    """The vendor has no figures for that time."""

    status = 406


class ConflictError(ApiError):
    """There is an object of that name."""

    status = 409


class PreconditionError(ApiError):
    """The project is not set up for it."""

    status = 412


class UnprocessableError(ApiError):
    """A rule of the vendor's forbids it for this object."""

    status = 422


class LockedError(ApiError):
    """Another operation of the project is not done yet: always safe to repeat later."""

    status = 423

    def __init__(self) -> None:
        super().__init__(LOCKED)


def refusal(status: int, message: str, request_id: str | None = None) -> Response:
    """The vendor's error body: `{request_id, code, message}`; the code may be empty, and here is."""
    return JSONResponse({"request_id": request_id or str(uuid4()), "code": "", "message": message}, status)
