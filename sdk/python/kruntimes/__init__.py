"""What users of kruntimes import: the public names and nothing else."""

from kruntimes._client import Client, Handle
from kruntimes._errors import (
    ApiError,
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
    Unreachable,
    WaitTimeout,
)
from kruntimes._models import Output, Raised, Result, Run, RunOptions, Timings

__all__ = [
    "ApiError",
    "Client",
    "Conflict",
    "Forbidden",
    "Handle",
    "KruntimesError",
    "NotConfigured",
    "NotFound",
    "Output",
    "Raised",
    "Refused",
    "Result",
    "Run",
    "RunCancelled",
    "RunError",
    "RunFailed",
    "RunLost",
    "RunOptions",
    "RunTimeout",
    "Timings",
    "Unreachable",
    "WaitTimeout",
]
