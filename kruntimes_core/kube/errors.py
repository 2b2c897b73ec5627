"""What can go wrong at the API server, in our words: one table from Kubernetes' Status; never retries."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class ApiError(Exception):
    """The API server did not do what was asked; `code` is the HTTP status, 0 when there was no answer."""

    def __init__(
        self, message: str, code: int = 0, reason: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.retry_after = retry_after


class NotFound(ApiError):
    """No such object, or no such kind."""


class AlreadyExists(ApiError):
    """An object of that name is there already: read it and see whether it is ours."""


class Conflict(ApiError):
    """Someone wrote first, or a precondition did not hold; nothing was written."""


class Invalid(ApiError):
    """The object breaks a rule of its kind; the message names the field."""


class BadRequest(ApiError):
    """The request itself is malformed, of a wrong type, or too large: a fault of the program that sent it."""


class Expired(ApiError):
    """The resourceVersion or continue token is too old: list anew."""


class Unauthorized(ApiError):
    """The API server does not know us: the token or certificate is wrong or ran out."""


class Forbidden(ApiError):
    """The API server knows us and does not let us; a policy or a missing right."""


class TooManyRequests(ApiError):
    """The API server asks to come back later; nothing was done."""


class ServerFault(ApiError):
    """The API server failed; whether a write was done is unknown."""


class Unreachable(ApiError):
    """There was no answer; whether a write was done is unknown."""


BY_REASON: Mapping[str, type[ApiError]] = {
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Invalid": Invalid,
    "Gone": Expired,
    "Expired": Expired,
    "Unauthorized": Unauthorized,
    "Forbidden": Forbidden,
    "TooManyRequests": TooManyRequests,
    "BadRequest": BadRequest,
    "MethodNotAllowed": BadRequest,
    "NotAcceptable": BadRequest,
    "RequestEntityTooLarge": BadRequest,
    "UnsupportedMediaType": BadRequest,
    "InternalError": ServerFault,
    "ServerTimeout": ServerFault,
    "Timeout": ServerFault,
    "ServiceUnavailable": ServerFault,
}
BY_CODE: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: BadRequest,
    406: BadRequest,
    409: Conflict,
    410: Expired,
    413: BadRequest,
    415: BadRequest,
    422: Invalid,
    429: TooManyRequests,
}


class Cause(msgspec.Struct):
    """What is wrong with one field."""

    field: str = ""


class Details(msgspec.Struct):
    """The part of a Status that names fields."""

    causes: list[Cause] | None = None


class Status(msgspec.Struct):
    """The part of a Kubernetes Status that decides which error it is."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None

    def is_about_another(self) -> bool:
        """Whether a patch was refused because it named the UID of another object: a precondition."""
        causes = (self.details and self.details.causes) or ()
        return any(cause.field == "metadata.uid" for cause in causes)


def from_status(status: Status, retry_after: float | None = None) -> ApiError:
    """Name the error a Status tells of: its reason decides, then its code."""
    fallback = BY_CODE.get(status.code, ServerFault)
    kind = Conflict if status.is_about_another() else BY_REASON.get(status.reason, fallback)
    return kind(
        status.message or f"the API server answered {status.code}", status.code, status.reason, retry_after
    )


def from_response(code: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """Name the error an HTTP response tells of; bodies that are no Status (a proxy's page) are quoted."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        status = Status(message=body[:500].decode(errors="replace").strip())
    status.code = code
    return from_status(status, _seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
