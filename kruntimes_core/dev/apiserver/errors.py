"""The errors of the API, worded as Kubernetes words them; it never decides when one is due."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

MAX_BODY = 3 * 1024 * 1024

CAUSES = {
    "FieldValueRequired": "Required value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueTypeInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
}
OMITTED: Any = object()
"""The value of a field too large to be shown."""
_WITHOUT_VALUE = {"FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong"}


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field."""

    reason: str
    path: str
    value: Any = None
    detail: str = ""

    @property
    def message(self) -> str:
        """The text without the field's path."""
        text = CAUSES[self.reason]
        if self.reason not in _WITHOUT_VALUE and self.value is not OMITTED:
            text += f": {_shown(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 512 else f"{text[:500]}..."


@dataclass(eq=False)
class ApiError(Exception):
    """A request that ends in a Status object other than success."""

    code: int
    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    def status(self) -> dict[str, Any]:
        """The body of the answer."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body |= {"message": self.message, "reason": self.reason}
        if self.details:
            body["details"] = self.details
        return body | {"code": self.code}


def qualified(group: str, plural: str) -> str:
    """`runs.kruntimes.io`, or `pods` in the core group."""
    return f"{plural}.{group}" if group else plural


def _details(group: str, plural: str, name: str) -> dict[str, Any]:
    return {"name": name} | ({"group": group} if group else {}) | {"kind": plural}


def not_found(group: str, plural: str, name: str) -> ApiError:
    """No such object."""
    text = f'{qualified(group, plural)} "{name}" not found'
    return ApiError(404, "NotFound", text, _details(group, plural, name))


def no_such_resource() -> ApiError:
    """A known group that has no such resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(group: str, plural: str, name: str) -> ApiError:
    """A create of a name that is taken."""
    text = f'{qualified(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, _details(group, plural, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, plural: str, name: str, why: str = MODIFIED) -> ApiError:
    """A write that was made against another version."""
    text = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", text, _details(group, plural, name))


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """An object with fields that are wrong."""
    texts = [str(error) for error in errors]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": e.reason, "message": e.message, "field": e.path} for e in errors]
    text = f'{qualified(group, kind)} "{name}" is invalid: {joined}'
    return ApiError(422, "Invalid", text, _details(group, kind, name) | {"causes": causes})


def rejected_patch(why: str) -> ApiError:
    """A JSON patch that does not fit the object."""
    text = "the server rejected our request due to an error in our request"
    return ApiError(
        422, "Invalid", text, {"causes": [{"reason": "UnexpectedServerResponse", "message": why}]}
    )


def bad_request(message: str) -> ApiError:
    """A request that cannot be read."""
    return ApiError(400, "BadRequest", message)


def forbidden(group: str, plural: str, name: str, why: str) -> ApiError:
    """A request that is understood and refused."""
    text = f'{qualified(group, plural)} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", text, _details(group, plural, name))


def unauthorized() -> ApiError:
    """No token, or a wrong one."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def not_allowed() -> ApiError:
    """A method this resource does not have."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
    )


def unsupported_media(accepted: Sequence[str], why: str = "") -> ApiError:
    """A body of a type this resource does not take."""
    text = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", text + ", ".join(accepted) + (f" ({why})" if why else ""))


def too_large() -> ApiError:
    """A body over the limit."""
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}")


def expired(message: str) -> ApiError:
    """A version that is no longer kept."""
    return ApiError(410, "Expired", message)


def too_old(asked: int, oldest: int) -> ApiError:
    """A watch from before what is kept."""
    return expired(f"too old resource version: {asked} ({oldest})")


def timeout(message: str) -> ApiError:
    """A version that did not come."""
    return ApiError(504, "Timeout", message)
