"""The errors a user of the SDK can meet; raises none itself.

The whole tree::

    KruntimesError
      x NotConfigured       no cluster is configured, or the configuration cannot be used
      x Unreachable         the API server gave no answer, or none that can be used
      x ApiError            the API server answered no
        + NotFound          there is no such object
        + Conflict          an object of that name exists, or somebody wrote first
        + Forbidden         this user may not do that
        + Refused           the object breaks a rule of the API; `rule` and `field` say which
      x WaitTimeout         the wait was over before the Run was (also a TimeoutError); the Run goes on
      x RunError            the Run ended, and not well; `result` has all that is known of it
        + RunFailed         its program failed, or could not be started
        + RunTimeout        it took longer than its own timeout
        + RunCancelled      somebody cancelled it
        + RunLost           its member was lost, more often than it may be requeued
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kruntimes._models import Result


class KruntimesError(Exception):
    """Anything the SDK raises on purpose."""


class NotConfigured(KruntimesError):
    """No cluster is configured, or the configuration cannot be used."""


class Unreachable(KruntimesError):
    """The API server gave no answer. What was asked for may have happened, or not."""


class ApiError(KruntimesError):
    """The API server answered no; `status` and `reason` are its own."""

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """An object of that name exists already, or somebody else wrote first."""


class Forbidden(ApiError):
    """This user may not do that."""


class Refused(ApiError):
    """The object breaks a rule of the API: `rule` is its text, `field` the field it is about, if known."""

    def __init__(self, message: str, status: int = 0, reason: str = "", *, rule: str, field: str) -> None:
        super().__init__(message, status, reason)
        self.rule = rule
        self.field = field


class WaitTimeout(KruntimesError, TimeoutError):
    """The wait was over before the Run was; the Run goes on."""


class RunError(KruntimesError):
    """The Run ended, and not well."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


class RunFailed(RunError):
    """Its program failed, or could not be started."""


class RunTimeout(RunError):
    """It took longer than its own timeout."""


class RunCancelled(RunError):
    """Somebody cancelled it."""


class RunLost(RunError):
    """Its member was lost, more often than it may be requeued."""
