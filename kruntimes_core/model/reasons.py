"""The closed set of words that say why a Run is where it is; it explains none of them to people."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What `status.reason` and `retryableReasons` may hold."""

    # A Run that waits.
    NO_SUCH_RUNTIME = "NoSuchRuntime"
    NO_READY_MEMBER = "NoReadyMember"
    NO_ROOM = "NoRoom"
    NEVER_FITS = "NeverFits"
    BACKING_OFF = "BackingOff"
    SERVER_FULL = "ServerFull"
    DRAINING = "Draining"
    NOT_READY = "NotReady"
    EXCEEDS_TOTAL = "ExceedsTotal"
    START_DEADLINE = "StartDeadline"
    # The end of a Run, and why an attempt was over.
    NON_ZERO_EXIT = "NonZeroExit"
    KILLED_BY_SIGNAL = "KilledBySignal"
    TIME_LIMIT = "TimeLimit"
    QUEUE_TIME_LIMIT = "QueueTimeLimit"
    CANCELLED = "Cancelled"
    MISSING_PROGRAM = "MissingProgram"
    SOURCE_NOT_FOUND = "SourceNotFound"
    SOURCE_INVALID = "SourceInvalid"
    PARAMETERS_INVALID = "ParametersInvalid"
    SPEC_INVALID = "SpecInvalid"
    SPEC_MISMATCH = "SpecMismatch"
    NOT_SUPPORTED = "NotSupported"
    UNCAUGHT_EXCEPTION = "UncaughtException"
    OUTPUTS_INVALID = "OutputsInvalid"
    RESULT_INVALID = "ResultInvalid"
    RESULT_TOO_LARGE = "ResultTooLarge"
    OUT_OF_MEMORY = "OutOfMemory"
    DISK_FULL = "DiskFull"
    TOO_MANY_PROCESSES = "TooManyProcesses"
    MEMBER_LOST = "MemberLost"
    SERVER_LOST = "ServerLost"
    DAEMON_LOST = "DaemonLost"
    DRAINED = "Drained"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    WORKSPACE_FAILED = "WorkspaceFailed"
    ISOLATION_UNAVAILABLE = "IsolationUnavailable"
    SERVER_ERROR = "ServerError"
    FAILED = "Failed"


_BY_WIRE = {reason.name: reason for reason in Reason}


def from_wire(word: str, otherwise: Reason) -> Reason:
    """Return the reason a server's UPPER_SNAKE word stands for; words of its own become `otherwise`.

    The message keeps what the server said, so that nothing is lost by the set being closed.
    """
    return _BY_WIRE.get(word, otherwise)
