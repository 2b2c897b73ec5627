"""What an author of a runtime server writes and what the kit hands over; never talks gRPC, keeps no state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple, Protocol

from kruntimes.runtime.v1.capabilities_pb2 import Capabilities, Limits
from kruntimes.runtime.v1.types_pb2 import RunSpec, Usage

STDOUT: Final = "stdout"
STDERR: Final = "stderr"
SYSTEM: Final = "system"
CHANNELS: Final = (STDOUT, STDERR, SYSTEM)


class RunKey(NamedTuple):
    """One try of one Run: its UID and its one-based attempt."""

    uid: str
    attempt: int


class ErrorKind(IntEnum):
    """Who is to blame; the numbers of kruntimes.runtime.v1.ErrorKind."""

    USER_CODE = 1
    USER_INPUT = 2
    RESOURCE_LIMIT = 3
    TIME_LIMIT = 4
    CANCELLED = 5
    INFRASTRUCTURE = 6
    SERVER = 7


class RetryAdvice(IntEnum):
    """What the control plane may do next; the numbers of kruntimes.runtime.v1.RetryAdvice."""

    UNSPECIFIED = 0
    RETRY = 1
    RETRY_ELSEWHERE = 2
    NEVER = 3


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a Run failed. `reason` is UPPER_SNAKE, at most 64 bytes; the kit cuts `message` (4 KiB) and
    `trace` (32 KiB, its end is kept) to their bounds and makes all text valid UTF-8."""

    kind: ErrorKind
    reason: str
    message: str = ""
    retry: RetryAdvice = RetryAdvice.UNSPECIFIED
    exception_type: str = ""
    trace: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """How the work of a Run ended; at most one of `exit_code` and `signal` is set.

    Without `error` the kit derives it: exit code 0, or neither code nor signal, succeeded; any other code is
    USER_CODE NON_ZERO_EXIT, a signal USER_CODE KILLED_BY_SIGNAL, `oom_killed` RESOURCE_LIMIT OUT_OF_MEMORY.
    A stop that the kit asked for decides the terminal state, unless `before_stop` says that the program had
    ended by itself before the stop reached it. `outputs` (32 KiB together) and `value` (16 KiB, media type
    `value_type`) over their bounds end the Run FAILED with RESULT_TOO_LARGE.
    """

    exit_code: int | None = None
    signal: int | None = None
    oom_killed: bool = False
    error: RunError | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    value: bytes | None = None
    value_type: str = "application/json"
    usage: Usage | None = None
    before_stop: bool = False


class Code(StrEnum):
    """The gRPC codes a refusal may carry, by name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    UNAVAILABLE = "UNAVAILABLE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    INTERNAL = "INTERNAL"


class Refusal(Exception):
    """A call is refused and leaves no trace; the kit answers with `code`, `reason` and `message`.

    `reason` is UPPER_SNAKE, at most 64 bytes; `retry_after`, in seconds, is for RESOURCE_EXHAUSTED and
    UNAVAILABLE.
    """

    def __init__(self, code: Code, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class LoadFailure(Exception):
    """The program of an accepted Run cannot be loaded: FAILED, USER_INPUT, advice NEVER, with this reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Description:
    """What a server is and can do; fixed for the life of the process.

    `name` is reverse DNS. Of `capabilities` the author fills `workload`, `scheduling.resources` and, where
    they hold, `isolation`, `usage` and `extensions`; the kit fills `watch`, `output`, `drain` and the rest of
    `scheduling` (LOCAL, FIXED, PROCESS). `capacity` holds amounts in base units and names nothing that
    `scheduling.resources` lacks. A zero in `limits` means the protocol's default. Schemas are JSON text,
    2020-12; an empty one means that no such settings are taken. `termination_grace` is in seconds, for Runs
    that name none. `max_outstanding_runs` bounds Runs that are not terminal; zero means none.
    """

    name: str
    version: str
    capabilities: Capabilities
    capacity: Mapping[str, int]
    limits: Limits = field(default_factory=Limits)
    parameters_schema: str = ""
    config_schema: str = ""
    termination_grace: float = 10.0
    max_outstanding_runs: int = 0


class StartedRun(Protocol):
    """A Run that the kit has accepted, as the author sees it. Use it on the event loop's thread only."""

    @property
    def key(self) -> RunKey:
        """Names the try; unique in the life of the server."""

    @property
    def spec(self) -> RunSpec:
        """The checked spec; read it, never change it."""

    def write(self, channel: str, data: bytes) -> None:
        """Append any bytes to `stdout`, `stderr` or `system`; never blocks; past the bound they drop."""

    def running(self) -> None:
        """User code begins now: state RUNNING, and the execution time limit starts. Call it once."""


class Execution(Protocol):
    """One Run under way. `stop` and `kill` may come in any order, more than once, and after the end."""

    def stop(self) -> None:
        """Ask the whole tree to end; never blocks."""

    def kill(self) -> None:
        """Force the whole tree to end; never blocks."""

    async def wait(self) -> End:
        """Return when nothing of the Run is left running and all its output was written. Called once, and
        cancelled only when the process must go although a hard stop did not help.

        An exception other than LoadFailure is a bug of the server: FAILED, SERVER, SERVER_ERROR.
        """


class RuntimeServer(Protocol):
    """A runtime server. The kit owns keys, limits, capacity, output, Watch; the author owns the programs."""

    @property
    def description(self) -> Description:
        """What it is and can do; the same answer for the life of the process."""

    def configure(self, config: Mapping[str, object]) -> None:
        """Take the settings of the Runtime object, checked against `config_schema`; never blocks. Called at
        most once, and maybe after the first Run. Raise Refusal INVALID_ARGUMENT to refuse them."""

    def check(self, spec: RunSpec) -> None:
        """Raise Refusal if this spec can never run here; the kit checked bounds, abilities and schema."""

    async def start(self, run: StartedRun) -> Execution:
        """Begin a Run. Keep it bounded: a stop is delivered when it has returned, and nothing cancels it.

        Raise LoadFailure for a program that cannot be loaded; any other exception is a bug of the server.
        """

    async def close(self) -> None:
        """Let go of everything; called once, after the last Run has ended or was killed."""
