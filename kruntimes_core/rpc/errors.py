"""Failed calls to a runtime server as our own error; the only code that knows gRPC's codes and details."""

from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from kruntimes_core.daemon.server import Code

DOMAIN: Final = "runtime.kruntimes.io"
DETAILS: Final = "grpc-status-details-bin"

# Our codes bear the names of the wire. OK is no error, and a code not in the table says nothing to us.
CODES: Final[dict[grpc.StatusCode, Code]] = {grpc.StatusCode[code.name]: code for code in Code}


class CallFailed(Exception):
    """A call to the runtime server failed; `reason` is its UPPER_SNAKE word, empty when it gave none."""

    def __init__(self, call: str, code: Code, reason: str, message: str) -> None:
        super().__init__(call, code, reason, message)
        self.call = call
        self.code = code
        self.reason = reason
        self.message = message or "the server gave no message"

    def __str__(self) -> str:
        word = f" {self.reason}" if self.reason else ""
        return f"{self.call} failed with {self.code}{word}: {self.message}"


def from_grpc(call: str, error: grpc.aio.AioRpcError) -> CallFailed:
    """Our error for a gRPC one."""
    code = CODES.get(error.code(), Code.UNKNOWN)
    return CallFailed(call, code, read_reason(error), error.details() or "")


def read_reason(error: grpc.aio.AioRpcError) -> str:
    """The server's own word for why, from the trailer it may have sent it in; empty when it sent none."""
    for key, value in error.trailing_metadata() or ():
        if key != DETAILS or not isinstance(value, bytes):
            continue
        try:
            details = Status.FromString(value).details
        except DecodeError:
            continue  # details only save a round trip: without them the code alone decides
        for detail in details:
            info = ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                return str(info.reason)
    return ""
