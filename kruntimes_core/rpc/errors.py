"""What a failed call to a runtime server means to us; only this code knows gRPC codes and error details."""

from enum import StrEnum
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

DOMAIN: Final = "runtime.kruntimes.io"
DETAILS: Final = "grpc-status-details-bin"


class Meaning(StrEnum):
    """What we may conclude; all but UNKNOWN and TOO_MUCH are definite: the call had no effect."""

    INVALID = "Invalid"  # these inputs are wrong, or ask for what the server cannot do
    NOT_FOUND = "NotFound"
    MISMATCH = "Mismatch"  # the key is taken by other inputs
    PRECONDITION = "Precondition"  # the server is in another state than the call needs
    SUPERSEDED = "Superseded"  # a later attempt, a tombstone, another server process or stream won
    NEVER_HERE = "NeverHere"  # can never fit this server
    REFUSED = "Refused"  # full, draining or not ready, said by the server itself
    DENIED = "Denied"  # the token is wrong
    TOO_MUCH = "TooMuch"  # full, or the message was too large for the library: nobody says which
    UNKNOWN = "Unknown"  # the call may have had its effect


MEANINGS: Final[dict[grpc.StatusCode, Meaning]] = {
    grpc.StatusCode.INVALID_ARGUMENT: Meaning.INVALID,
    grpc.StatusCode.UNIMPLEMENTED: Meaning.INVALID,
    grpc.StatusCode.NOT_FOUND: Meaning.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: Meaning.MISMATCH,
    grpc.StatusCode.FAILED_PRECONDITION: Meaning.PRECONDITION,
    grpc.StatusCode.ABORTED: Meaning.SUPERSEDED,
    grpc.StatusCode.OUT_OF_RANGE: Meaning.NEVER_HERE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Meaning.TOO_MUCH,
    grpc.StatusCode.UNAUTHENTICATED: Meaning.DENIED,
    grpc.StatusCode.PERMISSION_DENIED: Meaning.DENIED,
    # Every other code leaves open whether the call had its effect.
}

# The transport makes these two codes as well; only with one of these reasons did the server itself refuse.
REFUSALS: Final = frozenset({"SERVER_FULL", "DRAINING", "NOT_READY"})
_MAY_REFUSE: Final = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE})


class CallFailed(Exception):
    """A call to the runtime server failed; `reason` is its UPPER_SNAKE word, empty when it gave none."""

    def __init__(self, call: str, meaning: Meaning, code: str, message: str) -> None:
        super().__init__(call, meaning, code, message)
        self.call = call
        self.meaning = meaning
        self.code = code
        self.message = message or "the server gave no message"
        self.reason = ""
        self.retry_after: float | None = None

    def __str__(self) -> str:
        word = f" {self.reason}" if self.reason else ""
        return f"{self.call} failed with {self.code}{word}: {self.message}"


def from_grpc(call: str, error: grpc.aio.AioRpcError) -> CallFailed:
    """Our error for a gRPC one."""
    code = error.code()
    reason, retry_after = read_details(error)
    meaning = MEANINGS.get(code, Meaning.UNKNOWN)
    if code in _MAY_REFUSE and reason in REFUSALS:
        meaning = Meaning.REFUSED
    failed = CallFailed(call, meaning, code.name, error.details() or "")
    failed.reason, failed.retry_after = reason, retry_after
    return failed


def read_details(error: grpc.aio.AioRpcError) -> tuple[str, float | None]:
    """The server's reason and the seconds it asks to wait, where it sent them in a trailer we can read."""
    reason, retry_after = "", None
    for key, value in error.trailing_metadata() or ():
        if key != DETAILS or not isinstance(value, bytes):
            continue
        try:
            status = Status.FromString(value)
        except DecodeError:
            continue  # details only save a round trip; the code alone decides then
        for detail in status.details:
            info, retry = ErrorInfo(), RetryInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                reason = info.reason
            elif detail.Unpack(retry):
                retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, retry_after
