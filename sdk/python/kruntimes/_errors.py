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
      x CannotSend          a task or its arguments cannot travel; nothing was submitted
      x WaitTimeout         the wait was over before the Run was (also a TimeoutError); the Run goes on
      x RunError            the Run ended, and not well; `result` has all that is known of it
        + RunFailed         its program failed, or could not be started
          - TaskFailed      its program raised an exception (also that one, if it is a builtin of Python)
        + RunTimeout        it took longer than its own timeout
        + RunCancelled      somebody cancelled it
        + RunLost           its member was lost, more often than it may be requeued
"""

from __future__ import annotations

import builtins
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kruntimes._models import Raised, Result

# These mean something to whoever is passed by them, or are made of more than a text.
NEVER_AS = (StopIteration, StopAsyncIteration, UnicodeError, BaseExceptionGroup)


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be pickled, its named arguments included."""
        make = functools.partial(type(self), rule=self.rule, field=self.field)
        return make, (str(self), self.status, self.reason)


class CannotSend(KruntimesError):
    """A task or its arguments cannot travel; nothing was submitted."""


class WaitTimeout(KruntimesError, TimeoutError):
    """The wait was over before the Run was; the Run goes on."""


class RunError(KruntimesError):
    """The Run ended, and not well."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be pickled, its result included."""
        return type(self), (self.args[0], self.result)


class RunFailed(RunError):
    """Its program failed, or could not be started."""


class TaskFailed(RunFailed):
    """Its program raised an exception; its text ends with the trace from there."""

    @property
    def exception(self) -> Raised:
        """Type name, message and trace of the exception."""
        if self.result.exception is None:
            raise AssertionError("a TaskFailed is made of an exception")
        return self.result.exception

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be pickled: its class may be one that was made for it."""
        return task_failed, (self.args[0], self.result)


class RunTimeout(RunError):
    """It took longer than its own timeout."""


class RunCancelled(RunError):
    """Somebody cancelled it."""


class RunLost(RunError):
    """Its member was lost, more often than it may be requeued."""


def task_failed(message: str, result: Result) -> TaskFailed:
    """Return the TaskFailed of a result; `except ValueError` catches it too if that is what was raised."""
    return _task_failed_as(result.exception.type if result.exception else "")(message, result)


@functools.cache
def _task_failed_as(name: str) -> type[TaskFailed]:
    found = getattr(builtins, name, None)
    if not isinstance(found, type) or not issubclass(found, Exception) or issubclass(found, NEVER_AS):
        return TaskFailed
    return type("TaskFailed", (TaskFailed, found), {"__module__": __name__, "__doc__": TaskFailed.__doc__})
