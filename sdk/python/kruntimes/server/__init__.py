"""The kit for authors of runtime servers: the names an author imports, and nothing else."""

from kruntimes.server.author import (
    CHANNELS,
    STDERR,
    STDOUT,
    SYSTEM,
    Code,
    Description,
    End,
    ErrorKind,
    Execution,
    LoadFailure,
    Refusal,
    RetryAdvice,
    RunError,
    RunKey,
    RuntimeServer,
    StartedRun,
)

__all__ = [
    "CHANNELS",
    "STDERR",
    "STDOUT",
    "SYSTEM",
    "Code",
    "Description",
    "End",
    "ErrorKind",
    "Execution",
    "LoadFailure",
    "Refusal",
    "RetryAdvice",
    "RunError",
    "RunKey",
    "RuntimeServer",
    "StartedRun",
]
