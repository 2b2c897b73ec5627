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
from kruntimes.server.place import Place
from kruntimes.server.serve import serve, serving

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
    "Place",
    "Refusal",
    "RetryAdvice",
    "RunError",
    "RunKey",
    "RuntimeServer",
    "StartedRun",
    "serve",
    "serving",
]
