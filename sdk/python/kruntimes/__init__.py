"""What users of kruntimes import: the public names and nothing else."""

from typing import TYPE_CHECKING, Any

from kruntimes._client import Client, Handle
from kruntimes._defaults import use
from kruntimes._errors import (
    ApiError,
    CannotSend,
    Conflict,
    Forbidden,
    KruntimesError,
    NotConfigured,
    NotFound,
    Refused,
    RunCancelled,
    RunError,
    RunFailed,
    RunLost,
    RunTimeout,
    TaskFailed,
    Unreachable,
    WaitTimeout,
)
from kruntimes._models import Output, Raised, Reference, Result, Run, RunOptions, TaskOptions, Timings
from kruntimes._task import Task, TaskHandle, task
from kruntimes._transcript import LogPiece
from kruntimes._window import MapOptions, Progress

if TYPE_CHECKING:
    from kruntimes._async_client import AsyncClient, AsyncHandle
    from kruntimes._async_task import AsyncTask, AsyncTaskHandle

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncHandle",
    "AsyncTask",
    "AsyncTaskHandle",
    "CannotSend",
    "Client",
    "Conflict",
    "Forbidden",
    "Handle",
    "KruntimesError",
    "LogPiece",
    "MapOptions",
    "NotConfigured",
    "NotFound",
    "Output",
    "Progress",
    "Raised",
    "Reference",
    "Refused",
    "Result",
    "Run",
    "RunCancelled",
    "RunError",
    "RunFailed",
    "RunLost",
    "RunOptions",
    "RunTimeout",
    "Task",
    "TaskFailed",
    "TaskHandle",
    "TaskOptions",
    "Timings",
    "Unreachable",
    "WaitTimeout",
    "task",
    "use",
]

# These bring asyncio along, which those who do without need not pay for.
_LATER = {
    "AsyncClient": "kruntimes._async_client",
    "AsyncHandle": "kruntimes._async_client",
    "AsyncTask": "kruntimes._async_task",
    "AsyncTaskHandle": "kruntimes._async_task",
}


def __getattr__(name: str) -> Any:
    """Import an asynchronous name when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module 'kruntimes' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
